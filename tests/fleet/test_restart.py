"""A restart is believed only when every node is a new process that serves S3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api.http import Deadline, HttpOptions
from mcpy.api.madmin import MinioAdmin
from mcpy.api.s3 import S3
from mcpy.errors import (
    DeadlineError,
    McpyError,
    NotFoundError,
    ProtocolError,
    UnreachableError,
)
from mcpy.fleet.restart import Deployment, Restarted, nodes_of, restart
from mcpy.models import Alias
from tests.recordings import minio

if TYPE_CHECKING:
    from tests.stub import Reply, Server

ALIAS = Alias("play", "http://s3.test:9000", "access", "secret-key")
DOWN = httpx.ConnectError("refused")


class Clock:
    """A wall clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0
        self.said: list[str] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def deployment(server: Server, clock: Clock) -> Deployment:
    options = HttpOptions(transport=server, retries=0)
    return Deployment(
        MinioAdmin(ALIAS, options),
        S3(ALIAS, options),
        Deadline(5),
        say=clock.said.append,
        sleep=clock.sleep,
        now=clock,
    )


def info(*uptimes: int | None, mode: str = "online", allocated: int = 0) -> httpx.Response:
    """Answer as a deployment with one node for each uptime; None is a node that is offline."""
    servers = [
        {
            "endpoint": f"node{i}:9000",
            "state": "offline" if uptime is None else "online",
            # an uptime of 0 is left out, as MinIO does
            **({"uptime": uptime} if uptime else {}),
            "mem_stats": {"TotalAlloc": allocated},
        }
        for i, uptime in enumerate(uptimes)
    ]
    return httpx.Response(200, json={"mode": mode, "servers": servers})


def took(*failed: str, hosts: int = 1) -> httpx.Response:
    results = [{"host": f"node{i}:9000"} for i in range(hosts)]
    results += [{"host": name, "err": "remote disconnected"} for name in failed]
    return httpx.Response(200, json={"results": results})


def kms_works() -> httpx.Response:
    return minio("kms-key-status-default")


def serves() -> list[Reply]:
    return [minio("health-cluster"), minio("after-unfreeze-list")]


def posts(server: Server) -> int:
    return sum(call.startswith("POST") for call in server.calls)


def test_a_node_that_started_anew_is_believed(deployment: Deployment, server: Server) -> None:
    server.replies = [info(3600), kms_works(), took(), info(0), *serves()]
    done = restart(deployment)
    assert [node.endpoint for node in done.nodes] == ["node0:9000"]
    assert server.calls[2] == "POST /minio/admin/v3/service?action=restart&dry-run=false&type=2"


def test_the_old_process_that_still_answers_is_not_believed(
    deployment: Deployment, server: Server
) -> None:
    server.replies = [info(60), kms_works(), took(), info(60), info(60), info(0), *serves()]
    restart(deployment)
    assert server.calls.count("GET /minio/admin/v3/info?metrics=false") == 4


def test_an_uptime_that_merely_grew_is_not_believed(
    deployment: Deployment, server: Server, clock: Clock
) -> None:
    server.replies = [info(60), kms_works(), took()]
    server.replies += [lambda _: info(round(clock.now_s - 1_000_000) + 60) for _ in range(8)]
    server.replies += [info(0), *serves()]
    assert len(restart(deployment).nodes) == 1


def test_a_runtime_that_allocated_less_is_a_new_process(
    deployment: Deployment, server: Server
) -> None:
    server.replies = [
        info(4, allocated=10**9),
        kms_works(),
        took(),
        info(4, allocated=10**6),
        *serves(),
    ]
    assert isinstance(restart(deployment), Restarted)


def test_a_server_that_is_down_for_a_moment_is_waited_for(
    deployment: Deployment, server: Server
) -> None:
    starting = info(0, mode="initializing")
    server.replies = [info(60), kms_works(), took(), DOWN, starting, info(0), *serves()]
    assert isinstance(restart(deployment), Restarted)


def test_an_answer_that_got_lost_is_looked_into(deployment: Deployment, server: Server) -> None:
    server.replies = [info(60), kms_works(), httpx.ReadError("reset"), info(0), *serves()]
    assert restart(deployment).results == []
    assert posts(server) == 1


def test_a_server_that_just_started_is_let_age_first(
    deployment: Deployment, server: Server, clock: Clock
) -> None:
    def asked(_: httpx.Request) -> httpx.Response:
        assert clock.now_s >= 1_000_001.5
        return took()

    server.replies = [info(0), kms_works(), asked, info(0), *serves()]
    restart(deployment)
    assert "waiting: it has only just started" in clock.said


def test_every_node_has_to_come_back(deployment: Deployment, server: Server) -> None:
    server.replies = [
        info(60, 60),
        kms_works(),
        took(hosts=2),
        info(0, 60),
        info(0, None),
        info(1, 0),
        *serves(),
    ]
    assert len(restart(deployment).nodes) == 2


def test_s3_has_to_answer_too(deployment: Deployment, server: Server) -> None:
    server.replies = [
        info(60),
        kms_works(),
        took(),
        info(0),
        httpx.Response(503),
        minio("health-cluster"),
        httpx.ReadTimeout("silent"),
        *serves(),
    ]
    assert isinstance(restart(deployment), Restarted)


