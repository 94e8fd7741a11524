"""Who may do what: users by their policies, everybody by the bucket's."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mcpy.sandbox.s3.statements import allowed, as_list, context_of

if TYPE_CHECKING:
    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3.identities import Identities
    from mcpy.sandbox.store import Bucket

ARN = "arn:aws:s3:::"
_BUCKET: dict[str, str] = {
    "acl": "BucketPolicy",
    "policy": "BucketPolicy",
    "lifecycle": "LifecycleConfiguration",
    "encryption": "EncryptionConfiguration",
    "object-lock": "BucketObjectLockConfiguration",
    "replication": "ReplicationConfiguration",
    "versioning": "BucketVersioning",
    "notification": "BucketNotification",
    "tagging": "BucketTagging",
    "cors": "BucketCors",
}
_LISTS = {
    "location": "GetBucketLocation",
    "policyStatus": "GetBucketPolicyStatus",
    "uploads": "ListBucketMultipartUploads",
    "versions": "ListBucketVersions",
    "events": "ListenBucketNotification",
}
_OBJECT = {
    "tagging": "ObjectTagging",
    "retention": "ObjectRetention",
    "legal-hold": "ObjectLegalHold",
}
_VERBS = {"GET": "Get", "HEAD": "Get", "PUT": "Put", "DELETE": "Put"}


def action_of(request: Request, bucket: str, key: str) -> str:
    """Return what policies call what ``request`` asks for."""
    names = {name for name, _ in request.query}
    if not bucket:
        return "s3:ListAllMyBuckets"
    return "s3:" + (_object_action if key else _bucket_action)(request.method, names)


def _bucket_action(method: str, names: set[str]) -> str:
    for name, thing in _BUCKET.items():
        if name in names:
            deletes_policy = method == "DELETE" and thing == "BucketPolicy"
            return ("Delete" if deletes_policy else _VERBS.get(method, "Put")) + thing
    if method in {"GET", "HEAD"}:
        return next((action for name, action in _LISTS.items() if name in names), "ListBucket")
    return {"PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(method, "PutObject")


def _object_action(method: str, names: set[str]) -> str:
    for name, thing in _OBJECT.items():
        if name in names:
            deletes_tags = method == "DELETE" and name == "tagging"
            return ("Delete" if deletes_tags else _VERBS.get(method, "Put")) + thing
    if "acl" in names:
        return _VERBS.get(method, "Put") + "BucketPolicy"
    if "uploadId" in names and method in {"GET", "DELETE"}:
        return "ListMultipartUploadParts" if method == "GET" else "AbortMultipartUpload"
    if "attributes" in names:
        return "GetObjectAttributes"
    if method == "DELETE":
        return "DeleteObjectVersion" if "versionId" in names else "DeleteObject"
    reads = method in {"GET", "HEAD"} or "select" in names
    return "GetObject" if reads else "PutObject"


def allows_user(
    identities: Identities, access_key: str, request: Request, action: str, resource: str
) -> bool:
    """Tell whether somebody who signed ``request`` may do ``action`` with ``bucket/key``.

    Whoever asks is a user, or has a session; the root user may everything.
    """
    if access_key in identities.root:
        return True
    token = request.headers.get("x-amz-security-token") or request.param("X-Amz-Security-Token")
    sets = identities.documents(access_key, token or "")
    if not sets:
        return True
    context = context_of(request, access_key)
    arn = ARN + resource if action.startswith("s3:") else ""
    return all(
        allowed((s for d in documents for s in listed(d)), action, arn, context)
        for documents in sets
    )


def listed(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a policy's statements, one of which may stand alone."""
    statements = document.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


# buckets

OBJECT_ACTIONS = {"GET", "HEAD", "PUT", "POST", "DELETE"}
# what only the owner may do, whatever a policy says of objects
OWNERS = frozenset({"acl", "tagging", "retention", "legal-hold", "attributes", "torrent"})
SETTINGS = frozenset({"policy", "encryption", "versioning", "object-lock", "notification"})


def allows_anyone(bucket: Bucket, key: str, request: Request) -> bool:
    """Tell whether the bucket's policy lets everybody do what ``request`` asks for."""
    names = {name for name, _ in request.query}
    if "policy" not in bucket.config or names & (OWNERS if key else OWNERS | SETTINGS):
        return False
    if request.method not in (OBJECT_ACTIONS if key else {"GET", "HEAD"}):
        return False
    action = action_of(request, bucket.name, key)
    return _permits(bucket, action, key, context_of(request))


def permits(bucket: Bucket, action: str, key: str = "") -> bool:
    """Tell whether everybody may do ``action`` with an object, or with the bucket itself."""
    return _permits(bucket, action, key, {"s3:prefix": ""})


def _permits(bucket: Bucket, action: str, key: str, context: dict[str, str]) -> bool:
    resource = f"{ARN}{bucket.name}" + (f"/{key}" if key else "")
    return allowed(_for_everybody(bucket.config.get("policy", "{}")), action, resource, context)


@lru_cache(maxsize=64)
def _for_everybody(policy: str) -> list[dict[str, Any]]:
    return [s for s in listed(json.loads(policy)) if "*" in _principals(s)]


def _principals(statement: dict[str, Any]) -> list[str]:
    principal = statement.get("Principal")
    return as_list(principal.get("AWS") if isinstance(principal, dict) else principal)
