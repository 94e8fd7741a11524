"""Servers on loopback that answer as it is written in a test."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mcpy.api.call import Call, HttpOptions
from mcpy.api.http import HttpClient
from mcpy.api.refusals import s3_refusal

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    Answer = bytes | Callable[[bytes], bytes]

GET = Call("GET", "/b/o")
PUT = Call("PUT", "/b/o", content=b"content")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
CLOSE = b""  # in a script: the server closes the connection


class Scripted:
    """Answers each request by the next of ``script``, and remembers requests by connection.

    An answer that ends with ``!`` is the last on its connection; a function makes an answer of its
    request.
    """

    def __init__(self, script: list[Answer], context: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.context = context
        self.requests: list[list[bytes]] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.settimeout(5)
                self.requests.append([])
                thread = threading.Thread(
                    target=self._serve, args=(connection, self.requests[-1]), daemon=True
                )
                self.threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket, requests: list[bytes]) -> None:
        with suppress(OSError, IndexError), connection:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                while request := read_request(connection):
                    requests.append(request)
                    answer = self.script.pop(0)
                    if callable(answer):
                        answer = answer(request)
                    if answer is CLOSE:
                        return
                    connection.sendall(answer)
                    if answer.endswith(b"!"):
                        return

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(5)


def read_request(connection: socket.socket) -> bytes:
    """Return one whole request, ``b""`` at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head:
        while not body.endswith(b"0\r\n\r\n"):
            body += received(connection)
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        body += received(connection)
    return head + b"\r\n\r\n" + body


def received(connection: socket.socket) -> bytes:
    """Return some bytes of a body."""
    if not (data := connection.recv(65536)):
        raise ConnectionError
    return data


@contextmanager
def served(
    *script: Answer, context: ssl.SSLContext | None = None, **options: object
) -> Iterator[tuple[HttpClient, Scripted]]:
    server = Scripted(list(script), context)
    given = HttpOptions(**{"sleep": lambda _: None, "retries": 1, **options})  # type: ignore[arg-type]
    scheme = "https" if context else "http"
    client = HttpClient(f"{scheme}://127.0.0.1:{server.port}", given, refusal=s3_refusal)
    try:
        yield client, server
    finally:
        client.close()
        server.close()
