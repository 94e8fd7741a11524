"""``mcpy ready``: wait until a server serves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.params import ALIAS
from mcpy.errors import DeadlineError, UnreachableError

if TYPE_CHECKING:
    from mcpy.cli.app import App

_POLL_S = 0.5


@dataclass(frozen=True)
class Ready:
    """A server that serves."""

    alias: str

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {"status": "success", "alias": self.alias, "healthy": True}

    def text(self) -> str:
        """Return one line."""
        return f"`{self.alias}` is ready."


@click.command("ready", cls=Command)
@click.argument("alias", type=ALIAS)
@pass_app
def ready(app: App, alias: str) -> None:
    """Wait until a server is healthy and S3 answers. Exit 6 when --timeout passes first."""
    from mcpy.fleet.restart import answers_s3

    admin, s3 = app.admin(alias), app.s3(alias)
    cause = ""
    with app.out.spinner(f"wait for {alias}") as say:
        while app.deadline.left_s() > 0:
            try:
                if admin.health() and answers_s3(s3):
                    app.out.done(Ready(alias))
                    return
                cause = "it answers, and says that it is not ready"
            except UnreachableError as error:
                cause = error.message
                say(cause)
            time.sleep(min(_POLL_S, app.deadline.left_s()))
    why = f": {cause}" if cause else ""
    raise DeadlineError(f"`{alias}` was not ready within {app.deadline.timeout_s:g} s{why}")
