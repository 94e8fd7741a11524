"""Configuration over the admin API: sealed, kept, taken back."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from mcpy.sandbox.admin.sealed import PBKDF2_AES_GCM, SealError, seal, unseal
from tests.sandbox.admin_calls import (
    RECORDED,
    content,
    recorded_time,
    replay,
    server,
    signed,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mcpy.sandbox.admin import AdminApp


@pytest.mark.parametrize(("cipher", "size"), [(0, 40_000), (1, 0), (2, 1), (2, 16_384)])
def test_what_is_sealed_can_be_opened(cipher: int, size: int) -> None:
    data = bytes(size)
    assert unseal(seal(data, "secret", cipher_id=cipher), "secret") == data


def test_sealed_bodies_open_unchanged_and_with_the_right_secret_only() -> None:
    body = seal(bytes(40_000), "secret", cipher_id=PBKDF2_AES_GCM)
    cut, changed = body[:-5000], body[:100] + b"\xff" + body[101:]
    for wrong in (cut, changed, body + b"x", b"", bytes(60), body[:32] + b"\x09" + body[33:]):
        with pytest.raises(SealError):
            unseal(wrong, "secret")
    with pytest.raises(SealError):
        unseal(body, "other")


@pytest.mark.parametrize("name", ["config-export", "config-get-api", "config-get-batch"])
def test_an_unconfigured_server_answers_the_recorded_defaults(name: str, tmp_path: Path) -> None:
    moment = recorded_time(name)
    mine = content(replay(name, server(None, tmp_path, now=lambda: moment)))
    real = base64.b64decode(RECORDED[name]["response"]["body"]["base64"])
    assert unseal(mine, "minioadmin") == unseal(real, "minioadmin")


def configure(app: AdminApp, method: str, operation: str, text: str = "", query: str = "") -> str:
    body = seal(text.encode(), "minioadmin", cipher_id=PBKDF2_AES_GCM) if method != "GET" else b""
    answer = app(signed(method, f"/minio/admin/v3/{operation}", query, body))
    assert answer.status == 200, content(answer)
    if method == "GET":
        return unseal(content(answer), "minioadmin").decode()
    return answer.header("x-minio-config-applied") or ""


def test_a_setting_survives_a_restart_in_a_private_file(tmp_path: Path) -> None:
    app = server(None, tmp_path)
    assert configure(app, "PUT", "set-config-kv", 'scanner speed="fast"') == "true"
    assert configure(app, "PUT", "set-config-kv", "region name=eu-west-1") == ""
    assert configure(app, "PUT", "set-config-kv", "notify_webhook:a endpoint=http://x") == ""
    assert (tmp_path / "config.json").stat().st_mode & 0o777 == 0o600
    again = server(None, tmp_path)
    assert configure(again, "GET", "get-config-kv", query="key=scanner").startswith(
        "scanner speed=fast alert"
    )
    export = configure(again, "GET", "config")
    assert "scanner speed=fast " in export
    assert "\n# notify_webhook enable=off " in export
    assert "\nnotify_webhook:a enable=off endpoint=http://x " in export
    target = configure(again, "GET", "get-config-kv", query="key=notify_webhook%3Aa")
    assert target.startswith("notify_webhook:a enable=off endpoint=http://x ")
    history = json.loads(configure(again, "GET", "list-config-history-kv", query="count=2"))
    assert [entry["data"] for entry in history] == [
        "region name=eu-west-1",
        "notify_webhook:a endpoint=http://x",
    ]


def test_only_dynamic_settings_show_before_a_restart(tmp_path: Path) -> None:
    app = server(None, tmp_path)
    configure(app, "PUT", "set-config-kv", "site name=lab")
    configure(app, "PUT", "set-config-kv", "compression enable=on extensions=.a, .b")
    assert configure(app, "GET", "get-config-kv", query="key=site") == "site name= region= \n"
    compression = configure(app, "GET", "get-config-kv", query="key=compression")
    assert compression.startswith('compression allow_encryption=off extensions=".a, .b" ')
    restarted = server(None, tmp_path)
    assert configure(restarted, "GET", "get-config-kv", query="key=site") == (
        "site name=lab region= \n"
    )
    configure(restarted, "PUT", "config", "scanner speed=fastest\n# api odirect=off\n")
    scanner = configure(server(None, tmp_path), "GET", "get-config-kv", query="key=scanner")
    assert scanner.startswith("scanner speed=fastest ")


def test_a_setting_can_be_taken_back_in_every_way(tmp_path: Path) -> None:
    app = server(None, tmp_path)

    def speed() -> str:
        return configure(app, "GET", "get-config-kv", query="key=scanner").split()[1]

    configure(app, "PUT", "set-config-kv", "scanner speed=slow")
    assert configure(app, "DELETE", "del-config-kv", "scanner") == "true"
    assert speed() == "speed=default"
    first = json.loads(configure(app, "GET", "list-config-history-kv", query="count=0"))[0]
    configure(app, "PUT", "restore-config-history-kv", query=f"restoreId={first['restoreId']}")
    assert speed() == "speed=default"  # a server works by it from its next start on
    assert configure(app, "GET", "list-config-history-kv", query="count=0") == "null"
    configure(app, "DELETE", "del-config-kv", "scanner speed")
    assert speed() == "speed=default"
    configure(app, "PUT", "set-config-kv", "scanner speed=fast")
    configure(app, "PUT", "set-config-kv", "scanner speed=")
    assert speed() == "speed=default"
    configure(app, "DELETE", "clear-config-history-kv", query="restoreId=all")
    assert configure(app, "GET", "list-config-history-kv", query="count=9") == "null"


# measured on a real server, 2026-11-23
REFUSED = [
    ("PUT", "set-config-kv", "", "input arguments cannot be empty"),
    ("PUT", "set-config-kv", "# scanner speed=fast", "unknown sub-system # scanner speed=fast"),
    ("PUT", "set-config-kv", "nosuch a=b", "unknown sub-system nosuch a=b"),
    ("PUT", "set-config-kv", "scanner", "sub-system 'scanner' must have key"),
    ("PUT", "set-config-kv", "scanner x=1", "sub-system 'scanner' cannot have empty keys"),
    ("PUT", "set-config-kv", "scanner speed=fast x=1", "unknown 'fast x=1' value"),
    (
        "PUT",
        "set-config-kv",
        "scanner:a speed=fast",
        "sub-system 'scanner' only supports single target",
    ),
    (
        "PUT",
        "set-config-kv",
        "api requests_max=abc",
        'strconv.Atoi: parsing "abc": invalid syntax',
    ),
    ("PUT", "config", "nosuch a=b", "unknown sub-system nosuch a=b"),
    ("DELETE", "del-config-kv", "nosuch", "unknown sub-system nosuch"),
    ("DELETE", "del-config-kv", "", "input arguments cannot be empty"),
]


@pytest.mark.parametrize(("method", "operation", "text", "reason"), REFUSED)
def test_a_wrong_setting_is_refused_as_measured(
    method: str, operation: str, text: str, reason: str, tmp_path: Path
) -> None:
    body = seal(text.encode(), "minioadmin", cipher_id=PBKDF2_AES_GCM)
    answer = server(None, tmp_path)(signed(method, f"/minio/admin/v3/{operation}", "", body))
    assert (answer.status, json.loads(content(answer))["Message"]) == (400, reason)


def test_an_unknown_target_is_refused(tmp_path: Path) -> None:
    asked = signed("GET", "/minio/admin/v3/get-config-kv", "key=scanner%3Afoo")
    text = json.loads(content(server(None, tmp_path)(asked)))["Message"]
    assert text == "there is no target `foo` for subsystem `scanner`"


def test_a_history_entry_has_to_be_named_to_be_forgotten(tmp_path: Path) -> None:
    asked = signed("DELETE", "/minio/admin/v3/clear-config-history-kv", "restoreId=")
    assert server(None, tmp_path)(asked).status == 400


def test_help_names_the_keys(tmp_path: Path) -> None:
    app = server(None, tmp_path)
    answer = app(signed("GET", "/minio/admin/v3/help-config-kv", "subSys=batch&key="))
    names = [entry["key"] for entry in json.loads(content(answer))["keysHelp"]]
    recorded = "replication_workers_wait keyrotation_workers_wait expiration_workers_wait"
    assert names == recorded.split()
    assert app(signed("GET", "/minio/admin/v3/help-config-kv", "subSys=x&key=")).status == 400
