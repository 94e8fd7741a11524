"""``admin service`` over a scripted server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from tests.recordings import minio
from tests.stub import Server, s3_error

if TYPE_CHECKING:
    from tests.running import Mcpy


def node(uptime: int, state: str = "online") -> httpx.Response:
    env = {"MINIO_CONFIG_ENV_FILE": "/etc/default/minio"}
    servers = [{"endpoint": "node0:9000", "state": state, "uptime": uptime, "minio_env_vars": env}]
    return httpx.Response(200, json={"mode": "online", "servers": servers})


def test_restart_says_how_many_nodes_started_and_when(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        node(60),
        minio("kms-key-status-default"),
        minio("service-v2-restart"),
        node(0),
        minio("health-cluster"),
        minio("after-unfreeze-list"),
    ]
    result = mcpy("admin", "service", "restart", "play")
    assert (result.exit_code, result.stderr) == (0, "")
    head, line = result.stdout.splitlines()
    assert head.startswith("Restarted `play`: 1 node in 0.")
    assert line.startswith("  node0:9000 started 20")


def test_json_of_restart_has_the_fields_of_mc_and_the_nodes(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        node(60),
        minio("kms-key-status-default"),
        minio("service-v2-restart"),
        node(0),
        minio("health-cluster"),
        minio("after-unfreeze-list"),
    ]
    (answer,) = mcpy("--json", "admin", "service", "restart", "play").objects
    assert answer["status"] == "success"
    assert answer["serverURL"] == "play"
    assert answer["state"] == 2
    assert answer["result"] == {
        "action": "restart",
        "dryRun": False,
        "results": [{"host": "127.0.0.1:9101"}],
    }
    assert answer["restartDuration"] == answer["timeTaken"]
    assert answer["nodes"][0]["endpoint"] == "node0:9000"


def test_restart_is_refused_while_the_kms_is_down(mcpy: Mcpy, server: Server) -> None:
    server.replies = [node(60), minio("kesdown-key-status")]
    result = mcpy("admin", "service", "restart", "play")
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr.startswith("mcpy: error: a restart would end s3.test:9000: ")
    assert result.stderr.endswith("mcpy: hint: mcpy admin kms key status play\n")
    assert not [call for call in server.calls if call.startswith("POST")]


def test_a_server_that_reads_no_file_is_said_to_keep_its_settings(
    mcpy: Mcpy, server: Server
) -> None:
    def bare(uptime: int) -> httpx.Response:
        servers = [{"endpoint": "node0:9000", "state": "online", "uptime": uptime}]
        return httpx.Response(200, json={"mode": "online", "servers": servers})

    server.replies = [
        bare(60),
        minio("kms-key-status-default"),
        minio("service-v2-restart"),
        bare(0),
        minio("health-cluster"),
        minio("after-unfreeze-list"),
    ]
    result = mcpy("admin", "service", "restart", "play")
    assert result.exit_code == 0
    assert "MINIO_CONFIG_ENV_FILE is not set" in result.stderr


def test_force_sends_it_all_the_same(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        node(60),
        minio("service-v2-restart"),
        node(0),
        minio("health-cluster"),
        minio("after-unfreeze-list"),
    ]
    assert mcpy("admin", "service", "restart", "--force", "play").exit_code == 0


def test_a_node_that_did_not_take_it_is_reported(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        node(60),
        minio("dist-restart-peer-down"),
        node(0),
        minio("health-cluster"),
        minio("after-unfreeze-list"),
    ]
    result = mcpy("admin", "service", "restart", "--force", "play")
    assert result.exit_code == 8
    assert result.stderr == "mcpy: error: no proof of a restart of 10.99.0.1:9112\n"


def test_being_denied_restarts_nothing(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("perm-admin-info-denied")]
    assert mcpy("admin", "service", "restart", "play").exit_code == 4


def test_stop_waits_until_nobody_answers(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        node(60),
        minio("service-v2-stop"),
        node(60),
        httpx.ConnectError("refused"),
    ]
    assert mcpy("admin", "service", "stop", "play") == (0, "Stopped `play`.\n", "")
    assert server.calls[1] == "POST /minio/admin/v3/service?action=stop&dry-run=false&type=2"


def test_stop_of_a_server_its_host_starts_again_is_done(mcpy: Mcpy, server: Server) -> None:
    server.replies = [node(60), minio("service-v2-stop"), node(0)]
    assert mcpy("admin", "service", "stop", "play").exit_code == 0


def test_a_server_that_does_not_stop_is_reported(mcpy: Mcpy, server: Server) -> None:
    server.replies = [node(60), minio("service-v2-stop")]
    server.afterwards = node(60)
    result = mcpy("admin", "service", "stop", "play", "--timeout", "400ms")
    assert (result.exit_code, result.stdout) == (6, "")
    assert "s3.test:9000 was asked to stop, and still answers" in result.stderr


def test_freeze_is_done_when_s3_is_silent(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("service-v2-freeze"), httpx.ReadTimeout("silent")]
    assert mcpy("admin", "service", "freeze", "play") == (
        0,
        "Froze `play`.\n",
        "mcpy: S3 calls to `play` hang now until: mcpy admin service unfreeze play\n",
    )
    assert server.calls == [
        "POST /minio/admin/v3/service?action=freeze&dry-run=false&type=2",
        "GET /",
    ]


def test_a_server_that_answers_before_it_freezes_is_asked_again(
    mcpy: Mcpy, server: Server
) -> None:
    silent = httpx.ReadTimeout("silent")
    server.replies = [minio("service-v2-freeze"), minio("after-unfreeze-list"), silent]
    assert mcpy("admin", "service", "freeze", "play").exit_code == 0


def test_a_freeze_that_freezes_nothing_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("service-v2-freeze")]
    server.afterwards = minio("after-unfreeze-list")
    result = mcpy("admin", "service", "freeze", "play")
    assert (result.exit_code, result.stdout) == (6, "")
    assert "took the freeze, but S3 still answers" in result.stderr


def test_unfreeze_is_done_when_s3_answers(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("service-v2-unfreeze"), minio("after-unfreeze-list")]
    assert mcpy("admin", "service", "unfreeze", "play") == (0, "Unfroze `play`.\n", "")


def test_a_server_frozen_twice_needs_a_second_unfreeze(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("service-v2-unfreeze"), httpx.ReadTimeout("silent")]
    assert mcpy("admin", "service", "unfreeze", "play") == (
        6,
        "",
        "mcpy: error: S3 of `play` still hangs: it was frozen more than once\n"
        "mcpy: hint: mcpy admin service unfreeze play\n",
    )


def test_json_of_freeze_has_the_fields_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("service-v2-freeze"), httpx.ReadTimeout("silent")]
    result = mcpy("--json", "admin", "service", "freeze", "play")
    assert result.objects[0] == {"status": "success", "serverURL": "play", "action": "froze"}
    assert result.stderr == ""


def test_a_refused_freeze_is_no_freeze(mcpy: Mcpy, server: Server) -> None:
    server.replies = [s3_error(403, "AccessDenied")]
    assert mcpy("admin", "service", "freeze", "play").exit_code == 4


def tried(*nodes: dict[str, object]) -> httpx.Response:
    return httpx.Response(200, json={"action": "restart", "dryRun": True, "results": nodes})


def test_a_dry_run_asks_each_node_and_the_kms_and_restarts_nothing(
    mcpy: Mcpy, server: Server
) -> None:
    server.replies = [minio("kms-key-status-default"), tried({"host": "node0:9000"})] * 2
    result = mcpy("admin", "service", "restart", "--dry-run", "play")
    assert result == (0, "node0:9000  would restart\n", "")
    assert server.calls[1] == ("POST /minio/admin/v3/service?action=restart&dry-run=true&type=2")
    (answer,) = mcpy("--json", "admin", "service", "restart", "--dry-run", "play").objects
    assert answer["result"] == {
        "action": "restart",
        "dryRun": True,
        "results": [{"host": "node0:9000"}],
    }


def test_a_dry_run_fails_for_a_node_that_is_away_or_hangs(mcpy: Mcpy, server: Server) -> None:
    nodes: tuple[dict[str, object], ...] = (
        {"host": "node0:9000"},
        {"host": "node1:9000", "err": "remote disconnected"},
        {"host": "node2:9000", "waitingDrives": {"/d1": {}}},
    )
    server.replies = [tried(*nodes)]
    result = mcpy("--json", "admin", "service", "restart", "--dry-run", "--force", "play")
    assert result.exit_code == 6
    shown, error = result.objects
    assert shown["status"] == "error"
    assert shown["result"]["results"][1] == {"host": "node1:9000", "err": "remote disconnected"}
    assert error["error"]["message"] == "node1:9000, node2:9000 would not restart"


def test_a_dry_run_says_that_a_restart_would_be_refused(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("kesdown-key-status")]
    result = mcpy("admin", "service", "restart", "--dry-run", "play")
    assert (result.exit_code, result.stdout) == (6, "")
    assert "a restart would end s3.test:9000" in result.stderr
