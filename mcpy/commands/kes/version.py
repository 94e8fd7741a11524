"""``mcpy kes version``: the build of a KES server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.kes_access import KesCommand, KesOptions, connect

if TYPE_CHECKING:
    from mcpy.api.kes import ServerVersion
    from mcpy.cli.app import App


@dataclass(frozen=True)
class Version:
    """The build of a KES server."""

    server: str
    found: ServerVersion

    def data(self) -> dict[str, Any]:
        """Return version, commit and the server's address."""
        found = self.found
        return {"version": found.version, "commit": found.commit, "server": self.server}

    def text(self) -> str:
        """Return one line."""
        return f"{self.found.version} (commit {self.found.commit or 'unknown'})"


@click.command("version", cls=KesCommand)
@pass_app
def version(app: App, *, access: KesOptions) -> None:
    """Show the version of the server. Any identity may ask."""
    client = connect(app, access)
    found = client.version()
    app.out.emit(Version(client.where, found))
