"""Bounds how fast bytes leave and arrive: ``--limit-upload`` and ``--limit-download``."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

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
