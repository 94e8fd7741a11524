"""The HTTP client: what is repeated, what is not, how much is read, where credentials go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api.http import Answer, Call, Deadline, HttpClient, HttpOptions, json_object
from mcpy.api.refusals import s3_refusal
from mcpy.errors import (
    ConfigError,
    DeadlineError,
    InputError,
    ProtocolError,
    S3Error,
    UnreachableError,
)
from tests.stub import s3_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stub import Server

GET = Call("GET", "/b")
RESET = httpx.ReadError("reset")


class Waits(list[float]):
    """Remembers how long it was to be slept, and does not sleep."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def client(server: Server, waits: Waits) -> HttpClient:
    options = HttpOptions(transport=server, sleep=waits)
    return HttpClient("http://s3.test:9000", options, refusal=s3_refusal)


def test_a_busy_server_is_asked_again(client: HttpClient, server: Server) -> None:
    server.replies = [httpx.Response(503), httpx.Response(200, text="hello")]
    assert client.request(GET).body == b"hello"
    assert server.calls == ["GET /b", "GET /b"]


def test_a_server_that_stays_busy_is_asked_four_times(
    client: HttpClient, server: Server, waits: Waits
) -> None:
    server.replies = [s3_error(503, "SlowDown") for _ in range(4)]
    with pytest.raises(S3Error, match="SlowDown"):
        client.request(GET)
    assert len(waits) == 3


def test_retry_after_is_obeyed(client: HttpClient, server: Server, waits: Waits) -> None:
    server.replies = [httpx.Response(429, headers={"retry-after": "7"}), httpx.Response(200)]
    client.request(GET)
    assert waits == [7.0]


def test_retry_after_may_be_a_date(client: HttpClient, server: Server, waits: Waits) -> None:
    past = {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}
    server.replies = [httpx.Response(503, headers=past), httpx.Response(200)]
    client.request(GET)
    assert waits[0] < 1


def test_a_retry_after_that_means_nothing_is_passed_over(
    client: HttpClient, server: Server, waits: Waits
) -> None:
    server.replies = [httpx.Response(503, headers={"retry-after": "soon"}), httpx.Response(200)]
    client.request(GET)
    assert waits[0] < 1


def test_a_retry_after_beyond_the_deadline_is_not_waited_for(
    client: HttpClient, server: Server, waits: Waits
) -> None:
    server.replies = [httpx.Response(503, headers={"retry-after": "3600"})]
    with pytest.raises(S3Error):
        client.request(GET)
    assert waits == []


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_a_read_is_repeated_after_a_passing_failure(
    client: HttpClient, server: Server, status: int
) -> None:
    server.replies = [httpx.Response(status), httpx.Response(200)]
    assert client.request(GET).status == 200


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_a_write_is_not_repeated_after_a_failure_that_may_have_acted(
    client: HttpClient, server: Server, status: int
) -> None:
    server.replies = [httpx.Response(status)]
    with pytest.raises(S3Error):
        client.request(Call("PUT", "/b"))
    assert server.calls == ["PUT /b"]


def test_a_write_that_was_not_taken_is_repeated(client: HttpClient, server: Server) -> None:
    server.replies = [httpx.Response(503), httpx.Response(200)]
    client.request(Call("PUT", "/b"))
    assert server.calls == ["PUT /b", "PUT /b"]


def test_a_read_is_repeated_after_a_reset(client: HttpClient, server: Server) -> None:
    server.replies = [RESET, httpx.Response(200)]
    assert client.request(GET).status == 200


def test_a_write_is_not_repeated_after_a_reset(client: HttpClient, server: Server) -> None:
    server.replies = [RESET]
    with pytest.raises(UnreachableError, match=r"the connection to s3\.test:9000 broke: reset"):
        client.request(Call("PUT", "/b"))


def test_a_write_marked_repeatable_is_repeated_after_a_reset(
    client: HttpClient, server: Server
) -> None:
    server.replies = [RESET, httpx.Response(200)]
    client.request(Call("PUT", "/b", repeatable=True))
    assert server.calls == ["PUT /b", "PUT /b"]


