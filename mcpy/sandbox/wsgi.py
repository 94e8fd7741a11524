"""What a sandbox handler sees of HTTP: a request, a response, and the WSGI call between them.

The sandbox owns its reading of the wire (nothing here is shared with ``mcpy.api``), so that a
mistake in the client cannot be agreed with by the server.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol
from urllib.parse import parse_qsl, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment


@dataclass
class Request:
    """One HTTP request as it stood on the wire.

    Attributes:
        method: upper case.
        raw_path: the path as sent, still percent-encoded, without the query.
        path: ``raw_path`` decoded once as UTF-8; bad bytes become U+FFFD surrogates.
        raw_query: the query as sent, without ``?``.
        query: decoded pairs in the order sent, blank values kept.
        headers: lower-case names; repeated headers joined with ``,`` as the WSGI server does.
        body: the message body, already de-chunked if it came with ``Transfer-Encoding``.
        length: ``Content-Length``, or None when it was not sent.
        secure: whether the connection is TLS.
        peer_certs: the client's certificate chain in DER, leaf first; empty without TLS.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    body: BinaryIO
    length: int | None
    secure: bool = False
    peer_certs: tuple[bytes, ...] = ()
    remote: str = ""
    path: str = field(init=False)
    query: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.path = unquote_to_bytes(self.raw_path).decode("utf-8", "surrogateescape")
        self.query = parse_qsl(self.raw_query, keep_blank_values=True)

    def param(self, name: str) -> str | None:
        """Return the first query value called ``name``, or None when it is absent."""
        return next((value for key, value in self.query if key == name), None)

    @classmethod
    def from_environ(cls, environ: WSGIEnvironment) -> Request:
        """Read a WSGI environment; the server puts the unparsed target in ``REQUEST_URI``."""
        target = str(environ.get("REQUEST_URI") or environ["PATH_INFO"])
        raw_path, _, raw_query = target.partition("?")
        headers = environ.get("mcpy.headers") or _headers(environ)
        length = environ.get("CONTENT_LENGTH")
        return cls(
            method=environ["REQUEST_METHOD"],
            raw_path=raw_path,
            raw_query=raw_query or environ.get("QUERY_STRING", ""),
            headers=headers,
            body=environ["wsgi.input"],
            length=int(length) if length else None,
            secure=environ["wsgi.url_scheme"] == "https",
            peer_certs=environ.get("mcpy.peer_certs", ()),
            remote=environ.get("REMOTE_ADDR", ""),
        )


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    """Return the headers as plain WSGI has them, for servers that keep none as sent."""
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    if environ.get("CONTENT_LENGTH"):
        headers["content-length"] = environ["CONTENT_LENGTH"]
    return headers


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


def wsgi(handler: Handler) -> Any:  # noqa: ANN401 - WSGIApplication, typed only for checkers
    """Wrap ``handler`` as a WSGI application."""

    def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request.from_environ(environ)
        response = handler(request)
        headers = list(response.headers)
        body = response.body
        if isinstance(body, bytes):
            if response.header("Content-Length") is None and response.status not in {204, 304}:
                headers.append(("Content-Length", str(len(body))))
            body = () if request.method == "HEAD" else (body,)
        start(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return body

    return application


def empty_body() -> BinaryIO:
    """Return a body of no bytes."""
    return io.BytesIO()
