"""CRC-32C and CRC-64/NVME, which the standard library does not have, at some 100 MB/s.

A CRC is the remainder of the data, read as a polynomial, by the CRC's own. Long before the
remainder is taken, the data is made shorter by a multiple of that polynomial that has few terms:
``x^n = x^a + x^b + …`` says that a block of bits may be replaced by copies of itself further on.
Squaring doubles all exponents, so there is such a multiple for every size, and Python's integers
shift and add megabytes at once. What is left is done byte by byte.

Bits run as in the data: bit 0 of the integer is the first, the highest power.

Client and sandbox both count with it: tests hold it to published values.
"""

from __future__ import annotations

import base64
from typing import NamedTuple

TAIL_BYTES = 512


class Sparse(NamedTuple):
    """A multiple of a CRC's polynomial: ``x^degree`` and, below it, the ``terms``."""

    degree: int
    terms: tuple[int, ...]


class Kind(NamedTuple):
    """One CRC: reflected, all bits set before and after."""

    width: int
    polynomial: int
    sparse: Sparse


CRC32 = Kind(32, 0xEDB88320, Sparse(0, ()))  # computed by zlib; here only for `concatenated`
CRC32C = Kind(32, 0x82F63B78, Sparse(6777, (0, 100, 484)))
CRC64NVME = Kind(
    64,
    0x9A6C9329AC4BC9B5,
    Sparse(16390, (0, 212, 391, 627, 856, 917, 1464, 1639, 2067)),
)
KINDS = {"CRC32": CRC32, "CRC32C": CRC32C, "CRC64NVME": CRC64NVME}


class Crc:
    """A running CRC."""

    kind: Kind
    table: tuple[int, ...]

    def __init__(self) -> None:
        self._value = (1 << self.kind.width) - 1

    def update(self, data: bytes, /) -> None:
        """Take more data."""
        value, table = self._value, self.table
        if len(data) > 2 * TAIL_BYTES:
            data, value = self._shortened(data), 0
        for byte in data:
            value = value >> 8 ^ table[(value ^ byte) & 0xFF]
        self._value = value

    def digest(self) -> bytes:
        """Return the CRC, most significant byte first."""
        inverted = self._value ^ ((1 << self.kind.width) - 1)
        return inverted.to_bytes(self.kind.width // 8, "big")

    def _shortened(self, data: bytes) -> bytes:
        """Return fewer bytes that have, from 0, the CRC that ``data`` has from the present one."""
        degree, terms = self.kind.sparse
        length = 8 * len(data)
        bits = int.from_bytes(data, "little") ^ self._value
        scale = 1
        while 2 * scale * 2 * degree <= length:
            scale *= 2
        while scale:
            cut = (degree - terms[-1]) * scale // 8 * 8
            while cut and length >= degree * scale + cut:
                head = bits & ((1 << cut) - 1)
                bits >>= cut
                length -= cut
                for term in terms:
                    bits ^= head << ((degree - term) * scale - cut)
            scale //= 2
        return bits.to_bytes(length // 8, "little")


def _table(polynomial: int) -> tuple[int, ...]:
    return tuple(_times_x(value, 8, polynomial) for value in range(256))


def _times_x(value: int, power: int, polynomial: int) -> int:
    for _ in range(power):
        value = value >> 1 ^ (polynomial if value & 1 else 0)
    return value


class Crc32c(Crc):
    """CRC-32C (Castagnoli)."""

    kind = CRC32C
    table = _table(CRC32C.polynomial)


class Crc64Nvme(Crc):
    """CRC-64/NVME."""

    kind = CRC64NVME
    table = _table(CRC64NVME.polynomial)


def concatenated(algorithm: str, values: list[str], sizes: list[int]) -> str:
    """Return the checksum (base64) of data whose pieces have these checksums and sizes."""
    kind = KINDS[algorithm]
    total = 0
    for value, size in zip(values, sizes, strict=True):
        total = _behind(total, size, kind) ^ int.from_bytes(base64.b64decode(value), "big")
    return base64.b64encode(total.to_bytes(kind.width // 8, "big")).decode()


def _behind(value: int, size: int, kind: Kind) -> int:
    """Return the share of a piece's checksum in that of a whole with ``size`` bytes behind it."""
    power = _times_x(1 << (kind.width - 1), 8, kind.polynomial)
    while size:
        if size & 1:
            value = _multiply(value, power, kind)
        power = _multiply(power, power, kind)
        size >>= 1
    return value


def _multiply(a: int, b: int, kind: Kind) -> int:
    """Multiply two polynomials modulo the CRC's; bit ``width - 1`` is the constant term."""
    product = 0
    for bit in range(kind.width - 1, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = _times_x(b, 1, kind.polynomial)
    return product
