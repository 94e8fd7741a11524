"""DAREv2: an independent implementation agrees, and no package can be tampered with."""

from __future__ import annotations

import os
import random

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from mcpy.sandbox import dare

KEY = bytes(range(32))
NONCE = bytes(range(100, 112))


def by_hand(key: bytes, plain: bytes, nonce: bytes = NONCE, *, chacha: bool = False) -> bytes:
    """Write the stream down as its specification reads."""
    aead = ChaCha20Poly1305(key) if chacha else AESGCM(key)
    out = b""
    blocks = [plain[i : i + 65536] for i in range(0, len(plain), 65536)]
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        first = nonce[0] | 0x80 if last else nonce[0] & 0x7F
        header = bytes([0x20, int(chacha)]) + (len(block) - 1).to_bytes(2, "little")
        header += bytes([first]) + nonce[1:]
        tail = bytes(
            a ^ b for a, b in zip(header[12:16], number.to_bytes(4, "little"), strict=True)
        )
        out += header + aead.encrypt(header[4:12] + tail, block, header[:4])
    return out


def stream(packages: int) -> list[bytes]:
    return cut(dare.seal(KEY, os.urandom(65536 * (packages - 1) + 100), nonce=NONCE))


def cut(sealed: bytes) -> list[bytes]:
    return [bytes(package) for package in dare.packages([sealed])]


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, 200_000])
def test_a_stream_is_what_the_specification_says(size: int) -> None:
    plain = os.urandom(size)
    assert dare.seal(KEY, plain, nonce=NONCE) == by_hand(KEY, plain)
    assert dare.open_(KEY, by_hand(KEY, plain)) == plain


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 1 << 20])
def test_sizes_are_known_beforehand(size: int) -> None:
    assert dare.sealed_size(size) == len(dare.seal(KEY, bytes(size)))
    assert dare.plain_size(dare.sealed_size(size)) == size


@pytest.mark.parametrize("size", [1, 32, 65536 + 32 + 1, 65536 + 64])
def test_no_stream_has_certain_sizes(size: int) -> None:
    with pytest.raises(dare.DareError):
        dare.plain_size(size)


def test_chacha20_streams_can_be_read() -> None:
    plain = os.urandom(100_000)
    assert dare.open_(KEY, by_hand(KEY, plain, chacha=True)) == plain


def test_it_does_not_matter_how_a_stream_is_cut_up() -> None:
    plain, cut = os.urandom(300_000), random.Random(1)
    sealer, pieces, at = dare.Sealer(KEY, nonce=NONCE), [], 0
    while at < len(plain):
        step = cut.choice((1, 1000, 65536, 65537, 100_000))
        pieces += sealer.update(plain[at : at + step])
        at += step
    sealed = b"".join(pieces + sealer.finish())
    assert sealed == by_hand(KEY, plain)
    chunks = [sealed[i : i + 7777] for i in range(0, len(sealed), 7777)]
    assert b"".join(dare.open_chunks(KEY, chunks)) == plain


def test_a_stream_can_be_read_from_any_package_on() -> None:
    plain = os.urandom(65536 * 3 + 5)
    sealed = dare.seal(KEY, plain)
    tail = sealed[2 * dare.PACKAGE_BYTES :]
    assert b"".join(dare.open_chunks(KEY, [tail], first=2)) == plain[2 * 65536 :]


def test_a_package_read_with_the_wrong_number_is_refused() -> None:
    with pytest.raises(dare.DareError, match="not authentic"):
        list(dare.open_chunks(KEY, [b"".join(stream(3)[1:])], first=2))


@pytest.mark.parametrize(
    "order", [[1, 0, 2, 3], [0, 2, 1, 3], [0, 1, 3], [0, 0, 1, 2, 3], [3], [1, 2, 3]]
)
def test_packages_cannot_be_reordered_dropped_or_repeated(order: list[int]) -> None:
    packages = stream(4)
    with pytest.raises(dare.DareError):
        dare.open_(KEY, b"".join(packages[i] for i in order))


def test_a_missing_final_package_is_noticed() -> None:
    with pytest.raises(dare.DareError, match="final package missing"):
        dare.open_(KEY, b"".join(stream(3)[:2]))


def test_nothing_may_follow_the_final_package() -> None:
    packages = stream(2)
    with pytest.raises(dare.DareError):
        dare.open_(KEY, b"".join([*packages, packages[1]]))


@pytest.mark.parametrize("cut", [1, 15, 16, 32, 100])
def test_a_stream_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(dare.DareError):
        dare.open_(KEY, b"".join(stream(2))[:-cut])


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4, 5, 15, 16, 100, -1])
def test_every_changed_bit_is_noticed(at: int) -> None:
    sealed = bytearray(dare.seal(KEY, b"x" * 200, nonce=NONCE))
    sealed[at] ^= 1
    with pytest.raises(dare.DareError):
        dare.open_(KEY, bytes(sealed))


def test_another_key_opens_nothing() -> None:
    with pytest.raises(dare.DareError, match="not authentic"):
        dare.open_(bytes(32), dare.seal(KEY, b"secret"))


def test_packages_of_two_streams_cannot_be_mixed() -> None:
    one, other = stream(2), cut(dare.seal(KEY, bytes(70_000)))
    with pytest.raises(dare.DareError):
        dare.open_(KEY, one[0] + other[1])
