"""A server on loopback that breaks in one way: the modes a client has to survive."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

Answer = Callable[[bytes], bytes]
Mode = Callable[["Faulty", socket.socket], None]
HTML = b"<html><body><h1>Corporate proxy</h1>" + b"<p>please</p>" * 300 + b"</body></html>"


class Faulty:
    """Listens on a free port and does ``mode`` to each connection.

    Args:
        mode: what goes wrong.
        answer: the right body for a request, where one is sent after all or in part.
        certificate: speak TLS with this PEM file of key and certificate.
    """

    def __init__(self, mode: Mode, answer: Answer, *, certificate: Path | None = None) -> None:
        self.mode = mode
        self.answer = answer
        self.connections = 0
        self.stopped = threading.Event()
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        # accept returns when somebody connects or the socket is shut down
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while not self.stopped.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                if self._context and self.mode not in BELOW_TLS:
                    with self._context.wrap_socket(connection, server_side=True) as wrapped:
                        self.mode(self, wrapped)
                else:
                    self.mode(self, connection)


def read_request(connection: socket.socket) -> bytes:
    """Return the head of a request."""
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = connection.recv(65536)
        if not chunk:
            raise ConnectionError
        head += chunk
    return head


def reply(status: str, body: bytes = b"", *, headers: str = "") -> bytes:
    """Return an answer that ends its connection."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    )
    return head.encode() + body


def _fixed(status: str, body: bytes = b"", headers: str = "") -> Mode:
    def act(_: Faulty, connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(reply(status, body, headers=headers))

    return act


def works(server: Faulty, connection: socket.socket) -> None:
    request = read_request(connection)
    connection.sendall(reply("200 OK", server.answer(request)))


def hang(server: Faulty, _: socket.socket) -> None:
    server.stopped.wait(10)


def hang_after_request(server: Faulty, connection: socket.socket) -> None:
    read_request(connection)
    server.stopped.wait(10)


def close(_: Faulty, connection: socket.socket) -> None:
    connection.close()


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset(_: Faulty, connection: socket.socket) -> None:
    read_request(connection)
    _reset(connection)


def reset_in_the_middle(server: Faulty, connection: socket.socket) -> None:
    whole = reply("200 OK", server.answer(read_request(connection)) + b" " * 1000)
    connection.sendall(whole[:-600])
    time.sleep(0.05)  # let what was sent be read first
    _reset(connection)


def truncate(server: Faulty, connection: socket.socket) -> None:
    whole = reply("200 OK", server.answer(read_request(connection)) + b" " * 1000)
    connection.sendall(whole[:-600])


def trickle(server: Faulty, connection: socket.socket) -> None:
    whole = reply("200 OK", server.answer(read_request(connection)) + b" " * 1000)
    for byte in whole:
        connection.sendall(bytes([byte]))
        if server.stopped.wait(0.02):
            return


def busy_once(server: Faulty, connection: socket.socket) -> None:
    (_fixed("503 Service Unavailable") if server.connections == 1 else works)(server, connection)


def cut_off_body(server: Faulty, connection: socket.socket) -> None:
    body = server.answer(read_request(connection)) or b'{"name":'
    connection.sendall(reply("200 OK", body[: len(body) // 2]))


def huge(server: Faulty, connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<ListAllMyBucketsResult>")
    for _ in range(300):
        if server.stopped.is_set():
            return
        connection.sendall(b"<Bucket>" + b"x" * 1024 * 1024)


def huge_header(_: Faulty, connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * 4 * 1024 * 1024 + b"\r\n\r\n{}")


def redirect(server: Faulty, connection: socket.socket) -> None:
    where = f"Location: http://127.0.0.1:{server.port}/again\r\n"
    _fixed("307 Temporary Redirect", headers=where)(server, connection)


def garbage(_: Faulty, connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n" + bytes(range(256)))
    with contextlib.suppress(ConnectionError):
        read_request(connection)


def tls_abort(_: Faulty, connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # fatal, handshake_failure


def plain_http(_: Faulty, connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(reply("400 Bad Request", b"Client sent an HTTP request"))


busy = _fixed("503 Service Unavailable", headers="Retry-After: 60\r\n")
limited = _fixed("429 Too Many Requests", headers="Retry-After: 60\r\n")
broken_page = _fixed("500 Internal Server Error", HTML, "Content-Type: text/html\r\n")
forbidden_page = _fixed("403 Forbidden", HTML, "Content-Type: text/html\r\n")
empty_body = _fixed("200 OK")
empty_json = _fixed("200 OK", b"{}")
tls_port = _fixed("400 Bad Request", b"Client sent an HTTP request to an HTTPS server.\n")

# what happens before or instead of a TLS handshake
BELOW_TLS = {hang, close, tls_abort, plain_http}
