"""``mcpy kes log``: the events of a KES as they happen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import DEFAULT_TIMEOUT_S, pass_app
from mcpy.cli.kes_access import KesCommand, KesOptions, connect
from mcpy.cli.output import printable
from mcpy.errors import DeadlineError, UnreachableError
from mcpy.jsontext import loads

if TYPE_CHECKING:
    from mcpy.api.kes import Kes, LogKind
    from mcpy.cli.app import App


@dataclass(frozen=True)
class Event:
    """One line of a log, as sent."""

    event: dict[str, Any]

    @classmethod
    def read(cls, line: bytes) -> Event:
        """Return the event of a line; what is not JSON becomes its message."""
        try:
            found = loads(line)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return cls(found)
        return cls({"message": line.decode("utf-8", "replace").rstrip()})

    def data(self) -> dict[str, Any]:
        """Return the event."""
        return self.event

    def text(self) -> str:
        """Return an error's message, or time, code, ms, IP, identity and path of a request."""
        request, response = self.event.get("request"), self.event.get("response")
        if not isinstance(request, dict) or not isinstance(response, dict):
            message = self.event.get("message")
            return printable(str(message) if message else json.dumps(self.event))
        columns = [
            self.event.get("time", ""),
            response.get("code", ""),
            f"{response.get('time', '?')} ms",
            request.get("ip", ""),
            request.get("identity", ""),
            request.get("path", ""),
        ]
        return "\t".join(printable(str(column)) for column in columns)


@click.command("log", cls=KesCommand)
@click.option("--audit", "kind", flag_value="audit", default=True, help="Audit events. [default]")
@click.option("--error", "kind", flag_value="error", help="Error events.")
@pass_app
def log(app: App, *, kind: LogKind, access: KesOptions) -> None:
    """Follow the audit or error log. It ends when interrupted, or when --timeout passes."""
    client = connect(app, access, endless=True)
    limit_s = app.settings.timeout_s
    with client.patience(limit_s or DEFAULT_TIMEOUT_S):
        client.version()  # a stream of a KES is silent until its first event
    app.out.note(f"connected to {client.where}, waiting for {kind} events")
    try:
        _follow(app, client, kind)
    except DeadlineError:
        if limit_s is None:
            raise
        app.out.note(f"stopped after {limit_s:g} s")


def _follow(app: App, client: Kes, kind: LogKind) -> None:
    with client.log(kind) as lines:
        for line in lines:
            app.out.emit(Event.read(line))
            app.out.flush()
            if app.out.reader_left:
                return
    raise UnreachableError(f"{client.where} ended the {kind} log")
