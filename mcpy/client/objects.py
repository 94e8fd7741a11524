"""Objects: store, fetch, copy and describe them, each looked at again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import InputError
from mcpy.models import CustomerKey, ObjectEncryption, Target, check_key_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.api.s3 import S3, ObjectInfo
    from mcpy.fleet.transfer.place import Place, Wish
    from mcpy.models import Alias

_KEY_BYTES = 32


def sse_s3() -> ObjectEncryption:
    """Ask for SSE-S3: the server's default key."""
    return ObjectEncryption("AES256")


def sse_kms(key: str) -> ObjectEncryption:
    """Ask for SSE-KMS with a key of the server's KMS."""
    return ObjectEncryption("aws:kms", check_key_id(key))


def sse_c(secret: bytes) -> ObjectEncryption:
    """Ask for SSE-C with 32 bytes that only their owner has; the server forgets them."""
    if not isinstance(secret, bytes):
        raise InputError("an SSE-C key is bytes, and not text")
    if len(secret) != _KEY_BYTES:
        raise InputError(f"an SSE-C key has 32 bytes, not {len(secret)}")
    return ObjectEncryption("AES256", customer=True, customer_key=CustomerKey(secret))


class Objects:
    """What a client does with objects."""

    alias: Alias
    s3: S3

    def upload(
        self,
        source: str | Path | bytes,
        bucket: str,
        key: str,
        *,
        encryption: ObjectEncryption | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Store a file, or bytes, and look at what was stored.

        Args:
            source: a path, or the content itself.
            bucket: where.
            key: under which name.
            encryption: of ``sse_s3``, ``sse_kms`` or ``sse_c``; None leaves it to the bucket.
            headers: content type, ``x-amz-meta-*``, ``x-amz-tagging`` and the like.

        Raises:
            IntegrityError: it is stored with another size, or not encrypted as asked.
        """
        from mcpy.fleet import transfer
        from mcpy.fleet.transfer.source import MemorySource
        from mcpy.fleet.transfer.upload import store

        place, wish = self._place(bucket, key, encryption), _wish(encryption, headers)
        if isinstance(source, bytes):
            return store(MemorySource(source), place, wish, transfer.Pace())
        return transfer.upload(Path(source), place, wish, transfer.Pace())

    def download(
        self,
        bucket: str,
        key: str,
        target: str | Path,
        *,
        version_id: str = "",
        encryption: ObjectEncryption | None = None,
    ) -> ObjectInfo:
        """Store an object as a file, held against the server's checksums; SSE-C needs its key.

        Raises:
            IntegrityError: other bytes came than were stored; no file is left.
        """
        from mcpy.fleet import transfer

        place = self._place(bucket, key, encryption, version_id)
        return transfer.download(place, Path(target), transfer.Pace())

    def read(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str = "",
        encryption: ObjectEncryption | None = None,
    ) -> bytes:
        """Return an object's content; raises as ``download``."""
        from mcpy.fleet import transfer

        content = bytearray()
        transfer.pour(self._place(bucket, key, encryption, version_id), content.extend)
        return bytes(content)

    def stat(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str = "",
        encryption: ObjectEncryption | None = None,
    ) -> ObjectInfo:
        """Return what the server says of an object; SSE-C needs its key.

        Raises:
            NotFoundError: it is not there.
        """
        from mcpy.fleet.transfer import existing

        return existing(self._place(bucket, key, encryption, version_id))

    def copy(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        *,
        encryption: ObjectEncryption | None = None,
        decrypt: bool = False,
    ) -> ObjectInfo:
        """Copy an object on the server, encrypted as its source is unless something else is said.

        Both are ``(bucket, key)``. Without ``decrypt`` no copy is less encrypted than its source.
        """
        from mcpy.fleet import transfer

        wish = replace(_wish(encryption, None), decrypt=decrypt)
        places = self._place(*source), self._place(*target, encryption)
        return transfer.copy(*places, wish, transfer.Pace())

    def _place(
        self,
        bucket: str,
        key: str,
        encryption: ObjectEncryption | None = None,
        version_id: str = "",
    ) -> Place:
        from mcpy.fleet.transfer import Place

        customer = encryption.customer_key if encryption else None
        return Place(self.s3, Target(self.alias.name, bucket, key), version_id, customer)


def _wish(encryption: ObjectEncryption | None, headers: Mapping[str, str] | None) -> Wish:
    from mcpy.fleet.transfer import Wish

    return Wish(encryption, headers or {})
