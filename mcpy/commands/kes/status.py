"""``mcpy kes status``: is the server up, and can it reach its keystore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.kes_access import KesCommand, KesOptions, connect
from mcpy.cli.output import table
from mcpy.errors import KesError, UnreachableError

if TYPE_CHECKING:
    from mcpy.cli.app import App

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Status:
    """The state of one KES; ``state`` is its answer as sent."""

    server: str
    state: dict[str, Any]
    short: bool = False

    def data(self) -> dict[str, Any]:
        """Return KES's own fields and the server's address."""
        return {**self.state, "server": self.server}

    def text(self) -> str:
        """Return one fact a line."""
        state = self.state
        if self.short:
            return f"● {self.server}"
        rows = [
            ("Version", state["version"]),
            ("Uptime", f"{state.get('uptime', 0)} s"),
            ("Latency", f"{state.get('keystore_latency', 0)} ms"),
            ("OS", f"{state.get('os', '?')}/{state.get('arch', '?')}"),
            ("CPUs", f"{state.get('num_cpu_used', '?')} of {state.get('num_cpu', '?')}"),
            ("Heap", f"{state.get('mem_heap_used', 0) / _MIB:.1f} MiB"),
            ("Stack", f"{state.get('mem_stack_used', 0) / _MIB:.1f} MiB"),
        ]
        lines = [f"  {name:<9}{value}" for name, value in rows]
        return "\n".join([f"● {self.server}", *lines])


@dataclass(frozen=True)
class Apis:
    """What a KES can be asked; seconds and bytes as sent."""

    apis: list[dict[str, Any]]
    aligned: bool

    def data(self) -> list[dict[str, Any]]:
        """Return kes's fields; a limit that is none is left out."""
        return [
            {name: value for name, value in api.items() if value != 0}
            for api in sorted(self.apis, key=lambda api: str(api.get("path")))
        ]

    def text(self) -> str:
        """Return method, path and time limit of each."""
        rows = [
            [str(api.get("method")), str(api.get("path")), _limit(api.get("timeout"))]
            for api in self.data()
        ]
        return table(["Method", "API", "Timeout"], rows, aligned=self.aligned)


def _limit(timeout_s: int | None) -> str:
    return f"{timeout_s}s" if timeout_s else "Inf"


@click.command("status", cls=KesCommand)
@click.option("-s", "--short", is_flag=True, help="One line: which server answers.")
@click.option("--api", "with_apis", is_flag=True, help="List what the server can be asked.")
@pass_app
def status(app: App, *, short: bool, with_apis: bool, access: KesOptions) -> None:
    """Show the state of the server. Fails when the keystore cannot be reached."""
    client = connect(app, access)
    state = client.status()
    if not (with_apis and app.out.json):  # kes prints the list alone
        app.out.emit(Status(client.where, state, short=short))
    if with_apis:
        app.out.emit(Apis(client.apis(), app.out.tables))
    if state.get("keystore_unreachable") or state.get("keystore_unavailable"):
        raise UnreachableError(f"the keystore behind {client.where} cannot be reached")
    try:
        client.ready()
    except KesError as e:
        if e.status in {502, 504}:
            raise UnreachableError(f"{client.where}: {e.server_message}") from e
        if e.status != 403:  # not every identity may ask
            raise
