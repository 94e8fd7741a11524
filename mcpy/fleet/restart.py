"""Restart a MinIO deployment, and prove that every node did.

A MinIO node answers the restart request first and then replaces itself: the same process id, the
same kernel start time, and for some tens of milliseconds the old process answers every health
check. What shows the new process is its uptime: the moment it began must lie after the old one's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mcpy.errors import (
    ApiError,
    DeadlineError,
    McpyError,
    S3Error,
    UnreachableError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.api.http import Deadline
    from mcpy.api.madmin import MinioAdmin, NodeResult
    from mcpy.api.s3 import S3

POLL_S = 0.25
PATIENCE_S = 5.0
# uptime comes in whole seconds: a start is told from the one before it only when they lie apart
MARGIN_S = 1.5
YOUNGEST_S = 3


@dataclass(frozen=True)
class Node:
    """One server of a deployment at one moment.

    Attributes:
        boot_s: when it started, on the wall clock of this machine, within a second.
        allocated: bytes its runtime ever allocated; only a new process has less.
    """

    endpoint: str
    online: bool
    uptime_s: int
    boot_s: float
    allocated: int

    def reborn_since(self, earlier: Node) -> bool:
        """Whether this is a later process than ``earlier``."""
        return self.boot_s > earlier.boot_s + MARGIN_S or self.allocated < earlier.allocated


@dataclass(frozen=True)
class Restarted:
    """A restart that is proven.

    Attributes:
        nodes: every node, as the new process answers.
        results: what each node said to the request.
        taken_s: from the request to S3 answering again.
    """

    nodes: list[Node]
    results: list[NodeResult] = field(default_factory=list)
    taken_s: float = 0.0


@dataclass
class Deployment:
    """The clients and the clock a restart needs."""

    admin: MinioAdmin
    s3: S3
    deadline: Deadline
    say: Callable[[str], None] = lambda _: None
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time


def nodes_of(info: Mapping[str, Any], now_s: float) -> dict[str, Node]:
    """Return the nodes in an answer of ``MinioAdmin.info``, by endpoint."""
    nodes = {}
    for server in info.get("servers") or []:
        uptime_s = int(server.get("uptime", 0))
        nodes[server["endpoint"]] = Node(
            endpoint=str(server["endpoint"]),
            online=server.get("state") == "online",
            uptime_s=uptime_s,
            boot_s=now_s - uptime_s,
            allocated=int((server.get("mem_stats") or {}).get("TotalAlloc", 0)),
        )
    return nodes


def check_kms(admin: MinioAdmin) -> str | None:
    """Return why a restart would end the server, or None when its KMS answers or it has none.

    MinIO exits at start when its KMS does not answer, and makes the default key anew when it is
    gone, which hides that everything under the old key is lost.
    """
    try:
        with admin.http.patience(PATIENCE_S * 2):
            status = admin.key_status()
    except UnsupportedError:
        return None
    except ApiError as e:
        # being forbidden to look says nothing about the KMS
        return None if e.status == 403 else str(e)
    if status.works:
        return None
    return f"its key `{status.key_id}` does not work: {status.problem}"


def restart(deployment: Deployment, *, force: bool = False) -> Restarted:
    """Restart every node and return when each is proven to be a new process that serves S3.

    Args:
        deployment: what to restart.
        force: restart although the KMS does not answer, or a node is offline.

    Raises:
        McpyError: nothing was restarted, because the server would not come back.
        DeadlineError: it was asked to restart, and not proven to have done so in time.
    """
    before = nodes_of(deployment.admin.info(), deployment.now())
    if not force:
        _refuse_if_fatal(deployment, before)
    _let_age(deployment, before)
    started = time.monotonic()
    results = _ask(deployment)
    after = _await_rebirth(deployment, before, lenient=force)
    _await_s3(deployment)
    return Restarted(after, results, time.monotonic() - started)


def _refuse_if_fatal(deployment: Deployment, before: Mapping[str, Node]) -> None:
    deployment.say("asking its KMS")
    problem = check_kms(deployment.admin)
    where = deployment.admin.http.where
    if problem:
        raise UnreachableError(
            f"a restart would end {where}: {problem.rstrip('.')}",
            hint=f"mcpy admin kms key status {deployment.admin.alias}, or --force",
        )
    offline = [node.endpoint for node in before.values() if not node.online]
    if offline:
        raise UnreachableError(
            f"{', '.join(offline)} cannot be reached by {where}, so its restart cannot be proven",
            hint="--force restarts the others",
        )


def _let_age(deployment: Deployment, before: Mapping[str, Node]) -> None:
    """Wait until no node is so young that its next start could not be told from this one."""
    youngest = min((node.uptime_s for node in before.values() if node.online), default=YOUNGEST_S)
    if youngest < YOUNGEST_S:
        deployment.say("waiting: it has only just started")
        deployment.sleep(YOUNGEST_S - youngest)


def _ask(deployment: Deployment) -> list[NodeResult]:
    deployment.say("restarting")
    try:
        results = deployment.admin.service("restart")
    except UnreachableError:
        return []  # it may have gone before its answer arrived: what follows finds out
    failed = [f"{node.host} ({node.error})" for node in results if node.error]
    if failed:
        deployment.say(f"no answer from {', '.join(failed)}")
    return results


def _await_rebirth(
    deployment: Deployment, before: Mapping[str, Node], *, lenient: bool
) -> list[Node]:
    wanted = {name for name, node in before.items() if node.online or not lenient}
    waiting = sorted(wanted)
    while deployment.deadline.left_s() > 0:
        nodes = _look(deployment)
        reborn = {
            name
            for name in wanted & nodes.keys()
            if nodes[name].online and nodes[name].reborn_since(before[name])
        }
        waiting = sorted(wanted - reborn)
        if nodes and not waiting:
            return [nodes[name] for name in sorted(nodes)]
        deployment.say(f"{len(reborn)} of {len(wanted)} nodes are back")
        deployment.sleep(POLL_S)
    raise _unproven(deployment, f"{', '.join(waiting)} did not come back")


def _look(deployment: Deployment) -> dict[str, Node]:
    """Return the nodes, or nothing while the deployment is down or starting."""
    try:
        with deployment.admin.http.patience(PATIENCE_S):
            info = deployment.admin.info()
    except (UnreachableError, ApiError):
        return {}
    return nodes_of(info, deployment.now()) if info["mode"] == "online" else {}


def _await_s3(deployment: Deployment) -> None:
    while deployment.deadline.left_s() > 0:
        deployment.say("waiting for S3")
        if deployment.admin.health("cluster") and answers_s3(deployment.s3):
            return
        deployment.sleep(POLL_S)
    raise _unproven(deployment, "S3 does not answer")


def answers_s3(s3: S3, *, within_s: float = PATIENCE_S) -> bool:
    """Whether a signed S3 call is answered in time; a frozen server takes it and is silent."""
    try:
        with s3.http.patience(within_s):
            s3.list_buckets()
    except S3Error as e:
        return e.status == 403
    except UnreachableError:
        return False
    return True


def _unproven(deployment: Deployment, what: str) -> McpyError:
    where = deployment.admin.http.where
    limit = deployment.deadline.timeout_s
    return DeadlineError(
        f"{where} was asked to restart, but {what} within {limit:g} s",
        hint=f"look into its log; mcpy ready {deployment.admin.alias} waits for it",
    )


def boot_time(node: Node) -> str:
    """Return when a node started, RFC 3339 in UTC."""
    from datetime import UTC

    return datetime.fromtimestamp(node.boot_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
