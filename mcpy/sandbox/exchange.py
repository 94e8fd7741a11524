"""One request and its answer on a connection, as Go's server would have them."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from mcpy.sandbox.body import ChunkedBody, LengthBody
from mcpy.sandbox.head import BadHeadError, read_head

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mcpy.sandbox.body import WireBody
    from mcpy.sandbox.head import Head
    from mcpy.sandbox.message import Handler, Readable, Request, Response
    from mcpy.sandbox.stream import SocketReader, SocketWriter

_DRAIN_BYTES = 256 * 1024
_BODILESS = frozenset({204, 304})


class Connection(Protocol):
    """A connection, as far as a request and its answer need it.

    Attributes:
        unread: whether the peer may still be sending what nobody will read.
    """

    unread: bool

    @property
    def rfile(self) -> SocketReader:
        """What the peer says."""
        ...

    @property
    def wfile(self) -> SocketWriter:
        """The way to the peer."""
        ...

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Readable,
        length: int | None,
    ) -> Request:
        """Return what the handler is to see."""
        ...

    def gone(self) -> bool:
        """Tell whether the peer has hung up."""
        ...


def converse(connection: Connection, handler: Handler) -> bool:
    """Answer the next request on ``connection``; tell whether it can have another.

    Raises:
        ConnectionError: the connection is lost, or the handler wants it to be.
        TimeoutError: the peer is silent within a request.
    """
    try:
        head = read_head(connection.rfile)
        if head is None:
            return False
        exchange = Exchange(connection, head)
    except TimeoutError:
        _refuse(connection, BadHeadError(408))
        return False
    except BadHeadError as e:
        _refuse(connection, e)
        return False
    try:
        return exchange.run(handler)
    except (ConnectionError, TimeoutError):
        raise
    except Exception:
        if not exchange.answered:
            _refuse(connection, BadHeadError(500))
        raise


class Exchange:
    """A request whose head was read, and the answer to it.

    Raises:
        BadHeadError: how the body comes cannot be told.
    """

    def __init__(self, connection: Connection, head: Head) -> None:
        length = head.length
        reader = connection.rfile
        body = ChunkedBody(reader) if head.chunked else LengthBody(reader, length or 0)
        # asked and answered here, so that the application does not see it
        expected = head.headers.pop("expect", "")
        if expected and expected.lower() != "100-continue":
            raise BadHeadError(417)
        self.answered = False
        self._connection = connection
        self._head = head
        self._body = _Body(connection, body, invited=not expected)
        self._closing = head.closing
        self._chunked = False

    def run(self, handler: Handler) -> bool:
        """Let ``handler`` answer; tell whether the connection can have another request."""
        head = self._head
        response = handler(
            self._connection.request(
                head.method, head.target, head.headers, self._body, head.length
            )
        )
        if isinstance(response.body, bytes):
            self._answer(response, response.body)
        else:
            self._stream(response, response.body)
        return not self._closing

    def _answer(self, response: Response, body: bytes) -> None:
        """Send an answer in one piece."""
        headers = response.headers
        if response.status not in _BODILESS and response.header("Content-Length") is None:
            headers.append(("Content-Length", str(len(body))))
        shown = b"" if self._head.method == "HEAD" else body
        self._send(self._header_lines(response) + shown)

    def _stream(self, response: Response, parts: Iterable[bytes]) -> None:
        """Send an answer part by part; an empty part sends what there is, if anybody listens."""
        try:
            if response.header("Content-Length") is None:
                self._frame_unknown_length(response)
            # head and the first part in one packet: small answers take one round trip
            waiting = self._header_lines(response)
            for part in parts if self._head.method != "HEAD" else ():
                self._send(waiting + (self._framed(part) if part else b""))
                waiting = b""
                if not part and self._connection.gone():
                    self._closing = True
                    return
            self._send(waiting + (b"0\r\n\r\n" if self._chunked else b""))
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()

    def _framed(self, part: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(part), part) if self._chunked else part

    def _send(self, data: bytes) -> None:
        if data:
            self.answered = True
            self._connection.wfile.write(data)

    def _header_lines(self, response: Response) -> bytes:
        """Return the answer's head; no ``Server`` unless the application names one."""
        if not self._body.drain():
            self._closing = True
        lines = [_status_line(response.status)]
        named = set()
        for name, value in response.headers:
            lines.append(f"{name}: {value}")
            named.add(name.lower())
        if "connection" not in named:
            if self._closing:
                lines.append("Connection: close")
            elif not self._head.modern:
                lines.append("Connection: keep-alive")
        if "date" not in named:
            lines.append(f"Date: {_date(int(time.time()))}")
        return "\r\n".join((*lines, "\r\n")).encode("latin-1")

    def _frame_unknown_length(self, response: Response) -> None:
        status = response.status
        if self._head.method == "HEAD" or status < 200 or status in _BODILESS:
            return
        if self._head.modern:
            self._chunked = True
            response.headers.append(("Transfer-Encoding", "chunked"))
        else:
            self._closing = True


class _Body:
    """The request's body as the application reads it."""

    def __init__(self, connection: Connection, body: WireBody, *, invited: bool) -> None:
        self._connection = connection
        self._body = body
        self._invited = invited

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, all that is left without it; empty at the end."""
        if not self._invited:
            self._invite()
        if size >= 0:
            return self._body.read(size)
        parts = []
        while part := self._body.read(65_536):
            parts.append(part)
        return b"".join(parts)

    def drain(self) -> bool:
        """Read what the application left, if it is little; tell whether all is read."""
        if not self._body.left:
            return True
        self._connection.unread = True
        if not self._invited or self._body.left > _DRAIN_BYTES:
            return False
        try:
            for _ in range(_DRAIN_BYTES // 16_384):
                if not self._body.read(16_384):
                    break
        except (ValueError, OSError):
            return False
        self._connection.unread = bool(self._body.left)
        return not self._connection.unread

    def _invite(self) -> None:
        self._invited = True
        if self._body.left:
            self._connection.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _refuse(connection: Connection, problem: BadHeadError) -> None:
    """Answer a request that cannot be handed on, and that the connection must end with."""
    line = _status_line(problem.status)
    words = line.partition(" ")[2]
    text = f"{words}: {problem.text}" if problem.text else words
    connection.unread = True
    connection.wfile.write(
        f"{line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}".encode("latin-1")
    )


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
