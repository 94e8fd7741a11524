"""Set and clear the default encryption of a bucket, and see that it took.

A server takes ``sse-s3`` while its KMS is down or its key is gone, and then every write fails; so
the key is tried first. PUT replaces the whole configuration; so it is read, changed and read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.errors import (
    ApiError,
    McpyError,
    NotFoundError,
    ProtocolError,
    S3Error,
    UnreachableError,
)
from mcpy.models import bare_key_id

if TYPE_CHECKING:
    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.s3 import S3
    from mcpy.models import BucketEncryption

COUNT_LIMIT = 10_000


@dataclass(frozen=True)
class Existing:
    """How many objects a bucket holds; ``complete`` is False when the counting stopped early."""

    count: int
    complete: bool


@dataclass(frozen=True)
class DefaultSet:
    """What setting a default did.

    Attributes:
        changed: False when it was so already.
        previous: the other default that it replaced, if there was one.
        existing: objects that were there before and stay as they are.
        key_checked: whether the key was proven to work first.
    """

    encryption: BucketEncryption
    changed: bool
    existing: Existing | None
    key_checked: bool
    previous: BucketEncryption | None = None


class KeyBrokenError(McpyError):
    """The KMS key behind an encryption does not encrypt and decrypt."""


def set_default(s3: S3, admin: MinioAdmin, bucket: str, wanted: BucketEncryption) -> DefaultSet:
    """Make ``wanted`` the default of ``bucket``.

    Raises:
        KeyBrokenError: the key does not work; nothing was changed.
        ProtocolError: the server took the change and does not show it.
    """
    current = s3.get_bucket_encryption(bucket)
    checked = check_key(admin, wanted.key)
    if current and current.same_as(wanted):
        return DefaultSet(current, changed=False, existing=None, key_checked=checked)
    existing = count_objects(s3, bucket)
    stored = store_default(s3, bucket, wanted, current=current)
    previous = current if current and current.algorithm else None
    return DefaultSet(stored, True, existing, checked, previous)


def store_default(
    s3: S3, bucket: str, wanted: BucketEncryption, *, current: BucketEncryption | None
) -> BucketEncryption:
    """Put ``wanted`` in the place of ``current``, keep the rest, and return what is there then.

    Raises:
        ProtocolError: the server took the change and does not show it.
    """
    s3.put_bucket_encryption(bucket, wanted, current=current)
    stored = s3.get_bucket_encryption(bucket)
    if stored is None or not stored.same_as(wanted):
        shown = stored.algorithm if stored else "none"
        raise ProtocolError(f"the server took the encryption of `{bucket}` but shows {shown}")
    return stored


def clear_default(s3: S3, bucket: str) -> bool:
    """Remove the default of ``bucket``; False when it had none.

    Raises:
        ProtocolError: it is still there afterwards.
    """
    current = s3.get_bucket_encryption(bucket)
    if current is None:
        return False
    s3.delete_bucket_encryption(bucket, current=current)
    if s3.get_bucket_encryption(bucket) is not None:
        raise ProtocolError(
            f"the server kept an encryption of `{bucket}`",
            hint="AWS S3 and others always encrypt: what is left is their own default",
        )
    return True


def check_key(admin: MinioAdmin, key: str) -> bool:
    """Try ``key``, or the server's default key; False when this server cannot be asked.

    Raises:
        NotFoundError: there is no such key.
        UnreachableError: the KMS does not answer the server.
        KeyBrokenError: the round trip through the key failed.
        UnsupportedError: it is a MinIO without a KMS.
    """
    try:
        status = admin.key_status(key)
    except ProtocolError:
        return False  # another S3 server: it has no such endpoint
    except S3Error as e:
        return _not_askable(e)
    if status.works:
        return True
    name = bare_key_id(status.key_id)
    if status.missing:
        raise NotFoundError(
            f"the KMS has no key `{name}`, and uploads would fail; objects that were encrypted "
            "with it stay unreadable under a new key of the same name",
            hint=f"mcpy kes key import {name} @BACKUP; "
            f"mcpy kes key create {name} only if nothing was ever encrypted with it",
        )
    message = f"the key `{name}` does not work, and uploads would fail: {status.problem}"
    kind = UnreachableError if status.kms_silent else KeyBrokenError
    raise kind(message, hint=f"mcpy admin kms key status {admin.alias} {key}".rstrip())


def _not_askable(error: ApiError) -> bool:
    """Return False for a refusal that says nothing of the key; raise any other."""
    if error.status in {400, 403, 404, 405, 426} and not error.keys_refused:
        return False
    raise error


def count_objects(s3: S3, bucket: str) -> Existing:
    """Count the objects of ``bucket`` up to ``COUNT_LIMIT``."""
    count = 0
    for _ in s3.list_objects(bucket):
        if count == COUNT_LIMIT:
            return Existing(count, complete=False)
        count += 1
    return Existing(count, complete=True)
