"""A scripted server in place of the network: it answers in order and remembers what was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx

Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Server(httpx.BaseTransport):
    """Gives ``replies`` one by one; a request beyond them fails, and so does a reply unused.

    ``afterwards`` answers whatever is asked beyond the replies, for those who poll.
    """

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.afterwards: Reply | None = None
        self.requests: list[httpx.Request] = []

    @property
    def calls(self) -> list[str]:
        """Method and target of each request, as they go over the wire."""
        return [f"{request.method} {wire_target(request)}" for request in self.requests]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        reply = self.replies.pop(0) if self.replies else self.afterwards
        assert reply is not None, f"an unexpected request: {self.calls[-1]}"
        if isinstance(reply, Exception):
            raise reply
        return on_the_wire(reply if isinstance(reply, httpx.Response) else reply(request))


def wire_target(request: httpx.Request) -> str:
    """Return path and query exactly as they go out; httpx's own URL folds ``..`` away."""
    target: bytes = request.extensions.get("target", request.url.raw_path)
    return target.decode("ascii")


@dataclass
class Answering:
    """Answers by what it is asked for, ``METHOD TARGET``; the longest name that fits goes first.

    The name ``GET /`` fits the list of buckets alone. For ``Server.afterwards``.
    """

    answers: dict[str, Reply]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = f"{request.method} {wire_target(request)}"
        fitting = [name for name in self.answers if asked.startswith(name)]
        if asked != "GET /":
            fitting = [name for name in fitting if name != "GET /"]
        assert fitting, f"an unexpected request: {asked}"
        answer = self.answers[max(fitting, key=len)]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)


def on_the_wire(response: httpx.Response) -> httpx.Response:
    """Return the response with its body still to be read, as a network would give it."""
    if not response.is_stream_consumed:
        return response
    stream = httpx.ByteStream(response.content)
    return httpx.Response(response.status_code, headers=response.headers, stream=stream)


def xml(status: int, body: str) -> httpx.Response:
    """Return an answer of an S3 server."""
    return httpx.Response(status, headers={"content-type": "application/xml"}, text=body)


def s3_error(status: int, code: str, message: str = "no", **fields: str) -> httpx.Response:
    """Return a refusal of an S3 server."""
    more = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return xml(status, f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>")


def kes_error(status: int, message: str) -> httpx.Response:
    """Return a refusal of a KES."""
    return httpx.Response(status, json={"message": message})


ETAG = {"etag": '"e"'}
"""What every answer of S3 about an object has."""


def gone() -> httpx.Response:
    """Return S3's answer to a deletion that was done."""
    return httpx.Response(204)


def ok(**headers: str) -> httpx.Response:
    """Return a 200 of S3 without a body; underscores of header names become hyphens."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(200, headers={"content-length": "0", **ETAG, **names})
