"""``mcpy ready``: wait until a server serves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import for_each, jobs_option
from mcpy.cli.params import ALIAS
from mcpy.errors import DeadlineError, UnreachableError

if TYPE_CHECKING:
    from mcpy.api.madmin_types import Health
    from mcpy.cli.app import App

_POLL_S = 0.5
_NOT_READY = "it answers, and says that it is not ready"
_NOT_WITHOUT = "it answers, and says that it needs the node that was asked"


@dataclass(frozen=True)
class Ready:
    """A server that serves."""

    alias: str
    health: Health

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {
            "status": "success",
            "alias": self.alias,
            "healthy": True,
            "maintenanceMode": False,
            "writeQuorum": self.health.write_quorum,
            "healingDrives": self.health.healing_drives,
            "error": None,
        }

    def text(self) -> str:
        """Return one line."""
        return f"`{self.alias}` is ready."


@click.command("ready", cls=Command)
@click.argument("aliases", type=ALIAS, nargs=-1, required=True, metavar="ALIAS...")
@click.option("--cluster-read", is_flag=True, help="Ready to read is enough.")
@click.option("--maintenance", is_flag=True, help="Ready without the node that is asked, too.")
@jobs_option
@pass_app
def ready(
    app: App, aliases: tuple[str, ...], *, cluster_read: bool, maintenance: bool, jobs: int
) -> None:
    """Wait until servers are healthy and S3 answers. Exit 6 when --timeout passes first."""
    kind = "cluster/read" if cluster_read else "cluster"

    def wait(alias: str) -> Ready:
        return _wait(app.apart(), alias, kind, maintenance=maintenance)

    for_each(app, aliases, wait, jobs=jobs)


def _wait(app: App, alias: str, kind: str, *, maintenance: bool) -> Ready:
    from mcpy.fleet.restart import answers_s3

    admin, s3 = app.admin(alias), app.s3(alias)
    cause = ""
    with app.out.spinner(f"wait for {alias}") as say:
        while app.deadline.left_s() > 0:
            try:
                health = admin.health_of(kind, without_this_node=maintenance)
                if health.healthy and answers_s3(s3):
                    return Ready(alias, health)
                cause = _NOT_WITHOUT if health.maintenance else _NOT_READY
            except UnreachableError as error:
                cause = error.message
                say(cause)
            time.sleep(min(_POLL_S, app.deadline.left_s()))
    why = f": {cause}" if cause else ""
    raise DeadlineError(f"`{alias}` was not ready within {app.deadline.timeout_s:g} s{why}")
