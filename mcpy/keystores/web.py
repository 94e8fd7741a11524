"""HTTP to providers, on httpx: bounded bodies, retries where they are safe, our errors.

Keystores stand below ``mcpy.api`` and below the sandbox, so they share neither's client.
"""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mcpy.errors import ConfigError, ProtocolError, UnreachableError
from mcpy.jsontext import loads
from mcpy.models import is_loopback

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import httpx

MAX_BODY_BYTES = 32 * 1024 * 1024
_BUSY = {429, 503}
_PASSING = {408, 500, 502, 504}
_MAX_PAUSE_S = 20.0


@dataclass(frozen=True)
class WebOptions:
    """What the global options say about every connection.

    Attributes:
        timeout_s: of one call, its repeats among it.
        over_at: when the last call has to be over, on the monotonic clock.
        trace: told of every request and answer, without secrets.
        transport: replaces the network, for tests.
    """

    timeout_s: float = 30
    over_at: float | None = None
    retries: int = 3
    insecure: bool = False
    ca: Path | None = None
    trace: Callable[[str], None] | None = None
    transport: httpx.BaseTransport | None = field(default=None, repr=False)
    sleep: Callable[[float], None] = time.sleep

    def end_of_call(self) -> float:
        """Return when a call that begins now has to be over, on the monotonic clock."""
        end = time.monotonic() + self.timeout_s
        return end if self.over_at is None else min(end, self.over_at)

    def verify(self) -> bool | str:
        """Return the authorities for `requests`, by which others sign in: as ours and KES's are.

        `requests` itself knows nothing of SSL_CERT_FILE.
        """
        if self.insecure:
            import urllib3

            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            return False
        return str(self.ca or os.environ.get("SSL_CERT_FILE", "")) or True


@dataclass(frozen=True)
class Reply:
    """A whole answer.

    Attributes:
        body: its JSON object, or empty where it has none.
        headers: by their names in lower case.
        repeated: whether the request was sent before, and may have been carried out then.
    """

    status: int
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeated: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300


class Web:
    """JSON requests to one provider."""

    def __init__(
        self,
        base_url: str,
        options: WebOptions,
        *,
        ca: str = "",
        client: tuple[str, str] | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.where = urlsplit(base_url).netloc.rpartition("@")[2] or base_url
        self._options = options
        self._ca = options.ca or ca
        self._certificate = client
        self._client: httpx.Client | None = None
        self._opening = threading.Lock()  # a KES is asked by many at once

    def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,  # noqa: ANN401 - JSON
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Reply:
        """Send a request and return the answer, whatever its status.

        Raises:
            UnreachableError: no answer, or not in time.
            ProtocolError: the answer is no JSON object, or too large.
        """
        end = self._options.end_of_call()
        if time.monotonic() >= end:
            raise UnreachableError(f"{self.where}: not asked, since the time of --timeout is over")
        for attempt in range(self._options.retries + 1):
            last = attempt == self._options.retries
            reply = self._once(method, path, json, headers or {}, last or not repeatable, end)
            pause_s = _pause_s(attempt, reply)
            last = last or time.monotonic() + pause_s >= end
            again = _BUSY | (_PASSING if repeatable else set())
            if reply is not None and (last or reply.status not in again):
                return replace(reply, repeated=attempt > 0)
            self._options.sleep(min(pause_s, max(0.0, end - time.monotonic())))
        raise AssertionError("the last attempt returns or raises")

    def probe(self) -> None:
        """See that somebody answers, whatever the answer.

        Raises:
            UnreachableError: no answer.
        """
        with suppress(ProtocolError):
            self.send("GET", "/")

    def close(self) -> None:
        """Close the connections."""
        if self._client:
            self._client.close()
            self._client = None

    def _once(
        self,
        method: str,
        path: str,
        json: Any,  # noqa: ANN401 - JSON
        headers: Mapping[str, str],
        final: bool,
        end: float,
    ) -> Reply | None:
        """Return the answer, or None when there was none and another attempt may follow."""
        import httpx

        started = time.monotonic()
        left_s = max(0.001, end - started)
        try:
            # the path as it is: httpx would change its escapes
            with self._opened().stream(
                method,
                f"{self.base_url}{path}",
                json=json,
                headers=dict(headers),
                timeout=left_s,
            ) as response:
                body = self._body(response, end)
        except httpx.TransportError as e:
            if final or time.monotonic() >= end:
                raise UnreachableError(f"{self.where}: {str(e) or 'no answer'}") from e
            return None
        except httpx.HTTPError as e:  # such as a body packed wrongly
            raise ProtocolError(f"{self.where}: {str(e) or 'an answer that is none'}") from e
        if self._options.trace:
            taken_ms = (time.monotonic() - started) * 1000
            self._options.trace(
                f"{method} {self.base_url}{path} -> {response.status_code} ({taken_ms:.0f} ms)"
            )
        return Reply(response.status_code, body, dict(response.headers))

    def _body(self, response: httpx.Response, end: float) -> dict[str, Any]:
        raw = bytearray()
        for chunk in response.iter_bytes():
            raw += chunk
            if len(raw) > MAX_BODY_BYTES:
                raise ProtocolError(f"{self.where}: an answer of more than {MAX_BODY_BYTES} bytes")
            if time.monotonic() > end:
                raise UnreachableError(f"{self.where}: an answer that does not end in time")
        if not raw.strip():
            return {}
        try:
            found = loads(raw)
        except ValueError as e:
            status = response.status_code
            raise ProtocolError(
                f"{self.where} answered {status} with something else than JSON"
            ) from e
        return found if isinstance(found, dict) else {}

    def _opened(self) -> httpx.Client:
        with self._opening:
            if self._client is None:
                import httpx

                transport = self._options.transport
                self._client = httpx.Client(
                    transport=transport,
                    verify=True if transport or not self._is_tls() else self._context(),
                    timeout=self._options.timeout_s,
                    follow_redirects=False,
                    # no proxy leads to this machine
                    trust_env=not is_loopback(urlsplit(self.base_url).hostname or ""),
                )
            return self._client

    def _is_tls(self) -> bool:
        return self.base_url.startswith("https:")

    def _context(self) -> ssl.SSLContext:
        import ssl
        from pathlib import Path

        try:
            context = ssl.create_default_context()
            if self._ca:
                folder = Path(self._ca).is_dir()
                context.load_verify_locations(**{"capath" if folder else "cafile": str(self._ca)})
            if self._certificate:
                context.load_cert_chain(*self._certificate)
        except (OSError, ssl.SSLError) as e:
            raise ConfigError(f"the certificates for {self.where} cannot be used: {e}") from e
        if self._options.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _pause_s(attempt: int, reply: Reply | None) -> float:
    """Return how long to wait: what the provider asks for, and some more or less by chance."""
    asked = reply.headers.get("retry-after", "") if reply else ""
    if asked.isascii() and asked.isdecimal():
        return min(float(asked), _MAX_PAUSE_S)
    # full jitter: clients that failed together do not return together
    return random.uniform(0.05, 0.2 * 2**attempt)  # noqa: S311
