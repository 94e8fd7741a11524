"""Requests through a transport of httpx, as whoever calls mcpy as a library may give one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import httpx

from mcpy.api.call import left_s
from mcpy.api.failures import (
    Failure,
    Late,
    LateConnect,
    NoSuchScheme,
    NotConnected,
    NotHttp,
    ProxyRefused,
)
from mcpy.api.heads import headers_of
from mcpy.api.outgoing import pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mcpy.api.call import Outgoing

# in this order: the first that fits names the failure
_KINDS: tuple[tuple[type[Exception], type[Failure]], ...] = (
    (httpx.ConnectTimeout, LateConnect),
    (httpx.TimeoutException, Late),
    (httpx.ConnectError, NotConnected),
    (httpx.ProxyError, ProxyRefused),
    (httpx.RemoteProtocolError, NotHttp),
    (httpx.UnsupportedProtocol, NoSuchScheme),
    (httpx.TransportError, Failure),
)


class ThroughHttpx:
    """Sends by ``transport``.

    Args:
        transport: the one to use; it is closed with this.
        idle_s: how long a connection may stand still.
        connect_s: how long one may take to open.
    """

    def __init__(self, transport: httpx.BaseTransport, *, idle_s: float, connect_s: float) -> None:
        self._transport = transport
        self._idle_s, self._connect_s = idle_s, connect_s

    def send(self, request: Outgoing, moment: float | None) -> HttpxReply:
        """Send one request; what happens until ``moment`` counts."""
        sent = httpx.Request(
            request.method,
            f"{request.origin.scheme}://{request.origin.netloc}{request.target}",
            # metadata may be of any language; httpx alone would take ASCII only
            headers=[(name.encode(), value.encode()) for name, value in request.headers.items()],
            content=request.content if isinstance(request.content, bytes) else pieces(request),
            extensions={
                "target": request.target.encode("ascii"),
                "resource": request.resource,
                "timeout": self._timeout(moment),
            },
        )
        with _failures():
            return HttpxReply(self._transport.handle_request(sent))

    def _timeout(self, moment: float | None) -> dict[str, float | None]:
        left = left_s(moment)
        idle_s, connect_s = min(self._idle_s, left), min(self._connect_s, left)
        return httpx.Timeout(idle_s, connect=connect_s).as_dict()

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()


class HttpxReply:
    """An answer of a transport."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = headers_of(response.headers.raw)
        self._response = response

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as sent."""
        chunks = iter(cast("httpx.SyncByteStream", self._response.stream))
        while True:
            # only the network's failures are named anew, not those of whoever reads
            with _failures():
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk

    def close(self) -> None:
        """Give the connection back."""
        self._response.close()


@contextmanager
def _failures() -> Iterator[None]:
    """Name the network's failures."""
    try:
        yield
    except httpx.TransportError as e:
        kind = next(kind for type_, kind in _KINDS if isinstance(e, type_))
        raise kind(str(e)) from e
