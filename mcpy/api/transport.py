"""The bytes below httpx: deadlines that hold whatever the server does, and ``--resolve``.

httpx limits each single read. A server that sends a byte every second never trips such a limit,
so the network backend given to httpcore clips every read, write and connect to the time that is
left of the whole call.
"""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator, Mapping

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline_at(moment: float | None) -> Iterator[None]:
    """Let every network act in the block end before ``moment`` on the monotonic clock."""
    token = _deadline.set(moment)
    try:
        yield
    finally:
        _deadline.reset(token)


def _clip(timeout: float | None, error: type[Exception]) -> float | None:
    moment = _deadline.get()
    if moment is None:
        return timeout
    left = moment - time.monotonic()
    if left <= 0:
        raise error("the deadline passed")
    return left if timeout is None else min(left, timeout)


class _Stream(httpcore.NetworkStream):
    """A connection whose every act is clipped to the deadline in force."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._greeted = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, _clip(timeout, httpcore.ReadTimeout))
        # a server of another protocol is known by its first bytes; h11 would wait for more
        if not self._greeted and not data.startswith(b"HTTP/"[: len(data)]):
            raise httpcore.RemoteProtocolError("the answer does not begin like one of HTTP")
        self._greeted = self._greeted or bool(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _clip(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        # close alone does not wake a thread that waits for the other side
        if found := self._stream.get_extra_info("socket"):
            with suppress(OSError):
                socket.socket.shutdown(found, socket.SHUT_RDWR)
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _clip(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's signature
        return self._stream.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    """Connects where ``resolve`` says, and clips what is connected."""

    def __init__(self, resolve: Mapping[str, str]) -> None:
        self._resolve = resolve

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        address = self._resolve.get(f"{host}:{port}") or self._resolve.get(host, host)
        timeout = _clip(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(address, port, timeout, local_address, socket_options))


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class Transport(httpx.BaseTransport):
    """httpx's transport over an httpcore pool with our own network backend.

    Args:
        context: for ``https``; None when the client only speaks ``http``.
        resolve: ``HOST:PORT`` or ``HOST`` to the address to connect to instead.
        proxy: an HTTP proxy with its credentials, or None.
    """

    def __init__(
        self,
        context: ssl.SSLContext | None,
        *,
        resolve: Mapping[str, str],
        proxy: httpcore.Proxy | None = None,
        max_connections: int = 256,  # threads wait for work, not for connections
    ) -> None:
        self._forwarded = {b"http"} if proxy else set()
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=max_connections,
            network_backend=_Backend(resolve),
            proxy=proxy,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; failures are httpcore's exceptions."""
        extensions = request.extensions
        if request.url.raw_scheme in self._forwarded and "target" in extensions:
            # a proxy is asked for the whole URL, and httpcore leaves a given target as it is
            origin = b"http://" + request.url.netloc
            extensions = {**extensions, "target": origin + extensions["target"]}
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=extensions,
            )
        )
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close every pooled connection."""
        self._pool.close()
