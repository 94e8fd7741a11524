"""Lifecycle rules of a bucket: checked and given back as the real server does; nothing expires.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
"""

from __future__ import annotations

import itertools
import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import locks, transfer
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.times import parse_rfc3339
from mcpy.sandbox.s3.xml import Markup, Node, element

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.sandbox.s3.call import Call

ROOTS = ("LifecycleConfiguration", "BucketLifecycleConfiguration")
MAX_RULES, MAX_ID = 1000, 255
ACTIONS = (
    "Expiration",
    "Transition",
    "DelMarkerExpiration",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionTransition",
)
_FIELDS = {
    "Expiration": ("Days", "Date", "ExpiredObjectDeleteMarker", "ExpiredObjectAllVersions"),
    "Transition": ("Days", "Date", "StorageClass"),
    "DelMarkerExpiration": ("Days",),
    "NoncurrentVersionExpiration": ("NoncurrentDays", "NewerNoncurrentVersions"),
    "NoncurrentVersionTransition": ("NoncurrentDays", "StorageClass"),
}
_PREDICATES = ("Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
NOT_WELL_FORMED = (
    "The XML you provided was not well-formed or did not validate against our published schema"
)

NOT_WHEN_LOCKED = (
    "ExpiredObjectAllVersions element and DelMarkerExpiration action cannot be used"
    " on an object locked bucket"
)


def put_lifecycle(call: Call) -> Response:
    """Keep the rules; those without a name get one."""
    bucket = call.store.bucket(call.bucket)
    transfer.check_document(call)
    body = call.document()
    if body.name not in ROOTS:
        expected = "expected element type <LifecycleConfiguration>/<BucketLifecycleConfiguration>"
        raise S3Problem.of("InternalError", f"cause({expected} but have <{body.name}>)")
    rules = list(body.all("Rule"))
    if len(rules) > MAX_RULES:
        raise _invalid(f"Lifecycle configuration allows a maximum of {MAX_RULES} rules")
    if not rules:
        raise _invalid("Lifecycle configuration should have at least one rule")
    for rule in rules:
        _check_rule(rule, locked=locks.enabled(bucket))
    names = [rule.value("ID") or str(uuid.uuid4()) for rule in rules]
    if len(set(names)) < len(names):
        raise _invalid("Rule ID must be unique. Found same ID for more than one rule")
    if any(rule.value("StorageClass") for rule in itertools.chain(*map(_transitions, rules))):
        raise S3Problem.of("InvalidStorageClass")  # there is no tier to move objects to
    written = (_written(rule, name) for rule, name in zip(rules, names, strict=True))
    call.store.configure(call.bucket, "lifecycle", element(ROOTS[0], *written))
    return Response(200)


def _transitions(rule: Node) -> Iterator[Node]:
    return itertools.chain(rule.all("Transition"), rule.all("NoncurrentVersionTransition"))


def _check_rule(rule: Node, *, locked: bool) -> None:
    for child in rule.children:
        _check_times(child)
    name, status = rule.value("ID") or "", rule.value("Status") or ""
    _require(len(name.encode()) <= MAX_ID, f"ID length is limited to {MAX_ID} characters")
    _require(status != "", "Status should not be empty")
    _require(status in {"Enabled", "Disabled"}, "Status must be set to either Enabled or Disabled")
    for expiration in rule.all("Expiration"):
        _check_expiration(expiration, locked=locked)
    for noncurrent in rule.all("NoncurrentVersionExpiration"):
        numbers = [_number(noncurrent, field) for field in _FIELDS[noncurrent.name]]
        _require(any(numbers), NOT_WELL_FORMED)
    for found in rule.all("Filter"):
        _check_filter(rule, found)
    for transition in _transitions(rule):
        _require(
            not (transition.value("Date") and _number(transition, "Days")),
            "Exactly one of Days (0 or greater) or Date (positive ISO 8601 format)"
            " should be present in Transition.",
        )
        _require(bool(transition.value("StorageClass")), NOT_WELL_FORMED)
    _require(any(rule.first(action) for action in ACTIONS), NOT_WELL_FORMED)
    _require(not (locked and rule.first("DelMarkerExpiration")), NOT_WHEN_LOCKED)


def _check_times(action: Node) -> None:
    """Refuse numbers and dates that are none."""
    least = 0 if action.name.endswith("Transition") else 1
    for name in ("Days", "NoncurrentDays"):
        if action.value(name) is not None and _number(action, name) < least:
            if action.name == "DelMarkerExpiration":
                raise _invalid("Days must be a positive integer with DelMarkerExpiration")
            if least:
                raise _invalid("Days must be positive integer when used with Expiration")
            raise _invalid("Days must be 0 or greater when used with Transition")
    date = action.value("Date")
    if date is None:
        return
    if parse_rfc3339(date) is None:
        raise _invalid("Date must be provided in ISO 8601 format")
    moment = datetime.fromisoformat(date)
    if moment.time().isoformat() != "00:00:00" or moment.utcoffset():
        raise _invalid("'Date' must be at midnight GMT")


def _check_expiration(expiration: Node, *, locked: bool) -> None:
    days, date, marker, every = (expiration.value(field) for field in _FIELDS["Expiration"])
    when = days or date
    _require(
        not when or marker is None,
        "Delete marker cannot be specified with Days or Date in a Lifecycle Expiration Policy",
    )
    _require(bool(when) or (marker, every) != (None, None), NOT_WELL_FORMED)
    _require(
        not (days and date),
        "Exactly one of Days (positive integer) or Date (positive ISO 8601 format)"
        " should be present inside Expiration.",
    )
    _require(
        every is None or bool(days),
        "Days (positive integer) should be present inside Expiration"
        " with ExpiredObjectAllVersions.",
    )
    _require(not (locked and every == "true"), NOT_WHEN_LOCKED)


def _check_filter(rule: Node, found: Node) -> None:
    _require(not (rule.first("Prefix") and found.first("Prefix")), NOT_WELL_FORMED)
    names = {child.name for child in found.children}
    _require(names <= {*_PREDICATES, "And"}, "unknown XML Tag")
    _require(len(names) < 2, "Filter must have exactly one of Prefix, Tag, or And specified")
    tags = list(found.all("Tag"))
    for both in found.all("And"):
        _require(len(both.children) > 1, NOT_WELL_FORMED)
        tags += both.all("Tag")
    keys = [tag.value("Key") or "" for tag in tags]
    _require(len(set(keys)) == len(keys), "Duplicate Tag Keys are not allowed")
    _require(all(0 < len(key) <= 128 for key in keys), "The TagKey you have provided is invalid")
    values = [tag.value("Value") or "" for tag in tags]
    _require(
        all(len(value) <= 256 for value in values), "The TagValue you have provided is invalid"
    )
    _require(
        not (tags and rule.first("DelMarkerExpiration")),
        "Rule with DelMarkerExpiration cannot have tags based filtering",
    )


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise _invalid(reason)


def _number(node: Node, name: str) -> int:
    text = (node.value(name) or "0").strip()
    try:
        return int(text)
    except ValueError as e:
        reason = f'cause(strconv.ParseInt: parsing "{text}": invalid syntax)'
        raise S3Problem.of("InternalError", reason) from e


def _written(rule: Node, name: str) -> Markup:
    """Return a rule as it is given back: known elements only, in one order."""
    fields = [element("ID", name), element("Status", rule.value("Status") or "")]
    found = rule.first("Filter")
    if found is not None:
        inner = [_copy(child) for child in found.children] or [element("Prefix", "")]
        fields.append(element("Filter", *inner))
    fields += [_copy(prefix) for prefix in rule.all("Prefix")]
    for action in ACTIONS:
        node = rule.first(action)
        if node is not None:
            inner = [element(f, node.value(f) or "") for f in _FIELDS[action] if node.first(f)]
            fields.append(element(action, *inner))
    return element("Rule", *fields)


def _copy(node: Node) -> Markup:
    if not node.children:
        return element(node.name, node.text)
    return element(node.name, *(_copy(child) for child in node.children))


def _invalid(reason: str) -> S3Problem:
    return S3Problem("InvalidArgument", 400, reason)
