"""Encryption under a master key as KES does it: what one seals, the other opens.

Layout: AEAD(key derived from the master key and iv) of the message, its 16-byte tag, iv (16),
nonce (12). AES256 derives by HMAC-SHA256, ChaCha20 by HChaCha20.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from typing import TYPE_CHECKING

from mcpy.errors import IntegrityError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

    from mcpy.keystores.entry import KeyEntry

_IV_BYTES, _NONCE_BYTES = 16, 12
_MASK = 0xFFFFFFFF


def seal(entry: KeyEntry, message: bytes, context: bytes = b"") -> bytes:
    """Encrypt a message as KES's ``encrypt`` does."""
    iv, nonce = secrets.token_bytes(_IV_BYTES), secrets.token_bytes(_NONCE_BYTES)
    return _aead(entry, iv).encrypt(nonce, message, context) + iv + nonce


def unseal(entry: KeyEntry, ciphertext: bytes, context: bytes = b"") -> bytes:
    """Decrypt as KES's ``decrypt`` does.

    Raises:
        IntegrityError: another key, another context, or changed bytes.
    """
    from cryptography.exceptions import InvalidTag

    cut = len(ciphertext) - _IV_BYTES - _NONCE_BYTES
    iv, nonce = ciphertext[cut : cut + _IV_BYTES], ciphertext[cut + _IV_BYTES :]
    try:
        return _aead(entry, iv).decrypt(nonce, ciphertext[: max(0, cut)], context)
    except (InvalidTag, ValueError) as e:
        raise IntegrityError("the ciphertext does not belong to this key and context") from e


def _aead(entry: KeyEntry, iv: bytes) -> AESGCM | ChaCha20Poly1305:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

    if entry.cipher == "AES256":
        return AESGCM(hmac.digest(entry.key, iv, hashlib.sha256))
    return ChaCha20Poly1305(_hchacha20(entry.key, iv))


def _hchacha20(key: bytes, nonce: bytes) -> bytes:
    """Derive 32 bytes from a key and 16 bytes.

    Source: https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03#section-2.2
    """
    if len(nonce) != _IV_BYTES:
        raise ValueError("cut off")
    state = list(struct.unpack("<16L", b"expand 32-byte k" + key + nonce))
    columns = [(i, i + 4, i + 8, i + 12) for i in range(4)]
    diagonals = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for _ in range(10):
        for place in (*columns, *diagonals):
            _quarter(state, place)
    return struct.pack("<8L", *state[:4], *state[12:])


def _quarter(state: list[int], place: tuple[int, int, int, int]) -> None:
    a, b, c, d = place
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[x] = (state[x] + state[y]) & _MASK
        mixed = state[z] ^ state[x]
        state[z] = (mixed << turn | mixed >> (32 - turn)) & _MASK
