"""``mcpy kes status``: is the server up, and can it reach its keystore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.kes_access import KesCommand, KesOptions, connect
from mcpy.errors import KesError, UnreachableError

if TYPE_CHECKING:
    from mcpy.cli.app import App

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Status:
    """The state of one KES; ``state`` is its answer as sent."""

    server: str
    state: dict[str, Any]

    def data(self) -> dict[str, Any]:
        """Return KES's own fields and the server's address."""
        return {**self.state, "server": self.server}

    def text(self) -> str:
        """Return one fact a line."""
        state = self.state
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


@click.command("status", cls=KesCommand)
@pass_app
def status(app: App, *, access: KesOptions) -> None:
    """Show version, uptime and load; fails when the keystore cannot be reached."""
    client = connect(app, access)
    state = client.status()
    app.out.emit(Status(client.where, state))
    if state.get("keystore_unreachable") or state.get("keystore_unavailable"):
        raise UnreachableError(f"the keystore behind {client.where} cannot be reached")
    try:
        client.ready()
    except KesError as e:
        if e.status in {502, 504}:
            raise UnreachableError(f"{client.where}: {e.server_message}") from e
        if e.status != 403:  # not every identity may ask
            raise
