"""One request and its answer over a connection, in the words of `http.client`.

It is lenient where an object's bytes are at stake: a length that is none means "up to the end" to
it, and so does an encoding it does not know. Such answers are refused here.
"""

from __future__ import annotations

import http.client
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast

from mcpy.api.connection import Unsent
from mcpy.api.failures import Failure, NotHttp
from mcpy.errors import InputError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mcpy.api.call import Outgoing
    from mcpy.api.connection import Connection

_PIECE_BYTES = 256 * 1024
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?")
_CUT_OFF = "closed connection: the answer is incomplete"
# 2 KiB of metadata can be more headers than the 100 that are expected from web servers
http.client._MAXHEADERS = 1000  # type: ignore[attr-defined]


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
        self._connection: Connection | None = connection
        self._done = done
        with _failures(connection):
            self._response = _final(connection, method)
        self.status = self._response.status
        self.headers: Mapping[str, str] = _headers(self._response)
        self._keeps = whole and not self._response.will_close
        if self._response.length == 0:
            self._end(self._keeps)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as sent.

        Raises:
            Failure: it broke off.
        """
        response = self._response
        while connection := self._connection:
            with _failures(connection):
                piece = response.read1(_PIECE_BYTES)
            left = response.length
            if not piece and (left or (response.chunked and connection.ended)):
                raise NotHttp(_CUT_OFF)
            if not (piece and left != 0):
                self._end(self._keeps)
            if piece:
                yield piece

    def close(self) -> None:
        """Be done with it; where the body was not read to its end the connection is closed."""
        self._end(keeps=False)

    def _end(self, keeps: bool) -> None:
        connection, self._connection = self._connection, None
        if connection:
            self._done(connection, keeps)


def send(connection: Connection, request: Outgoing) -> bool:
    """Send ``request``; False when the server did not take all of it, and may say why.

    Raises:
        InputError: a header cannot be sent; the message does not repeat what it holds.
    """
    sender = http.client.HTTPConnection(request.origin.host, request.origin.port)
    sender.sock = cast("socket.socket", connection)
    try:
        sender.putrequest(
            request.method, request.target, skip_host=True, skip_accept_encoding=True
        )
    except (http.client.InvalidURL, ValueError) as e:
        raise InputError("the request names what no request can name") from e
    for name, value in request.headers.items():
        _put(sender, name, value)
    chunked = "transfer-encoding" in request.headers
    with suppress(Unsent):
        sender.endheaders(_checked(request), encode_chunked=chunked)
        return True
    return False


def _put(sender: http.client.HTTPConnection, name: str, value: str) -> None:
    # stricter than http.client, which folds lines and takes blanks in names
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is not the name of a header")
    try:
        if _VALUE.fullmatch(value):
            sender.putheader(name, value.encode())
            return
    except UnicodeError:  # half a character
        pass
    raise InputError(f"the header {name!r} holds what no header can hold")


def _checked(request: Outgoing) -> bytes | Iterable[bytes] | None:
    """Return the content; a streamed one has to be as long as was told."""
    if isinstance(request.content, bytes):
        return request.content or None
    told = request.headers.get("content-length")
    return request.content if told is None else _counted(request.content, int(told))


def _counted(pieces: Iterable[bytes], left: int) -> Iterator[bytes]:
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left:
        # what was told cannot be taken back: the server has to see the connection end
        raise Failure("the content is not as long as was told")


def _final(connection: Connection, method: str) -> http.client.HTTPResponse:
    """Return the answer after those of 1xx, its body still to be read."""
    response = http.client.HTTPResponse(cast("socket.socket", connection), method=method)
    response.begin()
    if connection.ended:
        raise NotHttp(_CUT_OFF)  # its head would be taken for whole
    if response.status == 101:
        raise NotHttp("it speaks another protocol, which nobody asked for")
    if response.status < 200:
        return _final(connection, method)
    _check(response)
    return response


def _check(response: http.client.HTTPResponse) -> None:
    """Refuse what does not tell for sure where the body ends."""
    found = response.headers
    told = ",".join(found.get_all("content-length", []))
    lengths = {one.strip() for one in told.split(",")} if "content-length" in found else set()
    encoding = found.get("transfer-encoding", "chunked").strip().lower()
    plain = all(one.isascii() and one.isdecimal() for one in lengths)
    if found.defects or len(lengths) > 1 or not plain or encoding != "chunked":
        raise NotHttp("the answer does not tell how long it is")
    if lengths and response.length is None and not response.chunked:
        response.length = int(lengths.pop())


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    """Return the headers, of one that came twice the values joined by commas."""
    found: dict[str, str] = {}
    for name, value in response.headers.items():
        key, text = name.lower(), value if value.isascii() else _text(value)
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _text(value: str) -> str:
    """Return a header as it was meant: `http.client` takes all for Latin-1."""
    with suppress(UnicodeError):
        return value.encode("latin-1").decode()
    return value


@contextmanager
def _failures(connection: Connection) -> Iterator[None]:
    """Name what `http.client` raises."""
    try:
        yield
    except (http.client.HTTPException, ValueError) as e:
        raise NotHttp(_CUT_OFF if connection.ended else str(e)) from e
