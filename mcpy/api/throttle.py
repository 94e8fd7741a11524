"""Bounds how fast bytes leave and arrive: ``--limit-upload`` and ``--limit-download``."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TURNS_PER_S = 8  # how often bytes move: rarely enough to be cheap, often enough to be steady
_SMALLEST_TURN = 1024


class Throttle:
    """So many bytes a second for all threads and connections together.

    Args:
        bytes_per_s: the limit, more than none.
        now: the monotonic clock.
        sleep: waits.
    """

    def __init__(
        self,
        bytes_per_s: int,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.bytes_per_s = bytes_per_s
        self.turn_bytes = max(_SMALLEST_TURN, bytes_per_s // _TURNS_PER_S)
        self._now, self._sleep = now, sleep
        self._lock = threading.Lock()
        self._free_at = now()

    def take(self, count: int) -> None:
        """Return when ``count`` more bytes may have passed."""
        with self._lock:
            # who was idle may not catch up: the limit holds for every moment
            self._free_at = max(self._free_at, self._now()) + count / self.bytes_per_s
            wait_s = self._free_at - self._now()
        if wait_s > 0:
            self._sleep(wait_s)

    def paced(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the same bytes in turns, no faster than the limit."""
        for chunk in chunks:
            for start in range(0, len(chunk), self.turn_bytes):
                turn = chunk[start : start + self.turn_bytes]
                self.take(len(turn))
                yield turn


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
