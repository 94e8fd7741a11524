"""A socket whose every wait ends with what is left of the whole call.

A server that sends a byte every second never trips a limit on single reads: so each send and each
read is clipped to the moment by which the call has to be over.
"""

from __future__ import annotations

import re
import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from mcpy.api.failures import CUT_OFF, Failure, Late, NotHttp

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from mcpy.api.call import Origin

_READ_BYTES = 64 * 1024
_MAX_HEAD = 1024 * 1024
_MAX_LINE = 64 * 1024
_BLANK = re.compile(rb"\r?\n\r?\n")
_INTERIM = re.compile(rb"(?:HTTP/1\.1 1.*?\r?\n\r?\n)*", re.DOTALL)
_LOOK_S = 0.5  # so long nothing may be taken before it is looked whether the server has answered


class Unsent(Failure):
    """The server takes no more: perhaps it has answered already."""


class Connection:
    """One connection, with what was read ahead of what is asked for.

    Attributes:
        moment: when the call it serves has to be over.
        idle_s: how long it may stand still.
    """

    def __init__(self, opened: socket.socket, origin: Origin, idle_s: float) -> None:
        self.origin = origin
        self.moment: float | None = None
        self.idle_s = idle_s
        self._socket = opened
        self._ahead = bytearray()

    def send(self, data: ReadableBuffer) -> None:
        """Send all of ``data``; a transfer may stand still for so long, and take any time.

        Raises:
            Unsent: the server takes no more, or answers instead.
        """
        view = memoryview(data)
        while view:
            view = view[self._taken(view) :]

    def _taken(self, view: memoryview) -> int:
        until = time.monotonic() + self.idle_s
        while True:
            limit_s = within(until - time.monotonic(), self.moment, Late)
            self._socket.settimeout(max(0.001, min(limit_s, _LOOK_S)))
            try:
                return self._socket.send(view)
            except TimeoutError as e:
                if self._is_answered():
                    raise Unsent("it answers instead of reading") from e
                if time.monotonic() >= until:
                    raise Late(str(e)) from e
            except OSError as e:
                raise Unsent(str(e)) from e

    def _is_answered(self) -> bool:
        """Whether an answer has begun, or the end has come, without waiting for either."""
        self._socket.settimeout(0)
        try:
            data = self._socket.recv(_READ_BYTES)
        except OSError as e:
            # nothing is there, to the system or to TLS, which may have had words of its own
            return not (isinstance(e, BlockingIOError) or type(e).__name__ == "SSLWantReadError")
        self._ahead += data
        rest = self._ahead[_INTERIM.match(self._ahead).end() :]  # type: ignore[union-attr]
        return not (data and b"HTTP/1.1 1".startswith(rest[:10]))

    def head(self, until: float) -> bytes:
        """Return the head of an answer without its blank line, before the moment ``until``."""
        ahead = self._ahead
        while True:
            # a server of another protocol is known by its first bytes; more may never come. So is
            # a body that follows an answer to HEAD, late: it is not taken for the next answer
            if not ahead.startswith(b"HTTP/"[: len(ahead)]):
                raise NotHttp("the answer does not begin like one of HTTP")
            if found := _BLANK.search(ahead):
                break
            if len(ahead) > _MAX_HEAD or len(ahead) - ahead.rfind(b"\n") > _MAX_LINE:
                raise NotHttp("the head of the answer has no end")
            self._read_ahead(until)
        head = bytes(ahead[: found.start()])
        del ahead[: found.end()]
        return head

    def line(self, limit: int) -> bytes:
        """Return the next line with its end; NotHttp beyond ``limit`` bytes."""
        while (end := self._ahead.find(b"\n")) < 0:
            if len(self._ahead) > limit:
                break
            self._read_ahead(self.moment)
        if not 0 <= end <= limit:
            raise NotHttp("a line of the answer has no end")
        return self.some(end + 1)

    def some(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes as they come; none at the end."""
        if not self._ahead:
            return self._received(limit, self.moment)
        piece = bytes(self._ahead[:limit])
        del self._ahead[:limit]
        return piece

    def _read_ahead(self, moment: float | None) -> None:
        data = self._received(_READ_BYTES, moment)
        if not data:
            raise NotHttp(CUT_OFF)
        self._ahead += data

    def _received(self, limit: int, moment: float | None) -> bytes:
        self._socket.settimeout(within(self.idle_s, moment, Late))
        try:
            return self._socket.recv(limit)
        except TimeoutError as e:
            raise Late(str(e)) from e
        except OSError as e:
            # TLS says when it ends: where it does not, somebody may have cut the answer
            cut = type(e).__name__ == "SSLEOFError"
            if not cut:
                raise Failure(str(e)) from e
        raise NotHttp(CUT_OFF)

    def is_spent(self) -> bool:
        """Whether it cannot be used again: it has ended, or says something nobody asked for."""
        if self._ahead:
            return True
        try:
            pending = getattr(self._socket, "pending", None)  # what TLS has opened already
            return bool((pending and pending()) or _is_readable(self._socket))
        except (OSError, ValueError):  # another thread may have closed them all
            return True

    def close(self) -> None:
        """Close it; close alone does not wake a thread that waits for the other side."""
        with suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._socket.close()


def _is_readable(opened: socket.socket) -> bool:
    if hasattr(select, "poll"):  # it takes any number of open files
        poll = select.poll()
        poll.register(opened, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([opened], [], [], 0)[0])


def soonest(moment: float | None, limit_s: float) -> float:
    """Return the moment ``limit_s`` from now, or ``moment`` where that comes first."""
    soon = time.monotonic() + limit_s
    return soon if moment is None else min(soon, moment)


def within(limit_s: float, moment: float | None, kind: type[Late]) -> float:
    """Return how long may be waited at most, within ``limit_s`` and before ``moment``."""
    if moment is None:
        return limit_s
    left_s = moment - time.monotonic()
    if left_s <= 0:
        raise kind("the deadline passed")
    return min(limit_s, left_s)
