"""How a KES key encrypts: ``AEAD(plaintext) || iv[16] || nonce[12]``, 44 bytes more than it got.

The AEAD's key is derived anew for each message from the key and the 16-byte IV, so that random
nonces of 12 bytes do not wear a key out. Verified against recordings of a real server.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

from mcpy.sandbox.kes.wire import Fields

Algorithm = Literal["AES256", "ChaCha20"]

ALGORITHMS: dict[str, Algorithm] = {
    "AES256": "AES256",
    "AES256-GCM_SHA256": "AES256",
    "ChaCha20": "ChaCha20",
    "XCHACHA20-POLY1305": "ChaCha20",
}
"""Names of an algorithm, today's and former ones."""

KEY_SIZE = 32
IV_SIZE = 16
NONCE_SIZE = 12
_LEGACY_AEADS = {"AES-256-GCM-HMAC-SHA-256", "ChaCha20Poly1305"}
_SIGMA = struct.unpack("<4I", b"expand 32-byte k")


class NotAuthenticError(Exception):
    """The ciphertext was not made by this key with this context."""


@dataclass(frozen=True)
class SecretKey:
    """A 256-bit key and what it encrypts with."""

    algorithm: Algorithm
    material: bytes = field(repr=False)

    def encrypt(
        self,
        plaintext: bytes,
        context: bytes,
        *,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> bytes:
        """Encrypt ``plaintext`` and bind it to ``context``; ``random`` gives IV and nonce."""
        tail = random(IV_SIZE + NONCE_SIZE)
        sealed = self._aead(tail[:IV_SIZE]).encrypt(tail[IV_SIZE:], plaintext, context)
        return sealed + tail

    def decrypt(self, ciphertext: bytes, context: bytes) -> bytes:
        """Decrypt today's format or one of the two former ones.

        Raises:
            NotAuthenticError: wrong key, wrong context, or a ciphertext changed or cut.
        """
        from cryptography.exceptions import InvalidTag

        blob = modern(ciphertext)
        sealed, tail = blob[: -IV_SIZE - NONCE_SIZE], blob[-IV_SIZE - NONCE_SIZE :]
        if not sealed:
            raise NotAuthenticError
        try:
            return self._aead(tail[:IV_SIZE]).decrypt(tail[IV_SIZE:], sealed, context)
        except (InvalidTag, ValueError) as e:
            raise NotAuthenticError from e

    def _aead(self, iv: bytes) -> AESGCM | ChaCha20Poly1305:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

        if self.algorithm == "AES256":
            return AESGCM(hmac.digest(self.material, iv, hashlib.sha256))
        return ChaCha20Poly1305(hchacha20(self.material, iv))


if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """Derive 32 bytes from a 32-byte ``key`` and a 16-byte ``nonce``.

    A ChaCha20 block is the state after 20 rounds plus the state before them; taking the latter
    away from the words that began as constants and nonce leaves HChaCha20.

    Source: https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03#section-2.2
    """
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

    block = Cipher(ChaCha20(key, nonce), mode=None).encryptor().update(bytes(64))
    words = struct.unpack("<16I", block)
    before = _SIGMA + struct.unpack("<4I", nonce)
    rounds = words[:4] + words[12:]
    return struct.pack("<8I", *((a - b) & 0xFFFFFFFF for a, b in zip(rounds, before, strict=True)))


def modern(ciphertext: bytes) -> bytes:
    """Return a former ciphertext in today's format; any other as it is."""
    try:
        if ciphertext[:1] == b"{":
            return _from_json(ciphertext)
        if ciphertext[:1] == b"\x95":
            return _from_msgpack(ciphertext)
    except (ValueError, IndexError):
        # one of today's ciphertexts in 128 begins with one of those bytes
        return ciphertext
    return ciphertext


def _from_json(ciphertext: bytes) -> bytes:
    fields = Fields.only_in(ciphertext)
    fields.text("id")
    if fields.text("aead") not in _LEGACY_AEADS:
        raise ValueError("unknown aead")
    return fields.bytes("bytes") + _tail(fields.bytes("iv"), fields.bytes("nonce"))


def _from_msgpack(ciphertext: bytes) -> bytes:
    rest = ciphertext[1:]
    items = []
    for _ in range(5):
        item, rest = _msgpack_item(rest)
        items.append(item)
    algorithm, _id, iv, nonce, sealed = items
    if rest or algorithm.decode("utf-8", "replace") not in ALGORITHMS:
        raise ValueError("not a ciphertext")
    return sealed + _tail(iv, nonce)


def _tail(iv: bytes, nonce: bytes) -> bytes:
    if len(iv) != IV_SIZE or len(nonce) != NONCE_SIZE:
        raise ValueError("wrong size of iv or nonce")
    return iv + nonce


def _msgpack_item(data: bytes) -> tuple[bytes, bytes]:
    """Return one string or byte array and what follows it."""
    kind = data[0]
    if 0xA0 <= kind <= 0xBF:
        size, start = kind & 0x1F, 1
    else:
        width = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}.get(kind, 0)
        if not width:
            raise ValueError("neither string nor bytes")
        start = 1 + width
        size = int.from_bytes(data[1:start], "big")
    item = data[start : start + size]
    if len(item) != size:
        raise ValueError("cut off")
    return item, data[start + size :]
