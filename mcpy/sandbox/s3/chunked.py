"""Request bodies as S3 clients send them, decoded and verified while they are read.

Three encodings: the plain body (its SHA-256 is compared at the end), ``aws-chunked`` with a
signature on every chunk, and ``aws-chunked`` without signatures. The last two may end in trailers.
A body that is cut off, changed or longer than announced raises; no reader sees a silent end.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
sigv4-streaming-trailers.html
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.sandbox.message import Readable

MAX_CHUNK_BYTES = 16 * 1024 * 1024
MAX_LINE_BYTES = 4096
READ_BYTES = 64 * 1024
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
SIGNATURE_TRAILER = "x-amz-trailer-signature"


class Payload(Protocol):
    """A decoded body.

    Attributes:
        length: decoded bytes announced by the client, or None when it did not say.
        trailers: lower-case names; complete only after the end was read.
    """

    length: int | None
    trailers: dict[str, str]

    def read(self, size: int = -1, /) -> bytes:
        """Return exactly ``size`` bytes, fewer only at the end; -1 reads everything.

        Raises:
            S3Problem: the body is not what was announced or signed.
        """
        ...


class PlainPayload:
    """A body sent as it is; ``sha256`` in hex, or None when the client did not sign it."""

    def __init__(self, body: Readable, length: int | None, *, sha256: str | None) -> None:
        self.length = length
        self.trailers: dict[str, str] = {}
        self._body = body
        self._left = length
        self._sha256 = sha256
        self._hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """See ``Payload``; XAmzContentSHA256Mismatch or IncompleteBody at the end."""
        wanted = size if self._left is None or 0 <= size <= self._left else self._left
        data = read_fully(self._body, wanted)
        if self._sha256 is not None:
            self._hash.update(data)
        if self._left is not None:
            self._left -= len(data)
            if len(data) < wanted:
                raise S3Problem.of("IncompleteBody")
        if self._left == 0 or (self._left is None and (size < 0 or len(data) < size)):
            self._check()
        return data

    def _check(self) -> None:
        if self._sha256 is not None and self._hash.hexdigest() != self._sha256:
            raise S3Problem.of("XAmzContentSHA256Mismatch")


@dataclass
class ChunkSigner:
    """Computes the chain of signatures: each one signs its chunk and the signature before it.

    Attributes:
        key: the SigV4 signing key of the request.
        timestamp: the request's ``x-amz-date``.
        scope: ``date/region/service/aws4_request``.
        previous: signature of the request, then of the chunk last read.
    """

    key: bytes = field(repr=False)
    timestamp: str
    scope: str
    previous: str

    def chunk(self, data: bytes) -> str:
        """Return the signature of the next chunk."""
        return self._next("AWS4-HMAC-SHA256-PAYLOAD", EMPTY_SHA256, data)

    def trailer(self, block: bytes) -> str:
        """Return the signature of the trailers: ``name:value`` lines, each ending in LF."""
        return self._next("AWS4-HMAC-SHA256-TRAILER", None, block)

    def _next(self, algorithm: str, headers_sha256: str | None, data: bytes) -> str:
        parts = [algorithm, self.timestamp, self.scope, self.previous]
        if headers_sha256 is not None:
            parts.append(headers_sha256)
        parts.append(hashlib.sha256(data).hexdigest())
        message = "\n".join(parts).encode()
        self.previous = hmac.new(self.key, message, hashlib.sha256).hexdigest()
        return self.previous


class ChunkedPayload:
    """An ``aws-chunked`` body.

    Args:
        body: the encoded body.
        length: ``x-amz-decoded-content-length``.
        signer: verifies chunk and trailer signatures; None for the unsigned encoding.
        announced: lower-case trailer names from ``x-amz-trailer``: each must come, no other may;
            None for an encoding without trailers.
    """

    def __init__(
        self,
        body: Readable,
        length: int,
        *,
        signer: ChunkSigner | None,
        announced: frozenset[str] | None = None,
    ) -> None:
        self.length: int | None = length
        self.trailers: dict[str, str] = {}
        self._body = _Lines(body)
        self._left = length
        self._signer = signer
        self._trailing = announced is not None
        self._announced = announced or frozenset()
        self._buffer = bytearray()
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """See ``Payload``; SignatureDoesNotMatch, IncompleteBody or BadRequest when it is not."""
        while not self._ended and (size < 0 or len(self._buffer) < size):
            self._next_chunk()
        # a reader that stops at the announced length has to see the last signatures checked
        while not self._ended and not self._left:
            self._next_chunk()
        end = len(self._buffer) if size < 0 else size
        data = bytes(self._buffer[:end])
        del self._buffer[:end]
        return data

    def _next_chunk(self) -> None:
        head = self._line()
        digits, _, extension = head.partition(b";")
        size = _hex_size(digits)
        data = self._body.read(size)
        if len(data) < size:
            raise S3Problem.of("IncompleteBody")
        if self._signer is not None:
            signature = extension.removeprefix(b"chunk-signature=")
            if signature == extension:
                raise malformed()
            require_equal(signature.decode("latin-1"), self._signer.chunk(data))
        elif extension:
            raise malformed()
        self._take(data)

    def _take(self, data: bytes) -> None:
        if not data:
            self._end()
            return
        if self._line():
            raise malformed()
        if len(data) > self._left:
            raise S3Problem.of("ExcessData")
        self._left -= len(data)
        self._buffer += data

    def _end(self) -> None:
        self._ended = True
        if self._left:
            raise S3Problem.of("IncompleteBody")
        if self._trailing:
            if self._signer is None and not self._announced:
                raise malformed()
            self._read_trailers()
        else:
            self._body.read(2)  # the CRLF after the last chunk; some clients leave it out

    def _read_trailers(self) -> None:
        block, signature = b"", None
        while signature is None and (self._signer or not self._complete()):
            line = self._line()
            name, separator, value = line.decode("latin-1").partition(":")
            if not line:
                continue
            if self._signer and name == SIGNATURE_TRAILER:
                signature = value.strip()
                break
            if not separator or name.lower() not in self._announced:
                raise malformed()
            self.trailers[name.lower()] = value.strip()
            block += line.rstrip() + b"\n"
        if not self._complete():
            raise S3Problem.of("IncompleteBody")
        if self._signer is not None:
            require_equal(signature or "", self._signer.trailer(block))
        if self._line():
            raise malformed()

    def _complete(self) -> bool:
        return self.trailers.keys() >= self._announced

    def _line(self) -> bytes:
        """Return the next line without its line end."""
        line = self._body.line()
        if not line.endswith(b"\n"):
            raise S3Problem.of("IncompleteBody") if len(line) < MAX_LINE_BYTES else malformed()
        return line[:-1].removesuffix(b"\r")


class _Lines:
    """Reads lines and stretches off a body that knows only how to be read in blocks."""

    def __init__(self, body: Readable) -> None:
        self._body = body
        self._buffer = bytearray()

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only at the end."""
        while len(self._buffer) < size and self._fill(size - len(self._buffer)):
            pass
        return self._take(size)

    def line(self) -> bytes:
        """Return what there is up to a line feed, at most ``MAX_LINE_BYTES``."""
        end = self._buffer.find(b"\n")
        while end < 0 and len(self._buffer) < MAX_LINE_BYTES and self._fill(1):
            end = self._buffer.find(b"\n")
        return self._take(min(end + 1 or MAX_LINE_BYTES, MAX_LINE_BYTES))

    def _fill(self, wanted: int) -> bool:
        block = self._body.read(max(wanted, READ_BYTES))
        self._buffer += block
        return bool(block)

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


