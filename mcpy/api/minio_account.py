"""Whether the caller's list of buckets is the list of all: MinIO leaves out what one may not see.

ListBuckets names every bucket only where ``s3:ListAllMyBuckets`` is allowed; else it is filtered
without a word. The number that ``admin info`` tells is a minute old and proves nothing.

Source: minio ``ListBucketsHandler``, ``AccountInfoHandler``, ``InfoAccessKey``
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from mcpy.api.http import json_object
from mcpy.errors import McpyError, UnreachableError
from mcpy.jsontext import loads

if TYPE_CHECKING:
    from mcpy.api.madmin import MinioAdmin

ACTION = "s3:ListAllMyBuckets"
# MinIO writes the resource `*` back as `**`
_EVERYTHING = {"arn:aws:s3:::*", "*", "**"}


def unlisted(admin: MinioAdmin) -> str:
    """Return why buckets may be missing in the caller's list; ``""`` where none can be.

    An authorization plugin decides for itself, and the server does not tell of one: behind it
    the answer may be wrong.

    Raises:
        UnreachableError: the server does not answer.
    """
    try:
        answer = admin.call("GET", "accountinfo", {})
        account = json_object(answer, admin.http.where)
        derived = account.get("AccountName") != admin.access_key
        if derived and not _is_as_its_parent(admin, account.get("AccountName")):
            return "the server does not tell what these keys of a session or service may list"
    except UnreachableError:
        raise
    except McpyError as e:
        return e.message
    if lists_all(account.get("Policy")):
        return ""
    return f"{ACTION} on arn:aws:s3:::* is not granted for certain"


def _is_as_its_parent(admin: MinioAdmin, parent: object) -> bool:
    """Tell whether an access key has no policy of its own: what is told is its parent's."""
    try:
        found = loads(admin.read_sealed("info-access-key", {"accessKey": admin.access_key}))
    except ValueError:
        return False
    implied = isinstance(found, dict) and found.get("impliedPolicy") is True
    return implied and found.get("parentUser") == parent


def lists_all(policy: object) -> bool:
    """Tell whether a policy lets its holder list every bucket; what is odd counts as no."""
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    if not isinstance(statements, list) or not all(isinstance(one, dict) for one in statements):
        return False
    if any(one.get("Effect") != "Allow" and _may_deny(one) for one in statements):
        return False
    return any(_allows(one) for one in statements if one.get("Effect") == "Allow")


def _allows(statement: dict[str, Any]) -> bool:
    odd = any(statement.get(name) for name in ("Condition", "NotAction", "NotResource"))
    actions, resources = _texts(statement.get("Action")), _texts(statement.get("Resource"))
    return not odd and bool({ACTION, "s3:*", "*"} & actions) and bool(_EVERYTHING & resources)


def _may_deny(statement: dict[str, Any]) -> bool:
    actions = {text.lower() for text in _texts(statement.get("Action"))}
    odd = statement.get("Effect") != "Deny" or not actions or bool(statement.get("NotAction"))
    return odd or any(fnmatchcase(ACTION.lower(), pattern) for pattern in actions)


def _texts(value: object) -> set[str]:
    listed = value if isinstance(value, list) else [value]
    return {text for text in listed if isinstance(text, str)}
