"""The settings of a MinIO server: sealed on the wire, with mc's words and fields."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api import minio_config, sealed
from tests.running import SECRET_KEY
from tests.stub import ok

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server

SCANNER = "scanner speed=default alert_excess_versions=100 alert_excess_folders=50000 \n"
WEBHOOK = (
    "notify_webhook enable=off endpoint= \n"
    "# MINIO_NOTIFY_WEBHOOK_ENABLE_foo=off\n"
    "# MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_foo=hunter2\n"
    "notify_webhook:foo \n"
)
KEYS = {
    "subSys": "scanner",
    "description": "manage namespace scanning",
    "multipleTargets": False,
    "keysHelp": [
        {"key": "speed", "type": "string", "description": "customize scanner speed"},
        {"key": "alert_excess_versions", "type": "int", "description": "alert per object"},
    ],
}


def sealed_text(text: str) -> httpx.Response:
    return httpx.Response(200, content=sealed.seal(text.encode(), SECRET_KEY))


def entries(*lines: str) -> httpx.Response:
    """A history whose entries are called id-0, id-1, ..."""
    found = [
        {"restoreId": f"id-{number}", "createTime": "2026-11-25T14:19:18Z", "data": line}
        for number, line in enumerate(lines)
    ]
    return sealed_text(json.dumps(found or None))


def refusal(message: str) -> httpx.Response:
    return httpx.Response(400, json={"Code": "XMinioConfigError", "Message": message})


def sent(server: Server, index: int = 0) -> str:
    return sealed.unseal(server.requests[index].content, SECRET_KEY).decode()


def test_settings_have_the_fields_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [sealed_text(SCANNER)]
    assert mcpy("admin", "config", "get", "play", "scanner", "--json").objects == [
        {
            "status": "success",
            "config": [
                {
                    "subSystem": "scanner",
                    "kv": [
                        {"key": "speed", "value": "default"},
                        {"key": "alert_excess_versions", "value": "100"},
                        {"key": "alert_excess_folders", "value": "50000"},
                    ],
                }
            ],
        }
    ]
    assert server.calls == ["GET /minio/admin/v3/get-config-kv?key=scanner"]


def test_settings_are_printed_as_the_server_writes_them(mcpy: Mcpy, server: Server) -> None:
    server.replies = [sealed_text(SCANNER)]
    assert mcpy("admin", "config", "get", "play", "scanner") == (0, SCANNER, "")


def test_targets_and_variables_of_the_environment_are_told_apart(
    mcpy: Mcpy, server: Server
) -> None:
    server.replies = [sealed_text(WEBHOOK)]
    args = ("admin", "config", "get", "play", "notify_webhook", "--json", "--show-secrets")
    assert mcpy(*args).objects[0]["config"][1] == {
        "subSystem": "notify_webhook",
        "target": "foo",
        "kv": [
            {
                "key": "enable",
                "value": "",
                "envOverride": {"name": "MINIO_NOTIFY_WEBHOOK_ENABLE_foo", "value": "off"},
            },
            {
                "key": "auth_token",
                "value": "",
                "envOverride": {"name": "MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_foo", "value": "hunter2"},
            },
        ],
    }


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_secrets_among_the_settings_are_hidden(
    mcpy: Mcpy, server: Server, json: tuple[str, ...]
) -> None:
    lines = "identity_openid client_id=me client_secret=hunter2 scopes=a \n" + WEBHOOK
    server.replies = [sealed_text(lines)]
    result = mcpy("admin", "config", "get", "play", "identity_openid", *json)
    assert result.exit_code == 0
    assert "hunter2" not in result.stdout
    assert "*REDACTED*" in result.stdout
    assert "me" in result.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("browser csp=\"default-src 'self'; a=b\" hsts=0 \n", ["default-src 'self'; a=b", "0"]),
        ("notify_webhook:x comment=hello world queue_dir=/a b \n", ["hello world", "/a b"]),
        ("# callhome enable=off frequency=24h \n", ["off", "24h"]),
        ("region name= \n", [""]),
    ],
)
def test_values_are_read_whole(line: str, expected: list[str]) -> None:
    (section,) = minio_config.parse(line)
    assert [setting.value for setting in section.settings] == expected


def test_a_setting_that_works_at_once_is_read_back(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(x_minio_config_applied="true"), sealed_text("scanner speed=fast \n")]
    result = mcpy("admin", "config", "set", "play", "scanner", "speed=fast")
    assert result == (0, "Set scanner.\n", "")
    assert server.calls == [
        "PUT /minio/admin/v3/set-config-kv",
        "GET /minio/admin/v3/get-config-kv?key=scanner",
    ]
    assert sent(server) == "scanner speed=fast"


def test_a_restart_that_is_needed_is_said(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok()]
    assert mcpy("admin", "config", "set", "play", "region", "name=us-east-1") == (
        0,
        "Set region.\nThey work after: mcpy admin service restart play\n",
        "",
    )


def test_a_restart_that_is_needed_is_said_in_json(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok()]
    result = mcpy("admin", "config", "set", "play", "region", "name=x", "--json")
    assert result.objects == [{"status": "success", "restartRequired": True}]


def test_a_setting_the_server_forgot_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(x_minio_config_applied="true"), sealed_text(SCANNER)]
    assert mcpy("admin", "config", "set", "play", "scanner", "speed=fast") == (
        1,
        "",
        "mcpy: error: the server took `speed`, and does not show it afterwards\n",
    )


def test_a_variable_that_goes_before_the_setting_is_a_warning(mcpy: Mcpy, server: Server) -> None:
    shown = "# MINIO_SCANNER_SPEED=fast\nscanner speed=slow \n"
    server.replies = [ok(x_minio_config_applied="true"), sealed_text(shown)]
    result = mcpy("admin", "config", "set", "play", "scanner", "speed=slow")
    assert result.stderr == (
        "mcpy: warning: MINIO_SCANNER_SPEED in the server's environment goes before `speed`\n"
    )


def test_a_refused_setting_says_why(mcpy: Mcpy, server: Server) -> None:
    server.replies = [refusal("sub-system 'scanner' cannot have empty keys")]
    assert mcpy("admin", "config", "set", "play", "scanner", "nosuch=1") == (
        1,
        "",
        "mcpy: error: XMinioConfigError: sub-system 'scanner' cannot have empty keys\n",
    )


def test_a_setting_without_a_value_is_a_usage_error(mcpy: Mcpy) -> None:
    assert mcpy("admin", "config", "set", "play", "scanner", "speed") == (
        2,
        "",
        "mcpy: error: settings are KEY=VALUE\nmcpy: hint: mcpy admin config set play scanner\n",
    )


def test_without_settings_it_says_what_there_is(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json=KEYS)] * 2
    assert mcpy("admin", "config", "set", "play", "scanner") == (
        0,
        "speed\tstring\tcustomize scanner speed\nalert_excess_versions\tint\talert per object\n",
        "",
    )
    result = mcpy("admin", "config", "get", "play", "--json")
    assert result.objects == [{"status": "success", "help": KEYS}]
    assert server.calls == [
        "GET /minio/admin/v3/help-config-kv?key=&subSys=scanner",
        "GET /minio/admin/v3/help-config-kv?key=&subSys=",
    ]


def scanner_help(default: str) -> httpx.Response:
    key = {"key": "speed", "type": "string", "description": f"speed (default: '{default}')"}
    return httpx.Response(200, json=KEYS | {"keysHelp": [key, {"key": "comment"}]})


@pytest.mark.parametrize("line", ["scanner", "scanner speed"])
def test_settings_are_reset_to_the_defaults_that_the_servers_help_names(
    mcpy: Mcpy, server: Server, line: str
) -> None:
    server.replies = [
        ok(x_minio_config_applied="true"),
        sealed_text(SCANNER),
        scanner_help("default"),
    ]
    result = mcpy("admin", "config", "reset", "play", *line.split())
    assert result == (0, f"Reset {line}.\n", "")
    assert server.calls == [
        "DELETE /minio/admin/v3/del-config-kv",
        "GET /minio/admin/v3/get-config-kv?key=scanner",
        "GET /minio/admin/v3/help-config-kv?key=&subSys=scanner",
    ]
    assert sent(server) == line


def test_a_reset_that_the_server_does_not_show_is_a_failure(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        ok(x_minio_config_applied="true"),
        sealed_text(SCANNER),
        scanner_help("slow"),
    ]
    assert mcpy("admin", "config", "reset", "play", "scanner") == (
        1,
        "",
        "mcpy: error: the server reset `speed`, and shows default, not slow\n",
    )


def test_a_key_that_was_not_reset_may_be_as_it_likes(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        ok(x_minio_config_applied="true"),
        sealed_text(SCANNER),
        scanner_help("slow"),
    ]
    result = mcpy("admin", "config", "reset", "play", "scanner", "alert_excess_versions")
    assert result.exit_code == 0


def test_an_export_is_whole_and_can_be_imported(mcpy: Mcpy, server: Server) -> None:
    kept = WEBHOOK.replace("notify_webhook:foo \n", "")
    server.replies = [sealed_text(WEBHOOK), sealed_text(WEBHOOK), ok(), entries(kept)]
    exported = mcpy("admin", "config", "export", "play")
    assert exported == (0, WEBHOOK.rstrip("\n") + "\n", "")
    imported = mcpy("admin", "config", "import", "play", stdin=exported.stdout)
    assert imported == (
        0,
        "Imported the settings.\nThey work after: mcpy admin service restart play\n",
        "mcpy: warning: not named, so back to their defaults: notify_webhook:foo\n",
    )
    assert server.calls == [
        "GET /minio/admin/v3/config",
        "GET /minio/admin/v3/config",
        "PUT /minio/admin/v3/config",
        "GET /minio/admin/v3/list-config-history-kv?count=1000",
    ]
    assert sent(server, 2) == kept


def test_an_import_says_which_settings_it_puts_back(mcpy: Mcpy, server: Server) -> None:
    live = "site name=a region= \napi requests_max=5 \n# callhome enable=off \n"
    server.replies = [sealed_text(live), ok(), entries("site name=b")]
    result = mcpy("admin", "config", "import", "play", stdin="site name=b\n")
    assert result.exit_code == 0
    assert result.stderr == "mcpy: warning: not named, so back to their defaults: api\n"


def test_an_import_that_is_not_in_the_history_is_a_failure(mcpy: Mcpy, server: Server) -> None:
    server.replies = [sealed_text(""), ok(), entries("site name=a")]
    assert mcpy("admin", "config", "import", "play", stdin="site name=b\n") == (
        1,
        "",
        "mcpy: error: the server took the settings, and has others in its history\n",
    )


def test_an_export_in_json_is_base64_as_in_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [sealed_text(SCANNER)]
    (found,) = mcpy("admin", "config", "export", "play", "--json").objects
    assert base64.b64decode(found["value"]).decode() == SCANNER


def test_an_import_of_nothing_is_refused(mcpy: Mcpy) -> None:
    result = mcpy("admin", "config", "import", "play", stdin="\n")
    assert result == (2, "", "mcpy: error: stdin holds no settings\n")


def test_the_history_hides_secrets_and_has_the_fields_of_mc(mcpy: Mcpy, server: Server) -> None:
    change = {
        "restoreId": "id-1",
        "createTime": "2026-11-23T20:08:31.178855734Z",
        "data": "identity_openid client_secret=hunter2 client_id=me",
    }
    server.replies = [sealed_text(json.dumps([change | {"restoreId": "old"}, change]))]
    result = mcpy("admin", "config", "history", "play", "--json", "-n", "1")
    assert result.objects == [
        {
            "status": "success",
            "entries": [
                {
                    "restoreId": "id-1",
                    "createTime": "Mon, 23 Nov 2026 20:08:31 GMT",
                    "targets": "identity_openid client_secret=*REDACTED* client_id=me",
                }
            ],
        }
    ]


def test_an_earlier_state_is_restored(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), entries("site name=a")]
    assert mcpy("admin", "config", "restore", "play", "id-1").exit_code == 0
    assert server.calls == [
        "PUT /minio/admin/v3/restore-config-history-kv?restoreId=id-1",
        "GET /minio/admin/v3/list-config-history-kv?count=1000",
    ]


def test_an_entry_that_is_still_there_was_not_restored(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), entries("site name=a")]
    assert mcpy("admin", "config", "restore", "play", "id-0") == (
        1,
        "",
        "mcpy: error: the server took the restore of id-0, and still offers it\n",
    )


@pytest.mark.parametrize("option", ["--clear", "-c"])
def test_the_history_is_cleared_and_seen_to_be_empty(
    mcpy: Mcpy, server: Server, option: str
) -> None:
    server.replies = [ok(), entries(), ok(), entries(), ok(), entries("site name=a")]
    assert mcpy("admin", "config", "history", "play", option) == (0, "Cleared the history.\n", "")
    assert server.calls[0] == "DELETE /minio/admin/v3/clear-config-history-kv?restoreId=all"
    (found,) = mcpy("--json", "admin", "config", "history", "play", option).objects
    assert found == {"status": "success", "entries": []}
    result = mcpy("admin", "config", "history", "play", option)
    assert (result.exit_code, result.stdout) == (1, "")


def test_an_answer_sealed_for_another_key_is_refused(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, content=sealed.seal(b"x", "another-secret"))]
    assert mcpy("admin", "config", "get", "play", "scanner") == (
        1,
        "",
        "mcpy: error: a sealed answer does not open: it was changed on the way, "
        "or sealed for another key\n",
    )


def test_the_history_is_a_line_for_each_change(mcpy: Mcpy, server: Server) -> None:
    change = {"restoreId": "id-1", "createTime": "2026-11-23T20:08:31Z", "data": "a b=1\n"}
    server.replies = [sealed_text(json.dumps([change]))]
    result = mcpy("admin", "config", "history", "play")
    assert result == (0, "id-1\t2026-11-23T20:08:31Z\ta b=1\n", "")


def test_a_history_of_nothing_prints_nothing(mcpy: Mcpy, server: Server) -> None:
    server.replies = [sealed_text("null")]
    assert mcpy("admin", "config", "history", "play") == (0, "", "")


def test_a_history_that_is_none_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [sealed_text("[1]")]
    result = mcpy("admin", "config", "history", "play")
    message = "mcpy: error: the server answered no history of its settings\n"
    assert result == (1, "", message)


def test_the_names_for_the_environment_are_asked_for(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json=KEYS)] * 2
    assert mcpy("admin", "config", "set", "play", "scanner", "--env").exit_code == 0
    assert mcpy("admin", "config", "reset", "play", "scanner:x", "--env").exit_code == 0
    path = "GET /minio/admin/v3/help-config-kv"
    assert server.calls == [f"{path}?env=&key=&subSys=scanner"] * 2


@pytest.mark.parametrize("json", [(), ("--json",)])
@pytest.mark.parametrize(
    "line",
    [
        "notify_amqp:1 enable=on url=amqp://user:hunter2@mq.test:5672 exchange=e \n",
        "# MINIO_NOTIFY_AMQP_URL_1=amqp://user:hunter2@mq.test:5672\nnotify_amqp:1 exchange=e \n",
        'notify_nats:1 address="nats://u:hunter2@a.test nats://u:hunter2@mq.test:5672" \n',
        "notify_amqp:1 url=amqp://user:hunter2@/@mq.test:5672 \n",
    ],
)
def test_credentials_in_urls_are_hidden(
    mcpy: Mcpy, server: Server, line: str, json: tuple[str, ...]
) -> None:
    server.replies = [sealed_text(line)]
    result = mcpy("admin", "config", "get", "play", "notify_amqp", *json)
    assert result.exit_code == 0
    assert "hunter2" not in result.stdout
    assert "://*REDACTED*@mq.test:5672" in result.stdout


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ("notify_webhook enable=off endpoint= \n", (0, "Reset notify_webhook:x.\n", "")),
        (WEBHOOK.replace("foo", "x"), (0, "Reset notify_webhook:x.\n", "")),
        (
            "notify_webhook:x enable=on endpoint=http://h \n",
            (
                1,
                "",
                "mcpy: error: the server reset notify_webhook:x, and still shows it afterwards\n",
            ),
        ),
    ],
    ids=["gone", "in the environment", "still there"],
)
def test_a_target_that_was_reset_is_looked_for(
    mcpy: Mcpy, server: Server, left: str, expected: tuple[int, str, str]
) -> None:
    server.replies = [ok(x_minio_config_applied="true"), sealed_text(left)]
    assert mcpy("admin", "config", "reset", "play", "notify_webhook:x") == expected
    assert server.calls[1] == "GET /minio/admin/v3/get-config-kv?key=notify_webhook"