def read_fully(body: Readable, size: int) -> bytes:
    """Return ``size`` bytes of ``body``, fewer only at its end; -1 reads everything."""
    if size < 0:
        return body.read()
    parts: list[bytes] = []
    while size and (part := body.read(size)):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def drain(payload: Payload, sink: Callable[[bytes], object]) -> int:
    """Hand everything in ``payload`` to ``sink`` in small blocks; return the number of bytes."""
    total = 0
    while block := payload.read(READ_BYTES):
        sink(block)
        total += len(block)
    return total


def require_equal(given: str, computed: str) -> None:
    """Compare signatures in constant time.

    Raises:
        S3Problem: SignatureDoesNotMatch.
    """
    if not hmac.compare_digest(given.encode(), computed.encode()):
        raise S3Problem.of("SignatureDoesNotMatch")


def malformed(reason: str = "malformed chunked encoding") -> S3Problem:
    """Return 400 BadRequest for a body that is not ``aws-chunked``."""
    problem = S3Problem.of("BadRequest")
    problem.message = reason
    return problem


def _hex_size(digits: bytes) -> int:
    if not digits or digits.strip(b"0123456789abcdefABCDEF"):
        raise malformed()
    size = int(digits, 16)
    if size > MAX_CHUNK_BYTES:
        raise malformed("chunk too big: choose chunk size <= 16MiB")
    return size
