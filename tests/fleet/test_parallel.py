"""Threads doing one thing to many: order, bounds, failures, stopping."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from mcpy.errors import Interrupted, McpyError, NotFoundError
from mcpy.fleet.parallel import Stop, ahead, each, merged

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("jobs", [1, 4])
def test_outcomes_come_in_the_order_of_the_items(jobs: int) -> None:
    seen: list[object] = []

    def act(number: int) -> int:
        time.sleep(0.002 * (9 - number))  # the first takes longest
        return number * 2

    each(range(10), act, lambda item, found: seen.append((item, found)), jobs=jobs, stop=Stop())
    assert seen == [(number, number * 2) for number in range(10)]


def test_so_many_at_a_time_and_no_more() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def act(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    each(range(20), act, lambda *_: None, jobs=3, stop=Stop())
    assert most == 3


def test_items_are_taken_as_they_are_needed() -> None:
    taken, reported, furthest = 0, 0, 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(200):
            taken += 1
            yield number

    def report(*_: object) -> None:
        nonlocal reported, furthest
        reported += 1
        furthest = max(furthest, taken - reported)

    each(items(), lambda number: number, report, jobs=2, stop=Stop())
    assert reported == 200
    assert furthest < 8


@pytest.mark.parametrize("jobs", [1, 3])
def test_an_error_is_an_outcome_and_stops_none(jobs: int) -> None:
    seen: list[str] = []

    def act(number: int) -> int:
        if number == 1:
            raise NotFoundError("gone")
        return number

    each(range(3), act, lambda _, found: seen.append(str(found)), jobs=jobs, stop=Stop())
    assert seen == ["0", "gone", "2"]


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_bug_is_raised(jobs: int) -> None:
    def act(_: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        each(range(3), act, lambda *_: None, jobs=jobs, stop=Stop())


def test_when_the_report_raises_the_rest_is_stopped() -> None:
    done: list[int] = []
    stop = Stop()

    def act(number: int) -> int:
        for _ in range(100):
            stop.check()
            time.sleep(0.002 if number else 0)
        done.append(number)
        return number

    def report(_: int, found: int | McpyError) -> None:
        raise McpyError(f"{found} was enough")

    with pytest.raises(McpyError, match="0 was enough"):
        each(range(50), act, report, jobs=3, stop=stop)
    assert stop.wanted
    assert done == [0]


def test_a_thread_that_waits_for_ever_is_cut_off() -> None:
    cut = threading.Event()

    def act(number: int) -> int:
        if number:
            cut.wait(20)
        return number

    def report(*_: object) -> None:
        raise McpyError("enough")

    started = time.monotonic()
    with pytest.raises(McpyError, match="enough"):
        each(range(3), act, report, jobs=3, stop=Stop(), cut=cut.set)
    assert time.monotonic() - started < 10


def test_a_stop_ends_with_the_one_it_was_made_from() -> None:
    parent = Stop()
    child = Stop(parent)
    child.check()
    parent.set()
    with pytest.raises(Interrupted):
        child.check()
    assert not Stop().wanted


def test_sources_are_merged_each_in_its_own_order() -> None:
    sources = [lambda n=n: iter([f"{n}{m}" for m in range(5)]) for n in "abc"]
    found = list(merged(sources, jobs=2, stop=Stop()))
    for number, name in enumerate("abc"):
        mine = [value for source, value in found if source == number]
        assert mine == [*(f"{name}{m}" for m in range(5)), None]


def test_an_error_of_one_source_ends_all() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    def broken() -> Iterator[int]:
        yield 2
        raise NotFoundError("gone")

    stop, before = Stop(), threading.active_count()
    with pytest.raises(NotFoundError):
        list(merged([endless, broken], jobs=2, stop=stop))
    assert stop.wanted
    assert threading.active_count() == before  # one that goes on takes the processor for ever


def test_a_source_waits_until_what_it_gave_is_taken() -> None:
    given = 0

    def source() -> Iterator[int]:
        nonlocal given
        for _ in range(100):
            given += 1
            yield given

    for taken, _ in enumerate(merged([source], jobs=1, stop=Stop())):
        assert given - taken <= 4


def test_a_merge_that_is_stopped_ends() -> None:
    stop = Stop()

    def waiting() -> Iterator[int]:
        yield 1
        while not stop.wanted:
            time.sleep(0.001)

    found = merged([waiting], jobs=1, stop=stop)
    assert next(found) == (0, 1)
    stop.set()
    with pytest.raises(Interrupted):
        list(found)


def test_what_is_taken_ahead_keeps_its_order_and_its_errors() -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise NotFoundError("gone")

    seen: list[int] = []
    with pytest.raises(NotFoundError):
        seen.extend(ahead(items(), stop=Stop()))
    assert seen == list(range(10))
    assert list(ahead(range(5), stop=Stop())) == [0, 1, 2, 3, 4]
