"""Object content between the wire and the store: hashed, sealed, opened, never held whole."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mcpy.sandbox import dare
from mcpy.sandbox.s3 import checksums
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mcpy.sandbox.envelope import ObjectKey
    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.s3.checksums import Wanted
    from mcpy.sandbox.store import ObjectVersion, Part, Store
    from mcpy.sandbox.store.content import ContentReader, ContentWriter

READ_BYTES = 1 << 18
QUEUED = 16
"""Pieces of ``READ_BYTES`` that wait for their MD5."""


class Source(Protocol):
    """What content is read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        ...


@dataclass(slots=True)
class Received:
    """Content that is on disk but belongs to no object yet.

    Attributes:
        size: bytes of plaintext.
        md5: of the plaintext, hex; random where nobody asked for it.
    """

    writer: ContentWriter
    size: int
    md5: str

    def discard(self) -> None:
        """Throw it away."""
        self.writer.discard()


def receive(
    store: Store,
    source: Source,
    *,
    key: bytes | None = None,
    with_md5: bool = True,
    observers: tuple[Callable[[bytes], None], ...] = (),
) -> Received:
    """Read ``source`` to its end into the store, encrypted with ``key`` (32 bytes) if given.

    ``observers`` see the plaintext. Without ``with_md5`` a random value stands for the MD5.

    Raises:
        S3Problem: the body is not what was announced or signed; nothing is left behind.
    """
    md5 = Md5() if with_md5 else None
    sealer = None if key is None else dare.Sealer(key)
    writer = store.writer()
    size = 0
    try:
        while data := source.read(READ_BYTES):
            size += len(data)
            if md5 is not None:
                md5.update(data)
            for observe in observers:
                observe(data)
            writer.write([data] if sealer is None else sealer.update(data))
        if sealer is not None:
            writer.write(sealer.finish())
        writer.close()
        digest = md5.hexdigest() if md5 is not None else os.urandom(16).hex()
    except BaseException:
        if md5 is not None:
            md5.hexdigest()
        writer.discard()
        raise
    return Received(writer, size, digest)


