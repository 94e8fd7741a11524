"""The one HTTP client: deadlines, retries, bounded bodies, and every failure as one of our errors.

Rules: a request is repeated only where that is safe (reads, and calls marked ``repeatable``), or
where the server said it did not act (429, 503); where nobody listens it fails at once. Redirects
are not followed: a signature or a client certificate is for one host. Bodies are read up to a
bound.

Requests go out over connections of our own (``wire``), or through a transport of httpx where one
was given. What calls are made of is in ``call``, what they may hold is checked in ``outgoing``.
"""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from mcpy import __version__
from mcpy.api.call import (
    Answer,
    Call,
    Deadline,
    HttpOptions,
    Outgoing,
    json_object,
    json_value,
    left_s,
    origin_of,
)
from mcpy.api.encodings import ACCEPTED
from mcpy.api.failures import BROKEN, Late, LateConnect, is_final, translate
from mcpy.api.outgoing import check, check_own, tell_length
from mcpy.api.senders import sender_for
from mcpy.api.stream import MAX_BODY_BYTES, Stream
from mcpy.errors import DeadlineError, McpyError, ProtocolError, UnreachableError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from mcpy.api.call import Reply, Sender, Signer
    from mcpy.api.tls import ClientCertificate
    from mcpy.errors import ApiError

__all__ = [
    "MAX_BODY_BYTES",
    "Answer",
    "Call",
    "Deadline",
    "HttpClient",
    "HttpOptions",
    "Stream",
    "json_object",
    "json_value",
]

MAX_ERROR_BYTES = 64 * 1024


class _Span(NamedTuple):
    """When a call has to be over, if ever, and how long that is or it may stand still."""

    moment: float | None
    limit_s: float


