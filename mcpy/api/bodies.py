"""Where the body of an answer ends: after so many bytes, after its last chunk, or with all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from mcpy.api.failures import CUT_OFF, NotHttp

if TYPE_CHECKING:
    from mcpy.api.connection import Connection
    from mcpy.api.heads import Head

_PIECE_BYTES = 256 * 1024
_MAX_LINE = 4096
_MAX_TRAILERS = 64 * 1024
_LENGTH = re.compile(r"[0-9]{1,18}")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")


class Body(Protocol):
    """A body on the wire; ``over`` once it was read to its end."""

    over: bool

    def read(self, connection: Connection) -> bytes:
        """Return some of it; nothing only at its end."""


class _Counted:
    def __init__(self, length: int) -> None:
        self._left = length
        self.over = not length

    def read(self, connection: Connection) -> bytes:
        piece = _some(connection, self._left)
        self._left -= len(piece)
        self.over = not self._left
        return piece


class _Chunked:
    def __init__(self) -> None:
        self._left = 0
        self._begun = self.over = False

    def read(self, connection: Connection) -> bytes:
        if not self._left and not self._next(connection):
            return b""
        piece = _some(connection, self._left)
        self._left -= len(piece)
        return piece

    def _next(self, connection: Connection) -> bool:
        """Begin another chunk; False when there is none."""
        if self._begun and connection.line(_MAX_LINE) != b"\r\n":
            raise NotHttp("a chunk is longer than it says")
        size = _SIZE.fullmatch(connection.line(_MAX_LINE))
        if not size:
            raise NotHttp("a chunk does not tell how long it is")
        self._begun, self._left = True, int(size[1], 16)
        if self._left:
            return True
        left = _MAX_TRAILERS
        while (line := connection.line(left)) not in {b"\r\n", b"\n"}:
            left = max(0, left - len(line))
        self.over = True
        return False


class _ToTheEnd:
    over = False

    def read(self, connection: Connection) -> bytes:
        piece = connection.some(_PIECE_BYTES)
        self.over = not piece
        return piece


def _some(connection: Connection, left: int) -> bytes:
    piece = connection.some(min(left, _PIECE_BYTES))
    if not piece:
        raise NotHttp(CUT_OFF)
    return piece


def body_of(head: Head, method: str) -> tuple[Body, bool]:
    """Return the body behind ``head``, and whether the connection can serve on after it.

    Raises:
        NotHttp: it does not tell for sure where the body ends.
    """
    headers = head.headers
    encoding, told = headers.get("transfer-encoding"), headers.get("content-length")
    lengths = set() if told is None else {one.strip() for one in told.split(",")}
    plain = all(_LENGTH.fullmatch(one) for one in lengths)
    if len(lengths) > 1 or not plain or (encoding or "chunked").lower() != "chunked":
        raise NotHttp("the answer does not tell how long it is")
    if lengths:
        headers["content-length"] = next(iter(lengths))
    said = {one.strip() for one in headers.get("connection", "").lower().split(",")}
    keeps = head.minor == 1 and "close" not in said
    if method == "HEAD" or head.status in {204, 304}:
        return _Counted(0), keeps
    if encoding:
        return _Chunked(), keeps and not lengths  # two ends: the next answer is in doubt
    if lengths:
        return _Counted(int(headers["content-length"])), keeps and "," not in (told or "")
    return _ToTheEnd(), False
