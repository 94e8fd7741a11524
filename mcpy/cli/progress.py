"""Bars and spinners, by rich, on a terminal's stderr."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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
