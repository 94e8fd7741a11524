"""DAREv2: the package format MinIO keeps encrypted object content in.

A stream is a row of packages of up to 64 KiB plaintext: 16 bytes header, ciphertext, 16 bytes tag.
The header holds the version ``0x20``, the cipher id, the plaintext length minus one (LE16) and a
nonce of 12 bytes, the same in every package but for bit ``0x80`` of its first byte, which marks
the last one. The AEAD nonce is the header's with its last four bytes XORed with the package's
sequence number (LE32, from 0); the AAD is the first four header bytes. An empty plaintext is an
empty stream.

Source: https://github.com/minio/sio/blob/master/DARE.md, checked against objects MinIO wrote
(``tests/data/s3/dare-minio.json``).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERSION = 0x20
AES_256_GCM = 0
CHACHA20_POLY1305 = 1
HEADER_BYTES = 16
TAG_BYTES = 16
OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES
PAYLOAD_BYTES = 1 << 16
PACKAGE_BYTES = PAYLOAD_BYTES + OVERHEAD_BYTES
FINAL = 0x80
MAX_PACKAGES = 1 << 32


class DareError(Exception):
    """A package was changed, reordered, dropped, cut off, or the key is another one."""


Buffer = bytes | memoryview


class _Aead(Protocol):
    def encrypt(self, nonce: bytes, data: Buffer, aad: bytes | None, /) -> bytes: ...
    def decrypt(self, nonce: bytes, data: Buffer, aad: bytes | None, /) -> bytes: ...


def _aead(cipher: int, key: bytes) -> _Aead:
    if cipher == AES_256_GCM:
        return AESGCM(key)
    if cipher == CHACHA20_POLY1305:
        return ChaCha20Poly1305(key)
    raise DareError(f"unknown cipher {cipher}")


def _package_nonce(nonce: bytes, sequence: int) -> bytes:
    counter = int.from_bytes(nonce[8:], "little") ^ sequence
    return nonce[:8] + counter.to_bytes(4, "little")


def sealed_size(plain_bytes: int) -> int:
    """Return the size of the stream that holds ``plain_bytes`` bytes."""
    packages = -(-plain_bytes // PAYLOAD_BYTES)
    return plain_bytes + packages * OVERHEAD_BYTES


def plain_size(sealed_bytes: int) -> int:
    """Return how many bytes a stream of ``sealed_bytes`` holds.

    Raises:
        DareError: no stream has that size.
    """
    packages = -(-sealed_bytes // PACKAGE_BYTES)
    rest = sealed_bytes - (packages - 1) * PACKAGE_BYTES
    if packages and rest <= OVERHEAD_BYTES:
        raise DareError(f"no stream is {sealed_bytes} bytes long")
    return sealed_bytes - packages * OVERHEAD_BYTES


class Sealer:
    """Encrypts a stream piece by piece.

    Attributes:
        plain_bytes: how much plaintext went in so far.
    """

    def __init__(
        self, key: bytes, *, nonce: bytes | None = None, cipher: int = AES_256_GCM
    ) -> None:
        first, *rest = nonce if nonce is not None else os.urandom(12)
        self._nonce = bytes((first & ~FINAL, *rest))
        self._final_nonce = bytes((first | FINAL, *rest))
        self._aead = _aead(cipher, key)
        self._cipher = cipher
        self._full = bytes((VERSION, cipher)) + (PAYLOAD_BYTES - 1).to_bytes(2, "little")
        self._held = b""
        self._sequence = 0
        self.plain_bytes = 0

    def update(self, data: bytes) -> list[bytes]:
        """Return the pieces of stream that ``data`` completes; the last package waits."""
        self.plain_bytes += len(data)
        pieces: list[bytes] = []
        start = 0
        if self._held:
            start = PAYLOAD_BYTES - len(self._held)
            if len(data) <= start:
                self._held += data
                return pieces
            pieces += self._package(self._held + data[:start])
        last = start + (len(data) - start - 1) // PAYLOAD_BYTES * PAYLOAD_BYTES
        view = memoryview(data)
        for at in range(start, last, PAYLOAD_BYTES):
            pieces += self._package(view[at : at + PAYLOAD_BYTES])
        self._held = data[max(last, start) :]
        return pieces

    def finish(self) -> list[bytes]:
        """Return the last package, nothing if there was no plaintext at all."""
        if not self._held:
            return []
        payload, self._held = self._held, b""
        aad = self._full[:2] + (len(payload) - 1).to_bytes(2, "little")
        nonce = _package_nonce(self._final_nonce, self._next())
        return [aad + self._final_nonce, self._aead.encrypt(nonce, payload, aad)]

    def _package(self, payload: bytes | memoryview) -> list[bytes]:
        nonce = _package_nonce(self._nonce, self._next())
        return [self._full + self._nonce, self._aead.encrypt(nonce, payload, self._full)]

    def _next(self) -> int:
        sequence = self._sequence
        if sequence >= MAX_PACKAGES:
            raise DareError("a stream ends after 2^32 packages")
        self._sequence += 1
        return sequence


class Opener:
    """Decrypts packages in order, from any one onwards.

    ``first`` is the sequence number of the first package given, so that a range can be read
    without what comes before it.
    """

    def __init__(self, key: bytes, *, first: int = 0) -> None:
        self._key = key
        self._sequence = first
        self._nonce = b""
        self._aead: _Aead | None = None
        self.finished = False

    def package(self, package: Buffer) -> bytes:
        """Return the plaintext of the next package.

        Raises:
            DareError: it is not the package that belongs here, or not what was sealed.
        """
        if self.finished:
            raise DareError("data after the final package")
        if len(package) <= OVERHEAD_BYTES:
            raise DareError("package cut off")
        header = bytes(package[:HEADER_BYTES])
        self._check(header, len(package))
        nonce = _package_nonce(header[4:], self._sequence)
        self._sequence += 1
        if self._aead is None:
            self._aead = _aead(header[1], self._key)
        try:
            return self._aead.decrypt(nonce, package[HEADER_BYTES:], header[:4])
        except InvalidTag as e:
            raise DareError("package not authentic") from e

    def _check(self, header: bytes, package_bytes: int) -> None:
        size = int.from_bytes(header[2:4], "little") + 1
        if header[0] != VERSION or size != package_bytes - OVERHEAD_BYTES:
            raise DareError("package header not valid")
        self.finished = bool(header[4] & FINAL)
        if not self.finished and size != PAYLOAD_BYTES:
            raise DareError("short package before the final one")
        nonce = bytes((header[1], header[4] & ~FINAL)) + header[5:]
        if self._nonce and nonce != self._nonce:
            raise DareError("package of another stream")
        self._nonce = nonce

    def close(self) -> None:
        """Say that no package follows.

        Raises:
            DareError: the final package is missing.
        """
        if self._nonce and not self.finished:
            raise DareError("final package missing")


def seal(key: bytes, plaintext: bytes, *, nonce: bytes | None = None) -> bytes:
    """Return ``plaintext`` as one stream."""
    sealer = Sealer(key, nonce=nonce)
    return b"".join([*sealer.update(plaintext), *sealer.finish()])


def packages(chunks: Iterable[bytes]) -> Iterator[Buffer]:
    """Cut a stream that comes in pieces of any size into packages; the last may be short."""
    held = b""
    for chunk in chunks:
        data = memoryview(held + chunk if held else chunk)
        whole = len(data) // PACKAGE_BYTES * PACKAGE_BYTES
        for at in range(0, whole, PACKAGE_BYTES):
            yield data[at : at + PACKAGE_BYTES]
        held = bytes(data[whole:])
    if held:
        yield held


def open_chunks(key: bytes, chunks: Iterable[bytes], *, first: int = 0) -> Iterator[bytes]:
    """Decrypt a stream, or its tail from package ``first`` on, to the end.

    Raises:
        DareError: it was changed, reordered or cut off, or the key is another one; everything
            yielded before that is authentic.
    """
    opener = Opener(key, first=first)
    for package in packages(chunks):
        yield opener.package(package)
    opener.close()


def open_(key: bytes, stream: bytes) -> bytes:
    """Return the plaintext of a whole stream.

    Raises:
        DareError: see `open_chunks`.
    """
    return b"".join(open_chunks(key, (stream,)))