def test_streamed_content_is_never_sent_twice(client: HttpClient, server: Server) -> None:
    server.replies = [httpx.Response(503)]
    with pytest.raises(S3Error):
        client.request(Call("PUT", "/b", content=iter([b"x"]), repeatable=True))
    assert server.calls == ["PUT /b"]


def test_nobody_listening_is_not_tried_again(client: HttpClient, server: Server) -> None:
    server.replies = [httpx.ConnectError("refused")]
    with pytest.raises(UnreachableError, match=r"cannot connect to s3\.test:9000: refused"):
        client.request(GET)


def test_no_retries_are_made_when_none_are_wanted(server: Server) -> None:
    options = HttpOptions(transport=server, retries=0)
    client = HttpClient("http://s3.test:9000", options, refusal=s3_refusal)
    server.replies = [httpx.Response(503)]
    with pytest.raises(S3Error):
        client.request(GET)


@pytest.mark.parametrize(
    "error",
    [httpx.ReadTimeout("slow"), httpx.WriteTimeout("slow")],
)
def test_a_silence_is_a_deadline(client: HttpClient, server: Server, error: Exception) -> None:
    server.replies = [error]
    with pytest.raises(DeadlineError, match=r"s3\.test:9000 gave no answer within 30 s"):
        client.request(GET)


def test_a_transfer_that_stands_still_names_its_own_limit(
    client: HttpClient, server: Server
) -> None:
    server.replies = [httpx.ReadTimeout("slow")]
    with pytest.raises(DeadlineError, match="gave no answer within 60 s"):
        client.request(Call("GET", "/b", transfer=True))


def test_a_connection_that_does_not_open_is_a_deadline(client: HttpClient, server: Server) -> None:
    server.replies = [httpx.ConnectTimeout("slow")]
    with pytest.raises(DeadlineError, match=r"cannot connect to s3\.test:9000: no answer in time"):
        client.request(GET)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (httpx.ProxyError("407"), UnreachableError, "the proxy refused the way to s3.test:9000"),
        (httpx.UnsupportedProtocol("ftp"), ConfigError, "is not an http or https URL"),
        (httpx.RemoteProtocolError("illegal status line"), ProtocolError, "not an HTTP server"),
        (
            httpx.RemoteProtocolError("peer closed connection"),
            UnreachableError,
            "closed the connection before its answer was complete",
        ),
    ],
)
def test_a_network_failure_is_named_for_what_it_is(
    server: Server, error: Exception, kind: type[Exception], words: str
) -> None:
    options = HttpOptions(transport=server, retries=0)
    client = HttpClient("http://s3.test:9000", options, refusal=s3_refusal)
    server.replies = [error]
    with pytest.raises(kind, match=words):
        client.request(GET)


def test_a_body_larger_than_the_bound_is_refused(client: HttpClient, server: Server) -> None:
    server.replies = [httpx.Response(200, content=b"x" * 11)]
    with pytest.raises(ProtocolError, match="an answer of more than 10 bytes was refused"):
        client.request(GET, max_body_bytes=10)


def test_an_endless_body_is_not_read_beyond_the_bound(client: HttpClient, server: Server) -> None:
    given: list[int] = []

    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                given.append(1)
                yield b"x" * 1024

    server.replies = [lambda _: httpx.Response(200, stream=Endless())]
    with pytest.raises(ProtocolError, match="more than 10240 bytes"):
        client.request(GET, max_body_bytes=10240)
    assert len(given) == 11


def test_a_long_refusal_is_cut_and_still_a_refusal(client: HttpClient, server: Server) -> None:
    page = httpx.Response(403, html="<html>" + "x" * 200_000)
    server.replies = [page]
    with pytest.raises(
        S3Error, match="HTTP 403: HTTP 403 forbidden, with a page of type text/html"
    ):
        client.request(GET)


