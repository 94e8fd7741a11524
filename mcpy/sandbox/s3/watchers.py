"""Who listens to what happens to objects, and what each has not heard yet."""

from __future__ import annotations

import queue
from typing import Any, NamedTuple

from mcpy.sandbox.s3.statements import matches

MAX_WAITING = 10_000


class Event(NamedTuple):
    """Something that happened; ``record`` is what is told of it."""

    name: str
    bucket: str
    key: str
    record: dict[str, Any]


class Watch:
    """What one listener wants to hear, and what it has not heard yet."""

    def __init__(self, bucket: str, names: list[str], prefix: str, suffix: str) -> None:
        self.waiting: queue.Queue[Event] = queue.Queue(MAX_WAITING)
        self._bucket = bucket
        self._names = names
        self._prefix = prefix
        self._suffix = suffix

    def hears(self, event: Event) -> bool:
        """Tell whether an event is one it asked for."""
        return (
            self._bucket in {"", event.bucket}
            and event.key.startswith(self._prefix)
            and event.key.endswith(self._suffix)
            and any(matches(name, event.name) for name in self._names)
        )


class Watchers:
    """Everybody who listens to one server."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()

    def __bool__(self) -> bool:
        return bool(self._watches)

    def add(self, watch: Watch) -> None:
        """Begin to tell somebody."""
        self._watches = {*self._watches, watch}

    def remove(self, watch: Watch) -> None:
        """Stop telling somebody."""
        self._watches = self._watches - {watch}

    def tell(self, event: Event) -> None:
        """Tell all who want to hear of it; who is too slow misses it."""
        for watch in self._watches:
            if watch.hears(event) and not watch.waiting.full():
                watch.waiting.put(event)
