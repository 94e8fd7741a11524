"""``mcpy admin info``: the state of a deployment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import for_each, jobs_option
from mcpy.cli.output import printable
from mcpy.cli.params import ALIAS
from mcpy.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.cli.app import App


@dataclass(frozen=True)
class Info:
    """What a deployment says of itself, as sent."""

    info: dict[str, Any]
    only_offline: bool = False

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {"status": "success", "info": self.info}

    def text(self) -> str:
        """Return a block for each node, then the sums."""
        servers = self.info.get("servers") or []
        shown = [s for s in servers if not (self.only_offline and s.get("state") == "online")]
        blocks = [_server(server) for server in shown]
        return printable("\n".join([*blocks, _sums(self.info)]))


def _server(server: dict[str, Any]) -> str:
    drives = server.get("drives") or []
    network = server.get("network") or {}
    rows = [
        ("State", server.get("state", "?")),
        ("Uptime", _duration(int(server.get("uptime", 0)))),
        ("Version", server.get("version", "?")),
        ("Network", _share([v == "online" for v in network.values()])),
        ("Drives", _share([drive.get("state") == "ok" for drive in drives])),
    ]
    variables = server.get("minio_env_vars") or {}
    key = variables.get("MINIO_KMS_KES_KEY_NAME")
    rows += [("Default key", key)] if key else []
    if variables:
        file = variables.get("MINIO_CONFIG_ENV_FILE")
        rows.append(("Settings", file or "in the environment of the process, no file"))
    lines = [f"   {name + ':':<13}{value}" for name, value in rows]
    return "\n".join([f"● {server.get('endpoint', '?')}", *lines])


def _sums(info: dict[str, Any]) -> str:
    backend = info.get("backend") or {}
    kms = (info.get("services") or {}).get("kmsStatus") or []
    lines = [
        f"Drives: {backend.get('onlineDisks', 0)} online, "
        f"{backend.get('offlineDisks', 0)} offline",
        f"Buckets: {(info.get('buckets') or {}).get('count', 0)}, "
        f"objects: {(info.get('objects') or {}).get('count', 0)}",
    ]
    lines += [f"KMS: {k.get('endpoint', '?')} {k.get('status', '?')}" for k in kms] or [
        "KMS: none"
    ]
    return "\n".join(lines)


def _share(states: list[bool]) -> str:
    return f"{sum(states)}/{len(states)} OK"


def _duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")]
    return " ".join(f"{n} {unit}" for n, unit in parts if n)[:20] or "0 s"


@click.command("info", cls=Command)
@click.argument("aliases", type=ALIAS, nargs=-1, required=True, metavar="ALIAS...")
@click.option("--offline", is_flag=True, help="Of the nodes, only those that are not online.")
@jobs_option
@pass_app
def info(app: App, aliases: tuple[str, ...], *, offline: bool, jobs: int) -> None:
    """Show the state of every node. Fails when a deployment is not online.

    What is wrong with a deployment that is online is a warning: a node that is away, a KMS that
    does not answer. `mcpy admin kms status` fails for the latter.
    """

    def look(alias: str) -> Info:
        return Info(app.admin(alias).info(), offline)

    def check(alias: str, found: Info) -> None:
        for problem in _problems(found.info, alias):
            app.out.warn(problem)
        if (mode := found.info["mode"]) != "online":
            raise UnreachableError(f"`{alias}` is {mode}", hint=f"mcpy ready {alias}")

    for_each(app, aliases, look, data=True, jobs=jobs, then=check)


def _problems(info: dict[str, Any], alias: str) -> Iterator[str]:
    if info["mode"] != "online":
        return  # that is the error, and what follows from it is none of its own
    for server in info.get("servers") or []:
        if server.get("state") != "online":
            yield f"node {server.get('endpoint', '?')} is {server.get('state', 'not known')}"
    for kms in (info.get("services") or {}).get("kmsStatus") or []:
        if kms.get("status") == "offline":
            yield (
                f"the KMS {kms.get('endpoint', '?')} is offline: what is encrypted cannot be "
                f"read or written, and a restart would end the server: "
                f"mcpy admin kms key status {alias}"
            )
