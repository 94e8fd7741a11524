"""The admin API: requests recorded from a real client, answered as the real server answered."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from mcpy.sandbox.admin import AdminApp, Deployment, Router, StoreEngine, census_of
from mcpy.sandbox.admin.deployment import StoppedError
from mcpy.sandbox.admin.sealed import SealError, seal, unseal
from mcpy.sandbox.kms import DataKey, Kms, KmsProblem, StaticKms
from mcpy.sandbox.s3.canonical import (
    Credential,
    canonical_request,
    parse_time,
    signature_of,
    string_to_sign,
)
from mcpy.sandbox.store import Store
from mcpy.sandbox.wsgi import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from mcpy.sandbox.admin import BatchEngine, KeyRotation, Progress

DATA = Path(__file__).parents[1] / "data/admin"
RECORDED = {
    record["name"]: record
    for record in map(json.loads, (DATA / "recorded.jsonl").read_text().splitlines())
}
KEYS = {"minioadmin": "minioadmin"}
START = parse_time("20261123T200000Z") or pytest.fail("a time")
KES_URL = "https://127.0.0.1:7393"
DOWN = "dial tcp 127.0.0.1:7393: connect: connection refused"


class LabKes(StaticKms):
    """The KES of the recordings: same endpoint and keys; ``down`` when nothing answers there."""

    name = "MinIO KES"

    def __init__(self, *keys: str, down: bool = False) -> None:
        super().__init__("my-minio-sse-s3-key", b"k" * 32)
        self.names = sorted({self.default_key, *keys})
        self.down = down

    def reach(self, method: str, path: str) -> None:
        if self.down:
            raise KmsProblem(0, f'kes: connection error: {method} "{KES_URL}{path}": {DOWN}')

    def generate(self, key: str, context: Mapping[str, str]) -> DataKey:
        self.reach("Post", f"/v1/key/generate/{key}")
        if key not in self.names:
            raise KmsProblem(404, "key does not exist")
        return super().generate(self.default_key, context)

    def decrypt(self, key: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        return super().decrypt(self.default_key if key in self.names else key, ciphertext, context)

    def create(self, key: str) -> None:
        self.reach("Post", f"/v1/key/create/{key}")
        if not re.fullmatch(r"[\w-]{1,80}", key):
            tail = "is empty, too long or contains invalid characters"
            raise KmsProblem(400, f"key name '{key}' {tail}")
        if key in self.names:
            raise KmsProblem(400, "key already exists")
        self.names = sorted([*self.names, key])

    def keys(self, prefix: str) -> list[str]:
        self.reach("Get", "/v1/key/list")
        return [name for name in self.names if prefix == "*" or name.startswith(prefix)]

    def status(self) -> dict[str, bool]:
        return {KES_URL: not self.down}

    def version(self) -> str:
        self.reach("Get", "/version")
        return "<unknown>"

    def apis(self) -> list[dict[str, Any]]:
        self.reach("Get", "/v1/api")
        return [{"Method": "GET", "Path": "/version", "MaxBody": 0, "Timeout": 10}]


def server(
    kms: Kms | None,
    folder: Path,
    *,
    now: Callable[[], datetime] = lambda: START,
    on_service: Callable[[str], None] = lambda _: None,
    engine: BatchEngine | None = None,
) -> AdminApp:
    env = {
        "MINIO_ROOT_USER": "minioadmin",
        "MINIO_ROOT_PASSWORD": "minioadmin",
        "MINIO_KMS_KES_API_KEY": "kes:v1:secret",
        "MINIO_KMS_KES_KEY_NAME": "my-minio-sse-s3-key",
        "HOME": "/nowhere",
    }
    deployment = Deployment(
        "127.0.0.1:9101",
        env,
        folder,
        folder / "config.json",
        started=START - timedelta(seconds=51),
        now=now,
    )
    return AdminApp(
        kms=kms, credentials=KEYS, deployment=deployment, on_service=on_service, engine=engine
    )


def signed(
    method: str, path: str, query: str = "", body: bytes = b"", secret: str = "minioadmin"
) -> Request:
    headers = {
        "host": "127.0.0.1:9101",
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        "x-amz-date": START.strftime("%Y%m%dT%H%M%SZ"),
    }
    asked = Request(method, path, query, headers, io.BytesIO(body), len(body))
    credential = Credential("minioadmin", START.strftime("%Y%m%d"), "", "s3")
    canonical = canonical_request(asked, headers, "UNSIGNED-PAYLOAD")
    message = string_to_sign(canonical, headers["x-amz-date"], credential.scope)
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential=minioadmin/{credential.scope},"
        f"SignedHeaders={';'.join(sorted(headers))},"
        f"Signature={signature_of(message, secret, credential)}"
    )
    return asked


def content(response: Response) -> bytes:
    body = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    return gzip.decompress(body) if response.header("content-encoding") == "gzip" else body


def replay(name: str, app: AdminApp) -> Response:
    asked = RECORDED[name]["request"]
    body = asked["body"] or ""
    raw = base64.b64decode(body["base64"]) if isinstance(body, dict) else body.encode()
    query = urlencode(asked["query"])
    request = Request(
        asked["method"], asked["path"], query, asked["headers"], io.BytesIO(raw), len(raw)
    )
    return app(request)


def recorded_time(name: str) -> datetime:
    date = RECORDED[name]["request"]["headers"].get("x-amz-date")
    return (parse_time(date) or START) if date and "skew" not in name else START


def lab(name: str) -> Kms | None:
    """Return the KMS the recorded server had."""
    if name.startswith("nokms"):
        return None
    if name.startswith("static"):
        return StaticKms("static-key", b"s" * 32)
    exists = [n for n in ("created-1", "created-2") if "exists" in name]
    return LabKes("tenant-a", "tenant-b", *exists, down=name.startswith("kesdown"))


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


class FakeEngine(StoreEngine):
    """An engine whose store holds the recorded bucket ``br1``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self, job: KeyRotation) -> None:
        store = Store(self.folder / "data")
        try:
            store.create_bucket("br1", 1, {})
            StoreEngine(store, LabKes).check(job)
        finally:
            store.close()


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


