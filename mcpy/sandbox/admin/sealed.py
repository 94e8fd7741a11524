"""Bodies of the admin API encrypted under the caller's secret key.

``salt(32) cipher(1) nonce(8)`` and then fragments of 16 KiB with a 16-byte tag each. A fragment's
nonce is the nonce and its number, from 1 on, as 4 little-endian bytes. What is authenticated with
it is a flag (0x80 for the last fragment) and the tag of an empty message under number 0, so that
no fragment can be dropped, moved or appended unseen.

Source: minio/madmin-go encrypt.go; secure-io/sio-go
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

if TYPE_CHECKING:
    from collections.abc import Callable

    Cipher = AESGCM | ChaCha20Poly1305

SALT_BYTES = 32
NONCE_BYTES = 8
FRAGMENT_BYTES = 16_384
TAG_BYTES = 16
PBKDF2_ROUNDS = 8192
ARGON2ID_AES_GCM = 0
PBKDF2_AES_GCM = 2


class SealError(ValueError):
    """Another secret, or the body is not what was sealed."""


def seal(data: bytes, secret: str, *, cipher_id: int = ARGON2ID_AES_GCM) -> bytes:
    """Return ``data`` sealed; by default as the real server does, Argon2id and AES-256-GCM."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    cipher = _cipher(cipher_id, secret, salt)
    binding = _binding(cipher, nonce)
    starts = range(0, max(len(data), 1), FRAGMENT_BYTES)
    fragments = [
        cipher.encrypt(
            _numbered(nonce, number),
            data[start : start + FRAGMENT_BYTES],
            _flag(last=number == len(starts)) + binding,
        )
        for number, start in enumerate(starts, 1)
    ]
    return b"".join((salt, bytes([cipher_id]), nonce, *fragments))


def unseal(body: bytes, secret: str) -> bytes:
    """Open a sealed body, whichever of the three ciphers it uses.

    Raises:
        SealError: wrong secret, or a fragment was changed, dropped or cut off.
    """
    head = SALT_BYTES + 1 + NONCE_BYTES
    if len(body) < head + TAG_BYTES:
        raise SealError("the body is too short")
    salt, number, nonce = body[:SALT_BYTES], body[SALT_BYTES], body[SALT_BYTES + 1 : head]
    cipher = _cipher(number, secret, salt)
    binding = _binding(cipher, nonce)
    step = FRAGMENT_BYTES + TAG_BYTES
    starts = range(head, len(body), step)
    try:
        return b"".join(
            cipher.decrypt(
                _numbered(nonce, number),
                body[start : start + step],
                _flag(last=number == len(starts)) + binding,
            )
            for number, start in enumerate(starts, 1)
        )
    except InvalidTag as e:
        raise SealError("wrong secret, or the body was changed") from e


def _cipher(number: int, secret: str, salt: bytes) -> Cipher:
    makers: dict[int, Callable[[], Cipher]] = {
        0: lambda: AESGCM(_argon2id(secret, salt)),
        1: lambda: ChaCha20Poly1305(_argon2id(secret, salt)),
        2: lambda: AESGCM(hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, PBKDF2_ROUNDS, 32)),
    }
    if number not in makers:
        raise SealError(f"unknown cipher {number}")
    return makers[number]()


def _argon2id(secret: str, salt: bytes) -> bytes:
    kdf = Argon2id(salt=salt, length=32, iterations=1, lanes=4, memory_cost=64 * 1024)
    return kdf.derive(secret.encode())


def _binding(cipher: Cipher, nonce: bytes) -> bytes:
    return cipher.encrypt(_numbered(nonce, 0), b"", b"")


def _numbered(nonce: bytes, number: int) -> bytes:
    return nonce + number.to_bytes(4, "little")


def _flag(*, last: bool) -> bytes:
    return b"\x80" if last else b"\x00"
