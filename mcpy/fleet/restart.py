"""Restart a MinIO deployment, and prove that every node did.

A MinIO node answers the restart request first and then replaces itself: the same process id, the
same kernel start time, and for some tens of milliseconds the old process answers every health
check. What shows the new process is its uptime: the moment it began must lie after the old one's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mcpy.errors import (
    ApiError,
    DeadlineError,
    McpyError,
    NotFoundError,
    ProtocolError,
    S3Error,
    UnreachableError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.api.http import Deadline
    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.madmin_types import NodeResult
    from mcpy.api.s3 import S3

POLL_S = 0.25
PATIENCE_S = 5.0
# with this much behind it, a node's start cannot be taken for its next one
AGE_S = 1.5
ENV_FILE_VARIABLE = "MINIO_CONFIG_ENV_FILE"


class UnprovenError(DeadlineError):
    """A deployment that was asked to restart, and of which nobody saw that it did."""


@dataclass(frozen=True)
class Node:
    """One server of a deployment at one moment.

    Uptime comes in whole seconds and an answer takes its time, so a node's start is known as an
    interval on the monotonic clock of this machine.

    Attributes:
        born_after_s: it started later than this.
        born_before_s: it started no later than this.
        allocated: bytes its runtime ever allocated, only a new process has less; 0 for unknown.
        env_file: the file it reads its settings from at each start, or ``""``.
    """

    endpoint: str
    online: bool
    uptime_s: int
    born_after_s: float
    born_before_s: float
    allocated: int = 0
    env_file: str = ""

    def reborn_since(self, earlier: Node) -> bool:
        """Whether this is surely a later process than ``earlier``."""
        if self.born_after_s >= earlier.born_before_s:
            return True
        return 0 < self.allocated < earlier.allocated


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
    now: Callable[[], float] = time.monotonic


def look(admin: MinioAdmin, now: Callable[[], float]) -> tuple[str, dict[str, Node]]:
    """Return the deployment's mode and its nodes by endpoint; raises as ``MinioAdmin.info``."""
    asked_s = now()
    info = admin.info()
    return str(info["mode"]), nodes_of(info, asked_s, now())


def nodes_of(info: Mapping[str, Any], asked_s: float, answered_s: float) -> dict[str, Node]:
    """Return the nodes in an answer of ``MinioAdmin.info`` that was under way between two moments.

    Raises:
        ProtocolError: a node has no endpoint, or an uptime that is no number.
    """
    nodes = {}
    for server in info.get("servers") or []:
        try:
            uptime_s = int(server.get("uptime", 0))
            nodes[str(server["endpoint"])] = Node(
                endpoint=str(server["endpoint"]),
                online=server.get("state") == "online",
                uptime_s=uptime_s,
                born_after_s=asked_s - uptime_s - 1,
                born_before_s=answered_s - uptime_s,
                allocated=int((server.get("mem_stats") or {}).get("TotalAlloc", 0)),
                env_file=str((server.get("minio_env_vars") or {}).get(ENV_FILE_VARIABLE, "")),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as e:
            raise ProtocolError("a node in the server's information is malformed") from e
    return nodes


def check_kms(admin: MinioAdmin) -> McpyError | None:
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
        return None if e.status == 403 else _fatal(admin, str(e))
    if status.works:
        return None
    if status.missing:
        return NotFoundError(
            f"{admin.http.where} would make its missing key `{status.key_id}` anew at its start, "
            "and what the old one encrypted would stay unreadable",
            hint=f"mcpy kes key import {status.key_id}, from a backup",
        )
    return _fatal(admin, f"its key `{status.key_id}` does not work: {status.problem}")


def _fatal(admin: MinioAdmin, problem: str) -> McpyError:
    return UnreachableError(
        f"a restart would end {admin.http.where}: {problem.rstrip('.')}",
        hint=f"mcpy admin kms key status {admin.alias}",
    )


def restart(deployment: Deployment, *, force: bool = False) -> Restarted:
    """Restart every node and return when each is proven to be a new process that serves S3.

    Args:
        deployment: what to restart.
        force: restart although the KMS does not answer, or a node is offline.

    Raises:
        McpyError: nothing was restarted, because the server would not come back.
        UnprovenError: it was asked to restart, and not proven to have done so in time.
    """
    _, before = look(deployment.admin, deployment.now)
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
    if problem:
        raise problem
    where = deployment.admin.http.where
    offline = [node.endpoint for node in before.values() if not node.online]
    if offline:
        raise UnreachableError(
            f"{', '.join(offline)} cannot be reached by {where}, so its restart cannot be proven",
            hint=f"mcpy admin service restart --force {deployment.admin.alias}",
        )


def _let_age(deployment: Deployment, before: Mapping[str, Node]) -> None:
    """Wait until no node is so young that its next start could not be told from this one."""
    youngest_s = min((n.uptime_s for n in before.values() if n.online), default=1)
    if youngest_s < 1:
        deployment.say("waiting: it has only just started")
        deployment.sleep(AGE_S)


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
    waiting, ended = sorted(wanted), False
    while deployment.deadline.left_s() > 0:
        nodes, ended = _after(deployment)
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
    what = "nothing listens there any more" if ended else f"{', '.join(waiting)} did not come back"
    raise _unproven(deployment, what, ended=ended)


def _after(deployment: Deployment) -> tuple[dict[str, Node], bool]:
    """Return the nodes, or none while it is down or starting, and whether nothing listens."""
    try:
        with deployment.admin.http.patience(PATIENCE_S):
            mode, nodes = look(deployment.admin, deployment.now)
    except UnreachableError as e:
        return {}, "connection refused" in e.message
    except ApiError:
        return {}, False
    return nodes if mode == "online" else {}, False


def _await_s3(deployment: Deployment) -> None:
    while deployment.deadline.left_s() > 0:
        deployment.say("waiting for S3")
        if deployment.admin.health("cluster") and answers_s3(deployment.s3):
            return
        deployment.sleep(POLL_S)
    raise _unproven(deployment, "S3 does not answer")


def answers_s3(s3: S3, *, within_s: float = PATIENCE_S) -> bool:
    """Whether a signed S3 call is answered in time."""
    try:
        with s3.http.patience(within_s):
            s3.list_buckets()
    except S3Error as e:
        return e.status == 403
    except UnreachableError:
        return False
    return True


def _unproven(deployment: Deployment, what: str, *, ended: bool = False) -> McpyError:
    where, limit_s = deployment.admin.http.where, deployment.deadline.timeout_s
    hint = f"mcpy ready {deployment.admin.alias}"
    if ended:
        hint = "read the server's log: it ended, and its host has to start it again"
    return UnprovenError(
        f"{where} was asked to restart, but {what} after {limit_s:g} s", hint=hint
    )


def start_time(node: Node, now_s: float) -> str:
    """Return when a node started, RFC 3339 in UTC, given the wall clock."""
    moment = datetime.fromtimestamp(now_s - node.uptime_s, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
