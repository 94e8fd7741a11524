"""A bucket policy that refuses uploads encrypted otherwise, beside whatever else the policy says.

Modes: ``same-or-default`` refuses an upload that asks for another encryption, and lets pass one
that asks for none, which the bucket's default encrypts; ``same`` refuses that too. A server looks
at the headers before it applies the default, so ``same`` breaks every client that sends none.

The statements are known by their Sid. Nothing else in a policy is touched.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mcpy.errors import ProtocolError
from mcpy.fleet.plan.document import UPLOADS
from mcpy.jsontext import loads
from mcpy.models import KMS_ARN_PREFIX

if TYPE_CHECKING:
    from mcpy.fleet.plan.document import Uploads
    from mcpy.models import BucketEncryption

SID = "McpyUploads"
ALTERED = "altered"
_SSE = "s3:x-amz-server-side-encryption"
_KEY = f"{_SSE}-aws-kms-key-id"
_CUSTOMER = f"{_SSE}-customer-algorithm"
_PRESENT, _ABSENT = "false", "true"  # what the condition `Null` compares with

_MAX_DEPTH = 32  # no policy that means anything is as deep

Statement = dict[str, Any]


def statements(bucket: str, wanted: BucketEncryption, mode: Uploads) -> list[Statement]:
    """Return the statements that refuse what ``mode`` does not let in; none for ``any``."""
    if mode == "any":
        return []
    conditions = {
        "OtherAlgorithm": {
            "StringNotEquals": {_SSE: [wanted.algorithm]},
            "Null": {_SSE: [_PRESENT]},
        },
        "CustomerKey": {"Null": {_CUSTOMER: [_PRESENT]}},
    }
    if wanted.key_id:
        names = [wanted.key, f"{KMS_ARN_PREFIX}{wanted.key}"]
        conditions["OtherKey"] = {
            "StringNotEquals": {_KEY: names},
            "Null": {_KEY: [_PRESENT]},
        }
        # a server takes a key of its own choice then, and not the bucket's
        conditions["NoKey"] = {
            "StringEquals": {_SSE: [wanted.algorithm]},
            "Null": {_KEY: [_ABSENT]},
        }
    if mode == "same":
        conditions["Unasked"] = {"Null": {_SSE: [_ABSENT]}}
    return [
        {
            "Sid": f"{SID}{name}",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{bucket}/*"],
            "Condition": condition,
        }
        for name, condition in conditions.items()
    ]


def mode_of(policy: str, bucket: str, wanted: BucketEncryption) -> str:
    """Return the mode a policy stands for, or ``ALTERED`` where its statements are of no mode."""
    _, ours = _split(policy)
    found = [_normal(statement) for statement in ours]
    for mode in UPLOADS:
        asked = [_normal(statement) for statement in statements(bucket, wanted, mode)]
        if _unordered(found) == _unordered(asked):
            return mode
    return ALTERED


def merged(policy: str, ours: list[Statement]) -> str:
    """Return the policy with ``ours`` in the place of earlier ones; ``""`` when nothing is left.

    Raises:
        ProtocolError: the policy cannot be read, so that it cannot be kept either.
    """
    document, _ = _split(policy)
    kept = [s for s in _listed(document.get("Statement")) if not _is_ours(s)]
    if not (kept or ours):
        return ""
    document.setdefault("Version", "2012-10-17")
    document["Statement"] = [*kept, *ours]
    return json.dumps(document, ensure_ascii=False)


def same_meaning(one: str, other: str) -> bool:
    """Whether two policies say the same, however a server spells it."""
    return normal(one) == normal(other)


def normal(policy: str) -> str:
    """Return a policy in one spelling, ``""`` for none."""
    document, _ = _split(policy)
    if not document:
        return ""
    found = [_normal(statement) for statement in _listed(document.pop("Statement", None))]
    return json.dumps([document, _unordered(found)], sort_keys=True)


def _split(policy: str) -> tuple[dict[str, Any], list[Statement]]:
    """Return the document, and those of its statements that are ours."""
    if not policy.strip():
        return {}, []
    try:
        document = loads(policy)
    except ValueError as e:
        raise ProtocolError("the bucket's policy is not JSON: it is left alone") from e
    if not isinstance(document, dict) or _is_deeper(document, _MAX_DEPTH):
        raise ProtocolError("the bucket's policy is not a JSON object: it is left alone")
    found = _listed(document.get("Statement"))
    if not all(isinstance(statement, dict) for statement in found):
        raise ProtocolError("the bucket's policy holds no statements: it is left alone")
    return document, [statement for statement in found if _is_ours(statement)]


def _is_deeper(value: Any, levels: int) -> bool:  # noqa: ANN401 - parsed JSON
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


def _is_ours(statement: Statement) -> bool:
    return str(statement.get("Sid", "")).startswith(SID)


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - parsed JSON
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _normal(value: Any) -> Any:  # noqa: ANN401 - parsed JSON
    """Return one spelling: a value alone is a list of one, order does not count, and so on."""
    if isinstance(value, dict):
        found = {name: _normal(inner) for name, inner in value.items()}
        if found.get("Principal") == ["*"]:
            found["Principal"] = {"AWS": ["*"]}
        return {name: inner for name, inner in found.items() if (name, inner) != ("Sid", [""])}
    if isinstance(value, list):
        return _unordered([_normal(inner)[0] if not _is_deep(inner) else inner for inner in value])
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _is_deep(value: object) -> bool:
    return isinstance(value, dict | list)


def _unordered(values: list[Any]) -> list[Any]:
    return sorted(values, key=lambda value: json.dumps(value, sort_keys=True))
