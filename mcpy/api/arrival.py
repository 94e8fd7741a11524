"""One request and its answer over a connection: HTTP/1.1, as little of it as servers need.

It is strict where an object's bytes are at stake: an answer that leaves a doubt about where it
ends is refused, and so is a success that came before the server had the whole request.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from mcpy.api.bodies import body_of
from mcpy.api.connection import Unsent, soonest
from mcpy.api.failures import Failure, NotHttp
from mcpy.api.heads import parsed
from mcpy.api.outgoing import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mcpy.api.call import Outgoing
    from mcpy.api.connection import Connection
    from mcpy.api.heads import Head

_SMALL_BYTES = 64 * 1024  # goes out together with its head
_MOST_INTERIM = 32


class Arrival:
    """An answer as it arrives; ``headers`` are by lower-case name.

    Args:
        connection: where the request was sent.
        method: what was asked.
        done: takes the connection back, and whether it may be used again.
        whole: whether all of the request was sent.
    """

    def __init__(
        self,
        connection: Connection,
        method: str,
        done: Callable[[Connection, bool], None],
        *,
        whole: bool,
    ) -> None:
        head = final_head(connection)
        if not whole and head.status < 300:
            raise Failure(f"it answered {head.status} before it had the whole request")
        self.status = head.status
        self.headers: Mapping[str, str] = head.headers
        self._connection: Connection | None = connection
        self._done = done
        self._body, keeps = body_of(head, method)
        # After HEAD a server may send the body all the same, and late: what begins like an answer
        # by then cannot be told from one. All else is found out before the next answer is read.
        self._keeps = whole and keeps
        if self._body.over:
            self._end(self._keeps)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as sent.

        Raises:
            Failure: it broke off, or was closed before its end.
        """
        while not self._body.over:
            if piece := self._piece():
                yield piece

    def _piece(self) -> bytes:
        if not self._connection:
            raise Failure("it was closed before its end")
        piece = self._body.read(self._connection)
        if self._body.over:
            self._end(self._keeps)
        return piece

    def close(self) -> None:
        """Be done with it; where the body was not read to its end the connection is closed."""
        self._end(keeps=False)

    def _end(self, keeps: bool) -> None:
        connection, self._connection = self._connection, None
        if connection:
            self._done(connection, keeps)


def final_head(connection: Connection) -> Head:
    """Return the head of the answer after those of 1xx; all of them come before it stands still.

    Raises:
        Failure: there is none, or not in time.
    """
    until = soonest(connection.moment, connection.idle_s)
    for _ in range(_MOST_INTERIM):
        head = parsed(connection.head(until))
        if head.status == 101:
            raise NotHttp("it speaks another protocol, which nobody asked for")
        if head.status >= 200:
            return head
    raise NotHttp("it never comes to its answer")


def send(connection: Connection, request: Outgoing, target: str, more: Mapping[str, str]) -> bool:
    """Send ``request``, which was checked, with ``more`` headers.

    False when the server did not take all of it, and may say why.
    """
    headers = [f"{name}: {value}\r\n" for name, value in {**request.headers, **more}.items()]
    head = f"{request.method} {target} HTTP/1.1\r\n{''.join(headers)}\r\n".encode()
    content = request.content
    with suppress(Unsent):
        if isinstance(content, bytes) and len(content) <= _SMALL_BYTES:
            connection.send(head + content)
            return True
        connection.send(head)
        for piece in _framed(request):
            connection.send(piece)
        return True
    return False


def _framed(request: Outgoing) -> Iterator[bytes]:
    if "transfer-encoding" not in request.headers:
        yield from pieces(request)
        return
    for piece in pieces(request):
        if piece:  # an empty chunk would be the last
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
