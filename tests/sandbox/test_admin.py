"""The admin API: service, info, KMS, batch jobs, health."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING

import pytest

from mcpy.sandbox.admin import Router, census_of
from mcpy.sandbox.admin.deployment import StoppedError
from mcpy.sandbox.kms import KmsProblem
from mcpy.sandbox.message import Response
from mcpy.sandbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mcpy.sandbox.admin import KeyRotation, Progress

from tests.sandbox.admin_calls import JOB, START, LabKes, content, server, signed


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
    assert get("describe-job", f"jobId={job}").status == 404
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


def test_unknown_health_checks_are_paths_like_any_other(tmp_path: Path) -> None:
    answer = server(None, tmp_path)(signed("GET", "/minio/health/well"))
    assert answer.status == 404
    assert b"<Key>health/well</Key><BucketName>minio</BucketName>" in content(answer)


def test_ready_fails_when_a_data_key_does_not_open(tmp_path: Path) -> None:
    answer = server(Forgetful(down=True), tmp_path)(signed("GET", "/minio/health/ready"))
    assert answer.status == 500
    assert b"<Code>kms:DecryptionFailed</Code>" in content(answer)


def test_a_body_larger_than_allowed_is_refused(tmp_path: Path) -> None:
    big = signed("PUT", "/minio/admin/v3/set-config-kv", body=bytes(300_000))
    assert server(None, tmp_path)(big).status == 400


def test_metrics_stream_until_the_job_has_ended(tmp_path: Path) -> None:
    app = server(LabKes(), tmp_path, engine=SlowEngine())
    started = json.loads(content(app(signed("POST", "/minio/admin/v3/start-job", body=JOB))))
    query = f"types=8&by-jobID={started['id'].replace(':', '%3A')}&n=0"
    lines = iter(app(signed("GET", "/minio/admin/v3/metrics", query)).body)
    first = json.loads(bytes_of(next(lines)))
    assert first["final"] is False
    assert first["aggregated"]["batchJobs"]["Jobs"][started["id"]]["rotation"]["objects"] == 1
    app.stop()
    assert [json.loads(bytes_of(line))["final"] for line in lines] == [True]


def bytes_of(line: object) -> bytes:
    assert isinstance(line, bytes)
    return line


@pytest.mark.parametrize("path", ["/minio/admin", "/minio/admin/", "/minio/admin/x/info"])
def test_a_path_without_a_version_is_of_an_unknown_version(path: str, tmp_path: Path) -> None:
    answer = Router(server(None, tmp_path), lambda _: Response(299))(signed("GET", path))
    assert answer.status == 426
    assert b"version found 'unknown', expected 'v3'" in content(answer)


@pytest.mark.parametrize("header", ["Bearer x", "AWS x:y"])
def test_other_kinds_of_authorization_are_denied(header: str, tmp_path: Path) -> None:
    asked = signed("GET", "/minio/admin/v3/info")
    asked.headers = {**asked.headers, "authorization": header}
    answer = server(None, tmp_path)(asked)
    assert (answer.status, json.loads(content(answer))["Code"]) == (403, "AccessDenied")
