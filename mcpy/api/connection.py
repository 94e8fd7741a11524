"""A socket as `http.client` wants one, whose every wait ends with what is left of the whole call.

A server that sends a byte every second never trips a limit on single reads: so each send and each
read is clipped to the moment by which the call has to be over.
"""

from __future__ import annotations

import io
import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from mcpy.api.failures import Failure, Late, NotHttp

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from mcpy.api.call import Origin


class Unsent(Failure):
    """The server takes no more: perhaps it has answered already."""


class Connection:
    """One connection, and the reader that outlives each answer on it.

    Attributes:
        moment: when the call it serves has to be over.
        ended: whether the server's end was read.
    """

    def __init__(self, opened: socket.socket, origin: Origin, idle_s: float) -> None:
        self.origin = origin
        self.moment: float | None = None
        self.ended = False
        self._socket = opened
        self._idle_s = idle_s
        self._raw = _Raw(self)
        self._reader = _Reader(self._raw, 64 * 1024)

    def makefile(self, _: str) -> io.BufferedReader:
        """Return the reader: what it has read ahead belongs to the answer that comes next."""
        return self._reader

    def sendall(self, data: ReadableBuffer) -> None:
        """Send all of ``data``; a transfer may stand still for so long, and take any time."""
        view = memoryview(data)
        while view:
            self._socket.settimeout(within(self._idle_s, self.moment, Late))
            try:
                view = view[self._socket.send(view) :]
            except TimeoutError as e:
                raise Late(str(e)) from e
            except OSError as e:
                raise Unsent(str(e)) from e

    def receive(self, buffer: WriteableBuffer) -> int:
        """Fill ``buffer`` with what there is; 0 at the end."""
        self._socket.settimeout(within(self._idle_s, self.moment, Late))
        try:
            count = self._socket.recv_into(buffer)
        except TimeoutError as e:
            raise Late(str(e)) from e
        except OSError as e:
            raise Failure(str(e)) from e
        self.ended = not count
        return count

    def is_spent(self) -> bool:
        """Whether it cannot be used again: it has ended, or says something nobody asked for."""
        if self._socket.fileno() < 0 or self._raw.ahead(self._reader):
            return True  # another thread may have closed them all
        pending = getattr(self._socket, "pending", None)  # what TLS has opened already
        if pending and pending():
            return True
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        """Close it; close alone does not wake a thread that waits for the other side."""
        with suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._socket.close()


class _Reader(io.BufferedReader):
    """Stays open when an answer is done with it."""

    def close(self) -> None:
        pass


class _Raw(io.RawIOBase):
    """The bytes of a connection as they come."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._greeted = self._resting = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self._resting:
            return None
        count = self._connection.receive(buffer)
        if not self._greeted and count:
            # a server of another protocol is known by its first bytes; more may never come
            first = bytes(memoryview(buffer)[: min(count, 5)])
            if not b"HTTP/".startswith(first):
                raise NotHttp("the answer does not begin like one of HTTP")
            self._greeted = True
        return count

    def ahead(self, reader: io.BufferedReader) -> bytes:
        """Return what ``reader`` holds already, without waiting for more."""
        self._resting = True
        try:
            return reader.peek(1)
        finally:
            self._resting = False


def within(limit_s: float, moment: float | None, kind: type[Late]) -> float:
    """Return how long may be waited at most, within ``limit_s`` and before ``moment``."""
    if moment is None:
        return limit_s
    left_s = moment - time.monotonic()
    if left_s <= 0:
        raise kind("the deadline passed")
    return min(limit_s, left_s)
