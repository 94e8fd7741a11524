"""``mcpy admin service``: restart, stop, freeze and unfreeze a deployment, and prove it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Group
from mcpy.cli.params import ALIAS
from mcpy.errors import PartialError, UnreachableError

if TYPE_CHECKING:
    from mcpy.api.madmin import NodeResult
    from mcpy.cli.app import App
    from mcpy.fleet.restart import Node, Restarted

_DONE_STATE = 2  # mc's code for a restart that is over
_WOULD_RESTART = "would restart"


@dataclass(frozen=True)
class ServiceDone:
    """A stop, freeze or unfreeze that was seen to happen."""

    alias: str
    verb: str

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {"status": "success", "serverURL": self.alias, "action": self.verb.lower()}

    def text(self) -> str:
        """Return one line."""
        return f"{self.verb} `{self.alias}`."


@dataclass(frozen=True)
class RestartDone:
    """A restart that is proven."""

    alias: str
    restarted: Restarted

    def data(self) -> dict[str, Any]:
        """Return mc's fields, durations in nanoseconds, and the nodes."""
        taken_ns = int(self.restarted.taken_s * 1e9)
        results = [_result(node) for node in self.restarted.results]
        return {
            "status": "success",
            "serverURL": self.alias,
            "result": {"action": "restart", "dryRun": False, "results": results},
            "restartDuration": taken_ns,
            "waitingDuration": 0,
            "timeTaken": taken_ns,
            "state": _DONE_STATE,
            "nodes": [_node(node) for node in self.restarted.nodes],
        }

    def text(self) -> str:
        """Return one line for the deployment and one for each node."""
        nodes = self.restarted.nodes
        lines = [f"  {node['endpoint']} started {node['started']}" for node in map(_node, nodes)]
        plural = "" if len(nodes) == 1 else "s"
        head = f"Restarted `{self.alias}`: {len(nodes)} node{plural} in "
        return "\n".join([f"{head}{self.restarted.taken_s:.1f} s.", *lines])


@dataclass(frozen=True)
class RestartTried:
    """What each node said to a restart that was not done."""

    alias: str
    results: list[NodeResult]

    def data(self) -> dict[str, Any]:
        """Return mc's fields, and what stands in the way of a restart."""
        results = [_result(node) for node in self.results]
        return {
            "status": "error" if self.failed else "success",
            "serverURL": self.alias,
            "result": {"action": "restart", "dryRun": True, "results": results},
            "restartDuration": 0,
            "waitingDuration": 0,
            "timeTaken": 0,
            "state": _DONE_STATE,
        }

    def text(self) -> str:
        """Return one line for each node."""
        return "\n".join(f"{node.host}  {_state(node)}" for node in self.results)

    @property
    def failed(self) -> list[str]:
        """The nodes that do not answer, or whose drives hang."""
        return [node.host for node in self.results if _state(node) != _WOULD_RESTART]


def _state(node: NodeResult) -> str:
    if node.error:
        return node.error
    return f"{len(node.waiting_drives)} drives hang" if node.waiting_drives else _WOULD_RESTART


def _result(node: NodeResult) -> dict[str, Any]:
    found: dict[str, Any] = {"host": node.host}
    found |= {"err": node.error} if node.error else {}
    found |= {"waitingDrives": dict(node.waiting_drives)} if node.waiting_drives else {}
    return found


def _node(node: Node) -> dict[str, Any]:
    from mcpy.fleet.restart import start_time

    state = "online" if node.online else "offline"
    started = start_time(node, time.time())
    return {"endpoint": node.endpoint, "state": state, "started": started}


@click.group(cls=Group)
def service() -> None:
    """Restart, stop, freeze, unfreeze. Every node of the deployment takes part."""


@service.command("restart")
@click.argument("alias", type=ALIAS)
@click.option("--force", is_flag=True, help="Even if the KMS is down or a node is offline.")
@click.option("--dry-run", is_flag=True, help="Only ask each node, and the KMS.")
@click.option("--wait", "-w", is_flag=True, expose_value=False, hidden=True)
@pass_app
def restart(app: App, alias: str, *, force: bool, dry_run: bool) -> None:
    """Restart every node, and return when each is proven to have started anew and S3 answers.

    It is refused while the KMS of the server does not answer, since the server would not come
    back: see `mcpy admin kms key status`.
    """
    from mcpy.fleet.restart import Deployment
    from mcpy.fleet.restart import restart as restart_deployment

    if dry_run:
        _try_restart(app, alias, force=force)
        return
    with app.out.spinner(f"restart {alias}") as say:
        deployment = Deployment(app.admin(alias), app.s3(alias), app.deadline, say)
        done = restart_deployment(deployment, force=force)
    app.out.done(RestartDone(alias, done))
    if not all(node.env_file for node in done.nodes):
        app.out.note(
            f"`{alias}` has its settings from its service manager (MINIO_CONFIG_ENV_FILE is not "
            "set): changes to them need a restart of the service unit or container"
        )
    failed = [node.host for node in done.results if node.error]
    if failed:
        raise PartialError(f"no proof of a restart of {', '.join(failed)}")


def _try_restart(app: App, alias: str, *, force: bool) -> None:
    from mcpy.fleet.restart import check_kms

    admin = app.admin(alias)
    if not force and (problem := check_kms(admin)):
        raise problem
    tried = RestartTried(alias, admin.try_restart())
    app.out.emit(tried)
    if tried.failed:
        raise UnreachableError(f"{', '.join(tried.failed)} would not restart")


@service.command("stop")
@click.argument("alias", type=ALIAS)
@pass_app
def stop(app: App, alias: str) -> None:
    """Stop every node; only the host's service manager can start it again."""
    from mcpy.fleet.service import stop as stop_deployment

    stop_deployment(app.admin(alias), app.deadline)
    app.out.done(ServiceDone(alias, "Stopped"))


@service.command("freeze")
@click.argument("alias", type=ALIAS)
@pass_app
def freeze(app: App, alias: str) -> None:
    """Let every S3 call hang until `unfreeze`; each freeze needs one of its own."""
    from mcpy.fleet.service import freeze as freeze_deployment

    if not freeze_deployment(app.admin(alias), app.s3(alias)):
        raise UnreachableError(f"`{alias}` took the freeze, but S3 still answers")
    app.out.done(ServiceDone(alias, "Froze"))
    app.out.note(f"S3 calls to `{alias}` hang now until: mcpy admin service unfreeze {alias}")


@service.command("unfreeze")
@click.argument("alias", type=ALIAS)
@pass_app
def unfreeze(app: App, alias: str) -> None:
    """Let S3 calls through again."""
    from mcpy.fleet.service import unfreeze as unfreeze_deployment

    if not unfreeze_deployment(app.admin(alias), app.s3(alias)):
        raise UnreachableError(
            f"S3 of `{alias}` still hangs: it was frozen more than once",
            hint=f"mcpy admin service unfreeze {alias}",
        )
    app.out.done(ServiceDone(alias, "Unfroze"))
