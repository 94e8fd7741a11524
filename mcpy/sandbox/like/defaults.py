"""A bucket's default encryption as servers other than MinIO take it: with extras, unchecked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mcpy.sandbox.s3 import xml
from mcpy.sandbox.s3.call import answer_xml
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.xml import NAMESPACE, Markup, element

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcpy.sandbox.message import Response
    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.s3.xml import Node

ROOT = "ServerSideEncryptionConfiguration"
PART = "encryption-like"
"""What a bucket's setting is kept as; MinIO's own is ``encryption``."""


@dataclass(frozen=True)
class Rule:
    """One rule of the document; None stands for an element that was not there."""

    algorithm: str | None = None
    key: str | None = None
    bucket_key: str | None = None
    blocked: tuple[str, ...] = ()


def parse(call: Call) -> list[Rule]:
    """Return the rules of the document in the call's body.

    Raises:
        S3Problem: it is none.
    """
    try:
        tree = xml.parse(call.text(), ROOT)
    except xml.XmlProblem as e:
        raise S3Problem.of("MalformedXML") from e
    return [_rule(node) for node in tree.all("Rule")]


def _rule(node: Node) -> Rule:
    default = node.first("ApplyServerSideEncryptionByDefault") or xml.Node("")
    blocked = node.first("BlockedEncryptionTypes") or xml.Node("")
    return Rule(
        default.value("SSEAlgorithm"),
        default.value("KMSMasterKeyID"),
        node.value("BucketKeyEnabled"),
        tuple(child.text for child in blocked.all("EncryptionType")),
    )


def keep(call: Call, rules: Sequence[Rule]) -> None:
    """Store ``rules`` as the bucket's setting.

    Raises:
        NoBucketError: there is no such bucket.
    """
    text = json.dumps([asdict(rule) for rule in rules])
    call.store.configure(call.bucket, PART, text)


def drop(call: Call) -> None:
    """Remove the setting."""
    call.store.configure(call.bucket, PART, None)


def find(call: Call) -> list[Rule] | None:
    """Return the bucket's rules, None if nothing is set.

    Raises:
        NoBucketError: there is no such bucket.
    """
    text = call.store.bucket(call.bucket).config.get(PART)
    if text is None:
        return None
    return [Rule(**{**item, "blocked": tuple(item["blocked"])}) for item in json.loads(text)]


def answer(rules: Sequence[Rule]) -> Response:
    """Answer ``rules`` as a document."""
    return answer_xml(element(ROOT, *map(_element, rules), xmlns=NAMESPACE))


def _element(rule: Rule) -> Markup:
    pairs = (("SSEAlgorithm", rule.algorithm), ("KMSMasterKeyID", rule.key))
    fields = [element(name, value) for name, value in pairs if value is not None]
    parts = [element("ApplyServerSideEncryptionByDefault", *fields)]
    if rule.bucket_key is not None:
        parts.append(element("BucketKeyEnabled", rule.bucket_key))
    if rule.blocked:
        types = (element("EncryptionType", name) for name in rule.blocked)
        parts.append(element("BlockedEncryptionTypes", *types))
    return element("Rule", *parts)