def test_a_broken_content_encoding_is_not_the_protocol(client: HttpClient, server: Server) -> None:
    headers = {"content-encoding": "gzip"}
    server.replies = [
        lambda _: httpx.Response(200, headers=headers, stream=httpx.ByteStream(b"nonsense"))
    ]
    with pytest.raises(ProtocolError, match="a broken content encoding"):
        client.request(GET)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(client: HttpClient, server: Server, status: int) -> None:
    there = {"location": "http://evil.test/b"}
    server.replies = [httpx.Response(status, headers=there)]
    with pytest.raises(ProtocolError, match=r"redirects to evil\.test; credentials are not sent"):
        client.request(GET)
    assert server.calls == ["GET /b"]


@pytest.mark.parametrize(
    ("location", "named"),
    [("http://[bad", "what is no URL"), ("http://u:hush@evil.test/b", "evil.test")],
)
def test_a_redirect_to_nonsense_or_with_a_password_is_no_traceback_and_not_repeated(
    client: HttpClient, server: Server, location: str, named: str
) -> None:
    server.replies = [httpx.Response(307, headers={"location": location})]
    with pytest.raises(ProtocolError, match=f"redirects to {named};"):
        client.request(GET)


@pytest.mark.parametrize("reply", [RESET, httpx.Response(503)])
def test_a_call_begun_before_the_closing_is_not_repeated(
    reply: object,
) -> None:
    class Cut(httpx.BaseTransport):
        sent = 0

        def handle_request(self, _: httpx.Request) -> httpx.Response:
            self.sent += 1
            cut.close()
            if isinstance(reply, Exception):
                raise reply
            return httpx.Response(503)

    transport = Cut()
    cut = HttpClient("http://s3.test", HttpOptions(transport=transport), refusal=s3_refusal)
    with pytest.raises((UnreachableError, S3Error)):
        cut.request(GET)
    assert transport.sent == 1


def test_a_failure_too_late_for_another_attempt_is_told_as_it_is(server: Server) -> None:
    options = HttpOptions(transport=server, deadline=Deadline(0.04))
    client = HttpClient("http://s3.test:9000", options, refusal=s3_refusal)
    server.replies = [RESET]
    with pytest.raises(UnreachableError, match="broke: reset"):
        client.request(GET)
    assert server.calls == ["GET /b"]


def test_a_relative_redirect_names_the_server_itself(client: HttpClient, server: Server) -> None:
    server.replies = [httpx.Response(307, headers={"location": "/other"})]
    with pytest.raises(ProtocolError, match=r"s3\.test:9000 redirects to s3\.test:9000"):
        client.request(GET)


def test_http_on_a_tls_port_says_so(client: HttpClient, server: Server) -> None:
    server.replies = [
        httpx.Response(400, text="Client sent an HTTP request to an HTTPS server.\n")
    ]
    with pytest.raises(UnreachableError, match="speaks TLS, the URL says http") as caught:
        client.request(GET)
    assert caught.value.hint == "use https://s3.test:9000"


def test_custom_headers_and_our_name_go_with_every_request(server: Server) -> None:
    options = HttpOptions(transport=server, headers=(("X-Team", "storage"),))
    server.replies = [httpx.Response(200)]
    HttpClient("http://s3.test:9000", options, refusal=s3_refusal).request(GET)
    sent = server.requests[0].headers
    assert sent["x-team"] == "storage"
    assert sent["user-agent"].startswith("mcpy/")


def test_patience_bounds_each_call_of_a_block(client: HttpClient, server: Server) -> None:
    server.replies = [httpx.ReadTimeout("slow")]
    with (
        client.patience(2),
        pytest.raises(DeadlineError, match="gave no answer within 2 s"),
    ):
        client.request(GET)


def test_a_deadline_without_a_limit_never_passes() -> None:
    assert Deadline(None).left_s() == float("inf")


def test_a_deadline_that_passed_has_nothing_left() -> None:
    assert Deadline(-1).left_s() == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "answered an empty body"),
        (b'{"a":', "answered something other than JSON"),
        (b"[]", "answered something other than a JSON object"),
        (b"\xff\xfe", "answered something other than JSON"),
    ],
)
def test_what_is_not_a_json_object_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=f"here {words}"):
        json_object(Answer("GET", 200, httpx.Headers(), body), "here")


