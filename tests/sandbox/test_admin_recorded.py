"""The admin API: recorded and measured requests, answered as the real server answered."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.admin_calls import (
    JOB,
    RECORDED,
    FakeEngine,
    LabKes,
    content,
    lab,
    recorded_time,
    replay,
    server,
    signed,
)

if TYPE_CHECKING:
    from pathlib import Path

BYTE_FOR_BYTE = [
    name
    for name in RECORDED
    if not re.match(r"admin-info|nokms-admin-info|admin-storage|admin-err-wrong-region", name)
    and not re.match(r"config-(get-[arb]|export)|batch-keyrotate|admin-info", name)
] + ["config-get-bad"]


@pytest.mark.parametrize("name", BYTE_FOR_BYTE)
def test_a_recorded_request_is_answered_as_recorded(name: str, tmp_path: Path) -> None:
    moment = recorded_time(name)
    app = server(lab(name), tmp_path, now=lambda: moment, engine=FakeEngine(tmp_path))
    app.deployment.endpoint = "127.0.0.1:9102" if name == "service-v2-stop" else "127.0.0.1:9101"
    answer = replay(name, app)
    expected = RECORDED[name]["response"]
    assert answer.status == expected["status"]
    assert masked(content(answer).decode()) == masked(expected["body"])
    for header in expected["headers"].keys() - {"x-amz-bucket-region"}:
        assert answer.header(header) == expected["headers"][header], header


def masked(text: str) -> str:
    text = re.sub(r'("(?:RequestId|HostId)":)"[0-9A-Fa-f-]+"', r'\1"?"', text)
    text = re.sub(r"<(RequestId|HostId)>[0-9A-Fa-f-]+</", r"<\1>?</", text)
    return re.sub(r"<Region>[\w-]+</Region>", "", text)


@pytest.mark.parametrize(
    "name", ["admin-info-kes", "admin-info-unsigned-payload", "nokms-admin-info"]
)
def test_info_has_the_fields_of_the_recorded_one_in_order(name: str, tmp_path: Path) -> None:
    moment = recorded_time(name)
    app = server(lab(name), tmp_path, now=lambda: moment)
    app.deployment.started = moment - timedelta(seconds=51)
    mine = json.loads(content(replay(name, app)))
    real = json.loads(RECORDED[name]["response"]["body"])
    assert shape(mine) == shape(real)
    assert mine["services"] == real["services"]
    assert mine["servers"][0]["uptime"] == 51


def shape(value: object) -> object:
    if isinstance(value, dict):
        keyed_by_data = {"minio_env_vars", "network"}
        return [(k, "" if k in keyed_by_data else shape(v)) for k, v in value.items()]
    if isinstance(value, list):
        return [shape(item) for item in value[:1]] if value and isinstance(value[0], dict) else []
    return type(value).__name__


# measured on a real server, 2026-11-23
INTERNAL = "We encountered an internal error, please try again.: cause({})"
ODD = [
    ("GET", "get-config-kv", "", b"", 426, None),
    ("GET", "list-config-history-kv", "count=abc", b"", 426, None),
    ("GET", "help-config-kv", "subSys=nosuch&key=", b"", 400, "unknown sub-system nosuch"),
    (
        "GET",
        "help-config-kv",
        "subSys=scanner&key=nosuch",
        b"",
        400,
        "unknown key nosuch for sub-system scanner",
    ),
    ("PUT", "restore-config-history-kv", "restoreId=x", b"", 404, "config file not found"),
    ("PUT", "restore-config-history-kv", "restoreId=", b"", 400, "Invalid Request"),
    (
        "POST",
        "start-job",
        "",
        b"a: [",
        500,
        INTERNAL.format("yaml: line 1: did not find expected node content"),
    ),
    (
        "POST",
        "start-job",
        "",
        b"- a\n- b\n",
        500,
        INTERNAL.format(
            "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into cmd.BatchJobRequest"
        ),
    ),
    (
        "POST",
        "start-job",
        "",
        b"keyrotate: hello\n",
        500,
        INTERNAL.format(
            "yaml: unmarshal errors:\n"
            "  line 1: cannot unmarshal !!str `hello` into cmd.BatchJobKeyRotateV1"
        ),
    ),
    (
        "POST",
        "start-job",
        "",
        JOB.replace(b"type: sse-s3", b'type: sse-kms, key: " a"').replace(b": b\n", b": br1\n"),
        400,
        "The specified KMS KeyID contains unsupported characters",
    ),
]


@pytest.mark.parametrize("case", ODD)
def test_odd_requests_are_refused_as_measured(
    case: tuple[str, str, str, bytes, int, str | None], tmp_path: Path
) -> None:
    method, operation, query, body, status, text = case
    app = server(LabKes(), tmp_path, engine=FakeEngine(tmp_path))
    answer = app(signed(method, f"/minio/admin/v3/{operation}", query, body))
    assert answer.status == status
    if text is not None:
        assert json.loads(content(answer))["Message"] == text