class Md5:
    """An MD5 that computes large data beside the caller: it is slower than the encryption."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._queue: queue.Queue[bytes]  # made with the thread: small data needs neither
        self._thread: threading.Thread | None = None

    def update(self, data: bytes) -> None:
        """Take more data, which must not change any more."""
        if self._thread is None and len(data) < dare.PAYLOAD_BYTES:
            self._md5.update(data)
            return
        if self._thread is None:
            self._queue = queue.Queue(maxsize=QUEUED)
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._queue.put(data)

    def hexdigest(self) -> str:
        """Return the digest of everything; nothing may follow."""
        if self._thread is not None:
            self._queue.put(b"")
            self._thread.join()
        return self._md5.hexdigest()

    def _work(self) -> None:
        while data := self._queue.get():
            self._md5.update(data)


def content_md5(headers: Mapping[str, str]) -> str | None:
    """Return the hex MD5 of ``Content-MD5``, None if it was not sent.

    Raises:
        S3Problem: InvalidDigest.
    """
    text = headers.get("content-md5")
    if text is None:
        return None
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 16:
        raise S3Problem.of("InvalidDigest")
    return digest.hex()


def check_body(
    received: Received, md5: str | None, checksum: Wanted | None, trailers: Mapping[str, str]
) -> dict[str, str]:
    """Compare content with what the client announced, and return its checksums by algorithm.

    Raises:
        S3Problem: BadDigest or XAmzContentChecksumMismatch; the content is thrown away.
    """
    try:
        if md5 is not None and md5 != received.md5:
            raise S3Problem.of("BadDigest")
        if checksum is None:
            return {}
        return {checksum.algorithm: checksum.verify(trailers)}
    except S3Problem:
        received.discard()
        raise


def check_document(call: Call) -> None:
    """Compare an XML body with its MD5 or checksum, one of which must come with it.

    Raises:
        S3Problem: neither came, or it is of another body.
    """
    md5, checksum = content_md5(call.headers), checksums.announced(call.headers)
    if md5 is None and checksum is None:
        raise S3Problem.of("MissingContentMD5")
    body = call.text()
    if md5 is not None and hashlib.md5(body, usedforsecurity=False).hexdigest() != md5:
        raise S3Problem.of("BadDigest")
    if checksum is not None:
        checksum.update(body)
        checksum.verify({})


class Content:
    """The plaintext of a stretch of an object, as an iterable to be closed after use."""

    def __init__(
        self, store: Store, version: ObjectVersion, key: ObjectKey | None, start: int, length: int
    ) -> None:
        self._readers: list[ContentReader] = []
        self._chunks: Iterator[bytes] = iter(())
        pieces: list[tuple[Part, ContentReader, int, int]] = []
        try:
            for part, first, count in _cut(version.parts, start, length):
                reader = store.reader([_stored(part, first, count, sealed=key is not None)])
                self._readers.append(reader)
                pieces.append((part, reader, first, count))
        except BaseException:
            self.close()
            raise
        multipart = "X-Minio-Internal-Encrypted-Multipart" in version.metadata
        self._chunks = _plaintext(pieces, key, multipart=multipart)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def read(self, size: int = -1, /) -> bytes:  # noqa: ARG002 - chunks are never larger than that
        """Return the next chunk, whatever its size."""
        return next(self._chunks, b"")

    def close(self) -> None:
        """Let go of the store's files."""
        for reader in self._readers:
            reader.close()

    def started(self) -> Content:
        """Read the first chunk ahead, so that damage there is an error and not a torn answer.

        Raises:
            S3Problem: it cannot be decrypted.
        """
        first = next(self._chunks, b"")
        self._chunks = _chain(first, self._chunks)
        return self


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _cut(parts: list[Part], start: int, length: int) -> Iterator[tuple[Part, int, int]]:
    """Yield the parts that hold a stretch of plaintext, with offset and length within each."""
    end = start + length
    at = 0
    for part in parts:
        first, last = max(start, at), min(end, at + part.size)
        if first < last:
            yield part, first - at, last - first
        at += part.size


def _stored(part: Part, first: int, count: int, *, sealed: bool) -> tuple[int, int, int]:
    if not sealed:
        return part.content, first, count
    begin = first // dare.PAYLOAD_BYTES * dare.PACKAGE_BYTES
    packages = -(-(first + count) // dare.PAYLOAD_BYTES)
    return part.content, begin, min(packages * dare.PACKAGE_BYTES, part.stored) - begin


def _plaintext(
    pieces: list[tuple[Part, ContentReader, int, int]], key: ObjectKey | None, *, multipart: bool
) -> Iterator[bytes]:
    for part, reader, first, count in pieces:
        left = count
        chunks: Iterator[bytes] = reader
        if key is not None:
            secret = key.part(part.number) if multipart else key.secret
            chunks = _opened(secret, reader, first, whole=first + count == part.size)
        for chunk in chunks:
            piece = chunk[:left]
            left -= len(piece)
            yield piece
        reader.close()
        if left:
            raise S3Problem.internal("content cut off")


def _opened(secret: bytes, sealed: Iterator[bytes], first: int, *, whole: bool) -> Iterator[bytes]:
    """Decrypt from the package that holds plaintext byte ``first`` on, a package at a time."""
    opener = dare.Opener(secret, first=first // dare.PAYLOAD_BYTES)
    skip = first % dare.PAYLOAD_BYTES
    try:
        for chunk in sealed:
            # the store reads whole packages, but for the last one
            for package in dare.packages((chunk,)):
                plain = opener.package(package)
                yield plain[skip:] if skip else plain
                skip = 0
        if whole:
            opener.close()
    except dare.DareError as e:
        raise S3Problem.internal(str(e)) from e
