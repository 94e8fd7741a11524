"""CRC-32C and CRC-64/NVME, table-driven."""

from __future__ import annotations

import base64


def _table(polynomial: int) -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)  # noqa: PLW2901 - eight shifts
        table.append(value)
    return table


class _Crc:
    width: int
    table: list[int]

    def __init__(self) -> None:
        self._value = (1 << self.width) - 1

    def update(self, data: bytes, /) -> None:
        value, table = self._value, self.table
        for byte in data:
            value = value >> 8 ^ table[(value ^ byte) & 0xFF]
        self._value = value

    def digest(self) -> bytes:
        return (self._value ^ ((1 << self.width) - 1)).to_bytes(self.width // 8, "big")


class Crc32c(_Crc):
    """CRC-32C (Castagnoli)."""

    width = 32
    table = _table(0x82F63B78)


class Crc64Nvme(_Crc):
    """CRC-64/NVME."""

    width = 64
    table = _table(0x9A6C9329AC4BC9B5)


WIDTHS = {
    "CRC32": (32, 0xEDB88320),
    "CRC32C": (32, 0x82F63B78),
    "CRC64NVME": (64, 0x9A6C9329AC4BC9B5),
}


def concatenated(algorithm: str, values: list[str], sizes: list[int]) -> str:
    """Return the checksum (base64) of data whose pieces have these checksums and sizes."""
    width, polynomial = WIDTHS[algorithm]
    total = 0
    for value, size in zip(values, sizes, strict=True):
        total = _behind(total, size, width, polynomial)
        total ^= int.from_bytes(base64.b64decode(value), "big")
    return base64.b64encode(total.to_bytes(width // 8, "big")).decode()


def _behind(value: int, size: int, width: int, polynomial: int) -> int:
    """Return the share of a piece's checksum in that of a whole with ``size`` bytes behind it."""
    power = _times_x8(1 << (width - 1), polynomial)
    while size:
        if size & 1:
            value = _multiply(value, power, width, polynomial)
        power = _multiply(power, power, width, polynomial)
        size >>= 1
    return value


def _times_x8(value: int, polynomial: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (polynomial if value & 1 else 0)
    return value


def _multiply(a: int, b: int, width: int, polynomial: int) -> int:
    """Multiply two polynomials modulo the CRC's; bit ``width - 1`` is the constant term."""
    product = 0
    for bit in range(width - 1, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (polynomial if b & 1 else 0)
    return product
