"""Doing one thing to many in threads: bounded, reported in order, and ended together.

The threads are daemons: a server that stands still must not keep an interrupted command alive.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from contextlib import closing, suppress
from itertools import repeat
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mcpy.errors import Interrupted, McpyError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

T = TypeVar("T")
R = TypeVar("R")
_PATIENCE_S = 2.0
_LOOKED_EVERY_S = 0.2


class Stop:
    """Tells threads to end; a stop that was made from another ends with it."""

    def __init__(self, parent: Stop | None = None) -> None:
        self._parent = parent
        self._event = threading.Event()

    def set(self) -> None:
        """End the work."""
        self._event.set()

    @property
    def wanted(self) -> bool:
        """Whether the work has to end."""
        return self._event.is_set() or bool(self._parent and self._parent.wanted)

    def check(self) -> None:
        """Raise Interrupted when the work has to end."""
        if self.wanted:
            raise Interrupted("interrupted")


class _Slot(Generic[T, R]):
    """One item and, once ``done``, what became of it."""

    def __init__(self, item: T) -> None:
        self.item = item
        self.done = threading.Event()
        self.result: R | None = None
        self.error: BaseException | None = None

    def run(self, act: Callable[[T], R], stop: Stop) -> None:
        try:
            stop.check()
            self.result = act(self.item)
        except BaseException as e:  # noqa: BLE001 - carried to the thread that waits, whatever it is
            self.error = e
        self.done.set()

    def outcome(self) -> R | McpyError:
        self.done.wait()
        if isinstance(self.error, McpyError) and not isinstance(self.error, Interrupted):
            return self.error
        if self.error:
            raise self.error
        return self.result  # type: ignore[return-value]  # act's own, once done without an error


def each(
    items: Iterable[T],
    act: Callable[[T], R],
    report: Callable[[T, R | McpyError], None],
    *,
    jobs: int,
    stop: Stop,
    cut: Callable[[], None] = lambda: None,
) -> None:
    """Call ``act`` on the items, ``jobs`` at a time, and ``report`` on each outcome in order.

    Items are taken as they are needed. When ``report`` raises, or Ctrl-C comes, the rest is
    stopped: ``stop`` is set, and ``cut`` breaks what still waits for a server.
    """
    with closing(outcomes(items, act, jobs=jobs, stop=stop, cut=cut)) as found:
        for item, outcome in found:
            report(item, outcome)


def outcomes(
    items: Iterable[T],
    act: Callable[[T], R],
    *,
    jobs: int,
    stop: Stop,
    cut: Callable[[], None] = lambda: None,
) -> Generator[tuple[T, R | McpyError]]:
    """Yield each item with its outcome, as ``each`` reports them; closing it ends the work."""
    if jobs == 1:
        for item in items:
            slot: _Slot[T, R] = _Slot(item)
            slot.run(act, stop)
            yield item, slot.outcome()
        return
    yield from _Crew(act, jobs=jobs, stop=stop, cut=cut).work(items)


def ahead(
    items: Iterable[T], *, stop: Stop, cut: Callable[[], None] = lambda: None
) -> Generator[T]:
    """Yield ``items``, which a thread takes up to two ahead; closing it ends the thread."""
    source = iter(items)
    end: Any = object()
    crew: _Crew[None, T] = _Crew(lambda _: next(source, end), jobs=1, stop=stop, cut=cut)
    with closing(crew.work(repeat(None))) as found:
        for _, item in found:
            if item is end:
                return
            if isinstance(item, McpyError):
                raise item
            yield item


def merged(
    sources: Sequence[Callable[[], Iterable[T]]],
    *,
    jobs: int,
    stop: Stop,
    cut: Callable[[], None] = lambda: None,
) -> Generator[tuple[int, T | None]]:
    """Yield what several sources give, ``jobs`` of them at a time, with the source's number.

    Each source keeps its own order, and ends with None. Little is held: a source waits until what
    it gave was taken. Closing it, or an error of a source, ends them all: ``stop`` is set.
    """
    confluence = _Confluence(sources, stop)
    threads = [threading.Thread(target=confluence.work, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    try:
        left = len(sources)
        while left:
            number, value = confluence.take()
            left -= value is None
            yield number, value
    finally:
        stop.set()
        _join(threads, cut)


class _Confluence(Generic[T]):
    """The sources behind ``merged``, and the one place where what they give comes together."""

    def __init__(self, sources: Sequence[Callable[[], Iterable[T]]], stop: Stop) -> None:
        self._sources = sources
        self._stop = stop
        self._numbers = iter(range(len(sources)))
        self._taking = threading.Lock()
        self._found: queue.Queue[tuple[int, T | BaseException | None]] = queue.Queue(1)

    def work(self) -> None:
        while not self._stop.wanted:
            with self._taking:
                number = next(self._numbers, None)
            if number is None:
                return
            try:
                for value in self._sources[number]():
                    if not self._put(number, value):
                        return
                self._put(number, None)
            except BaseException as e:  # noqa: BLE001 - carried to the thread that waits
                self._put(number, e)

    def _put(self, number: int, value: T | BaseException | None) -> bool:
        """Hand a value over; False when the work has to end instead."""
        while not self._stop.wanted:
            with suppress(queue.Full):
                self._found.put((number, value), timeout=_LOOKED_EVERY_S)
                return True
        return False

    def take(self) -> tuple[int, T | None]:
        while True:
            try:
                number, value = self._found.get(timeout=_LOOKED_EVERY_S)
            except queue.Empty:
                self._stop.check()
                continue
            if isinstance(value, BaseException):
                raise value
            return number, value


def _join(threads: Sequence[threading.Thread], cut: Callable[[], None]) -> None:
    """Wait for threads that were told to end; break their connections when they take long."""
    for patience in (cut, lambda: None):
        until = time.monotonic() + _PATIENCE_S
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        if not any(thread.is_alive() for thread in threads):
            return
        patience()


class _Crew(Generic[T, R]):
    """The threads behind ``each``."""

    def __init__(
        self, act: Callable[[T], R], *, jobs: int, stop: Stop, cut: Callable[[], None]
    ) -> None:
        self._act = act
        self._jobs = jobs
        self._stop = stop
        self._cut = cut
        self._threads: list[threading.Thread] = []
        self._tasks: queue.SimpleQueue[_Slot[T, R] | None] = queue.SimpleQueue()

    def work(self, items: Iterable[T]) -> Generator[tuple[T, R | McpyError]]:
        waiting: deque[_Slot[T, R]] = deque()
        try:
            for item in items:
                waiting.append(_Slot(item))
                self._hand_over(waiting[-1])
                while len(waiting) >= 2 * self._jobs or waiting[0].done.is_set():
                    slot = waiting.popleft()
                    yield slot.item, slot.outcome()
                    if not waiting:
                        break
            for slot in waiting:
                yield slot.item, slot.outcome()
        except BaseException:
            self._stop.set()
            raise
        finally:
            self._end()

    def _hand_over(self, slot: _Slot[T, R]) -> None:
        self._tasks.put(slot)
        if len(self._threads) < self._jobs:
            thread = threading.Thread(target=self._run, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self) -> None:
        while slot := self._tasks.get():
            slot.run(self._act, self._stop)

    def _end(self) -> None:
        for _ in self._threads:
            self._tasks.put(None)
        _join(self._threads, self._cut)
