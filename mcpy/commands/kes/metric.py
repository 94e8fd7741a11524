"""``mcpy kes metric``: the counters of a KES, once or again and again."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import DEFAULT_TIMEOUT_S, pass_app
from mcpy.cli.kes_access import KesCommand, KesOptions, connect
from mcpy.cli.params import DURATION

if TYPE_CHECKING:
    from mcpy.cli.app import App


@dataclass(frozen=True)
class Metrics:
    """The counters by kes's names: JSON in a pipe as in kes, lines for a person."""

    counters: dict[str, Any]
    lines: bool

    def data(self) -> dict[str, Any]:
        """Return kes's fields."""
        return self.counters

    def text(self) -> str:
        """Return lines where stdout is a terminal, and kes's JSON where it is not."""
        if not self.lines:
            return json.dumps(self.counters, separators=(",", ":"))
        rows = [(n, v) for n, v in self.counters.items() if not isinstance(v, dict)]
        width = max(len(name) for name, _ in rows)
        return "\n".join([*(f"{name:<{width}}  {value}" for name, value in rows), ""])


@click.command("metric", cls=KesCommand)
@click.option("--rate", type=DURATION, default="5s", help="How often to ask. [5s]")
@click.option("--once", is_flag=True, help="Ask once.")
@click.option("--prometheus", is_flag=True, help="Print Prometheus's text once, as sent.")
@pass_app
def metric(app: App, *, rate: float, once: bool, prometheus: bool, access: KesOptions) -> None:
    """Show the server's counters. Requests, response times, log events and memory.

    Times are nanoseconds, as in kes.
    """
    from mcpy.api import kes_metrics

    client = connect(app, access, endless=True)
    limit_s = app.settings.timeout_s
    end = time.monotonic() + limit_s if limit_s else float("inf")
    while True:
        with client.patience(limit_s or DEFAULT_TIMEOUT_S):
            text = client.metrics()
        if prometheus:
            app.out.lines(text.rstrip("\n"))
            return
        counters = kes_metrics.parse(text, client.where)
        app.out.emit(Metrics(counters, lines=app.out.tables))
        app.out.flush()
        if once or app.out.reader_left or time.monotonic() + rate >= end:
            return
        time.sleep(rate)
