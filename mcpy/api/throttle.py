"""Bounds how fast bytes leave and arrive: ``--limit-upload`` and ``--limit-download``."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mcpy.api.failures import Late

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mcpy.api.call import Outgoing, Reply, Sender

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

    def take(self, count: int, moment: float | None = None) -> None:
        """Return when ``count`` more bytes may have passed.

        Raises:
            Late: that would be after ``moment``.
        """
        with self._lock:
            # who was idle may not catch up: the limit holds for every moment
            self._free_at = max(self._free_at, self._now()) + count / self.bytes_per_s
            wait_s = self._free_at - self._now()
            left_s = wait_s if moment is None else max(0.0, moment - self._now())
        if wait_s > 0:
            self._sleep(min(wait_s, left_s))
        if wait_s > left_s:
            raise Late("the limit on bytes a second leaves no time")

    def paced(self, chunks: Iterable[bytes], moment: float | None = None) -> Iterator[bytes]:
        """Yield the same bytes in turns, no faster than the limit; raises as ``take``."""
        for chunk in chunks:
            for start in range(0, len(chunk), self.turn_bytes):
                turn = chunk[start : start + self.turn_bytes]
                self.take(len(turn), moment)
                yield turn


class Throttled:
    """Another sender, with the bodies of requests and answers held to limits."""

    def __init__(
        self, inner: Sender, *, upload: Throttle | None, download: Throttle | None
    ) -> None:
        self._inner, self._upload, self._download = inner, upload, download

    def send(self, request: Outgoing, moment: float | None) -> Reply:
        """Send one request and return its answer, both bodies paced."""
        content = request.content
        if self._upload and content:
            chunks = [content] if isinstance(content, bytes) else content
            request = replace(request, content=self._upload.paced(chunks, moment))
        reply = self._inner.send(request, moment)
        return _Paced(reply, self._download, moment) if self._download else reply

    def close(self) -> None:
        """Close what is behind it."""
        self._inner.close()


class _Paced:
    def __init__(self, reply: Reply, throttle: Throttle, moment: float | None) -> None:
        self.status, self.headers = reply.status, reply.headers
        self._reply, self._throttle, self._moment = reply, throttle, moment

    def chunks(self) -> Iterator[bytes]:
        yield from self._throttle.paced(self._reply.chunks(), self._moment)

    def close(self) -> None:
        self._reply.close()
