"""``admin info`` and ``ready`` over a scripted server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.models import Alias
from tests.recordings import minio
from tests.running import ACCESS_KEY, SECRET_KEY
from tests.stub import s3_error

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server


def test_info_shows_each_node_and_the_sums(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("admin-info-kes")]
    result = mcpy("admin", "info", "play")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("● 127.0.0.1:9101\n   State:       online\n")
    assert "   Uptime:      51 s\n" in result.stdout
    assert "   Drives:      1/1 OK\n" in result.stdout
    assert "KMS: https://127.0.0.1:7393 online\n" in result.stdout
    assert server.calls == ["GET /minio/admin/v3/info?metrics=false"]


def test_a_node_that_is_off_line_is_shown_as_such(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("dist-info-peer-down")]
    result = mcpy("admin", "info", "play")
    assert "● 10.99.0.1:9112\n   State:       offline\n" in result.stdout


def test_its_json_is_the_answer_of_the_server(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("admin-info-kes")]
    (answer,) = mcpy("--json", "admin", "info", "play").objects
    assert answer == {"status": "success", "info": json.loads(minio("admin-info-kes").text)}


def test_a_deployment_that_initialises_is_unreachable(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"mode": "initializing", "servers": []})]
    result = mcpy("admin", "info", "play")
    assert (result.exit_code, result.stderr) == (
        6,
        "mcpy: error: `play` is initializing\nmcpy: hint: mcpy ready play\n",
    )


@pytest.mark.parametrize(
    ("recording", "code", "words"),
    [
        ("admin-err-bad-secret", 4, "SignatureDoesNotMatch: "),
        ("perm-admin-info-denied", 4, "AccessDenied: "),
        ("admin-err-old-version", 7, "XMinioAdminVersionMismatch: "),
    ],
)
def test_a_refusal_has_the_exit_code_of_its_cause(
    mcpy: Mcpy, server: Server, recording: str, code: int, words: str
) -> None:
    server.replies = [minio(recording)]
    result = mcpy("admin", "info", "play")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith(f"mcpy: error: {words}")


def test_a_refusal_in_json_is_no_success(mcpy: Mcpy, server: Server) -> None:
    """The real mc answers exit 0 here."""
    server.replies = [minio("perm-admin-info-denied")]
    result = mcpy("--json", "admin", "info", "play")
    assert (result.exit_code, result.stderr) == (4, "")
    assert result.objects[0]["status"] == "error"
    assert result.objects[0]["error"]["cause"]["error"]["Code"] == "AccessDenied"


@pytest.mark.parametrize("body", ["", "{}", "<html/>", '{"mode":"online","servers":{}}', "null"])
def test_an_answer_without_the_state_is_an_error(mcpy: Mcpy, server: Server, body: str) -> None:
    server.replies = [httpx.Response(200, text=body)]
    result = mcpy("admin", "info", "play")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1


def test_ready_returns_when_the_server_is_healthy_and_s3_answers(
    mcpy: Mcpy, server: Server
) -> None:
    server.replies = [minio("health-cluster"), minio("after-unfreeze-list")]
    assert mcpy("ready", "play") == (0, "`play` is ready.\n", "")
    assert server.calls == ["GET /minio/health/cluster", "GET /"]


def test_ready_waits_for_a_server_that_starts(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        httpx.ConnectError("refused"),
        minio("health-cluster"),
        minio("after-unfreeze-list"),
    ]
    assert mcpy("ready", "play") == (0, "`play` is ready.\n", "")


def test_ready_ends_when_its_time_is_over(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.ConnectError("refused")]
    assert mcpy("ready", "play", "--timeout", "300ms") == (
        6,
        "",
        "mcpy: error: `play` was not ready within 0.3 s: "
        "cannot connect to s3.test:9000: refused\n",
    )


def test_ready_does_not_believe_a_frozen_server(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("health-cluster"), httpx.ReadTimeout("silent")]
    assert mcpy("ready", "play", "--timeout", "300ms").exit_code == 6


def test_being_denied_to_list_buckets_is_an_answer_of_s3(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("health-cluster"), s3_error(403, "AccessDenied")]
    assert mcpy("--json", "ready", "play").objects == [
        {
            "status": "success",
            "alias": "play",
            "healthy": True,
            "maintenanceMode": False,
            "writeQuorum": 1,
            "healingDrives": 0,
            "error": None,
        }
    ]


@pytest.mark.parametrize(
    ("option", "asked"),
    [
        ("--cluster-read", "GET /minio/health/cluster/read"),
        ("--maintenance", "GET /minio/health/cluster?maintenance=true"),
    ],
)
def test_ready_asks_what_mc_asks(mcpy: Mcpy, server: Server, option: str, asked: str) -> None:
    server.replies = [minio("health-cluster"), minio("after-unfreeze-list")]
    assert mcpy("ready", option, "play").exit_code == 0
    assert server.calls[0] == asked


def test_a_node_that_is_needed_is_not_ready_for_maintenance(mcpy: Mcpy, server: Server) -> None:
    server.afterwards = lambda _: httpx.Response(412)
    result = mcpy("ready", "--maintenance", "play", "--timeout", "100ms")
    assert (result.exit_code, result.stdout) == (6, "")
    assert "it needs the node that was asked" in result.stderr


def test_info_warns_of_a_kms_that_is_down_and_of_nodes_that_are_away(
    mcpy: Mcpy, server: Server
) -> None:
    away = {"endpoint": "node2:9000", "state": "offline"}
    found = {
        "mode": "online",
        "servers": [{"endpoint": "node1:9000", "state": "online"}, away],
        "services": {"kmsStatus": [{"endpoint": "https://kes:7373", "status": "offline"}]},
    }
    server.replies = [httpx.Response(200, json=found)] * 2
    result = mcpy("admin", "info", "play")
    assert result.exit_code == 0
    first, second = result.stderr.splitlines()
    assert first == "mcpy: warning: node node2:9000 is offline"
    assert second.startswith("mcpy: warning: the KMS https://kes:7373 is offline: ")
    shown = mcpy("admin", "info", "--offline", "play").stdout
    assert "node2:9000" in shown
    assert "node1:9000" not in shown


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"MINIO_CONFIG_ENV_FILE": "/etc/minio.env"}, "   Settings:    /etc/minio.env\n"),
        ({"MINIO_ROOT_USER": "x"}, "   Settings:    in the environment of the process, no file\n"),
    ],
)
def test_info_shows_where_a_node_has_its_settings_from(
    mcpy: Mcpy, server: Server, variables: dict[str, str], line: str
) -> None:
    node = {"endpoint": "n1:9000", "state": "online", "minio_env_vars": variables}
    server.replies = [httpx.Response(200, json={"mode": "online", "servers": [node]})]
    result = mcpy("admin", "info", "play")
    assert (result.exit_code, result.stderr) == (0, "")
    assert line in result.stdout


@pytest.mark.parametrize(
    "part",
    [
        {"servers": [5]},
        {"servers": [{"uptime": "abc"}]},
        {"servers": [{"drives": [1]}]},
        {"servers": [{"network": [1]}]},
        {"services": {"kmsStatus": [1]}},
        {"backend": 5},
    ],
)
def test_information_of_another_form_is_refused(
    mcpy: Mcpy, server: Server, part: dict[str, object]
) -> None:
    server.replies = [httpx.Response(200, json={"mode": "online", "servers": []} | part)]
    message = "mcpy: error: s3.test:9000 answered no server information\n"
    assert mcpy("admin", "info", "play") == (1, "", message)


def test_several_servers_are_looked_at_and_waited_for(mcpy: Mcpy, server: Server) -> None:
    mcpy.store.put(Alias("other", "http://other.test", ACCESS_KEY, SECRET_KEY))
    online = httpx.Response(200, json={"mode": "online", "servers": []})
    server.replies = [online, s3_error(403, "AccessDenied")]
    result = mcpy("--json", "admin", "info", "--jobs", "1", "play", "other")
    assert result.exit_code == 8
    assert [answer["status"] for answer in result.objects] == ["success", "error", "error"]
    server.replies = [minio("health-cluster"), minio("after-unfreeze-list")] * 2
    result = mcpy("ready", "--jobs", "1", "play", "other")
    assert result == (0, "`play` is ready.\n`other` is ready.\n", "")
