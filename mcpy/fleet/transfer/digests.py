"""The digests of what is sent, and of what arrived: held against what the server says of it."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import TYPE_CHECKING, Protocol

from mcpy.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcpy.api.s3 import ObjectInfo
    from mcpy.fleet.transfer.place import Place

ALGORITHMS = ("SHA256", "SHA1", "CRC32", "CRC32C", "CRC64NVME")
# counted in Python: only where nothing quicker tells the same
_SLOW = {"CRC32C", "CRC64NVME"}


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    """CRC-32 with hashlib's manners."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class Digests:
    """What an object can be held against, as its bytes come.

    With SSE-KMS and SSE-C the ETag is no digest, and of objects in parts it has a hyphen. A
    checksum of the checksums of parts can be had when ``place`` tells how large they were.
    """

    def __init__(self, info: ObjectInfo, place: Place | None = None) -> None:
        self._key = info.key
        self._expected: dict[str, bytes] = {}
        if _etag_is_md5(info):
            self._expected["MD5"] = bytes.fromhex(info.etag)
        known = {name: value for name, value in info.checksums.items() if name in ALGORITHMS}
        for name in sorted(known, key=lambda name: name in _SLOW):
            if "-" not in known[name] and (name not in _SLOW or not self._expected):
                self._expected[name] = _bytes(known[name])
        self._digests = {name: _digest(name) for name in self._expected}
        if place and known and not self._expected:
            name, value = next(iter(known.items()))
            self._by_parts(name, value, place.part_sizes(), info.size)

    def _by_parts(self, name: str, value: str, sizes: list[int], total: int) -> None:
        bare, _, count = value.rpartition("-")
        if sizes and sum(sizes) == total and count == str(len(sizes)):
            self._expected[name] = _bytes(bare)
            self._digests[name] = _OfParts(name, sizes)

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


class _OfParts:
    """The checksum of the checksums of parts."""

    def __init__(self, name: str, sizes: list[int]) -> None:
        self._name, self._sizes = name, sizes
        self._number, self._left = 0, sizes[0]
        self._part, self._whole = _digest(name), _digest(name)

    def update(self, data: bytes, /) -> None:
        while data:
            piece, data = data[: self._left], data[self._left :]
            self._part.update(piece)
            self._left -= len(piece)
            if not self._left and not self._next():
                return

    def _next(self) -> bool:
        """Begin the next part; False when there is none."""
        self._whole.update(self._part.digest())
        self._part = _digest(self._name)
        self._number += 1
        more = self._number < len(self._sizes)
        self._left = self._sizes[self._number] if more else 0
        return more

    def digest(self) -> bytes:
        return self._whole.digest()


def checksum(name: str, chunks: Iterable[bytes]) -> str:
    """Return the checksum of ``chunks`` as a header holds it; ``name`` is of ``ALGORITHMS``."""
    digest = _digest(name)
    for chunk in chunks:
        digest.update(chunk)
    return base64.b64encode(digest.digest()).decode()


def _bytes(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return b""  # no digest: whatever arrived is not what this names


def _digest(name: str) -> _Digest:
    if name == "CRC32":
        return _Crc32()
    if name in _SLOW:
        from mcpy import crc

        return crc.Crc32c() if name == "CRC32C" else crc.Crc64Nvme()
    return hashlib.new(name, usedforsecurity=False)


def _etag_is_md5(info: ObjectInfo) -> bool:
    plain = info.encryption.scheme in {"", "SSE-S3"}
    return plain and len(info.etag) == 32 and not set(info.etag) - set("0123456789abcdef")
