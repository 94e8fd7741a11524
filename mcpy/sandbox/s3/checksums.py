"""The ``x-amz-checksum-*`` family: what a client announces, checked and kept.

CRC-32C and CRC-64/NVME are computed here, as the standard library knows neither.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from typing import TYPE_CHECKING, Protocol

from mcpy.crc import Crc32c, Crc64Nvme
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.sandbox.s3.call import Headers

PREFIX = "x-amz-checksum-"
ALGORITHM_HEADER = "x-amz-checksum-algorithm"
TYPE_HEADER = "x-amz-checksum-type"
FULL_OBJECT = "FULL_OBJECT"
COMPOSITE = "COMPOSITE"


class Checksum(Protocol):
    """A running checksum."""

    def update(self, data: bytes, /) -> None:
        """Take more data."""

    def digest(self) -> bytes:
        """Return the checksum, most significant byte first."""
        ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def _sha1() -> Checksum:
    return hashlib.sha1(usedforsecurity=False)


ALGORITHMS: dict[str, Callable[[], Checksum]] = {
    "CRC32": _Crc32,
    "CRC32C": Crc32c,
    "SHA1": _sha1,
    "SHA256": hashlib.sha256,
    "CRC64NVME": Crc64Nvme,
}
SIZES = {"CRC32": 4, "CRC32C": 4, "SHA1": 20, "SHA256": 32, "CRC64NVME": 8}


class Wanted:
    """The checksum a client announced for a body: its algorithm, and the value to compare with.

    Attributes:
        algorithm: ``CRC32`` and so on.
        expected: base64; None when it comes as a trailer, or is not sent at all.
        trailer: whether it comes after the body.
    """

    def __init__(self, algorithm: str, expected: str | None, *, trailer: bool = False) -> None:
        self.algorithm = algorithm
        self.expected = expected
        self.trailer = trailer
        self._running = ALGORITHMS[algorithm]()
        self.update = self._running.update

    def verify(self, trailers: Mapping[str, str]) -> str:
        """Return the checksum of the whole body in base64.

        Raises:
            S3Problem: it is not the one announced.
        """
        computed = base64.b64encode(self._running.digest()).decode()
        name = PREFIX + self.algorithm.lower()
        expected = trailers.get(name) if self.trailer else self.expected
        if expected is not None and expected != computed:
            raise S3Problem.of("XAmzContentChecksumMismatch")
        return computed


def announced(headers: Mapping[str, str]) -> Wanted | None:
    """Return the checksum that comes with a body, None if there is none.

    Raises:
        S3Problem: more than one, one of an algorithm there is not, or a value that is none.
    """
    trailing = _trailing(headers)
    if len(trailing) > 1:
        raise S3Problem.of("InvalidChecksum")
    if trailing:
        _check_type(trailing[0], headers)
        return Wanted(trailing[0], None, trailer=True)
    name = _named_or_found(headers)
    value = headers.get(PREFIX + name.lower(), "") if name else ""
    if not name or not value:
        return None
    _check_type(name, headers)
    if not is_value(name, value):
        raise S3Problem.of("InvalidChecksum")
    return Wanted(name, value)


def _named_or_found(headers: Mapping[str, str]) -> str | None:
    """Return the algorithm a client names, else the one it sends a value of."""
    wanted = headers.get(ALGORITHM_HEADER, "")
    if wanted:
        return named(wanted)
    found = [name for name in ALGORITHMS if headers.get(PREFIX + name.lower())]
    if len(found) > 1:
        raise S3Problem.of("InvalidChecksum")
    return found[0] if found else None


def _check_type(algorithm: str, headers: Mapping[str, str]) -> None:
    # only checksums of parts that can be put together may be those of a whole object
    full = headers.get(TYPE_HEADER) == FULL_OBJECT
    if full and algorithm.startswith("SHA"):
        raise S3Problem.of("InvalidChecksum")


def is_value(algorithm: str, value: str) -> bool:
    """Tell whether ``value`` is base64 of as many bytes as ``algorithm`` has."""
    try:
        return len(base64.b64decode(value, validate=True)) == SIZES[algorithm]
    except binascii.Error:
        return False


def named(algorithm: str) -> str | None:
    """Return the algorithm called so by a client, None if there is none such.

    Raises:
        S3Problem: there is none such.
    """
    if not algorithm:
        return None
    if algorithm.upper() not in ALGORITHMS:
        raise S3Problem.of("InvalidChecksum")
    return algorithm.upper()


def answer_headers(checksums: Mapping[str, str]) -> Headers:
    """Return stored checksums, by algorithm, ``type`` and so on, as headers."""
    return [(PREFIX + name.lower(), value) for name, value in checksums.items()]


def encode(checksums: Mapping[str, str]) -> bytes:
    """Return checksums as they are stored."""
    return json.dumps(checksums, separators=(",", ":")).encode()


def decode(stored: bytes | str) -> dict[str, str]:
    """Undo `encode`; nothing stored is no checksum."""
    return json.loads(stored) if stored else {}


def composite(algorithm: str, parts: list[str]) -> str:
    """Return the checksum of checksums of a multipart object: base64, then ``-`` and the count."""
    running = ALGORITHMS[algorithm]()
    for part in parts:
        running.update(base64.b64decode(part))
    return f"{base64.b64encode(running.digest()).decode()}-{len(parts)}"


def _trailing(headers: Mapping[str, str]) -> list[str]:
    names = {name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",")}
    return [name for name in ALGORITHMS if PREFIX + name.lower() in names]
