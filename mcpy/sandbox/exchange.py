"""One request and its answer on a connection of cheroot's, as Go's server would have them."""

from __future__ import annotations

import email.utils
import errno
from typing import TYPE_CHECKING, Any

from cheroot import server as cheroot_server
from cheroot import wsgi as cheroot_wsgi

from mcpy.sandbox.body import ChunkedBody, LengthBody

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from mcpy.sandbox.body import WireBody
    from mcpy.sandbox.server import Connection, Server

_DRAIN_BYTES = 256 * 1024
_EXPECT = b"Mcpy-Expect"
"""Where ``Expect`` is hidden from cheroot, which would answer it before the body is wanted."""


class Exchange(cheroot_server.HTTPRequest):
    """A request read and answered as Go's server would, where clients can tell."""

    def __init__(self, server: Server, conn: Connection) -> None:
        # not strict: a target that begins with `//` is a path here
        super().__init__(server, conn, proxy_mode=False, strict_mode=False)
        self.header_reader = _read_headers
        self._head = b""

    def read_request_headers(self) -> bool:
        """Read the head; a request without ``Host`` is refused."""
        base: Any = super()
        if not base.read_request_headers():
            return False
        if not self.inheaders.get(b"Content-Length", b"0").isdigit():
            self.simple_response("400 Bad Request", "400 Bad Request")
            return False
        if self.request_protocol == b"HTTP/1.1" and b"Host" not in self.inheaders:
            text = "400 Bad Request: missing required Host header"
            self.simple_response(text, text)
            return False
        return True

    def respond(self) -> None:
        """Run the application on the request."""
        expected = self.inheaders.pop(_EXPECT, None)
        if expected is not None:
            self.inheaders[b"Expect"] = expected
        length = int(self.inheaders.get(b"Content-Length", 0))
        reader = self.conn.rfile
        body = ChunkedBody(reader) if self.chunked_read else LengthBody(reader, length)
        self.rfile = _Body(self.conn, body, invited=expected is None)
        try:
            self.server.gateway(self).respond()
        except ConnectionError as e:
            # cheroot looks for a number in it, and passes over this one in silence
            raise ConnectionResetError(errno.ECONNRESET, str(e)) from e
        self.ensure_headers_sent()
        self._send(b"0\r\n\r\n" if self.chunked_write else b"")

    def write(self, chunk: bytes) -> None:
        """Send a part of the body."""
        self._send(b"%x\r\n%b\r\n" % (len(chunk), chunk) if self.chunked_write else chunk)

    def flush(self) -> None:
        """Send the head now."""
        self.ensure_headers_sent()
        self._send(b"")

    def send_headers(self) -> None:
        """Send the response's head; no ``Server`` unless the application names one."""
        names = {name.lower() for name, _ in self.outheaders}
        if b"content-length" not in names and self.method != b"HEAD":
            self._frame_unknown_length()
        if not self.rfile.drain():
            self.close_connection = True
        if b"connection" not in names:
            if self.close_connection:
                self.outheaders.append((b"Connection", b"close"))
            elif self.response_protocol == "HTTP/1.0":
                self.outheaders.append((b"Connection", b"keep-alive"))
        if b"date" not in names:
            self.outheaders.append((b"Date", email.utils.formatdate(usegmt=True).encode()))
        status: Any = self.status
        head = [f"{self.response_protocol} ".encode() + status]
        head += [name + b": " + value for name, value in self.outheaders]
        self._head = b"\r\n".join(head) + b"\r\n\r\n"

    def _send(self, data: bytes) -> None:
        # head and the first part in one packet: small answers take one round trip
        data, self._head = self._head + data, b""
        if data:
            self.conn.wfile.write(data)

    def _frame_unknown_length(self) -> None:
        status = int(self.status[:3])
        if status < 200 or status in {204, 304}:
            return
        if self.response_protocol == "HTTP/1.1":
            self.chunked_write = True
            self.outheaders.append((b"Transfer-Encoding", b"chunked"))
        else:
            self.close_connection = True


class _Body:
    """The request's body as the application reads it."""

    def __init__(self, conn: Connection, body: WireBody, *, invited: bool) -> None:
        self._conn = conn
        self._body = body
        self._invited = invited

    def read(self, size: int | None = None) -> bytes:
        """Return up to ``size`` bytes, all that is left without it; empty at the end."""
        self._invite()
        if size is not None and size >= 0:
            return self._body.read(size)
        parts = []
        while part := self._body.read(65_536):
            parts.append(part)
        return b"".join(parts)

    def drain(self) -> bool:
        """Read what the application left, if it is little; tell whether all is read."""
        if not self._body.left:
            return True
        self._conn.unread = True
        if not self._invited or self._body.left > _DRAIN_BYTES:
            return False
        try:
            for _ in range(_DRAIN_BYTES // 16_384):
                if not self._body.read(16_384):
                    break
        except (ValueError, OSError):
            return False
        self._conn.unread = bool(self._body.left)
        return not self._conn.unread

    def _invite(self) -> None:
        if not self._invited:
            self._invited = True
            if self._body.left:
                self._conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


class Gateway(cheroot_wsgi.Gateway_10):
    """Calls the application; an empty part of a body sends what there is of the response."""

    def get_environ(self) -> Any:  # noqa: ANN401 - cheroot says None, and returns this
        """Return the WSGI environment, with the client's certificates."""
        base: Any = super()
        environ: WSGIEnvironment = base.get_environ()
        conn = self.req.conn
        environ["REQUEST_URI"] = _origin_form(environ["REQUEST_URI"])
        environ["wsgi.url_scheme"] = "https" if self.req.server.tls else "http"
        environ["mcpy.peer_certs"] = conn.socket.peer_certs()
        # WSGI's HTTP_ names do not tell `_` from `-`, and a signature does
        environ["mcpy.headers"] = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in self.req.inheaders.items()
        }
        return environ

    def respond(self) -> None:
        """Send what the application answers; stop when the peer has gone."""
        response = self.req.server.wsgi_app(self.env, self.start_response)
        try:
            for part in response:
                if part:
                    self.write(part)
                    continue
                self.req.flush()
                if self.req.conn.gone():
                    self.req.close_connection = True
                    self.req.chunked_write = False
                    break
        finally:
            self.req.ensure_headers_sent()
            if hasattr(response, "close"):
                response.close()


def _read_headers(reader: Any, headers: dict[bytes, bytes]) -> dict[bytes, bytes]:  # noqa: ANN401 - untyped library
    """Read the lines of the head into ``headers``; repeated fields are joined with commas.

    Raises:
        ValueError: a line that is no header field.
    """
    while line := reader.readline():
        if line in {b"\r\n", b"\n"}:
            return headers
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise ValueError("malformed header line")
        name = name.title()
        if name == b"Expect" and value.strip().lower() == b"100-continue":
            name = _EXPECT
        value = value.strip(b" \t\r\n")
        headers[name] = b",".join((headers[name], value)) if name in headers else value
    raise ValueError("unexpected end of the head")


def _origin_form(target: str) -> str:
    """Return ``/path?query`` for a target with scheme and host."""
    scheme, found, rest = target.partition("://")
    if not found or not scheme.isalpha():
        return target
    return "/" + rest.partition("/")[2]
