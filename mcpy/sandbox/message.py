"""What a sandbox handler sees of HTTP: a request and a response.

The sandbox owns its reading of the wire (nothing here is shared with ``mcpy.api``), so that a
mistake in the client cannot be agreed with by the server.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


BAD_BYTES = dict.fromkeys(range(0xDC80, 0xDD00), "\ufffd")
"""For ``str.translate``: each byte that was not UTF-8 as Go reads it."""


class Readable(Protocol):
    """A body, of which reading is all that is asked."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, all that is left without it; empty at the end."""
        ...


@dataclass
class Request:
    """One HTTP request as it stood on the wire.

    Attributes:
        method: upper case.
        raw_path: the path as sent, still percent-encoded, without the query.
        path: ``raw_path`` decoded once as UTF-8; bad bytes become surrogates.
        raw_query: the query as sent, without ``?``.
        query: decoded pairs in the order sent, blank values kept; bad bytes become U+FFFD.
        not_text: names of query parameters whose values are not UTF-8.
        headers: lower-case names; repeated headers joined with ``,``.
        body: the message body, already de-chunked if it came with ``Transfer-Encoding``.
        length: ``Content-Length``, or None when it was not sent.
        secure: whether the connection is TLS.
        peer_certs: the client's certificate chain in DER, leaf first; empty without TLS.
        virtual_path: ``raw_path`` after the bucket that the host names, if it does.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    body: Readable
    length: int | None
    secure: bool = False
    peer_certs: tuple[bytes, ...] = ()
    remote: str = ""
    path: str = field(init=False)
    virtual_path: str = field(init=False)
    query: list[tuple[str, str]] = field(init=False)
    not_text: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.path = self.virtual_path = self.raw_path
        if "%" in self.raw_path or not self.raw_path.isascii():
            self.path = unquote_to_bytes(self.raw_path).decode("utf-8", "surrogateescape")
        self.query, self.not_text = [], frozenset()
        if self.raw_query:
            self._read_query()

    def _read_query(self) -> None:
        pairs = parse_qsl(self.raw_query, keep_blank_values=True, errors="surrogateescape")
        self.query = [
            (name.translate(BAD_BYTES), value.translate(BAD_BYTES)) for name, value in pairs
        ]
        if self.query != pairs:
            self.not_text = frozenset(
                name for name, value in pairs if value != value.translate(BAD_BYTES)
            )

    def in_bucket(self, bucket: str) -> None:
        """Take the path as one within ``bucket``, which the host named."""
        self.path = f"/{bucket}{self.path}"
        self.virtual_path = f"/{bucket}{self.raw_path}"

    def param(self, name: str) -> str | None:
        """Return the first query value called ``name``, or None when it is absent."""
        return next((value for key, value in self.query if key == name), None)


@dataclass
class Response:
    """What a handler answers; ``body`` may be streamed, then set ``Content-Length`` yourself."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | Iterable[bytes] = b""

    def header(self, name: str) -> str | None:
        """Return the first header called ``name``, whatever its case."""
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)


class Handler(Protocol):
    """One sandbox application."""

    def __call__(self, request: Request, /) -> Response:
        """Answer ``request``; every failure of the protocol is a Response, not an exception."""
        ...


def empty_body() -> Readable:
    """Return a body of no bytes."""
    return io.BytesIO()
