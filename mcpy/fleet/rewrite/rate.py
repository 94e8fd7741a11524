"""Holding the work back: so many objects, or so many bytes, a second over all threads."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_RATE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(?:([kmgt])(i?)b|(b))?(?:/s)?", re.IGNORECASE)


@dataclass(frozen=True)
class Rate:
    """How much a second: objects or bytes; 0 of either is no limit."""

    objects: float = 0.0
    size: float = 0.0


def parse_rate(text: str) -> Rate:
    """Return the rate of ``50`` or ``50/s`` objects, or ``20MiB/s``.

    Raises:
        InputError: it is of another form, or nothing would ever be done.
    """
    match = _RATE.fullmatch(text.strip())
    number = float(match[1]) if match else 0.0
    if not match or not number:
        raise InputError(f"`{text}` is not a rate such as 50/s objects, or 20MiB/s")
    if match[4]:
        return Rate(size=number)
    if not match[2]:
        return Rate(objects=number)
    base = 1024 if match[3] else 1000
    return Rate(size=number * base ** _UNITS[match[2].lower()])


def parse_size(text: str) -> int:
    """Return bytes from ``5GiB``, ``16MB`` or a number.

    Raises:
        InputError: it is of another form.
    """
    match = _RATE.fullmatch(text.strip())
    if not match or text.strip().endswith("s") or float(match[1]) <= 0:
        raise InputError(f"`{text}` is not a size such as 5GiB")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** _UNITS[(match[2] or "").lower()])


@dataclass
class Brake:
    """Makes whoever has done something wait until the rate allows the next."""

    rate: Rate
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _free_at: float = 0.0

    def moved(self, size: int) -> None:
        """Say that an object of ``size`` bytes was rewritten, and wait for one's turn."""
        cost_s = 1 / self.rate.objects if self.rate.objects else 0.0
        cost_s += size / self.rate.size if self.rate.size else 0.0
        if not cost_s:
            return
        with self._lock:
            now = self.clock()
            self._free_at = max(self._free_at, now) + cost_s
            wait_s = self._free_at - now
        self.sleep(wait_s)