class HttpClient:
    """Requests to one server.

    Args:
        base_url: ``http(s)://HOST[:PORT]``.
        refusal: turns an answer outside ``Call.replies`` into the error to raise.
        auth: signs requests.
        client: the certificate to show.
        route: turns a call's target into the base URL and the target to send, when they differ.
    """

    def __init__(
        self,
        base_url: str,
        options: HttpOptions,
        *,
        refusal: Callable[[Answer], ApiError],
        auth: Signer | None = None,
        client: ClientCertificate | None = None,
        route: Callable[[str], tuple[str, str]] | None = None,
    ) -> None:
        self.base_url = base_url
        self.where = urlsplit(base_url).netloc
        self.options = options
        self._refusal = refusal
        self._auth = auth
        self._certificate = client
        self._route = route
        self._always = _always(options)
        self._sender: Sender | None = None
        self._opening = threading.Lock()
        self._patience_s: float | None = None
        self._closings = 0

    def request(
        self, call: Call, *, max_body_bytes: int = MAX_BODY_BYTES, limit_s: float | None = None
    ) -> Answer:
        """Send ``call`` and return its whole answer, within ``limit_s`` where the rest has longer.

        Raises:
            ApiError: the server refused.
            UnreachableError: no answer, or not in time.
            ProtocolError: the answer is not HTTP, redirects, or is larger than the bound.
        """
        with self.stream(call, limit_s=limit_s) as stream:
            return stream.read(max_body_bytes)

    @contextmanager
    def stream(self, call: Call, *, limit_s: float | None = None) -> Iterator[Stream]:
        """Send ``call`` and give its answer, the body still to be read; raises as ``request``."""
        span = self._span(call, limit_s)
        reply = self._attempts(call, span)
        try:
            yield Stream(call.method, reply, lambda e: self._ours(e, span))
        finally:
            reply.close()

    @contextmanager
    def patience(self, limit_s: float) -> Iterator[None]:
        """Give every call in the block ``limit_s`` at most, for polling what may hang."""
        self._patience_s = limit_s
        try:
            yield
        finally:
            self._patience_s = None

    def _span(self, call: Call, limit_s: float | None) -> _Span:
        if call.transfer:
            return _Span(None, self.options.idle_s)
        deadline = self.options.deadline
        whole = _Span(deadline.moment, deadline.timeout_s or self.options.idle_s)
        limits = [limit for limit in (limit_s, self._patience_s) if limit is not None]
        if not limits or min(limits) >= left_s(whole.moment):
            return whole
        return _Span(time.monotonic() + min(limits), min(limits))

    def close(self) -> None:
        """Close the connections, for all calls that were begun; another one opens new ones."""
        with self._opening:
            sender, self._sender = self._sender, None
            self._closings += 1
        if sender:
            sender.close()

    def _attempts(self, call: Call, span: _Span) -> Reply:
        wait_at_most_s = self.options.idle_s if call.transfer else float("inf")
        closings = self._closings
        for attempt in range(self.options.retries + 1):
            last = attempt == self.options.retries
            try:
                reply = self._send(call, span.moment)
            except BROKEN as e:
                ends = last or not call.may_repeat(None) or is_final(e)
                wait_s = min(wait_at_most_s, left_s(span.moment))
                if ends or self._closings != closings or not self._pause(attempt, None, wait_s):
                    raise self._ours(e, span) from e
                continue
            if reply.status in call.replies:
                return reply
            again = not last and call.may_repeat(reply.status) and self._closings == closings
            asked, wait_s = (
                reply.headers.get("retry-after"),
                min(wait_at_most_s, left_s(span.moment)),
            )
            if not again or not self._pause(attempt, asked, wait_s):
                raise self._refused(call, reply, span)
            reply.close()
        raise AssertionError("the last attempt returns or raises")

    def _send(self, call: Call, moment: float | None) -> Reply:
        sender = self._sender or self._opened()
        base_url, target = (
            self._route(call.target) if self._route else (self.base_url, call.target)
        )
        origin = origin_of(base_url)
        headers = {"host": origin.netloc, **self._always}
        for name, value in call.headers.items():
            headers[name.lower()] = value
        request = Outgoing(call.method, origin, target, headers, call.content, call.target)
        tell_length(request)
        if self._auth:
            self._auth.sign(request)
        check(request)
        started = time.monotonic()
        reply = sender.send(request, moment)
        if self.options.trace:
            taken_ms = (time.monotonic() - started) * 1000
            self.options.trace(
                f"{call.method} {base_url}{target} -> {reply.status} ({taken_ms:.0f} ms)"
            )
        return reply

    def _opened(self) -> Sender:
        with self._opening:  # several threads send through one client
            if self._sender is None:
                self._sender = sender_for(self.base_url, self.options, self._context)
            return self._sender

    def _context(self) -> ssl.SSLContext | None:
        if not self.base_url.startswith("https:"):
            return None
        from mcpy.api import tls

        return tls.context(
            ca=self.options.ca, insecure=self.options.insecure, client=self._certificate
        )

    def _pause(self, attempt: int, retry_after: str | None, wait_at_most_s: float) -> bool:
        """Wait before the next attempt; False when the wait would take all that is left."""
        # full jitter: clients that failed together do not return together
        wait_s = random.uniform(0.05, 0.2 * 2**attempt)  # noqa: S311 - not a secret
        if retry_after:
            wait_s = max(wait_s, _retry_after_s(retry_after))
        if wait_s >= wait_at_most_s:
            return False
        self.options.sleep(wait_s)
        return True

    def _refused(self, call: Call, reply: Reply, span: _Span) -> McpyError:
        if 300 <= reply.status < 400 and "location" in reply.headers:
            reply.close()
            other = _server_named(reply.headers["location"]) or self.where
            return ProtocolError(
                f"{self.where} redirects to {other}; credentials are not sent on",
                hint="set the alias to the URL that answers",
            )
        try:
            stream = Stream(call.method, reply, lambda e: self._ours(e, span))
            answer = stream.read(MAX_ERROR_BYTES, cut=True)
        finally:
            reply.close()
        if b"HTTP request to an HTTPS server" in answer.body:
            return UnreachableError(
                f"{self.where} speaks TLS, the URL says http", hint=f"use https://{self.where}"
            )
        return self._refusal(answer)

    def _ours(self, error: Exception, span: _Span) -> McpyError:
        """Return the error to raise for a failure of the network."""
        if isinstance(error, LateConnect):
            return DeadlineError(f"cannot connect to {self.where}: no answer in time")
        if isinstance(error, Late):
            return DeadlineError(
                f"{self.where} gave no answer within {round(span.limit_s, 2):g} s",
                hint="--timeout SECONDS",
            )
        return translate(error, self.base_url)


def _always(options: HttpOptions) -> dict[str, str]:
    """Return the headers of every request."""
    found = {
        "accept": "*/*",
        "accept-encoding": ACCEPTED,
        "connection": "keep-alive",
        "user-agent": f"mcpy/{__version__}",
    }
    given: dict[str, str] = {}
    for name, value in ((name.lower(), value) for name, value in options.headers):
        check_own(name)
        given[name] = f"{given[name]}, {value}" if name in given else value
    return found | given


def _server_named(location: str) -> str:
    """Return the server a URL names, without the credentials it may hold."""
    try:
        return urlsplit(location).netloc.rpartition("@")[2]
    except ValueError:
        return "what is no URL"


def _retry_after_s(value: str) -> float:
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
