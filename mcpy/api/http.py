"""The one HTTP client: deadlines, retries, bounded bodies, and every failure as one of our errors.

Rules: a request is repeated only where that is safe (reads, and calls marked ``repeatable``), or
where the server said it did not act (429, 503); where nobody listens it fails at once. Redirects
are not followed: a signature or a client certificate is for one host. Bodies are read up to a
bound.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

from mcpy import __version__
from mcpy.api.failures import BROKEN, is_final, translate
from mcpy.api.transport import Transport, deadline_at
from mcpy.config import check_url
from mcpy.errors import (
    ConfigError,
    DeadlineError,
    InputError,
    McpyError,
    ProtocolError,
    UnreachableError,
)
from mcpy.models import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from mcpy.api.throttle import Throttle
    from mcpy.api.tls import ClientCertificate
    from mcpy.errors import ApiError

MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
_BUSY = {429, 503}
_PASSING = {408, 429, 500, 502, 503, 504}
_READS = {"GET", "HEAD"}


class Deadline:
    """The moment on the monotonic clock by which a command has to have its answer.

    Args:
        timeout_s: seconds from now; None for never.

    With ``per_call`` each call has that long, for commands that make as many as there are objects.
    """

    def __init__(self, timeout_s: float | None) -> None:
        self.timeout_s = timeout_s
        self.per_call = False
        self._start = time.monotonic()

    @property
    def moment(self) -> float | None:
        """When what begins now has to be over."""
        if self.timeout_s is None:
            return None
        return self.timeout_s + (time.monotonic() if self.per_call else self._start)

    def left_s(self) -> float:
        """Seconds left; never negative, infinite without a limit."""
        return _left_s(self.moment)


@dataclass(frozen=True)
class HttpOptions:
    """What the global options say about every connection.

    Attributes:
        deadline: of all calls together or of each, transfers excepted.
        idle_s: how long a transfer may stand still.
        connect_s: how long one connection may take to open.
        retries: repeats after the first attempt.
        resolve: ``HOST:PORT`` or ``HOST`` to the address to connect to instead.
        headers: sent with every request.
        trace: told of every request and answer, without secrets.
        transport: replaces the network, for tests.
        upload: bounds how fast bodies are sent.
        download: bounds how fast bodies are received.
    """

    deadline: Deadline = field(default_factory=lambda: Deadline(30))
    idle_s: float = 60
    connect_s: float = 10
    retries: int = 3
    insecure: bool = False
    ca: Path | None = None
    resolve: Mapping[str, str] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    trace: Callable[[str], None] | None = None
    transport: httpx.BaseTransport | None = None
    sleep: Callable[[float], None] = time.sleep
    upload: Throttle | None = None
    download: Throttle | None = None


@dataclass(frozen=True)
class Call:
    """One request: ``target`` is the encoded path and query.

    Attributes:
        content: an iterator is gone once it was sent, and never repeated; another iterable is.
        repeatable: whether doing it twice does no harm; None asks the method.
        transfer: whether the idle limit holds instead of the command's deadline.
        replies: statuses that are an answer and not a refusal.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Iterable[bytes] = b""
    repeatable: bool | None = None
    transfer: bool = False
    replies: tuple[int, ...] = (200, 201, 204, 206)

    @property
    def resendable(self) -> bool:
        """Whether the content can be had once more."""
        return not isinstance(self.content, Iterator)

    def may_repeat(self, status: int | None) -> bool:
        """Whether another attempt is safe after ``status``, or after no answer at all (None)."""
        if not self.resendable:
            return False
        safe = self.method in _READS if self.repeatable is None else self.repeatable
        return status in _BUSY or (safe and (status is None or status in _PASSING))


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer; ``headers`` are looked up whatever their case."""

    method: str
    status: int
    headers: httpx.Headers
    body: bytes = field(repr=False)


class Stream:
    """An HTTP answer whose body is still on the wire."""

    def __init__(
        self,
        method: str,
        response: httpx.Response,
        failures: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.method = method
        self.status = response.status_code
        self.headers = response.headers
        self._response = response
        self._failures = failures

    def read(self, limit: int, *, cut: bool = False) -> Answer:
        """Read the body, undoing its content encoding; beyond ``limit`` bytes cut off, or raise.

        Raises:
            ProtocolError: it is larger, or its encoding is broken.
        """
        body = bytearray()
        with self._failures():
            try:
                for chunk in self._response.iter_bytes():
                    body += chunk
                    if len(body) > limit:
                        break
            except httpx.DecodingError as e:
                raise ProtocolError("an answer with a broken content encoding") from e
        if len(body) > limit and not cut:
            raise ProtocolError(f"an answer of more than {limit} bytes was refused")
        return Answer(self.method, self.status, self.headers, bytes(body))

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as sent, with whatever content encoding the object has."""
        chunks = self._response.iter_raw()
        while True:
            # only the network's failures are ours to translate, not those of whoever reads us
            with self._failures():
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk


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
        auth: httpx.Auth | None = None,
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
        self._client: httpx.Client | None = None
        self._opening = threading.Lock()
        self._patience_s: float | None = None

    def request(self, call: Call, *, max_body_bytes: int = MAX_BODY_BYTES) -> Answer:
        """Send ``call`` and return its whole answer.

        Raises:
            ApiError: the server refused.
            UnreachableError: no answer, or not in time.
            ProtocolError: the answer is not HTTP, redirects, or is larger than the bound.
        """
        with self.stream(call) as stream:
            return stream.read(max_body_bytes)

    @contextmanager
    def stream(self, call: Call) -> Iterator[Stream]:
        """Send ``call`` and give its answer, the body still to be read; raises as ``request``."""
        moment = None if call.transfer else self._moment()
        with self._bounded(moment):
            response = self._attempts(call, moment)
        try:
            yield Stream(call.method, response, lambda: self._bounded(moment))
        finally:
            response.close()

    @contextmanager
    def patience(self, limit_s: float) -> Iterator[None]:
        """Give every call in the block ``limit_s`` at most, for polling what may hang."""
        self._patience_s = limit_s
        try:
            yield
        finally:
            self._patience_s = None

    def _moment(self) -> float | None:
        """Return when the next call has to have its answer."""
        moment = self.options.deadline.moment
        if self._patience_s is None:
            return moment
        soon = time.monotonic() + self._patience_s
        return soon if moment is None else min(soon, moment)

    def close(self) -> None:
        """Close the connections; another request opens new ones."""
        with self._opening:
            client, self._client = self._client, None
        if client:
            client.close()

    def _attempts(self, call: Call, moment: float | None) -> httpx.Response:
        limit_s = self.options.idle_s if call.transfer else float("inf")
        for attempt in range(self.options.retries + 1):
            last = attempt == self.options.retries
            try:
                response = self._send(call)
            except BROKEN as e:
                if last or not call.may_repeat(None) or is_final(e):
                    raise
                self._pause(attempt, None, min(limit_s, _left_s(moment)))
                continue
            if response.status_code in call.replies:
                return response
            again = not last and call.may_repeat(response.status_code)
            asked, left_s = response.headers.get("retry-after"), min(limit_s, _left_s(moment))
            if not again or not self._pause(attempt, asked, left_s):
                raise self._refused(call, response)
            response.close()
        raise AssertionError("the last attempt returns or raises")

    def _send(self, call: Call) -> httpx.Response:
        client = self._opened()
        base_url, target = (
            self._route(call.target) if self._route else (self.base_url, call.target)
        )
        request = client.build_request(
            call.method,
            base_url + target,
            # metadata may be of any language; httpx alone would take ASCII only
            headers=[(name.encode(), value.encode()) for name, value in call.headers.items()],
            content=call.content or None,
            extensions={"target": target.encode("ascii"), "resource": call.target},
        )
        started = time.monotonic()
        response = client.send(request, auth=self._auth, stream=True)
        if self.options.trace:
            taken_ms = (time.monotonic() - started) * 1000
            self.options.trace(
                f"{call.method} {base_url}{target} -> {response.status_code} ({taken_ms:.0f} ms)"
            )
        return response

    def _opened(self) -> httpx.Client:
        with self._opening:  # several threads send through one client
            if self._client is None:
                self._client = httpx.Client(
                    transport=self._throttled(self.options.transport or self._transport()),
                    headers=[("User-Agent", f"mcpy/{__version__}"), *self.options.headers],
                    timeout=httpx.Timeout(self.options.idle_s, connect=self.options.connect_s),
                    trust_env=False,
                    follow_redirects=False,
                )
            return self._client

    def _throttled(self, transport: httpx.BaseTransport) -> httpx.BaseTransport:
        upload, download = self.options.upload, self.options.download
        if not (upload or download):
            return transport
        from mcpy.api.throttle import ThrottledTransport

        return ThrottledTransport(transport, upload=upload, download=download)

    def _transport(self) -> Transport:
        context = None
        if self.base_url.startswith("https:"):
            from mcpy.api import tls

            context = tls.context(
                ca=self.options.ca, insecure=self.options.insecure, client=self._certificate
            )
        return Transport(context, resolve=self.options.resolve, proxy=proxy_for(self.base_url))

    def _pause(self, attempt: int, retry_after: str | None, left_s: float) -> bool:
        """Wait before the next attempt; False when the wait would take all that is left."""
        # full jitter: clients that failed together do not return together
        wait_s = random.uniform(0.05, 0.2 * 2**attempt)  # noqa: S311 - not a secret
        if retry_after:
            wait_s = max(wait_s, _retry_after_s(retry_after))
        if wait_s >= left_s:
            return False
        self.options.sleep(wait_s)
        return True

    def _refused(self, call: Call, response: httpx.Response) -> McpyError:
        if 300 <= response.status_code < 400 and "location" in response.headers:
            other = urlsplit(response.headers["location"]).netloc or self.where
            return ProtocolError(
                f"{self.where} redirects to {other}; credentials are not sent on",
                hint="set the alias to the URL that answers",
            )
        try:
            answer = Stream(call.method, response, nullcontext).read(MAX_ERROR_BYTES, cut=True)
        finally:
            response.close()
        if b"HTTP request to an HTTPS server" in answer.body:
            return UnreachableError(
                f"{self.where} speaks TLS, the URL says http", hint=f"use https://{self.where}"
            )
        return self._refusal(answer)

    @contextmanager
    def _bounded(self, moment: float | None) -> Iterator[None]:
        """Hold the block to the deadline, and raise its network failures as ours."""
        try:
            with deadline_at(moment):
                yield
        except (httpcore.ConnectTimeout, httpx.ConnectTimeout) as e:
            raise DeadlineError(f"cannot connect to {self.where}: no answer in time") from e
        except (httpcore.TimeoutException, httpx.TimeoutException) as e:
            limit = self.options.deadline.timeout_s if moment else self.options.idle_s
            raise DeadlineError(
                f"{self.where} gave no answer within {self._patience_s or limit:g} s",
                hint="--timeout SECONDS",
            ) from e
        except BROKEN as e:
            raise translate(e, self.base_url) from e


