"""The head of an HTTP/1.x request, read as Go's server would read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mcpy.sandbox.stream import SocketReader

MAX_HEAD_BYTES = 1024 * 1024
"""As Go's server: a larger head is refused with 431."""
_VERSIONS = {b"HTTP/1.1": True, b"HTTP/1.0": False}


class BadHeadError(Exception):
    """A head the server does not take; it is answered with ``status`` and ``text``."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Head(NamedTuple):
    """A request's first line and header fields.

    Attributes:
        method: upper case.
        target: path and query as they were sent, without scheme and host.
        headers: lower-case names; repeated fields are joined with ``,``.
        modern: whether it is HTTP/1.1, else it is HTTP/1.0.
    """

    method: str
    target: str
    headers: dict[str, str]
    modern: bool

    @property
    def length(self) -> int | None:
        """What ``Content-Length`` says, None if it was not sent.

        Raises:
            BadHeadError: it is no number.
        """
        text = self.headers.get("content-length")
        if text is None:
            return None
        if not (text.isascii() and text.isdecimal()):
            raise BadHeadError(400)
        return int(text)

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks.

        Raises:
            BadHeadError: it comes in a way nobody can read.
        """
        text = self.headers.get("transfer-encoding") if self.modern else None
        if not text:
            return False
        if text.strip().lower() != "chunked":
            raise BadHeadError(501, f'Unsupported transfer encoding: "{text}"')
        return True

    @property
    def closing(self) -> bool:
        """Whether the peer wants the connection to end after this request."""
        wanted = self.headers.get("connection", "").lower()
        return "close" in wanted if self.modern else "keep-alive" not in wanted


def read_head(reader: SocketReader) -> Head | None:
    """Read the next head; None when the peer has nothing more to ask.

    Raises:
        BadHeadError: it is malformed, too large, or of another protocol.
        OSError: the connection is lost.
    """
    raw = _read(reader)
    if not raw:
        return None
    first, *lines = raw.split(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/"):
        raise BadHeadError(400)
    if words[2] not in _VERSIONS:
        raise BadHeadError(505)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():
            raise BadHeadError(400)
        name, value = name.lower(), value.strip(" \t\r\n")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    modern = _VERSIONS[words[2]]
    if modern and "host" not in headers:
        raise BadHeadError(400, "missing required Host header")
    target = words[1].decode("latin-1")
    return Head(words[0].decode("latin-1").upper(), _origin_form(target), headers, modern)


def _read(reader: SocketReader) -> bytes:
    """Return the lines of a head, ended by CRLF but for the last; nothing at the end."""
    buffered = reader.peek(1)
    end = buffered.find(b"\r\n\r\n")
    head = buffered[: max(0, end)]
    if head and head.count(b"\n") == head.count(b"\r\n") and not head.startswith(b"\r"):
        reader.read(end + 4)
        return head
    return _read_lines(reader)


def _read_lines(reader: SocketReader) -> bytes:
    """Read a head that has not arrived in one piece, or is unusual, line by line."""
    lines: list[bytes] = []
    left = MAX_HEAD_BYTES
    while True:
        line = reader.readline(left)
        if not line:
            if lines:
                raise BadHeadError(400)
            return b""
        left -= len(line)
        if left <= 0 or not line.endswith(b"\n"):
            raise BadHeadError(431 if left <= 0 else 400)
        line = line.rstrip(b"\r\n")
        if line:
            lines.append(line)
        elif lines:
            return b"\r\n".join(lines)


def _origin_form(target: str) -> str:
    """Return ``/path?query`` for a target with scheme and host."""
    if target.startswith("/"):
        return target
    scheme, found, rest = target.partition("://")
    if not found or not scheme.isalpha():
        return target
    return "/" + rest.partition("/")[2]
