"""The state of an object that a listing does not tell: one HEAD, and a byte where that lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.errors import DeadlineError, McpyError, NotReachedError, S3Error
from mcpy.fleet.inventory.item import Item, is_sealed, item_of, unknown
from mcpy.models import ObjectEncryption

if TYPE_CHECKING:
    from mcpy.api.s3 import S3
    from mcpy.api.s3listing import Entry

# how servers say that an object is under a key of the client's: MinIO and AWS, Ceph and SeaweedFS,
# Garage
_CUSTOMER = (
    "stored using a form of server side encryption",
    "encryption with customer provided keys",
    "object is encrypted",
)


def headed(s3: S3, bucket: str, entry: Entry) -> Item:
    """Return what HEAD says of ``entry``; a refusal leaves it unknown, with the reason.

    Raises:
        UnreachableError: no answer.
    """
    try:
        info = s3.head_object(bucket, entry.key, version_id=entry.version_id)
    except S3Error as e:
        return _refused(s3, bucket, entry, e)
    broken = ""
    if is_sealed(info.etag) and info.encryption.algorithm == "AES256":
        # a name that ends in `/` has such an ETag after a self-copy, and is readable all the same
        broken = unreadable(s3, bucket, entry.key, version_id=entry.version_id)
    return item_of(entry, info.encryption, why=broken)


def unreadable(s3: S3, bucket: str, key: str, *, version_id: str = "") -> str:
    """Return why an object cannot be read, or ``""``; raises as ``refusal``."""
    error = refusal(s3, bucket, key, version_id=version_id)
    return error.message if error else ""


def refusal(s3: S3, bucket: str, key: str, *, version_id: str = "") -> McpyError | None:
    """Read one byte of an object; return the error that says why it cannot be read, or None.

    A 200 with a short body is a failure as well. An empty object is read as a whole.

    Raises:
        UnreachableError: no connection, or no answer in time.
    """
    found = _first_byte(s3, bucket, key, version_id, {"range": "bytes=0-0"})
    if isinstance(found, S3Error) and found.status == 416:
        return _first_byte(s3, bucket, key, version_id, {})
    return found


def _first_byte(
    s3: S3, bucket: str, key: str, version_id: str, headers: dict[str, str]
) -> McpyError | None:
    try:
        with s3.get_object(bucket, key, version_id=version_id, headers=headers) as (info, stream):
            content = stream.read(1, cut=True).body
    except (DeadlineError, NotReachedError):
        raise
    except McpyError as e:
        return e
    if content or not info.size:
        return None
    return McpyError("the server answered without content")


def is_customers(reason: str) -> bool:
    """Whether a server refuses an object because it is encrypted under a client's key (SSE-C)."""
    return any(words in reason.lower() for words in _CUSTOMER)


def _refused(s3: S3, bucket: str, entry: Entry, error: S3Error) -> Item:
    """Tell an SSE-C object, whose HEAD needs its key, from one that may not be asked for."""
    if error.status == 400:
        reason = error.server_message
        if not error.api_code:  # not every server gives reasons in headers, and HEAD has no body
            reason = unreadable(s3, bucket, entry.key, version_id=entry.version_id)
        if is_customers(reason):
            return _customer(entry)
        return unknown(entry, f"HEAD was refused: {reason or error.message}")
    if error.status == 403:
        return unknown(entry, "denied: s3:GetObject is needed to see how it is encrypted")
    if error.status == 404:
        return unknown(entry, "HEAD does not find it: deleted since it was listed?")
    return unknown(entry, f"HEAD was refused: {error.message}")


def _customer(entry: Entry) -> Item:
    return item_of(entry, ObjectEncryption(customer=True))