def test_a_node_that_never_comes_back_is_named(server: Server, clock: Clock) -> None:
    options = HttpOptions(transport=server, retries=0)
    clients = MinioAdmin(ALIAS, options), S3(ALIAS, options)
    deployment = Deployment(*clients, Deadline(0.2), sleep=clock.sleep, now=clock)
    server.replies = [info(60), kms_works(), took()]
    server.afterwards = DOWN
    with pytest.raises(DeadlineError, match=r"node0:9000 did not come back after 0\.2 s") as e:
        restart(deployment)
    assert e.value.code == 6
    assert e.value.hint == "mcpy ready play"


def test_a_server_that_ended_is_not_waited_for_by_ready(server: Server, clock: Clock) -> None:
    options = HttpOptions(transport=server, retries=0)
    clients = MinioAdmin(ALIAS, options), S3(ALIAS, options)
    deployment = Deployment(*clients, Deadline(0.2), sleep=clock.sleep, now=clock)
    server.replies = [info(60), kms_works(), took()]
    server.afterwards = httpx.ConnectError("connection refused")
    with pytest.raises(DeadlineError, match="nothing listens there any more") as e:
        restart(deployment)
    assert "its host has to start it again" in str(e.value.hint)


def test_a_slow_answer_of_the_old_process_is_no_proof() -> None:
    found = json.loads(info(60).text)
    (before,) = nodes_of(found, 1000.0, 1000.1).values()
    # the same uptime 5 s later, because the answer took 5 s
    (after,) = nodes_of(found, 1000.2, 1005.2).values()
    assert not after.reborn_since(before)


def test_a_runtime_that_does_not_tell_its_allocations_proves_nothing() -> None:
    (before,) = nodes_of(json.loads(info(60, allocated=5).text), 1000.0, 1000.1).values()
    (after,) = nodes_of(json.loads(info(60, allocated=0).text), 1000.2, 1000.3).values()
    assert not after.reborn_since(before)


@pytest.mark.parametrize("server", [5, {}, {"endpoint": "a", "uptime": "abc"}])
def test_a_malformed_node_is_a_protocol_error(server: object) -> None:
    with pytest.raises(ProtocolError, match="malformed"):
        nodes_of({"servers": [server]}, 0, 0)


def test_a_restart_that_would_end_the_server_is_refused(
    deployment: Deployment, server: Server
) -> None:
    server.replies = [info(60), minio("kesdown-key-status")]
    with pytest.raises(UnreachableError, match=r"a restart would end s3\.test:9000: its key"):
        restart(deployment)
    assert posts(server) == 0


def test_a_restart_that_would_make_a_lost_key_anew_is_refused(
    deployment: Deployment, server: Server
) -> None:
    server.replies = [info(60), minio("kms-key-status-missing")]
    with pytest.raises(NotFoundError, match="would make its missing key"):
        restart(deployment)
    assert posts(server) == 0


def test_a_kms_call_that_fails_is_a_reason_to_refuse(
    deployment: Deployment, server: Server
) -> None:
    server.replies = [info(60), httpx.Response(500, json={"Code": "InternalError"})]
    with pytest.raises(UnreachableError, match="a restart would end"):
        restart(deployment)
    assert posts(server) == 0


def test_force_restarts_without_asking_the_kms(deployment: Deployment, server: Server) -> None:
    server.replies = [info(60), took(), info(0), *serves()]
    restart(deployment, force=True)
    assert posts(server) == 1
    assert not any("key/status" in call for call in server.calls)


def test_a_server_without_a_kms_is_restarted(deployment: Deployment, server: Server) -> None:
    server.replies = [info(60), minio("nokms-kms-key-status"), took(), info(0), *serves()]
    assert isinstance(restart(deployment), Restarted)


def test_not_being_allowed_to_ask_the_kms_is_no_reason_to_refuse(
    deployment: Deployment, server: Server
) -> None:
    server.replies = [info(60), minio("perm-kms-status-denied"), took(), info(0), *serves()]
    assert isinstance(restart(deployment), Restarted)


def test_a_node_out_of_reach_is_a_reason_to_refuse(deployment: Deployment, server: Server) -> None:
    server.replies = [info(60, None), kms_works()]
    with pytest.raises(UnreachableError, match="node1:9000 cannot be reached by"):
        restart(deployment)
    assert posts(server) == 0


def test_force_restarts_the_nodes_that_are_there(deployment: Deployment, server: Server) -> None:
    server.replies = [info(60, None), took("node1:9000"), info(0, None), *serves()]
    done = restart(deployment, force=True)
    assert [result.error for result in done.results] == ["", "remote disconnected"]


def test_being_refused_ends_it(deployment: Deployment, server: Server) -> None:
    server.replies = [info(60), kms_works(), minio("perm-admin-info-denied")]
    with pytest.raises(McpyError, match="AccessDenied"):
        restart(deployment)


def test_an_uptime_that_is_left_out_is_none_at_all() -> None:
    found = json.loads(minio("admin-info-after-restart-1").text)
    (node,) = nodes_of(found, 999.5, 1000.0).values()
    assert (node.uptime_s, node.born_after_s, node.born_before_s) == (0, 998.5, 1000.0)
