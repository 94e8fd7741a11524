"""Answers that leave a doubt: nothing of one request may be taken for the answer to another."""

from __future__ import annotations

import random
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from mcpy.api import connection as connections
from mcpy.api.call import Call, Deadline, HttpOptions
from mcpy.api.http import HttpClient
from mcpy.api.refusals import s3_refusal
from mcpy.errors import DeadlineError, InputError, ProtocolError, S3Error, UnreachableError
from tests.api.scripted import EMPTY, GET, OK, PUT, read_request, served

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("loopback")

HEAD = Call("HEAD", "/b/o")
BIG = Call("PUT", "/b/o", content=b"x" * 20_000_000, transfer=True)


@contextmanager
def one_server(
    serve: Callable[[socket.socket], None], *, tls: bool = False, **options: object
) -> Iterator[HttpClient]:
    """Serve every connection by ``serve``."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(5)
                with connection, suppress(OSError):
                    serve(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    given = HttpOptions(**{"sleep": lambda _: None, "retries": 0, **options})  # type: ignore[arg-type]
    url = f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    client = HttpClient(url, given, refusal=s3_refusal)
    try:
        yield client
    finally:
        client.close()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.mark.parametrize("call", [HEAD, GET])
def test_a_body_that_nobody_asked_for_is_not_the_next_answer(call: Call) -> None:
    surplus = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + OK + OK
    with served(surplus, b"HTTP/1.1 204 No\r\n\r\n") as (client, server):
        client.request(call)
        assert client.request(GET).status == 204
    assert len(server.requests) == 2


def test_a_body_that_follows_head_late_is_not_the_next_answer() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
    with served(head, b"EVIL" + OK, OK) as (client, server):
        client.request(HEAD)
        assert client.request(GET).body == b"hello"
    assert [len(requests) for requests in server.requests] == [2, 1]


def test_a_success_before_the_request_was_whole_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_LOOK_S", 0.02)

    def serve(connection: socket.socket) -> None:
        connection.recv(100_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: x\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        gone.wait(5)

    gone = threading.Event()
    with one_server(serve, idle_s=5.0) as client:
        with pytest.raises(UnreachableError, match="answered 200 before it had the whole request"):
            client.request(BIG)
        gone.set()


def test_a_refusal_is_read_while_the_server_reads_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_LOOK_S", 0.02)
    gone = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        gone.wait(5)

    with one_server(serve, idle_s=0.5) as client:
        with pytest.raises(S3Error, match="403"):
            client.request(BIG)
        gone.set()


def test_a_server_that_says_continue_unasked_is_sent_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_LOOK_S", 0.02)

    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.1)  # more than once it is looked
        left = 20_000_000 - 1000
        while left > 0:
            left -= len(connection.recv(1_000_000))
        connection.sendall(EMPTY)

    with one_server(serve, idle_s=5.0) as client:
        assert client.request(BIG).status == 200


def test_a_head_of_a_transfer_that_trickles_is_given_up() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        for byte in OK * 10:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    with (
        one_server(serve, idle_s=0.15) as client,
        pytest.raises(DeadlineError, match=r"no answer within 0\.15 s"),
    ):
        client.request(Call("GET", "/b/o", transfer=True))


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1500 + OK,
        b"HTTP/1.1 200 OK\r\n" + b"a: 123456789\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: 1\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokXX0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0_0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n" + b"1" * 20_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\na: b\rContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n Content-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
    ],
)
def test_an_answer_that_leaves_a_doubt_is_refused(answer: bytes) -> None:
    with (
        served(answer, retries=0) as (client, _),
        pytest.raises(ProtocolError, match="is not an HTTP server"),
    ):
        client.request(GET)


def test_two_ends_of_an_answer_end_its_connection() -> None:
    both = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\n\r\n"
    )
    with served(both, OK) as (client, server):
        assert client.request(GET).body == b"ok"
        assert client.request(GET).body == b"hello"
    assert len(server.requests) == 2


def test_headers_are_stripped_unfolded_and_read_one_by_one() -> None:
    head = (
        b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\netag:  "x" \t\r\na: 1\r\n  2\r\n'
        b"b: \xfc\r\nc: \xc3\xbc\r\n\r\n"
    )
    with served(head) as (client, _):
        headers = client.request(GET).headers
    assert headers == {"content-length": "0", "etag": '"x"', "a": "1 2", "b": "ü", "c": "ü"}


def test_an_answer_read_on_after_its_closing_is_no_whole_one() -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500_000
    with served(long) as (client, _):
        with client.stream(GET) as stream:
            chunks = stream.chunks()
            next(chunks)
        with pytest.raises(UnreachableError, match="it was closed before its end"):
            list(chunks)


@pytest.mark.parametrize("announced", [True, False])
def test_an_answer_up_to_the_end_has_to_end_as_tls_ends(
    tls: tuple[ssl.SSLContext, Path], announced: bool
) -> None:
    def serve(connection: socket.socket) -> None:
        with tls[0].wrap_socket(connection, server_side=True) as secured:
            read_request(secured)
            secured.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
            if announced:
                secured.settimeout(0.05)
                secured.unwrap()

    with one_server(serve, tls=True, ca=tls[1]) as client:
        if announced:
            assert client.request(GET).body == b"hello"
        else:
            with pytest.raises(UnreachableError, match="before its answer was complete"):
                client.request(GET)


def test_by_tls_a_refusal_is_read_while_the_server_reads_no_more(
    tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_LOOK_S", 0.02)
    gone = threading.Event()

    def serve(connection: socket.socket) -> None:
        with tls[0].wrap_socket(connection, server_side=True) as secured:
            secured.recv(1000)
            secured.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            gone.wait(5)

    with one_server(serve, tls=True, ca=tls[1], idle_s=5.0) as client:
        with pytest.raises(S3Error, match="403"):
            client.request(BIG)
        gone.set()


def test_by_tls_a_server_that_is_slow_to_read_has_all_of_it_as_it_was(
    tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_LOOK_S", 0.02)
    content = random.Random(7).randbytes(5_000_000)
    taken: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with tls[0].wrap_socket(connection, server_side=True) as secured:
            time.sleep(0.1)  # longer than until it is looked for an answer
            taken.append(read_request(secured))
            secured.sendall(EMPTY)

    with one_server(serve, tls=True, ca=tls[1], idle_s=5.0) as client:
        client.request(Call("PUT", "/b/o", content=content, transfer=True))
    assert taken[0].partition(b"\r\n\r\n")[2] == content


@pytest.mark.parametrize(
    ("length", "words"),
    [("5", "not as long as was told"), ("x", "is no number"), ("\u0663", "is no number")],
)
def test_content_is_as_long_as_was_told(length: str, words: str) -> None:
    with served() as (client, server), pytest.raises(InputError, match=words):
        client.request(Call("PUT", "/b/o", {"content-length": length}, b"abc"))
    assert not any(server.requests)


@pytest.mark.parametrize(
    "name", ["Content-Length", "Transfer-Encoding", "Connection", "Expect", "Host"]
)
def test_headers_that_say_where_a_request_ends_are_nobodys_to_set(name: str) -> None:
    with pytest.raises(InputError, match=f"the header {name.lower()} cannot be set"):
        HttpClient("http://s3.test", HttpOptions(headers=((name, "3"),)), refusal=s3_refusal)


def test_a_closed_client_opens_no_connection_for_a_call_begun_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with served(OK, OK) as (client, server):
        sender = client._opened()
        client.close()
        monkeypatch.setattr(client, "_sender", sender)
        with pytest.raises(UnreachableError, match="it was closed"):
            client.request(PUT)
    assert not any(server.requests)


def test_addresses_that_are_dead_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(OK, connect_s=0.4, deadline=Deadline(5)) as (client, server):
        # a listener whose queue is full takes no connection
        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        queue = [socket.socket() for _ in range(3)]
        for one in queue:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        dead = (socket.AF_INET, socket.SOCK_STREAM, 0, "", full.getsockname())
        there = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", server.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [dead, dead, there])
        begun = time.monotonic()
        assert client.request(GET).body == b"hello"
        assert time.monotonic() - begun < 0.4
        for one in [full, *queue]:
            one.close()