def _left_s(moment: float | None) -> float:
    return float("inf") if moment is None else max(0.0, moment - time.monotonic())


def _retry_after_s(value: str) -> float:
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def proxy_for(base_url: str) -> httpcore.Proxy | None:
    """Return the proxy the environment names for this URL; loopback never has one.

    Raises:
        ConfigError: what is named is no HTTP proxy; the message does not repeat it.
    """
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    if not (named := getproxies().get(parts.scheme)):
        return None
    try:
        proxy = urlsplit(named if "://" in named else f"http://{named}")
        url = check_url(f"{proxy.scheme}://{proxy.netloc.rpartition('@')[2]}")
    except (ValueError, InputError) as e:
        raise ConfigError(f"{parts.scheme}_proxy is not http://[USER:PASSWORD@]HOST:PORT") from e
    # httpcore takes credentials only beside the URL
    auth = (unquote(proxy.username), unquote(proxy.password or "")) if proxy.username else None
    return httpcore.Proxy(url, auth=auth)


def json_object(answer: Answer, where: str) -> dict[str, Any]:
    """Return the JSON object an answer holds.

    Raises:
        ProtocolError: it holds something else.
    """
    found = json_value(answer, where)
    if not isinstance(found, dict):
        raise ProtocolError(f"{where} answered something other than a JSON object")
    return found


def json_value(answer: Answer, where: str) -> Any:  # noqa: ANN401 - parsed JSON
    """Return the JSON value an answer holds; raises as ``json_object``."""
    import json

    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as e:
        what = "an empty body" if not answer.body else "something other than JSON"
        raise ProtocolError(f"{where} answered {what}") from e
