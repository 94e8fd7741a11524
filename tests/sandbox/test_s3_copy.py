"""CopyObject of the S3 server, with the dangers the real one has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.s3_calls import KMS, OTHER_KEY, S3, Answer, Server, client_key, kms_with

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CONTEXT = '{"dept":"x"}'
MTIME = {"x-minio-source-mtime": "2026-11-20T01:02:03.5Z"}


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server("PUT", "/bkt")
    yield server
    server.close()


def copy(
    s3: Server,
    headers: Mapping[str, str],
    *,
    source: str = "/bkt/k",
    target: str = "/bkt/k",
    query: str = "",
) -> Answer:
    return s3("PUT", target, query, {"x-amz-copy-source": source, **headers})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, S3),
        (S3, kms_with("tenant-a")),
        (kms_with("tenant-a"), kms_with("tenant-b")),
        (kms_with("tenant-a"), S3),
        (S3, S3),
    ],
)
def test_a_copy_onto_itself_encrypts_anew(
    s3: Server, before: dict[str, str], after: dict[str, str]
) -> None:
    seed = {"x-amz-meta-foo": "bar", "x-amz-tagging": "a=1", "cache-control": "max-age=5"}
    s3("PUT", "/bkt/k", headers={**before, **seed}, body=b"data" * 50_000)
    answer = copy(s3, after)
    assert answer.status == 200
    assert "x-amz-server-side-encryption" not in answer.headers
    get = s3("GET", "/bkt/k")
    assert (get.body, get.sse) == (b"data" * 50_000, after["x-amz-server-side-encryption"])
    assert get.headers["x-amz-meta-foo"] == "bar"
    assert get.headers["cache-control"] == "max-age=5"
    assert get.headers["x-amz-tagging-count"] == "1"


def test_a_copy_that_names_no_encryption_is_plaintext(s3: Server) -> None:
    s3("PUT", "/bkt/k", headers=KMS, body="x")
    assert copy(s3, {}).status == 200
    assert s3("HEAD", "/bkt/k").sse == ""
    s3("PUT", "/bkt/k", headers=S3, body="x")
    assert copy(s3, {"x-amz-metadata-directive": "REPLACE"}).status == 200
    assert s3("HEAD", "/bkt/k").sse == ""


def test_a_default_of_the_bucket_encrypts_copies(s3: Server) -> None:
    s3("PUT", "/bkt/k", body="x")
    s3.encrypt_by_default("/bkt", "aws:kms", "tenant-a")
    assert copy(s3, {}).status == 200
    assert s3("HEAD", "/bkt/k").sse == "aws:kms"


def test_a_copy_onto_itself_that_changes_nothing_is_illegal(s3: Server) -> None:
    s3("PUT", "/bkt/k", body="x")
    answer = copy(s3, {})
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert answer.message.startswith("This copy request is illegal")
    assert copy(s3, {"x-amz-metadata-directive": "REPLACE", "x-amz-meta-a": "1"}).status == 200
    assert copy(s3, {"x-amz-storage-class": "REDUCED_REDUNDANCY"}).status == 200


@pytest.mark.parametrize("target", ["/bkt/k", "/bkt/other"])
def test_leaving_out_the_context_makes_the_copy_unreadable(s3: Server, target: str) -> None:
    s3("PUT", "/bkt/k", headers=kms_with("tenant-a", CONTEXT), body="x")
    answer = copy(s3, kms_with("tenant-b"), target=target)
    assert answer.status == 200
    assert "x-amz-checksum-crc64nvme" not in answer.headers
    get = s3("GET", target)
    assert (get.status, get.code) == (400, "kms:InvalidCiphertextException")
    head = s3("HEAD", target)
    assert head.headers["x-amz-server-side-encryption-context"] == "eyJkZXB0IjoieCJ9"


@pytest.mark.parametrize(
    "headers",
    [
        kms_with("tenant-b", CONTEXT),
        S3,
        {**kms_with("tenant-b"), "x-amz-metadata-directive": "REPLACE"},
    ],
)
def test_the_context_can_be_replayed_or_left_behind_for_good(
    s3: Server, headers: dict[str, str]
) -> None:
    s3("PUT", "/bkt/k", headers=kms_with("tenant-a", CONTEXT), body="x")
    copy(s3, headers)
    assert s3("GET", "/bkt/k").body == b"x"


def test_sse_c_can_be_left_and_its_key_changed(s3: Server) -> None:
    put = s3("PUT", "/bkt/k", headers=client_key(), body="x")
    rotated = copy(s3, client_key(OTHER_KEY) | client_key(source=True))
    assert (rotated.status, rotated.etag) == (200, put.etag)
    assert s3("GET", "/bkt/k", headers=client_key()).status == 403
    assert s3("GET", "/bkt/k", headers=client_key(OTHER_KEY)).body == b"x"
    assert copy(s3, S3).code == "InvalidRequest"
    assert copy(s3, S3 | client_key(source=True)).code == "AccessDenied"
    assert copy(s3, S3 | client_key(OTHER_KEY, source=True)).status == 200
    assert s3("GET", "/bkt/k").body == b"x"


def test_a_copy_under_another_client_s_key_tells_no_checksum_and_has_it(s3: Server) -> None:
    headers = {"x-amz-checksum-crc32": "jNwWgw=="}  # of `x`
    assert s3("PUT", "/bkt/k", headers=client_key() | headers, body="x").status == 200
    source = {"x-amz-copy-source": "/bkt/k", **client_key(source=True)}
    told = s3("PUT", "/bkt/same", headers=source | client_key())
    assert told.headers["x-amz-checksum-crc32"] == "jNwWgw=="
    untold = s3("PUT", "/bkt/other", headers=source | client_key(OTHER_KEY))
    assert (untold.status, "x-amz-checksum-crc32" in untold.headers) == (200, False)
    asked = client_key(OTHER_KEY) | {"x-amz-checksum-mode": "ENABLED"}
    assert s3("HEAD", "/bkt/other", headers=asked).headers["x-amz-checksum-crc32"] == "jNwWgw=="


def test_a_copy_gains_a_checksum(s3: Server) -> None:
    s3("PUT", "/bkt/k", body="data of p1")
    answer = copy(s3, S3)
    assert answer.headers["x-amz-checksum-crc64nvme"] == "0ee7moVVlB4="
    assert answer.headers["x-amz-checksum-type"] == "FULL_OBJECT"


def test_a_copy_that_fails_leaves_the_object_alone(s3: Server) -> None:
    s3("PUT", "/bkt/k", body="x")
    answer = copy(s3, kms_with("nokey"))
    assert (answer.status, answer.code) == (404, "kms:KeyNotFound")
    assert (s3("GET", "/bkt/k").body, s3("HEAD", "/bkt/k").sse) == (b"x", "")


def test_conditions_on_the_source(s3: Server) -> None:
    etag = s3("PUT", "/bkt/k", body="x").etag
    assert copy(s3, {**S3, "x-amz-copy-source-if-match": '"no"'}).status == 412
    assert copy(s3, {**S3, "x-amz-copy-source-if-none-match": etag}).status == 412
    assert copy(s3, {**S3, "x-amz-copy-source-if-match": f'"{etag}"'}).status == 200


@pytest.mark.parametrize(
    ("source", "status", "code"),
    [
        ("/", 400, "InvalidArgument"),
        ("bkt", 400, "InvalidArgument"),
        ("/none/k", 404, "NoSuchBucket"),
        ("/bkt/none", 404, "NoSuchKey"),
        ("/bkt/k?versionId=abc", 404, "NoSuchVersion"),
        ("/bkt/k?versionId=11111111-1111-4111-8111-111111111111", 404, "NoSuchVersion"),
        ("/bkt/%6B", 200, ""),
        ("bkt/k?versionId=null", 200, ""),
    ],
)
def test_sources(s3: Server, source: str, status: int, code: str) -> None:
    s3("PUT", "/bkt/k", body="x")
    answer = copy(s3, {}, source=source, target="/bkt/to")
    assert (answer.status, answer.code) == (status, code)


def test_directives(s3: Server) -> None:
    s3("PUT", "/bkt/k", headers={"x-amz-meta-a": "1", "x-amz-tagging": "a=1"}, body="x")
    copy(
        s3,
        {
            "x-amz-metadata-directive": "REPLACE",
            "x-amz-meta-b": "2",
            "x-amz-tagging-directive": "REPLACE",
            "x-amz-tagging": "b=2&c=3",
        },
    )
    head = s3("HEAD", "/bkt/k").headers
    assert ("x-amz-meta-a" in head, head["x-amz-meta-b"]) == (False, "2")
    assert head["x-amz-tagging-count"] == "2"
    assert copy(s3, {"x-amz-metadata-directive": "FOO"}).message == "Unknown metadata directive."
    assert copy(s3, {"x-amz-tagging-directive": "FOO"}).message == "Unknown tag directive."


# versions


def version_id(answer: Answer) -> str:
    return answer.headers["x-amz-version-id"]


def test_a_copy_makes_a_new_version_and_the_old_stays_plaintext(s3: Server) -> None:
    s3.enable_versioning("/bkt")
    old = version_id(s3("PUT", "/bkt/k", body="x"))
    new = version_id(copy(s3, S3))
    assert s3("GET", "/bkt", "versions=").all("VersionId") == [new, old]
    assert s3("HEAD", "/bkt/k", f"versionId={old}").sse == ""


def test_a_version_encrypted_in_place_becomes_the_latest(s3: Server) -> None:
    s3.enable_versioning("/bkt")
    old = version_id(s3("PUT", "/bkt/k", body="1"))
    new = version_id(s3("PUT", "/bkt/k", body="2"))
    query = f"versionId={old}"
    answer = copy(s3, S3, source=f"/bkt/k?{query}", query=query)
    assert version_id(answer) == answer.headers["x-amz-copy-source-version-id"] == old
    assert s3("GET", "/bkt", "versions=").all("VersionId") == [old, new]
    assert s3("GET", "/bkt/k").body == b"1"


def test_the_source_time_keeps_versions_in_order(s3: Server) -> None:
    s3.enable_versioning("/bkt")
    old = version_id(s3("PUT", "/bkt/k", body="1"))
    new = version_id(s3("PUT", "/bkt/k", body="2"))
    query = f"versionId={old}"
    assert copy(s3, S3 | MTIME, source=f"/bkt/k?{query}", query=query).status == 200
    assert s3("GET", "/bkt", "versions=").all("VersionId") == [new, old]
    assert s3("HEAD", "/bkt/k", query).sse == "AES256"


def test_a_deleted_object_encrypted_in_place_is_resurrected(s3: Server) -> None:
    s3.enable_versioning("/bkt")
    old = version_id(s3("PUT", "/bkt/k", body="1"))
    s3("DELETE", "/bkt/k")
    query = f"versionId={old}"
    copy(s3, S3, source=f"/bkt/k?{query}", query=query)
    assert s3("GET", "/bkt/k").body == b"1"


def test_an_unversioned_bucket_knows_only_the_null_version(s3: Server) -> None:
    s3("PUT", "/bkt/k", body="x")
    assert copy(s3, S3, source="/bkt/k?versionId=null", query="versionId=null").status == 200
    wrong = copy(s3, S3, query="versionId=11111111-1111-1111-1111-111111111111")
    assert wrong.message == (
        "Invalid arguments provided for bkt/k: "
        "(VersionID specified , but versioning not enabled on bucket=bkt)"
    )
