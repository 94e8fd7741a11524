"""Buffered reading from, and plain writing to, a connection with or without TLS."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_BUFFER = 64 * 1024


class Wire(Protocol):
    """What a socket and a TLS connection have in common."""

    @property
    def recv_into(self) -> Callable[[bytearray | memoryview], int]:
        """Fill a buffer; 0 at the end."""
        ...

    @property
    def sendall(self) -> Callable[[bytes], None]:
        """Send all of some bytes."""
        ...

    def pending(self) -> int:
        """Return how many bytes were received but not yet read."""
        ...


class PlainSocket:
    """A socket without TLS as a wire."""

    def __init__(self, sock: socket.socket) -> None:
        self.plain = sock
        self.recv_into = sock.recv_into
        self.sendall = sock.sendall
        self.settimeout = sock.settimeout
        self.fileno = sock.fileno
        self.close = sock.close
        self.refused = False

    def pending(self) -> int:
        """Return 0: the kernel tells what is there to read."""
        return 0

    def peer_certs(self) -> tuple[bytes, ...]:
        """Return nothing: certificates come with TLS."""
        return ()


class _Raw(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.quiet = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int | None:  # type: ignore[override]
        return None if self.quiet else self._wire.recv_into(buffer)


class SocketReader(io.BufferedReader):
    """Reads a connection; knows what it has without asking the peer."""

    bytes_read = 0

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._source = _Raw(wire)
        super().__init__(self._source, _BUFFER)

    def has_data(self) -> bool:
        """Tell whether something can be read without waiting."""
        self._source.quiet = True
        try:
            return bool(self.peek(1)) or self._wire.pending() > 0
        finally:
            self._source.quiet = False


class SocketWriter:
    """Writes to a connection at once."""

    bytes_written = 0

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def write(self, data: bytes) -> int:
        """Send all of ``data``."""
        self._wire.sendall(data)
        return len(data)
