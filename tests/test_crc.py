"""The CRCs that client and sandbox share, against published values."""

from __future__ import annotations

import random
import zlib

import pytest

from mcpy.crc import Crc, Crc32c, Crc64Nvme


# the check values of the CRC catalogue: https://reveng.sourceforge.io/crc-catalogue/all.htm
@pytest.mark.parametrize(
    ("kind", "check"), [(Crc32c, "e3069283"), (Crc64Nvme, "ae8b14860a799888")]
)
def test_the_published_check_values(kind: type[Crc], check: str) -> None:
    digest = kind()
    digest.update(b"123456789")
    assert digest.digest().hex() == check


# RFC 3720, B.4
@pytest.mark.parametrize(
    ("data", "check"),
    [(bytes(32), "8a9136aa"), (b"\xff" * 32, "62a8ab43"), (bytes(range(32)), "46dd794e")],
)
def test_the_published_crc_32c_of_iscsi(data: bytes, check: str) -> None:
    digest = Crc32c()
    digest.update(data)
    assert digest.digest().hex() == check


@pytest.mark.parametrize("kind", [Crc32c, Crc64Nvme])
def test_long_data_in_pieces_counts_as_byte_by_byte(kind: type[Crc]) -> None:
    data = random.Random(1).randbytes(70_000)
    slow, quick = kind(), kind()
    for start in range(0, len(data), 500):
        slow.update(data[start : start + 500])
    for start in (0, 40_000, 41_000):
        quick.update(data[start : {0: 40_000, 40_000: 41_000}.get(start, len(data))])
    assert slow.digest() == quick.digest()
    assert zlib.crc32(data) != int.from_bytes(slow.digest(), "big")
