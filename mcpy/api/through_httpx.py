"""Requests through a transport of httpx: where a proxy or a throttle stands in the way.

Whoever calls mcpy as a library may give a transport of their own as well, and the tests do.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import httpcore
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
from mcpy.api.transport import deadline_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mcpy.api.call import Outgoing

# in this order: the first that fits names the failure
_KINDS: tuple[tuple[tuple[type[Exception], ...], type[Failure]], ...] = (
    ((httpcore.ConnectTimeout, httpx.ConnectTimeout), LateConnect),
    ((httpcore.TimeoutException, httpx.TimeoutException), Late),
    ((httpcore.ConnectError, httpx.ConnectError), NotConnected),
    ((httpcore.ProxyError, httpx.ProxyError), ProxyRefused),
    ((httpcore.RemoteProtocolError, httpx.RemoteProtocolError), NotHttp),
    ((httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol), NoSuchScheme),
    ((httpcore.NetworkError, httpcore.ProtocolError, httpx.TransportError), Failure),
)
_NETWORK = tuple(one for types, _ in _KINDS for one in types)


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
            content=request.content or None,
            extensions={
                "target": request.target.encode("ascii"),
                "resource": request.resource,
                "timeout": self._timeout(moment),
            },
        )
        with _failures(moment):
            return HttpxReply(self._transport.handle_request(sent), moment)

    def _timeout(self, moment: float | None) -> dict[str, float | None]:
        left = left_s(moment)
        idle_s, connect_s = min(self._idle_s, left), min(self._connect_s, left)
        return httpx.Timeout(idle_s, connect=connect_s).as_dict()

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()


class HttpxReply:
    """An answer of a transport."""

    def __init__(self, response: httpx.Response, moment: float | None) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {
            name.lower(): value for name, value in response.headers.items()
        }
        self._response, self._moment = response, moment

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as sent."""
        chunks = iter(cast("httpx.SyncByteStream", self._response.stream))
        while True:
            # only the network's failures are named anew, not those of whoever reads
            with _failures(self._moment):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk

    def close(self) -> None:
        """Give the connection back."""
        self._response.close()


@contextmanager
def _failures(moment: float | None) -> Iterator[None]:
    """Hold the block to ``moment``, and name its failures."""
    try:
        with deadline_at(moment):
            yield
    except _NETWORK as e:
        kind = next(kind for types, kind in _KINDS if isinstance(e, types))
        raise kind(str(e)) from e