def test_no_secret_stands_in_the_repr_of_the_options_or_a_call() -> None:
    options = HttpOptions(headers=(("Authorization", "Bearer hush-hush"),))
    assert "hush-hush" not in repr(options)
    assert "hush-hush" not in repr(Answer("GET", 200, httpx.Headers(), b"hush-hush"))


@pytest.mark.parametrize(
    "call",
    [
        Call("GET", "/b", {"x-secret": "hush "}),
        Call("GET", "/b", {"x-secret": "hush\r\nx: y"}),
        Call("GET", "/b", {"x-secret": "hush\udc80"}),
        Call("GET", "/b", {"hush hush": "1"}),
        Call("GET", "/hush\r"),
        Call("GET", "/hush\u00fc"),
        Call("PUT", "/b", {"content-length": "5"}, b"hush"),
    ],
)
def test_what_cannot_be_sent_never_comes_to_a_given_transport(
    client: HttpClient, server: Server, call: Call
) -> None:
    with pytest.raises(InputError) as caught:
        client.request(call)
    assert "hush" not in str(caught.value).replace("'hush hush' is not the name", "")
    assert server.calls == []


def test_headers_of_a_given_transport_are_read_as_those_of_our_own(
    client: HttpClient, server: Server
) -> None:
    headers = [(b"ETag", b' "x" '), (b"a", b"\xfc"), (b"b", b"\xc3\xbc"), (b"A", b"2")]
    server.replies = [lambda _: httpx.Response(200, headers=headers)]
    found = client.request(GET).headers
    assert (found["etag"], found["a"], found["b"]) == ('"x"', "\u00fc, 2", "\u00fc")


@pytest.mark.parametrize("pieces", [[b"abc"], [b"abcde", b"f"]])
def test_streamed_content_to_a_given_transport_is_as_long_as_was_told(
    client: HttpClient, pieces: list[bytes]
) -> None:
    with pytest.raises(UnreachableError, match="not as long as was told"):
        client.request(Call("PUT", "/b/o", {"content-length": "4"}, iter(pieces)))


class Twice:
    """Content that can be had again."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"content"


def test_content_that_can_be_had_again_is_sent_again(
    client: HttpClient, server: Server, waits: Waits
) -> None:
    busy = httpx.Response(503, headers={"retry-after": "7"})
    server.replies = [busy, RESET, httpx.Response(200)]
    client.request(Call("PUT", "/b/o", content=Twice(), repeatable=True, transfer=True))
    assert [request.content for request in server.requests] == [b"content"] * 3
    assert waits[0] == 7


def test_a_transfer_waits_for_a_busy_server_when_the_command_s_time_is_over(
    server: Server, waits: Waits
) -> None:
    options = HttpOptions(transport=server, sleep=waits, deadline=Deadline(0.0))
    late = HttpClient("http://s3.test:9000", options, refusal=s3_refusal)
    server.replies = [httpx.Response(503), httpx.Response(200)]
    late.request(Call("PUT", "/b/o", repeatable=False, transfer=True))
    assert len(waits) == 1


def test_a_transfer_waits_no_longer_than_it_may_stand_still(
    client: HttpClient, server: Server, waits: Waits
) -> None:
    server.replies = [httpx.Response(503, headers={"retry-after": "3600"})]
    with pytest.raises(S3Error):
        client.request(Call("PUT", "/b/o", repeatable=False, transfer=True))
    assert waits == []


def test_a_deadline_of_each_call_begins_with_it() -> None:
    deadline = Deadline(0.0)
    assert deadline.left_s() == 0
    deadline.timeout_s, deadline.per_call = 30, True
    first = deadline.moment
    assert first is not None
    assert deadline.moment is not None
    assert deadline.moment > first


@pytest.mark.parametrize("value", ["²", "soon", ""])
def test_a_time_to_wait_that_is_no_number_is_passed_over(
    client: HttpClient, server: Server, value: str
) -> None:
    headers = {b"retry-after": value.encode("latin-1")}
    server.replies = [httpx.Response(503, headers=headers), httpx.Response(200)]
    assert client.request(GET).status == 200
