"""Connections of our own, against servers on loopback that answer as it is written here."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from mcpy.api.call import Call, Deadline, HttpOptions, origin_of
from mcpy.api.http import HttpClient
from mcpy.api.refusals import s3_refusal
from mcpy.errors import (
    ConfigError,
    DeadlineError,
    InputError,
    McpyError,
    NotReachedError,
    ProtocolError,
    S3Error,
    UnreachableError,
)
from tests.api.scripted import CLOSE, EMPTY, GET, OK, PUT, served

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("loopback")


def test_a_request_goes_out_as_it_is_written() -> None:
    with served(EMPTY, headers=(("X-Team", "a"), ("x-team", "b"))) as (client, server):
        client.request(Call("PUT", "/b/a%20b?x=", {"X-Amz-Meta-A": "ü"}, b"abc"))
        port = server.port
    (sent,), *_ = server.requests
    head, _, body = sent.decode().partition("\r\n\r\n")
    assert body == "abc"
    assert head.split("\r\n")[0] == "PUT /b/a%20b?x= HTTP/1.1"
    lines = head.split("\r\n")[1:]
    assert lines[:4] == [
        f"host: 127.0.0.1:{port}",
        "accept: */*",
        "accept-encoding: gzip, deflate",
        "connection: keep-alive",
    ]
    assert lines[4].startswith("user-agent: mcpy/")
    assert lines[5:] == ["x-team: a, b", "x-amz-meta-a: ü", "content-length: 3"]


def test_one_connection_serves_one_request_after_the_other() -> None:
    with served(OK, EMPTY, OK) as (client, server):
        bodies = [client.request(GET).body for _ in range(3)]
    assert bodies == [b"hello", b"", b"hello"]
    assert [len(requests) for requests in server.requests] == [3]


def test_an_answer_that_is_not_read_to_its_end_takes_its_connection_with_it() -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500000
    with served(long, OK) as (client, server):
        with client.stream(GET) as stream:
            next(stream.chunks())
        assert client.request(GET).body == b"hello"
    assert len(server.requests) == 2


def test_two_answers_are_read_at_once_over_two_connections() -> None:
    with served(OK, OK) as (client, server), client.stream(GET) as first:
        assert client.request(GET).body == b"hello"
        assert b"".join(first.chunks()) == b"hello"
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and what nobody asked for",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    ],
    ids=["close", "1.0", "more", "same length twice"],
)
def test_a_connection_that_ends_or_holds_too_much_is_not_used_again(last: bytes) -> None:
    with served(last, OK) as (client, server):
        assert client.request(GET).body == b"hello"
        assert client.request(GET).body == b"hello"
    assert len(server.requests) == 2


def test_a_kept_connection_that_the_server_closed_is_replaced_even_for_a_write() -> None:
    ends = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!"
    with served(ends, EMPTY, retries=0) as (client, server):
        client.request(PUT)
        server.threads[1].join()  # its end has come
        client.request(PUT)
    assert [len(requests) for requests in server.requests] == [1, 1]


def test_a_read_is_sent_anew_when_a_kept_connection_breaks_under_it() -> None:
    with served(OK, CLOSE, OK) as (client, server):
        client.request(GET)
        assert client.request(GET).body == b"hello"
    assert [len(requests) for requests in server.requests] == [2, 1]


def test_a_write_is_not_sent_anew_when_a_kept_connection_breaks_under_it() -> None:
    with served(EMPTY, CLOSE) as (client, server):
        client.request(PUT)
        with pytest.raises(UnreachableError, match="closed the connection before its answer"):
            client.request(PUT)
    assert [len(requests) for requests in server.requests] == [2]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n"
        b"X-Trailer: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    ],
    ids=["100", "103", "trailers", "bare LF"],
)
def test_an_answer_that_is_not_plain_is_read_and_its_connection_kept(answer: bytes) -> None:
    with served(answer, OK) as (client, server):
        assert client.request(GET).body == b"hello"
        assert client.request(GET).body == b"hello"
    assert [len(requests) for requests in server.requests] == [2]


def test_an_answer_up_to_the_end_of_the_connection_is_read() -> None:
    with served(b"HTTP/1.1 200 OK\r\n\r\nhello!", OK) as (client, server):
        assert client.request(GET).body == b"hello!"
        assert client.request(GET).body == b"hello"
    assert len(server.requests) == 2


def test_an_answer_to_head_has_no_body_whatever_it_says() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nContent-Encoding: gzip\r\n\r\n"
    with served(head, OK) as (client, server):
        answer = client.request(Call("HEAD", "/b/o"))
        assert (answer.body, answer.headers["content-length"]) == (b"", "500")
        assert client.request(GET).body == b"hello"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", ProtocolError, "not an HTTP server"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", ProtocolError, "not an HTTP server"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n", ProtocolError, "not an HTTP server"),
        (b"HTTP/1.1 200 OK\r\nno header\r\na: 1\r\n\r\n", ProtocolError, "not an HTTP server"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", ProtocolError, "not an HTTP server"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", ProtocolError, "not an HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-a!", UnreachableError, "complete"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na: b!",
            UnreachableError,
            "complete",
        ),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", ProtocolError, "not an HTTP server"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", ProtocolError, "not an HTTP server"),
        (b"HTTP/1.1 200 OK\r\na: " + b"x" * 200_000, ProtocolError, "not an HTTP server"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello!", UnreachableError, "complete"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhel!", UnreachableError, "c"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            ProtocolError,
            "not an HTTP server",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1!", UnreachableError, "closed the connection"),
        (b"HTTP/1.1 20!", UnreachableError, "closed the connection before its answer"),
        (b"SSH-2.0-OpenSSH\r\n", ProtocolError, "not an HTTP server"),
    ],
)
def test_what_is_no_whole_answer_is_named_for_what_it_is(
    answer: bytes, kind: type[McpyError], words: str
) -> None:
    with served(answer, retries=0) as (client, _), pytest.raises(kind, match=words):
        client.request(GET)


def test_a_long_head_within_reason_is_read() -> None:
    many = b"".join(b"x-amz-meta-%d: 1\r\n" % number for number in range(500))
    head = b"HTTP/1.1 200 OK\r\nx-amz-meta-a: " + b"x" * 60_000 + b"\r\n" + many
    with served(head + b"Content-Length: 5\r\n\r\nhello") as (client, _):
        headers = client.request(GET).headers
    assert len(headers["x-amz-meta-a"]) == 60_000
    assert headers["x-amz-meta-499"] == "1"


def test_headers_are_read_as_utf8_or_else_as_latin_1_and_joined() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\na: \xc3\xbc\r\nA: 2\r\nb: \xfc\r\n\r\n"
    with served(head) as (client, _):
        headers = client.request(GET).headers
    assert (headers["a"], headers["b"]) == ("\u00fc, 2", "\u00fc")


@pytest.mark.parametrize(
    "value",
    [
        "hush\r\nx-other: 1",
        "hush\n",
        "\rhush",
        " hush",
        "hush ",
        "hu\x00sh",
        "hu\n sh",
        "hush\udc80",
    ],
)
def test_a_header_that_cannot_be_sent_is_named_and_its_value_is_not(value: str) -> None:
    with served() as (client, server), pytest.raises(InputError, match="'x-secret'") as caught:
        client.request(Call("GET", "/b", {"x-secret": value}))
    assert "hush" not in str(caught.value)
    assert not any(server.requests)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "\u00fc"])
def test_a_name_that_no_header_has_is_refused(name: str) -> None:
    with served() as (client, _), pytest.raises(InputError, match="is not the name of a header"):
        client.request(Call("GET", "/b", {name: "1"}))


@pytest.mark.parametrize("target", ["/a b", "/\u00fc", "/a\r\nhost: x"])
def test_a_target_that_is_not_encoded_is_refused(target: str) -> None:
    with served() as (client, _), pytest.raises(InputError, match="no request can name"):
        client.request(Call("GET", target))


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
        ("deflate, GZIP", lambda body: gzip.compress(zlib.compress(body))),
        (
            "gzip",
            lambda body: gzip.compress(body[:7]) + gzip.compress(b"") + gzip.compress(body[7:]),
        ),
        ("identity", bytes),
        ("unheard-of", bytes),
    ],
)
def test_a_content_encoding_is_undone(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    body = b"hello " * 50_000
    packed = pack(body)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(packed)}\r\nContent-Encoding: {encoding}\r\n"
    with served(head.encode() + b"\r\n" + packed) as (client, _):
        assert client.request(GET).body == body


def test_a_content_encoding_that_breaks_off_is_no_answer() -> None:
    packed = gzip.compress(b"hello")[:-6]
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(packed)}\r\nContent-Encoding: gzip\r\n\r\n"
    with (
        served(head.encode() + packed) as (client, _),
        pytest.raises(ProtocolError, match="content encoding breaks off"),
    ):
        client.request(GET)


@pytest.mark.parametrize(
    ("encoding", "body", "words"),
    [
        ("gzip", gzip.compress(b"hello") + b"more", "broken content encoding"),
        ("deflate", zlib.compress(b"hello") + b"more", "goes on after its content encoding"),
        ("gzip", gzip.compress(b"") * 50_000, "more than 66536 bytes"),
        ("gzip," * 2000, b"hello", "more than 4 content encodings"),
    ],
    ids=["gzip", "deflate", "members of nothing", "many"],
)
def test_what_an_encoding_cannot_hold_is_refused(encoding: str, body: bytes, words: str) -> None:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nContent-Encoding: {encoding}\r\n\r\n"
    )
    with served(head.encode() + body) as (client, _), pytest.raises(ProtocolError, match=words):
        client.request(GET, max_body_bytes=1000)


def test_a_small_packed_answer_is_not_unpacked_beyond_the_bound() -> None:
    packed = gzip.compress(b"\0" * 5_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(packed)}\r\nContent-Encoding: gzip\r\n\r\n"
    with (
        served(head.encode() + packed) as (client, _),
        pytest.raises(ProtocolError, match="more than 1000000 bytes"),
    ):
        client.request(GET, max_body_bytes=1_000_000)


def test_streamed_content_goes_out_as_long_as_was_told() -> None:
    with served(EMPTY) as (client, server):
        call = Call("PUT", "/b/o", {"content-length": "4"}, iter([b"ab", b"", b"cd"]))
        client.request(call)
    assert server.requests[0][0].endswith(b"content-length: 4\r\n\r\nabcd")


def test_streamed_content_of_no_known_length_goes_out_in_chunks() -> None:
    with served(EMPTY) as (client, server):
        client.request(Call("PUT", "/b/o", content=iter([b"ab", b"", b"c"])))
    assert server.requests[0][0].endswith(b"\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")


@pytest.mark.parametrize("pieces", [[b"abc"], [b"abcde", b"f"], []])
def test_content_of_another_length_than_was_told_is_an_error(pieces: list[bytes]) -> None:
    with served(EMPTY, retries=0) as (client, server):
        call = Call("PUT", "/b/o", {"content-length": "4"}, iter(pieces), transfer=True)
        with pytest.raises(UnreachableError, match="the content is not as long as was told"):
            client.request(call)
    assert [request for requests in server.requests for request in requests] == []


def test_a_refusal_before_all_was_sent_is_still_told() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def refuse() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(refusal)
            connection.shutdown(socket.SHUT_WR)
            with suppress(OSError):
                while connection.recv(65536):
                    pass

    thread = threading.Thread(target=refuse)
    thread.start()
    client = HttpClient(
        f"http://127.0.0.1:{listener.getsockname()[1]}", HttpOptions(), refusal=s3_refusal
    )
    with pytest.raises(S3Error, match="403"):
        client.request(Call("PUT", "/b/o", content=b"x" * 3_000_000, transfer=True))
    client.close()
    thread.join()
    listener.close()


def test_an_error_of_the_content_s_own_passes_as_it_is() -> None:
    def broken() -> Iterator[bytes]:
        yield b"a"
        raise InputError("the source is gone")

    with served(EMPTY) as (client, _), pytest.raises(InputError, match="the source is gone"):
        client.request(Call("PUT", "/b/o", {"content-length": "2"}, broken()))


def test_a_server_that_trickles_is_given_up_at_the_deadline() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def trickle() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            for byte in OK:
                connection.sendall(bytes([byte]))
                if over.wait(0.05):
                    return

    thread = threading.Thread(target=trickle)
    thread.start()
    options = HttpOptions(deadline=Deadline(0.3))
    client = HttpClient(
        f"http://127.0.0.1:{listener.getsockname()[1]}", options, refusal=s3_refusal
    )
    begun = time.monotonic()
    with pytest.raises(DeadlineError, match=r"gave no answer within 0\.3 s"):
        client.request(GET)
    assert time.monotonic() - begun < 2
    over.set()
    client.close()
    thread.join()
    listener.close()


def test_a_transfer_that_stands_still_is_given_up() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"
    with (
        served(half, idle_s=0.1) as (client, _),
        client.stream(Call("GET", "/", transfer=True)) as s,
    ):
        chunks = s.chunks()
        assert next(chunks) == b"hello"
        with pytest.raises(DeadlineError, match=r"gave no answer within 0\.1 s"):
            next(chunks)


def test_a_server_that_takes_nothing_more_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = HttpOptions(idle_s=0.1)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = HttpClient(url, options, refusal=s3_refusal)
        call = Call("PUT", "/b/o", content=b"x" * 20_000_000, transfer=True)
        with pytest.raises(DeadlineError, match=r"gave no answer within 0\.1 s"):
            client.request(call)
        client.close()


def test_a_deadline_that_passed_opens_no_connection() -> None:
    with served(OK, deadline=Deadline(-1)) as (client, server):
        with pytest.raises(DeadlineError, match="no answer in time"):
            client.request(GET)
        assert server.requests == []


def test_a_kept_connection_that_another_thread_closed_is_not_used() -> None:
    with served(OK, OK) as (client, server):
        client.request(GET)
        for connection in client._sender._open:  # type: ignore[union-attr]
            connection.close()
        assert client.request(GET).body == b"hello"
    assert len(server.requests) == 2


def test_closing_wakes_whoever_waits_and_another_request_opens_anew() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"
    with served(half, OK, OK) as (client, server):
        with client.stream(Call("GET", "/", transfer=True)) as stream:
            chunks = stream.chunks()
            next(chunks)
            client.close()
            with pytest.raises(UnreachableError):
                next(chunks)
        assert client.request(GET).body == b"hello"
        assert client.request(GET).body == b"hello"
    assert [len(requests) for requests in server.requests] == [1, 2]


def test_an_answer_that_ends_after_the_closing_leaves_no_connection() -> None:
    with served(OK) as (client, _), client.stream(GET) as stream:
        sender = client._sender
        client.close()
        with suppress(UnreachableError):
            list(stream.chunks())
        assert not sender._open  # type: ignore[union-attr]


def echoed(request: bytes) -> bytes:
    """Answer with the target that was asked for."""
    target = request.split(b" ")[1]
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target)


def test_many_threads_have_a_connection_each_and_no_more() -> None:
    swapped: list[bytes] = []
    with served(*[echoed] * 200) as (client, server):
        gate = threading.Barrier(8)

        def work() -> None:
            gate.wait()
            for number in range(25):
                target = f"/{threading.get_ident()}/{number}"
                body = client.request(Call("GET", target)).body
                if body != target.encode():
                    swapped.append(body)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (server.script, swapped) == ([], [])
        assert 1 <= len(server.requests) <= 8


def test_resolve_sends_a_name_to_an_address() -> None:
    with served(OK) as (_, server):
        options = HttpOptions(resolve={f"s3.test:{server.port}": "127.0.0.1"})
        client = HttpClient(f"http://s3.test:{server.port}", options, refusal=s3_refusal)
        assert client.request(GET).body == b"hello"
        client.close()
    assert f"host: s3.test:{server.port}".encode() in server.requests[0][0]


def test_nobody_there_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = HttpClient(f"http://127.0.0.1:{port}", HttpOptions(), refusal=s3_refusal)
    with pytest.raises(NotReachedError, match="connection refused"):
        client.request(GET)


def test_another_scheme_is_said() -> None:
    client = HttpClient("ftp://127.0.0.1", HttpOptions(), refusal=s3_refusal)
    with pytest.raises(ConfigError, match="is not an http or https URL"):
        client.request(GET)


def test_tls_is_spoken_and_its_connection_kept(tls: tuple[ssl.SSLContext, Path]) -> None:
    context, ca = tls
    with served(OK, OK, context=context, ca=ca) as (client, server):
        assert client.request(GET).body == b"hello"
        assert client.request(GET).body == b"hello"
    assert [len(requests) for requests in server.requests] == [2]


def test_what_tls_has_opened_and_nobody_asked_for_is_not_the_next_answer(
    tls: tuple[ssl.SSLContext, Path],
) -> None:
    context, ca = tls
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000
    with served(long + OK, OK, context=context, ca=ca) as (client, server):
        assert len(client.request(GET).body) == 70_000
        assert client.request(GET).body == b"hello"
    assert len(server.requests) == 2


def test_a_certificate_nobody_vouches_for_is_refused(tls: tuple[ssl.SSLContext, Path]) -> None:
    with (
        served(OK, context=tls[0]) as (client, _),
        pytest.raises(NotReachedError, match="is not trusted"),
    ):
        client.request(GET)


def test_an_address_in_brackets_is_named_so() -> None:
    assert origin_of("http://[::1]:9000").netloc == "[::1]:9000"
    assert origin_of("https://[::1]").host == "::1"
    assert origin_of("http://S3.Test:80").netloc == "s3.test"
    assert origin_of("https://bücher.test:443").netloc == "xn--bcher-kva.test"
