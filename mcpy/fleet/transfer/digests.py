"""Checks an object that arrived against what its server says of it."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import TYPE_CHECKING

from mcpy.errors import IntegrityError

if TYPE_CHECKING:
    from mcpy.api.s3 import ObjectInfo


class _Crc32:
    """CRC-32 with hashlib's manners."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class Digests:
    """The digests that a whole object can be held against.

    With SSE-KMS and SSE-C the ETag is no digest, and of multipart objects it has a hyphen, as
    have checksums of checksums; the server's own tags guard encrypted objects then.
    """

    def __init__(self, info: ObjectInfo) -> None:
        self._key = info.key
        self._expected: dict[str, bytes] = {}
        if _etag_is_md5(info):
            self._expected["MD5"] = bytes.fromhex(info.etag)
        for name, value in info.checksums.items():
            if name in {"SHA256", "SHA1", "CRC32"} and "-" not in value:
                self._expected[name] = base64.b64decode(value)
        self._digests = {name: _digest(name) for name in self._expected}

    def __bool__(self) -> bool:
        return bool(self._expected)

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        for digest in self._digests.values():
            digest.update(chunk)

    def check(self) -> None:
        """Raise IntegrityError when a digest is not the server's."""
        for name, expected in self._expected.items():
            if self._digests[name].digest() != expected:
                raise IntegrityError(
                    f"`{self._key}` arrived changed: its {name} is not the server's"
                )


def _digest(name: str) -> hashlib._Hash | _Crc32:
    if name == "CRC32":
        return _Crc32()
    return hashlib.new(name, usedforsecurity=False)


def _etag_is_md5(info: ObjectInfo) -> bool:
    plain = info.encryption.scheme in {"", "SSE-S3"}
    return plain and len(info.etag) == 32 and not set(info.etag) - set("0123456789abcdef")
