"""Request bodies as they come over a connection: of known length, or in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mcpy.sandbox.stream import SocketReader

_MAX_LINE = 16 * 1024
_MUCH = 1 << 62


class WireBody(Protocol):
    """A body being read from a connection."""

    @property
    def left(self) -> int:
        """How many bytes are still to come at least; 0 when all of it was read."""
        ...

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, all of them where there are as many; empty at the end."""
        ...


class LengthBody:
    """A body announced with ``Content-Length``."""

    def __init__(self, reader: SocketReader, length: int) -> None:
        self._reader = reader
        self.left = length

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; fewer than announced when the peer left early."""
        data = self._reader.read(min(size, self.left))
        self.left -= len(data)
        return data


class ChunkedBody:
    """A body sent with ``Transfer-Encoding: chunked``; its trailers are read and dropped."""

    def __init__(self, reader: SocketReader) -> None:
        self._reader = reader
        self._chunk = 0
        self._ended = False

    @property
    def left(self) -> int:
        """How many bytes are still to come at least."""
        return 0 if self._ended else max(1, self._chunk)

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes.

        Raises:
            ValueError: the peer's chunks are malformed, or end before their end.
        """
        parts = []
        while size > 0 and (self._chunk or self._next_chunk()):
            data = self._reader.read(min(size, self._chunk))
            if not data:
                raise self._broken("unexpected EOF")
            self._chunk -= len(data)
            size -= len(data)
            parts.append(data)
            if not self._chunk and self._line():
                raise self._broken("malformed chunked encoding")
        return b"".join(parts)

    def _next_chunk(self) -> bool:
        if self._ended:
            return False
        digits = self._line().partition(b";")[0].strip()
        if not digits or not all(char in b"0123456789abcdefABCDEF" for char in digits):
            raise self._broken("invalid byte in chunk length")
        self._chunk = int(digits, 16)
        if not self._chunk:
            while self._line():
                pass
            self._ended = True
        return not self._ended

    def _line(self) -> bytes:
        line = self._reader.readline(_MAX_LINE)
        if not line.endswith(b"\n"):
            raise self._broken("unexpected EOF")
        return line.rstrip(b"\r\n")

    def _broken(self, why: str) -> ValueError:
        # nothing behind a broken chunk can be told from the next request
        self._chunk = _MUCH
        return ValueError(why)
