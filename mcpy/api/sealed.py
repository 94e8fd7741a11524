"""The sealed bodies of MinIO's admin API: what holds secrets is encrypted under the secret key.

``salt (32) | cipher id (1) | nonce (8) | chunks``. A chunk is 16 KiB and a tag of 16 bytes; its
nonce is the body's and its number, little endian, from 1 on. Chunk number 0 is empty and never
sent: its tag, behind a byte that marks the last chunk, is what the others authenticate, so none
can be changed, moved, dropped or cut off.

Source: https://github.com/minio/madmin-go and https://github.com/secure-io/sio-go
"""

from __future__ import annotations

import secrets
import struct
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from mcpy.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SALT_BYTES = 32
NONCE_BYTES = 8
TAG_BYTES = 16
CHUNK_BYTES = 16 * 1024
ARGON2ID_AES_GCM, ARGON2ID_CHACHA20, PBKDF2_AES_GCM = 0, 1, 2
_HEADER_BYTES = SALT_BYTES + 1 + NONCE_BYTES
_MORE, _LAST = b"\x00", b"\x80"
_MEMORY_KIB = 64 * 1024
_PBKDF2_ROUNDS = 8192


def seal(content: bytes, secret: str, *, random: bytes | None = None) -> bytes:
    """Return ``content`` sealed under ``secret`` by Argon2id and AES-256-GCM.

    Args:
        content: any bytes.
        secret: the secret key of whoever asks.
        random: 40 bytes in place of fresh ones, for known answers.
    """
    fresh = secrets.token_bytes(SALT_BYTES + NONCE_BYTES) if random is None else random
    salt, nonce = fresh[:SALT_BYTES], fresh[SALT_BYTES:]
    aead = _aead(ARGON2ID_AES_GCM, secret, salt)
    tag = aead.encrypt(_nonce(nonce, 0), b"", b"")
    chunks = [
        aead.encrypt(_nonce(nonce, number), chunk, mark + tag)
        for number, mark, chunk in _numbered(content, CHUNK_BYTES)
    ]
    return b"".join([salt, bytes([ARGON2ID_AES_GCM]), nonce, *chunks])


def unseal(body: bytes, secret: str) -> bytes:
    """Return what a sealed body holds.

    Raises:
        IntegrityError: wrong secret, or a byte was changed, dropped or cut off.
    """
    if len(body) < _HEADER_BYTES + TAG_BYTES or body[SALT_BYTES] not in _KEYS:
        raise IntegrityError("an answer that is not sealed as MinIO seals its settings")
    salt, nonce = body[:SALT_BYTES], body[SALT_BYTES + 1 : _HEADER_BYTES]
    aead = _aead(body[SALT_BYTES], secret, salt)
    tag = aead.encrypt(_nonce(nonce, 0), b"", b"")
    try:
        return b"".join(
            aead.decrypt(_nonce(nonce, number), chunk, mark + tag)
            for number, mark, chunk in _numbered(body[_HEADER_BYTES:], CHUNK_BYTES + TAG_BYTES)
        )
    except InvalidTag as e:
        raise IntegrityError(
            "a sealed answer does not open: it was changed on the way, or sealed for another key"
        ) from e


def _numbered(content: bytes, size: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield number, mark and bytes of each chunk, of which there is at least one."""
    count = max(1, -(-len(content) // size))
    for number in range(1, count + 1):
        start = (number - 1) * size
        yield number, _LAST if number == count else _MORE, content[start : start + size]


def _nonce(nonce: bytes, number: int) -> bytes:
    return nonce + struct.pack("<I", number)


def _argon2id(secret: bytes, salt: bytes) -> bytes:
    made = Argon2id(salt=salt, length=32, iterations=1, lanes=4, memory_cost=_MEMORY_KIB)
    return made.derive(secret)


def _pbkdf2(secret: bytes, salt: bytes) -> bytes:
    made = PBKDF2HMAC(hashes.SHA256(), length=32, salt=salt, iterations=_PBKDF2_ROUNDS)
    return made.derive(secret)


_KEYS: dict[int, tuple[Callable[[bytes, bytes], bytes], type[AESGCM | ChaCha20Poly1305]]] = {
    ARGON2ID_AES_GCM: (_argon2id, AESGCM),
    ARGON2ID_CHACHA20: (_argon2id, ChaCha20Poly1305),
    PBKDF2_AES_GCM: (_pbkdf2, AESGCM),
}


def _aead(cipher: int, secret: str, salt: bytes) -> AESGCM | ChaCha20Poly1305:
    derive, aead = _KEYS[cipher]
    return aead(derive(secret.encode(), salt))
