"""A bucket with everything in it that a rewriting may break, and a census of it to compare."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mcpy.api.http import Deadline, HttpOptions
from mcpy.api.multipart import MultipartUpload
from mcpy.api.s3 import S3
from mcpy.api.s3info import customer_headers, sse_headers
from mcpy.models import CustomerKey, ObjectEncryption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mcpy.models import Alias

OWNER = CustomerKey(b"o" * 32)
ODD_NAMES = (
    "a b+c%25d",
    "folder/sub/below",
    "quote'\"<>&?=;#",
    "tail/",
    "ctl\x01\x1fx",
    "ünï/cödé-😀",
    "...dots/..x",
)
DESCRIBED = {
    "content-type": "text/x-canary",
    "cache-control": "no-cache",
    "content-disposition": "attachment; filename=x",
    "content-encoding": "x-none",
    "content-language": "de",
    "expires": "Thu, 01 Dec 2095 16:00:00 GMT",
    "x-amz-meta-who": "me",
    "x-amz-meta-Mixed-Case": "Value; with = signs",
}
TAGS = {"x-amz-tagging": urlencode({"a": "b", "c d": "e+f"})}
_SSE = ("x-amz-server-side-encryption", "x-amz-tagging-count")


def client(alias: Alias, ca: Path | None = None) -> S3:
    """Return a client for the world's server."""
    return S3(alias, HttpOptions(deadline=Deadline(None), ca=ca))


def kms(key: str, **context: str) -> dict[str, str]:
    """Return the headers of SSE-KMS."""
    encoded = base64.b64encode(json.dumps(context).encode()).decode() if context else ""
    return sse_headers(ObjectEncryption("aws:kms", key, encoded))


@dataclass(frozen=True)
class Mixed:
    """What a mixture was made with."""

    s3: S3
    bucket: str
    keys: tuple[str, str]
    customer: bool = False


def fill(mixed: Mixed, versioning: str, *, seed: int = 0) -> None:
    """Make the bucket and fill it; ``versioning`` is ``""``, ``Enabled`` or ``Suspended``."""
    s3, bucket, dice = mixed.s3, mixed.bucket, random.Random(seed)
    s3.make_bucket(bucket)

    def put(key: str, *several: Mapping[str, str], size: int = 40) -> None:
        headers = {name: value for one in several for name, value in one.items()}
        s3.put_object(bucket, key, dice.randbytes(size), headers=headers)

    put("null-version", DESCRIBED)
    if versioning:
        s3.set_versioning(bucket, status="Enabled")
    for name in ODD_NAMES:
        size = 0 if name == "tail/" else 40
        put(name, DESCRIBED, {} if "/" in name else TAGS, size=size)
    put("empty", TAGS, size=0)
    put("edges", DESCRIBED, size=200_000)
    put("half-edges", size=100_000)
    put("s3", sse_headers(ObjectEncryption("AES256")), TAGS)
    put("kms-one", kms(mixed.keys[0]), DESCRIBED)
    put("kms-two", kms(mixed.keys[1], tenant="t", **{"a/b": "ü"}), TAGS)
    put("kms-two-plain", kms(mixed.keys[1]))
    _in_parts(s3, bucket, "parts", dice)
    if mixed.customer:
        put("owner", customer_headers(OWNER))
    if versioning:
        _versions(mixed, put)
    if versioning == "Suspended":
        s3.set_versioning(bucket, status="Suspended")
        put("many")
        put("null-again")


def _versions(mixed: Mixed, put: Callable[..., None]) -> None:
    s3, bucket = mixed.s3, mixed.bucket
    for _ in range(5):  # as quick as can be: some share a millisecond
        put("many")
    put("deleted")
    put("deleted", kms(mixed.keys[1], of="deleted"))
    s3.delete_object(bucket, "deleted")
    put("marker-between")
    s3.delete_object(bucket, "marker-between")
    put("marker-between", DESCRIBED, TAGS)
    put("null-version")
    for _ in range(3):
        put("alternating", sse_headers(ObjectEncryption("AES256")))
        s3.delete_object(bucket, "alternating")


def _in_parts(s3: S3, bucket: str, key: str, dice: random.Random) -> None:
    headers = {**DESCRIBED, **TAGS}
    upload = MultipartUpload.start(s3, bucket, key, headers=headers, customer={})
    parts = []
    for number, size in enumerate((5 * 1024**2, 70_000), start=1):
        content = dice.randbytes(size)
        parts.append(upload.put(number, [content], {"content-length": str(size)}))
    upload.complete(parts)


def locked(s3: S3, bucket: str) -> None:
    """Make a bucket with a lock: objects under hold, under retention, and free ones."""
    s3.make_bucket(bucket, with_lock=True)
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    retained = {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": until,
    }
    for key, headers in {
        "free": {},
        "held": {"x-amz-object-lock-legal-hold": "ON"},
        "let-go": {"x-amz-object-lock-legal-hold": "OFF"},
        "retained": retained,
        "both": {**retained, "x-amz-object-lock-legal-hold": "ON"},
    }.items():
        s3.put_object(bucket, key, b"content", headers=headers)


def census(s3: S3, bucket: str) -> dict[str, list[dict[str, Any]]]:
    """Return all there is, by key, newest version first, without encryption and ETags."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in s3.list_versions(bucket):
        one: dict[str, Any] = {
            "id": entry.version_id,
            "latest": entry.is_latest,
            "marker": entry.is_delete_marker,
            "time": entry.last_modified,
            "size": entry.size,
        }
        if not entry.is_delete_marker:
            one |= _content(s3, bucket, entry.key, entry.version_id)
        found.setdefault(entry.key, []).append(one)
    return found


def _content(s3: S3, bucket: str, key: str, version_id: str) -> dict[str, Any]:
    headers = customer_headers(OWNER) if key == "owner" else {}
    with s3.get_object(bucket, key, version_id=version_id, headers=headers) as (info, stream):
        digest = hashlib.sha256(b"".join(stream.chunks())).hexdigest()
    kept = {n: v for n, v in info.metadata.items() if not n.startswith(_SSE)}
    return {
        "digest": digest,
        "headers": kept,
        "tags": s3.object_tags(bucket, key, version_id=version_id),
    }


def encryptions(s3: S3, bucket: str) -> dict[tuple[str, str], ObjectEncryption | None]:
    """Return how each version says it is encrypted."""
    return {
        (entry.key, entry.version_id): entry.encryption
        for entry in s3.list_versions(bucket, metadata=True)
        if not entry.is_delete_marker
    }


def uploads(s3: S3, bucket: str) -> list[str]:
    """Return the uploads that were begun and not completed."""
    from mcpy.api.multipart import list_uploads

    return [entry.key for entry in list_uploads(s3, bucket)]
