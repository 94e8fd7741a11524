"""``mcpy admin service``: restart, stop, freeze and unfreeze a deployment, and prove it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Group
from mcpy.cli.many import for_each, jobs_of
from mcpy.cli.params import ALIAS
from mcpy.errors import McpyError, PartialError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.api.madmin_types import NodeResult
    from mcpy.cli.app import App
    from mcpy.fleet.restart import Node, Restarted

_DONE_STATE = 2  # mc's code for a restart that is over
_WOULD_RESTART = "would restart"
_F = TypeVar("_F", bound="Callable[..., Any]")


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


def _aliases(command: _F) -> _F:
    """Add the aliases, and how many of them at a time: whatever goes wrong goes wrong once."""
    command = jobs_of("Deployments", 1)(command)
    several = click.argument("aliases", type=ALIAS, nargs=-1, required=True, metavar="ALIAS...")
    return several(command)


@service.command("restart")
@_aliases
@click.option("--force", is_flag=True, help="Even if the KMS is down or a node is offline.")
@click.option("--dry-run", is_flag=True, help="Only ask each node, and the KMS.")
@click.option("--wait", "-w", is_flag=True, expose_value=False, hidden=True)
@pass_app
def restart(app: App, aliases: tuple[str, ...], *, force: bool, dry_run: bool, jobs: int) -> None:
    """Restart every node, and return when each is proven to have started anew and S3 answers.

    It is refused while the KMS of the server does not answer, since the server would not come
    back: see `mcpy admin kms key status`. Of several deployments one is restarted after the other,
    each within --timeout; when one does not come back, those after it are left alone.
    """
    if dry_run:

        def ask(alias: str) -> RestartTried:
            return _try_restart(app.apart(), alias, force=force)

        for_each(app, aliases, ask, data=True, jobs=jobs, then=_would_restart)
        return
    series = _Restarts(app, force=force)
    for_each(app, aliases, series.restart, jobs=jobs, then=series.look)


@dataclass
class _Restarts:
    """Restarts of deployments; once one did not come back, no other is begun."""

    app: App
    force: bool
    broken: list[str] = field(default_factory=list)

    def restart(self, alias: str) -> RestartDone:
        from mcpy.fleet.restart import Deployment, UnprovenError, restart

        if self.broken:
            raise McpyError(
                f"`{alias}` was not restarted, since `{self.broken[0]}` did not come back",
                hint=f"mcpy admin service restart {alias}",
            )
        app = self.app.apart()
        try:
            with app.out.spinner(f"restart {alias}") as say:
                deployment = Deployment(app.admin(alias), app.s3(alias), app.deadline, say)
                return RestartDone(alias, restart(deployment, force=self.force))
        except UnprovenError:
            self.broken.append(alias)
            raise

    def look(self, alias: str, done: RestartDone) -> None:
        """Say what a restart does not do, and of which node there is no proof."""
        if not all(node.env_file for node in done.restarted.nodes):
            self.app.out.note(
                f"`{alias}` has its settings from its service manager (MINIO_CONFIG_ENV_FILE is "
                "not set): changes to them need a restart of the service unit or container"
            )
        failed = [node.host for node in done.restarted.results if node.error]
        if failed:
            self.broken.append(alias)
            raise PartialError(f"no proof of a restart of {', '.join(failed)}")


def _try_restart(app: App, alias: str, *, force: bool) -> RestartTried:
    from mcpy.fleet.restart import check_kms

    admin = app.admin(alias)
    if not force and (problem := check_kms(admin)):
        raise problem
    return RestartTried(alias, admin.try_restart())


def _would_restart(_: str, tried: RestartTried) -> None:
    if tried.failed:
        raise UnreachableError(f"{', '.join(tried.failed)} would not restart")


@service.command("stop")
@_aliases
@pass_app
def stop(app: App, aliases: tuple[str, ...], *, jobs: int) -> None:
    """Stop every node; only the host's service manager can start it again."""
    for_each(app, aliases, lambda alias: _stop(app.apart(), alias), jobs=jobs)


def _stop(app: App, alias: str) -> ServiceDone:
    from mcpy.fleet.service import stop

    stop(app.admin(alias), app.deadline)
    return ServiceDone(alias, "Stopped")


@service.command("freeze")
@_aliases
@pass_app
def freeze(app: App, aliases: tuple[str, ...], *, jobs: int) -> None:
    """Let every S3 call hang until `unfreeze`; each freeze needs one of its own."""

    def say(alias: str, _: ServiceDone) -> None:
        app.out.note(f"S3 calls to `{alias}` hang now until: mcpy admin service unfreeze {alias}")

    for_each(app, aliases, lambda alias: _freeze(app.apart(), alias), jobs=jobs, then=say)


def _freeze(app: App, alias: str) -> ServiceDone:
    from mcpy.fleet.service import freeze

    if not freeze(app.admin(alias), app.s3(alias)):
        raise UnreachableError(f"`{alias}` took the freeze, but S3 still answers")
    return ServiceDone(alias, "Froze")


@service.command("unfreeze")
@_aliases
@pass_app
def unfreeze(app: App, aliases: tuple[str, ...], *, jobs: int) -> None:
    """Let S3 calls through again."""
    for_each(app, aliases, lambda alias: _unfreeze(app.apart(), alias), jobs=jobs)


def _unfreeze(app: App, alias: str) -> ServiceDone:
    from mcpy.fleet.service import unfreeze

    if not unfreeze(app.admin(alias), app.s3(alias)):
        raise UnreachableError(
            f"S3 of `{alias}` still hangs: it was frozen more than once",
            hint=f"mcpy admin service unfreeze {alias}",
        )
    return ServiceDone(alias, "Unfroze")
