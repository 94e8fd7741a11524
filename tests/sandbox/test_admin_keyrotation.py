"""Batch key rotation of stored objects, with the traps of the real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.sandbox.admin import KeyRotation, Progress, StoreEngine, census_of
from mcpy.sandbox.s3.errors import S3Problem
from tests.s3_calls import KMS, S3, ManyKeys, Server, client_key, kms_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTEXT = '{"dept":"x"}'


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server("PUT", "/bkt")
    server("PUT", "/bkt/plain", body="plain")
    server("PUT", "/bkt/s3", headers=S3, body="s3")
    server("PUT", "/bkt/kms", headers=kms_with("tenant-a", CONTEXT), body="kms")
    server("PUT", "/bkt/ssec", headers=client_key(), body="ssec")
    server("PUT", "/bkt/other/s3", headers=S3, body="other")
    yield server
    server.close()


def engine_of(s3: Server) -> StoreEngine:
    return StoreEngine(s3.store, lambda: s3.app.kms)


def rotate(s3: Server, kind: str, key: str = "", prefix: str = "") -> Progress:
    engine = engine_of(s3)
    job = KeyRotation("bkt", prefix, kind, key)
    engine.check(job)
    progress = Progress()
    engine.rotate(job, progress)
    return progress


def key_of(s3: Server, name: str) -> str:
    headers = s3("HEAD", f"/bkt/{name}").headers
    return headers.get("x-amz-server-side-encryption-aws-kms-key-id", "")


def kms_of(s3: Server) -> ManyKeys:
    assert s3.kms is not None
    return s3.kms


def test_sse_kms_objects_go_to_the_new_key_and_keep_their_context(s3: Server) -> None:
    progress = rotate(s3, "sse-kms", "tenant-b")
    assert (progress.objects, progress.failed) == (3, 0)
    assert key_of(s3, "kms") == "arn:aws:kms:tenant-b"
    del kms_of(s3).known["tenant-a"]
    bodies = [s3("GET", f"/bkt/{name}").body for name in ("plain", "s3", "kms", "other/s3")]
    assert bodies == [b"plain", b"s3", b"kms", b"other"]


def test_sse_s3_objects_stay_sse_s3_under_the_default_key(s3: Server) -> None:
    rotate(s3, "sse-kms", "tenant-b", prefix="s3")
    assert s3("HEAD", "/bkt/s3").sse == "AES256"
    del kms_of(s3).known["tenant-b"]
    assert s3("GET", "/bkt/s3").body == b"s3"


def test_an_sse_s3_job_fails_on_sse_kms_objects(s3: Server) -> None:
    progress = rotate(s3, "sse-s3")
    assert (progress.objects, progress.failed) == (2, 1)


def test_only_names_with_the_prefix_are_rotated(s3: Server) -> None:
    progress = rotate(s3, "sse-s3", prefix="other/")
    assert (progress.objects, progress.last_object) == (1, "other/s3")


def test_a_lost_key_counts_as_a_failure(s3: Server) -> None:
    del kms_of(s3).known["tenant-a"]
    progress = rotate(s3, "sse-kms", "tenant-b")
    assert (progress.objects, progress.failed) == (2, 1)


def test_a_cancelled_job_stops(s3: Server) -> None:
    progress = Progress()
    progress.cancelled.set()
    engine_of(s3).rotate(KeyRotation("bkt", "", "sse-s3", ""), progress)
    assert progress.objects == 0


def test_every_version_is_rotated_and_a_deleted_object_comes_back(s3: Server) -> None:
    s3("PUT", "/ver")
    s3.enable_versioning("/ver")
    for body in ("one", "two"):
        s3("PUT", "/ver/o", headers=KMS, body=body)
    s3("DELETE", "/ver/o")
    assert s3("HEAD", "/ver/o").status == 404
    assert census_of(s3.store).versions == 2
    job = KeyRotation("ver", "", "sse-kms", "tenant-b")
    progress = Progress()
    engine_of(s3).rotate(job, progress)
    assert progress.objects == 2
    assert s3("GET", "/ver/o").body == b"two"


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (KeyRotation("none", "", "sse-s3", ""), "The specified source bucket does not exist"),
        (KeyRotation("bkt", "", "sse-kms", "nokey"), "key with given key ID does not exist"),
        (KeyRotation("bkt", "", "sse-kms", " k"), "KMS KeyID contains unsupported characters"),
    ],
)
def test_a_job_that_cannot_work_is_refused(s3: Server, job: KeyRotation, message: str) -> None:
    with pytest.raises(S3Problem, match=message):
        engine_of(s3).check(job)


def test_without_kms_nothing_is_rotated(s3: Server) -> None:
    with pytest.raises(S3Problem, match="KMS is not configured"):
        StoreEngine(s3.store, lambda: None).check(KeyRotation("bkt", "", "sse-s3", ""))


def test_the_census_counts_plaintext_bytes(s3: Server) -> None:
    census = census_of(s3.store)
    assert (census.buckets, census.objects, census.versions, census.delete_markers) == (1, 5, 0, 0)
    assert census.size == len("plain" + "s3" + "kms" + "ssec" + "other")