def test_a_fresh_start_has_no_uptime_and_secrets_are_redacted(tmp_path: Path) -> None:
    app = server(None, tmp_path)
    app.deployment.started = START
    answer = json.loads(content(app(signed("GET", "/minio/admin/v3/info"))))["servers"][0]
    assert "uptime" not in answer
    assert answer["minio_env_vars"] == {
        "MINIO_KMS_KES_API_KEY": "*** EXISTS, REDACTED ***",
        "MINIO_KMS_KES_KEY_NAME": "my-minio-sse-s3-key",
        "MINIO_ROOT_PASSWORD": "*** EXISTS, REDACTED ***",
        "MINIO_ROOT_USER": "*** EXISTS, REDACTED ***",
    }
    assert "minioadmin" not in repr(app.deployment)


def test_a_large_answer_is_compressed_for_who_takes_it(tmp_path: Path) -> None:
    asked = signed("GET", "/minio/admin/v3/info")
    asked.headers = {**asked.headers, "accept-encoding": "gzip"}
    answer = server(None, tmp_path)(asked)
    assert answer.header("content-encoding") == "gzip"
    assert json.loads(content(answer))["mode"] == "online"


def test_usage_counts_what_is_stored(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    store.create_bucket("one", 1, {})
    app = server(None, tmp_path)
    app.deployment.census = lambda: census_of(store)
    answer = json.loads(content(app(signed("GET", "/minio/admin/v3/datausageinfo"))))
    store.close()
    assert (answer["bucketsCount"], answer["objectsCount"]) == (1, 0)


# service


def test_the_answer_leaves_before_the_server_acts(tmp_path: Path) -> None:
    done: list[str] = []
    app = server(None, tmp_path, on_service=done.append)
    answer = app(signed("POST", "/minio/admin/v3/service", "action=restart&type=2&dry-run=false"))
    parts = iter(answer.body)
    assert next(parts) == (
        b'{"action":"restart","dryRun":false,"results":[{"host":"127.0.0.1:9101"}]}'
    )
    assert done == []
    assert list(parts) == []
    assert done == ["restart"]


@pytest.mark.parametrize("action", ["restart", "stop"])
def test_a_dry_run_does_nothing_to_the_process(action: str, tmp_path: Path) -> None:
    done: list[str] = []
    app = server(None, tmp_path, on_service=done.append)
    query = f"action={action}&type=2&dry-run=true"
    content(app(signed("POST", "/minio/admin/v3/service", query)))
    assert done == []


def test_a_dry_run_freezes_all_the_same_and_freezes_are_counted(tmp_path: Path) -> None:
    app = server(None, tmp_path)
    for action, frozen in [
        ("unfreeze", False),
        ("freeze&dry-run=true", True),
        ("freeze", True),
        ("unfreeze", True),
        ("unfreeze", False),
    ]:
        content(app(signed("POST", "/minio/admin/v3/service", f"action={action}&type=2")))
        assert app.deployment.frozen is frozen


def test_a_frozen_server_holds_s3_calls_until_it_is_thawed(tmp_path: Path) -> None:
    deployment = server(None, tmp_path).deployment
    deployment.wait_until_thawed()
    deployment.freeze()
    waiting = threading.Thread(target=deployment.wait_until_thawed)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    deployment.unfreeze()
    waiting.join(5)
    assert not waiting.is_alive()


def test_who_waits_is_let_go_when_the_server_stops(tmp_path: Path) -> None:
    app = server(None, tmp_path)
    app.deployment.freeze()
    threading.Timer(0.02, app.stop).start()
    with pytest.raises(StoppedError):
        app.deployment.wait_until_thawed()


# configuration


def test_sealed_bodies_open_with_the_right_secret_only() -> None:
    for size in (0, 1, 16384, 16385, 40000):
        data = bytes(size)
        assert unseal(seal(data, "secret"), "secret") == data
    body = seal(bytes(40000), "secret")
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
    body = seal(text.encode(), "minioadmin") if method != "GET" else b""
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
    history = json.loads(configure(again, "GET", "list-config-history-kv", query="count=2"))
    assert [entry["data"] for entry in history] == [
        "region name=eu-west-1",
        "notify_webhook:a endpoint=http://x",
    ]


def test_a_setting_can_be_taken_back_in_every_way(tmp_path: Path) -> None:
    app = server(None, tmp_path)

    def speed() -> str:
        return configure(app, "GET", "get-config-kv", query="key=scanner").split()[1]

    configure(app, "PUT", "set-config-kv", "scanner speed=slow")
    assert configure(app, "DELETE", "del-config-kv", "scanner") == "true"
    assert speed() == "speed=default"
    first = json.loads(configure(app, "GET", "list-config-history-kv", query="count=9"))[0]
    restore = f"restoreId={first['restoreId']}"
    configure(app, "PUT", "restore-config-history-kv", query=restore)
    assert speed() == "speed=slow"
    configure(app, "DELETE", "del-config-kv", "scanner speed")
    assert speed() == "speed=default"
    configure(app, "PUT", "config", "scanner speed=fastest\n# api odirect=off\n")
    assert speed() == "speed=fastest"
    configure(app, "DELETE", "clear-config-history-kv", query="restoreId=all")
    assert configure(app, "GET", "list-config-history-kv", query="count=9") == "[]"
    missing = app(signed("PUT", "/minio/admin/v3/restore-config-history-kv", "restoreId=x"))
    assert missing.status == 400


def test_help_names_the_keys(tmp_path: Path) -> None:
    app = server(None, tmp_path)
    answer = app(signed("GET", "/minio/admin/v3/help-config-kv", "subSys=batch&key="))
    names = [entry["key"] for entry in json.loads(content(answer))["keysHelp"]]
    recorded = "replication_workers_wait keyrotation_workers_wait expiration_workers_wait"
    assert names == recorded.split()
    assert app(signed("GET", "/minio/admin/v3/help-config-kv", "subSys=x&key=")).status == 400


# KMS


def test_metrics_count_the_calls_of_the_server(tmp_path: Path) -> None:
    app = server(LabKes(), tmp_path)
    content(app(signed("GET", "/minio/kms/v1/key/status")))
    answer = json.loads(content(app(signed("GET", "/minio/kms/v1/metrics"))))
    assert (answer["kms_req_success"], answer["kms_req_error"]) == (2, 0)
    assert list(answer["kms_resp_time"])[:4] == [
        "10000000",
        "100000000",
        "1000000000",
        "10000000000",
    ]


class Forgetful(LabKes):
    """Answers another data key than it gave."""

    def reach(self, method: str, path: str) -> None:
        """Answer what makes data keys even when ``down``."""

    def decrypt(self, key: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        if self.down:
            raise KmsProblem(500, "failed to decrypt ciphertext")
        return super().decrypt(key, ciphertext, context)[::-1]


@pytest.mark.parametrize(
    ("down", "text"),
    [
        (False, "The generated and the decrypted data key do not match"),
        (True, "failed to decrypt ciphertext with KMS key: failed to decrypt ciphertext"),
    ],
)
def test_a_data_key_that_does_not_open_is_reported(down: bool, text: str, tmp_path: Path) -> None:
    app = server(Forgetful(down=down), tmp_path)
    answer = json.loads(content(app(signed("GET", "/minio/kms/v1/key/status"))))
    assert answer == {"key-id": "my-minio-sse-s3-key", "decryption-error": text}


def test_apis_are_passed_on(tmp_path: Path) -> None:
    answer = server(LabKes(), tmp_path)(signed("GET", "/minio/kms/v1/apis"))
    assert json.loads(content(answer))[0]["Path"] == "/version"


# batch, health, routing


class SlowEngine:
    """Works until it is told to stop."""

    def check(self, job: KeyRotation) -> None:
        """Take every job."""

    def rotate(self, job: KeyRotation, progress: Progress) -> None:
        progress.done(job.bucket, "o", ok=True)
        progress.cancelled.wait(5)


JOB = b"keyrotate:\n  apiVersion: v1\n  bucket: b\n  encryption: {type: sse-s3}\n"


def test_a_job_is_listed_described_and_cancelled(tmp_path: Path) -> None:
    app = server(LabKes(), tmp_path, engine=SlowEngine())

    def get(operation: str, query: str, method: str = "GET") -> Response:
        return app(signed(method, f"/minio/admin/v3/{operation}", query))

    started = json.loads(content(app(signed("POST", "/minio/admin/v3/start-job", body=JOB))))
    job = started["id"]
    assert re.fullmatch(r"keyrotate-\w{22}:-1", job)
    listed = json.loads(content(get("list-jobs", "jobType=keyrotate")))["jobs"]
    assert [entry["id"] for entry in listed] == [job]
    assert json.loads(content(get("list-jobs", "jobType=expire"))) == {"jobs": None}
    assert b'\n    bucket: b\n    prefix: ""\n' in content(get("describe-job", f"jobId={job}"))
    assert get("cancel-job", f"id={job}", "DELETE").status == 204
    assert json.loads(content(get("list-jobs", "jobType="))) == {"jobs": None}
    metric = json.loads(content(get("status-job", f"jobId={job}")))["LastMetric"]
    assert metric["rotation"] == {
        "lastBucket": "b",
        "lastObject": "o",
        "objects": 1,
        "objectsFailed": 0,
    }


def test_a_server_without_engine_takes_no_jobs(tmp_path: Path) -> None:
    answer = server(LabKes(), tmp_path)(signed("POST", "/minio/admin/v3/start-job", body=JOB))
    assert answer.status == 501


def test_the_router_keeps_admin_and_s3_apart(tmp_path: Path) -> None:
    router = Router(server(None, tmp_path), lambda _: Response(299))
    assert router(signed("GET", "/minio/health/live")).status == 200
    assert router(signed("GET", "/minio-bucket/x")).status == 299
    assert router(signed("GET", "/bucket")).status == 299


def test_unknown_health_checks_are_refused(tmp_path: Path) -> None:
    assert server(None, tmp_path)(signed("GET", "/minio/health/well")).status == 400


def test_ready_fails_when_a_data_key_does_not_open(tmp_path: Path) -> None:
    answer = server(Forgetful(down=True), tmp_path)(signed("GET", "/minio/health/ready"))
    assert answer.status == 500
    assert b"<Code>kms:DecryptionFailed</Code>" in content(answer)


def test_a_body_larger_than_allowed_is_refused(tmp_path: Path) -> None:
    big = signed("PUT", "/minio/admin/v3/set-config-kv", body=bytes(300_000))
    assert server(None, tmp_path)(big).status == 400
