"""What the HTTP client is asked and what it answers: calls, answers, deadlines and options."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from mcpy.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import httpx

    from mcpy.api.throttle import Throttle

_BUSY = {429, 503}
_PASSING = {408, 429, 500, 502, 503, 504}
_READS = {"GET", "HEAD"}
_PORTS = {"http": 80, "https": 443}


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
        return left_s(self.moment)


def left_s(moment: float | None) -> float:
    """Return the seconds until ``moment``; never negative, infinite for None."""
    return float("inf") if moment is None else max(0.0, moment - time.monotonic())


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
    """A whole HTTP answer; ``headers`` are by lower-case name."""

    method: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Origin:
    """A server as connections know it; ``host`` is ASCII, ``netloc`` what its header names."""

    scheme: str
    host: str
    port: int
    netloc: str


@lru_cache(maxsize=256)
def origin_of(base_url: str) -> Origin:
    """Return the server of ``http(s)://HOST[:PORT]``."""
    parts = urlsplit(base_url)
    host, usual = parts.hostname or "", _PORTS.get(parts.scheme, 0)
    if not host.isascii():
        import idna

        host = idna.encode(host).decode()
    port = parts.port or usual
    name = f"[{host}]" if ":" in host else host
    return Origin(parts.scheme, host, port, name if port == usual else f"{name}:{port}")


@dataclass(slots=True)
class Outgoing:
    """One attempt of a call, as it is signed and sent.

    Attributes:
        target: path and query as they go out.
        headers: by lower-case name, in their order.
        resource: the target with the bucket in its path, also where the host names the bucket.
    """

    method: str
    origin: Origin
    target: str
    headers: dict[str, str]
    content: bytes | Iterable[bytes] = b""
    resource: str = ""


class Signer(Protocol):
    """Puts on a request what proves who sends it, anew for each attempt."""

    def sign(self, request: Outgoing) -> None:
        """Add headers to ``request``."""


class Reply(Protocol):
    """An answer whose body is still on the wire; ``headers`` are by lower-case name."""

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as sent; network failures are those of ``failures``."""

    def close(self) -> None:
        """Be done with it, read to its end or not."""


class Sender(Protocol):
    """Sends requests; network failures are those of ``failures``."""

    def send(self, request: Outgoing, moment: float | None) -> Reply:
        """Send one request; all of it, and of its answer, has to be over by ``moment``."""

    def close(self) -> None:
        """Close the connections, also those that somebody waits for."""


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
