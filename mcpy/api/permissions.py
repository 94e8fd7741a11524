"""Which permission a refused request wanted: a server says that it refuses, and not what it lacks.

The names are those of policies; MinIO asks the same for a version as for an object, AWS for
another one. Source: minio ``cmd/*-handlers.go``, AWS's "Actions defined by Amazon S3".
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from mcpy.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mcpy.api.http import Call

# by the word in the query: what reads it, what changes it
_SETTINGS = {
    "encryption": ("GetEncryptionConfiguration", "PutEncryptionConfiguration"),
    "lifecycle": ("GetLifecycleConfiguration", "PutLifecycleConfiguration"),
    "location": ("GetBucketLocation", ""),
    "object-lock": ("GetBucketObjectLockConfiguration", "PutBucketObjectLockConfiguration"),
    "policy": ("GetBucketPolicy", "PutBucketPolicy"),
    "uploads": ("ListBucketMultipartUploads", ""),
    "versioning": ("GetBucketVersioning", "PutBucketVersioning"),
    "versions": ("ListBucketVersions", ""),
}
_BUCKET = {"GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket"} | {
    "DELETE": "DeleteBucket",
    "POST": "DeleteObject",
}
_OBJECT = {"GET": "GetObject", "HEAD": "GetObject", "DELETE": "DeleteObject"}
_OF_OBJECT = {
    "tagging": ("GetObjectTagging", "PutObjectTagging"),
    "retention": ("GetObjectRetention", "PutObjectRetention"),
    "legal-hold": ("GetObjectLegalHold", "PutObjectLegalHold"),
}
_OF_VERSIONS = {"GetObject", "DeleteObject", "GetObjectTagging", "PutObjectTagging"}
_ADMIN = {
    "kms/v1/apis": "kms:API",
    "kms/v1/key/create": "kms:CreateKey",
    "kms/v1/key/list": "kms:ListKeys",
    "kms/v1/key/status": "kms:KeyStatus",
    "kms/v1/metrics": "kms:Metrics",
    "kms/v1/status": "kms:Status",
    "admin/v3/cancel-job": "admin:CancelBatchJob",
    "admin/v3/describe-job": "admin:DescribeBatchJob",
    "admin/v3/info": "admin:ServerInfo",
    "admin/v3/list-jobs": "admin:ListBatchJobs",
    "admin/v3/service": "admin:ServiceRestart",
    "admin/v3/start-job": "admin:StartBatchJob",
    "admin/v3/status-job": "admin:ListBatchJobs",
}


@contextmanager
def permission_named(call: Call) -> Iterator[None]:
    """Let a refusal of ``call`` for want of a permission name it."""
    try:
        yield
    except ApiError as e:
        name_permission(e, call)
        raise


def name_permission(error: ApiError, call: Call) -> None:
    """Say in ``error`` what its refusal of ``call`` wants, where that is known."""
    if error.status != 403 or error.api_code != "AccessDenied":
        return
    minio = error.fields.get("Server", "").startswith("MinIO")
    if permission := needed(call.method, call.target, minio=minio):
        copies = "x-amz-copy-source" in {name.lower() for name in call.headers}
        error.wants(permission + (" and s3:GetObject of the source" if copies else ""))


def needed(method: str, target: str, *, minio: bool) -> str:
    """Return the permission of a request, or ``""``; ``target`` is its path and query."""
    parts = urlsplit(target)
    path = parts.path.strip("/")
    if path.startswith("minio/"):
        return _ADMIN.get(path.removeprefix("minio/"), "")
    words = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    bucket, _, key = parts.path.removeprefix("/").partition("/")
    if not bucket:
        return "s3:ListAllMyBuckets"
    action = _on_object(method, words) if key else _on_bucket(method, words)
    if key and not minio and "versionId" in words and action in _OF_VERSIONS:
        action = action.replace("Object", "ObjectVersion", 1)
    return action and f"s3:{action}"


def _on_bucket(method: str, words: Collection[str]) -> str:
    for word, (read, change) in _SETTINGS.items():
        if word in words:
            found = "DeleteBucketPolicy" if (word, method) == ("policy", "DELETE") else change
            return read if method == "GET" else found
    return _BUCKET.get(method, "")


def _on_object(method: str, words: Collection[str]) -> str:
    for word, (read, change) in _OF_OBJECT.items():
        if word in words:
            return read if method == "GET" else change
    if "uploadId" in words and method in {"GET", "DELETE"}:
        return "ListMultipartUploadParts" if method == "GET" else "AbortMultipartUpload"
    return _OBJECT.get(method, "PutObject")
