"""Bars and spinners, by rich, on a terminal's stderr."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SHOWN_EVERY_S = 0.1


def _console(stream: TextIO, *, color: bool) -> Console:
    return Console(file=stream, no_color=not color)


@contextmanager
def bar(
    stream: TextIO, label: str, *, total: int | None, color: bool
) -> Iterator[Callable[[int], None]]:
    """Show bytes moved of ``total``, their rate and the time left."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console(stream, color=color), transient=True) as shown:
        task = shown.add_task(label, total=total)
        yield lambda count: shown.advance(task, count)


@contextmanager
def counter(
    stream: TextIO, label: str, *, total: int | None, color: bool
) -> Iterator[Callable[[int], None]]:
    """Show things counted, how many a second and, where ``total`` is known, the time left."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        *((BarColumn(), MofNCompleteColumn()) if total else (CountColumn(),)),
        RateColumn(),
        *((TimeRemainingColumn(),) if total else (TimeElapsedColumn(),)),
    )
    with Progress(*columns, console=_console(stream, color=color), transient=True) as shown:
        task = shown.add_task(label, total=total)
        waiting, last = 0, time.monotonic()

        def advance(count: int) -> None:
            # rich takes a lock for each call: a million of them would cost as much as the work
            nonlocal waiting, last
            waiting += count
            if (now := time.monotonic()) - last >= _SHOWN_EVERY_S:
                shown.advance(task, waiting)
                waiting, last = 0, now

        yield advance


class CountColumn(ProgressColumn):
    """How many so far."""

    def render(self, task: Task) -> Text:
        """Return the number."""
        return Text(f"{int(task.completed):,}")


class RateColumn(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Return the rate; nothing before there is one."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


@contextmanager
def spinner(stream: TextIO, label: str, *, color: bool) -> Iterator[Callable[[str], None]]:
    """Show what is going on and for how long."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_console(stream, color=color), transient=True) as shown:
        task = shown.add_task(label, total=None)
        yield lambda state: shown.update(task, description=f"{label}: {state}")
