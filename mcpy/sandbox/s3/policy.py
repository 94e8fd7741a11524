"""Bucket policies: what somebody who signs nothing may do.

Statements for everybody are evaluated, with wildcards and a condition on ``s3:prefix``; any other
condition makes an Allow void and a Deny valid.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcpy.sandbox.store import Bucket
    from mcpy.sandbox.wsgi import Request

OBJECT_ACTIONS = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "POST": "s3:PutObject",
    "DELETE": "s3:DeleteObject",
}
BUCKET_ACTIONS = {"location": "s3:GetBucketLocation", "uploads": "s3:ListBucketMultipartUploads"}
# what only the owner may do, whatever a policy says of objects
OWNERS = frozenset({"acl", "tagging", "retention", "legal-hold", "attributes", "torrent"})
SETTINGS = frozenset({"policy", "encryption", "versioning", "object-lock", "notification"})


def allows_anyone(bucket: Bucket, key: str, request: Request) -> bool:
    """Tell whether the bucket's policy lets everybody do what ``request`` asks for."""
    action = _action(request, key)
    if action is None or "policy" not in bucket.config:
        return False
    return permits(bucket, action, key, prefix=request.param("prefix") or "")


def permits(bucket: Bucket, action: str, key: str = "", *, prefix: str = "") -> bool:
    """Tell whether everybody may do ``action`` with an object, or with the bucket itself."""
    resource = f"arn:aws:s3:::{bucket.name}" + (f"/{key}" if key else "")
    effects = {
        statement["Effect"]
        for statement in _statements(bucket.config.get("policy", "{}"))
        if _applies(statement, action, resource, prefix)
    }
    return effects == {"Allow"}


def _action(request: Request, key: str) -> str | None:
    names = {name for name, _ in request.query}
    if key:
        return None if names & OWNERS else OBJECT_ACTIONS.get(request.method)
    if request.method not in {"GET", "HEAD"} or names & (OWNERS | SETTINGS):
        return None
    found = (action for name, action in BUCKET_ACTIONS.items() if name in names)
    return next(found, "s3:ListBucket")


@lru_cache(maxsize=64)
def _statements(policy: str) -> list[dict[str, Any]]:
    statements = json.loads(policy).get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def _applies(statement: dict[str, Any], action: str, resource: str, prefix: str) -> bool:
    principal = statement.get("Principal")
    principals = principal.get("AWS", ()) if isinstance(principal, dict) else principal
    return (
        "*" in _list(principals)
        and any(_matches(pattern, action) for pattern in _list(statement.get("Action")))
        and any(_matches(pattern, resource) for pattern in _list(statement.get("Resource")))
        and _holds(statement, prefix)
    )


def _holds(statement: dict[str, Any], prefix: str) -> bool:
    conditions = statement.get("Condition") or {}
    if not conditions:
        return True
    wanted = conditions.get("StringEquals", {}) if conditions.keys() == {"StringEquals"} else {}
    if wanted.keys() == {"s3:prefix"}:
        return prefix in _list(wanted["s3:prefix"])
    return bool(statement["Effect"] == "Deny")


def _list(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return [] if value is None else [str(value)]


def _matches(pattern: str, text: str) -> bool:
    parts = re.split(r"([*?])", pattern)
    regex = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(regex, text, re.DOTALL) is not None
