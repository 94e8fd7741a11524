"""The HTTP server below both applications: targets, bodies, keep-alive, threads."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mcpy.sandbox.message import Request, Response
from mcpy.sandbox.server import HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.sandbox.message import Handler

pytestmark = pytest.mark.sandbox


@contextmanager
def serving(handler: Handler, log: list[str] | None = None) -> Iterator[HttpServer]:
    lines = [] if log is None else log
    server = HttpServer(handler, log=lines.append)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def echo(request: Request) -> Response:
    """Answer what was asked."""
    body = request.body.read()
    text = f"{request.method} {request.raw_path}?{request.raw_query} {len(body)}"
    return Response(200, [("X-Header", request.headers.get("x-header", "-"))], text.encode())


def refuse(_: Request) -> Response:
    """Answer without a look at the body."""
    return Response(403, body=b"no")


def connect(server: HttpServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 5)


def receive(client: socket.socket, end: bytes) -> bool:
    """Tell whether what the server sends comes to end with ``end``."""
    got = b""
    while not got.endswith(end):
        part = client.recv(65_536)
        if not part:
            return False
        got += part
    return True


def raw(server: HttpServer, data: bytes, *, wait_s: float = 5) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait_s) as client:
        client.sendall(data)
        answer = b""
        try:
            while part := client.recv(65_536):
                answer += part
        except TimeoutError:
            answer += b"..."
        return answer


@pytest.mark.parametrize(
    "target",
    ["/a%2Fb/%C3%BC+?x=%2F&y", "//a//b?", "/a/../b?", "/a/./b/?", "/%zz?%", "/*?x=1?y=2", "/?"],
)
def test_a_target_reaches_the_handler_as_it_was_sent(target: str) -> None:
    with serving(echo) as server:
        answer = raw(
            server, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
    assert answer.endswith(f"GET {target} 0".encode())


def test_a_target_with_a_host_is_its_path() -> None:
    with serving(echo) as server:
        request = b"GET http://h:1/a%20b?c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert raw(server, request).endswith(b"GET /a%20b?c 0")


@pytest.mark.parametrize("length", [b"-5", b"+5", b"5_0", b"5, 5", b"x", b"\xb2"])
def test_a_length_is_digits(length: bytes) -> None:
    with serving(echo) as server:
        head = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + length
        assert raw(server, head + b"\r\n\r\n" + b"x" * 50).startswith(b"HTTP/1.1 400 ")


def test_an_underscore_in_a_header_stays_one() -> None:
    def show(request: Request) -> Response:
        return Response(200, body=request.headers["x-amz-meta-a_b"].encode())

    with serving(show) as server, connect(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nx-amz-meta-a_b: kept\r\n\r\n")
        assert receive(client, b"kept")


def test_repeated_headers_are_joined() -> None:
    with serving(echo) as server:
        answer = raw(
            server,
            b"GET / HTTP/1.1\r\nHost: x\r\nX-Header: a\r\nx-header:  b \r\n"
            b"Connection: close\r\n\r\n",
        )
    assert b"X-Header: a,b\r\n" in answer
    assert b"\r\nServer:" not in answer


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_a_malformed_head_is_refused(head: bytes) -> None:
    with serving(echo) as server:
        assert raw(server, head).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", b"505"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n", b"431"),
    ],
)
def test_what_cannot_be_read_is_refused(head: bytes, status: bytes) -> None:
    with serving(echo) as server:
        assert raw(server, head).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"GET /a HTTP/1.1\r\nHo", b"st: x\r\nConnection: close\r\n\r\n"),
        (b"\r\nGET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",),
        (b"GET /a HTTP/1.1\nHost: x\nConnection: close\n\n",),
    ],
)
def test_a_head_may_come_in_pieces_or_with_bare_line_ends(pieces: tuple[bytes, ...]) -> None:
    with serving(echo) as server, connect(server) as client:
        for piece in pieces:
            client.sendall(piece)
            time.sleep(0.01)
        assert receive(client, b"GET /a? 0")


def test_a_head_that_is_cut_off_is_refused() -> None:
    with serving(echo) as server, connect(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_an_old_client_keeps_its_connection_if_it_says_so() -> None:
    def stream(_: Request) -> Response:
        return Response(200, body=iter((b"a", b"b")))

    with serving(echo) as server, connect(server) as client:
        for _ in range(2):
            client.sendall(b"GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            assert receive(client, b"GET /a? 0")
    with serving(stream) as server:
        answer = raw(server, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert answer.endswith(b"\r\n\r\nab")
        assert b"Connection: close" in answer


def test_the_body_is_invited_when_it_is_read_and_only_then() -> None:
    head = b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    with (
        serving(echo) as server,
        connect(server) as client,
    ):
        client.sendall(head)
        assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        assert receive(client, b"PUT /? 5")
    with serving(refuse) as server:
        answer = raw(server, head)
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"Connection: close\r\n" in answer


def test_other_expectations_cannot_be_met() -> None:
    with serving(echo) as server:
        answer = raw(server, b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 200\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 417 ")


@pytest.mark.parametrize("length", [5, 200_000])
def test_a_small_body_nobody_read_does_not_end_the_connection(length: int) -> None:
    with serving(refuse) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        for _ in range(2):
            connection.request("PUT", "/", b"x" * length)
            response = connection.getresponse()
            assert (response.status, response.read()) == (403, b"no")
            assert connection.sock is not None
        connection.close()


def test_a_large_body_nobody_read_is_not_taken_and_the_answer_arrives() -> None:
    with serving(refuse) as server:
        answer = raw(
            server,
            b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 300_000,
        )
    assert answer.endswith(b"\r\n\r\nno")
    assert b"Connection: close\r\n" in answer


def test_chunked_bodies_may_have_trailers_and_another_request_behind() -> None:
    request = (
        b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"
        b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    with serving(echo) as server:
        answer = raw(server, request)
    assert b"PUT /a? 5HTTP/1.1 200 OK" in answer
    assert answer.endswith(b"GET /b? 0")


def test_a_large_body_comes_whole_and_an_answer_may_be_streamed() -> None:
    def double(request: Request) -> Response:
        def parts() -> Iterator[bytes]:
            while part := request.body.read(100_000):
                yield part
                yield part

        return Response(200, body=parts())

    data = bytes(range(256)) * 4096
    with serving(double) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("PUT", "/", data)
        response = connection.getresponse()
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert len(response.read()) == 2 * len(data)
        connection.close()


def test_a_peer_that_leaves_within_its_body_is_noticed() -> None:
    seen: list[int] = []
    arrived = threading.Event()

    def count(request: Request) -> Response:
        seen.append(len(request.body.read()))
        arrived.set()
        return Response(200)

    with serving(count) as server:
        with connect(server) as client:
            client.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert arrived.wait(5)
    assert seen == [3]


def test_a_handler_that_fails_is_logged_and_answered_with_500() -> None:
    log: list[str] = []

    def fail(_: Request) -> Response:
        raise ZeroDivisionError

    with serving(fail, log) as server:
        answer = raw(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert any("ZeroDivisionError" in line for line in log)


def test_a_handler_may_hang_up_without_an_answer() -> None:
    log: list[str] = []

    def hang_up(_: Request) -> Response:
        raise ConnectionResetError

    with serving(hang_up, log) as server:
        assert raw(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    assert log == []


def test_head_has_the_length_and_no_body() -> None:
    with serving(refuse) as server:
        answer = raw(server, b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"Content-Length: 2\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_many_hanging_requests_do_not_keep_others_out() -> None:
    release = threading.Event()

    def hang(request: Request) -> Response:
        if request.raw_path == "/hang":
            release.wait(5)
        return Response(200, body=b"done")

    with serving(hang) as server:
        hanging = [connect(server) for _ in range(60)]
        for client in hanging:
            client.sendall(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        quick = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert raw(server, quick).endswith(b"done")
        release.set()
        for client in hanging:
            assert receive(client, b"done")
            client.close()


def test_stopping_does_not_wait_for_a_handler_that_hangs() -> None:
    release = threading.Event()

    def hang(_: Request) -> Response:
        release.wait(10)
        return Response(200)

    server = HttpServer(hang, log=lambda _: None)
    server.start()
    client = connect(server)
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.05)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 1.2
    client.close()
    release.set()


def test_stopping_lets_running_requests_end_within_their_grace() -> None:
    def slow(_: Request) -> Response:
        time.sleep(0.2)
        return Response(200, body=b"done")

    server = HttpServer(slow, log=lambda _: None)
    server.start()
    with connect(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.05)
        server.stop(1)
        assert receive(client, b"done")


def test_a_stopped_servers_port_can_be_taken_again_at_once() -> None:
    with serving(echo) as server:
        raw(server, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        port = server.port
    again = HttpServer(echo, port=port, log=lambda _: None)
    again.start()
    assert again.port == port
    again.stop()
    again.stop()


def test_a_taken_port_is_an_error() -> None:
    with serving(echo) as server, pytest.raises(OSError, match="socket could be created"):
        HttpServer(echo, port=server.port, log=lambda _: None).start()
