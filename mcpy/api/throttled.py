"""A transport of httpx whose bodies are held to limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.api.throttle import Throttle


class _Paced(httpx.SyncByteStream):
    """A body that passes no faster than its throttle lets it."""

    def __init__(self, body: httpx.SyncByteStream, throttle: Throttle) -> None:
        self._body, self._throttle = body, throttle

    def __iter__(self) -> Iterator[bytes]:
        yield from self._throttle.paced(self._body)

    def close(self) -> None:
        self._body.close()


class ThrottledTransport(httpx.BaseTransport):
    """Another transport, with the bodies of requests and answers held to limits."""

    def __init__(
        self, inner: httpx.BaseTransport, *, upload: Throttle | None, download: Throttle | None
    ) -> None:
        self._inner, self._upload, self._download = inner, upload, download

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return its answer, both bodies paced."""
        if self._upload and isinstance(request.stream, httpx.SyncByteStream):
            request.stream = _Paced(request.stream, self._upload)
        answer = self._inner.handle_request(request)
        if self._download and isinstance(answer.stream, httpx.SyncByteStream):
            answer.stream = _Paced(answer.stream, self._download)
        return answer

    def close(self) -> None:
        """Close what is behind it."""
        self._inner.close()


def throttled(
    transport: httpx.BaseTransport, *, upload: Throttle | None, download: Throttle | None
) -> httpx.BaseTransport:
    """Return ``transport``, held to the limits where there are some."""
    if not (upload or download):
        return transport
    return ThrottledTransport(transport, upload=upload, download=download)
