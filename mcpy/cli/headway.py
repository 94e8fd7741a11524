"""How far a rewriting is, at which rate, and how long it may take: on a terminal only."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcpy.cli.output import printable
from mcpy.errors import McpyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.cli.app import App
    from mcpy.fleet.rewrite.session import Session

_TELL_S = 0.2


class Headway:
    """How far it is, at which rate, and how long it may take, on a terminal."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._start = time.monotonic()
        self._told = 0.0
        self._count = 0
        self.total: int | None = None

    def state(self, text: str) -> None:
        """Say what is going on."""
        self._say(text)
        self._start = time.monotonic()

    def one(self) -> None:
        """Count one version."""
        self._count += 1
        now = time.monotonic()
        if now - self._told < _TELL_S:
            return
        self._told = now
        rate = self._count / max(now - self._start, 0.001)
        words = f"{self._count} versions, {rate:.0f}/s"
        if self.total and self.total > self._count:
            left_s = (self.total - self._count) / max(rate, 0.001)
            words = f"{self._count} of {self.total} versions, {rate:.0f}/s, {left_s:.0f} s left"
        self._say(words)


@contextmanager
def headway(app: App, session: Session, label: str) -> Iterator[Headway]:
    """Give what is told of each version while ``session`` is at work."""
    with app.out.spinner(printable(label)) as say:
        progress, over = Headway(say), threading.Event()
        if app.out.interactive:
            count = (session, progress, over)
            threading.Thread(target=_count, args=count, daemon=True).start()
        try:
            yield progress
        finally:
            over.set()


def _count(session: Session, progress: Headway, over: threading.Event) -> None:
    """Count what there is, beside the work, so that its end can be foretold."""
    total = 0
    try:
        for _ in session.s3.list_versions(session.target.bucket, session.target.key):
            total += 1
            if over.is_set():
                return
    except McpyError:
        return
    progress.total = total
