"""Object lock of the S3 server: nothing that is protected can be deleted or written over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.s3_calls import S3, Answer, Server, md5_header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BYPASS = {"x-amz-bypass-governance-retention": "true"}
MODE, UNTIL = "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"
HOLD = "x-amz-object-lock-legal-hold"


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server("PUT", "/bkt", headers={"x-amz-bucket-object-lock-enabled": "true"})
    yield server
    server.close()


def retained(mode: str, until: str = "2037-01-01T00:00:00Z") -> dict[str, str]:
    return {MODE: mode, UNTIL: until}


def put(s3: Server, headers: dict[str, str]) -> str:
    answer = s3("PUT", "/bkt/k", headers=headers, body="x")
    assert answer.status == 200, answer.text
    return "versionId=" + answer.headers["x-amz-version-id"]


def retain(s3: Server, query: str, mode: str, until: str, **headers: str) -> Answer:
    body = f"<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
    digest = md5_header(body.encode())
    return s3("PUT", "/bkt/k", f"retention=&{query}", {**digest, **headers}, body)


def hold(s3: Server, query: str, status: str) -> Answer:
    body = f"<LegalHold><Status>{status}</Status></LegalHold>"
    return s3("PUT", "/bkt/k", f"legal-hold=&{query}", md5_header(body.encode()), body)


def lock_config(inner: str) -> str:
    return (
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
        f"<Rule><DefaultRetention>{inner}</DefaultRetention></Rule></ObjectLockConfiguration>"
    )


def test_a_locked_bucket_is_versioned_and_stays_so(s3: Server) -> None:
    assert s3("GET", "/bkt", "versioning=").all("Status") == ["Enabled"]
    assert s3.enable_versioning("/bkt", "Suspended").code == "InvalidBucketState"
    assert s3("GET", "/bkt", "object-lock=").all("ObjectLockEnabled") == ["Enabled"]


@pytest.mark.parametrize(
    ("headers", "bypass_helps"),
    [
        (retained("GOVERNANCE"), True),
        (retained("COMPLIANCE"), False),
        ({HOLD: "ON"}, False),
        (retained("GOVERNANCE") | {HOLD: "ON"}, False),
    ],
)
def test_a_protected_version_cannot_be_deleted(
    s3: Server, headers: dict[str, str], *, bypass_helps: bool
) -> None:
    query = put(s3, headers)
    answer = s3("DELETE", "/bkt/k", query)
    assert answer.message == "Object is WORM protected and cannot be overwritten"
    version = query.partition("=")[2]
    many = f"<Object><Key>k</Key><VersionId>{version}</VersionId></Object>"
    assert s3.delete_many("/bkt", many).all("Code") == ["InvalidRequest"]
    assert s3("DELETE", "/bkt/k").status == 204
    bypassed = s3("DELETE", "/bkt/k", query, BYPASS)
    assert (bypassed.status == 204) == bypass_helps
    assert (s3("GET", "/bkt/k", query).status == 404) == bypass_helps


def test_protection_ends_with_its_date(s3: Server) -> None:
    query = put(s3, retained("COMPLIANCE", "2026-11-23T12:00:01Z"))
    assert s3("DELETE", "/bkt/k", query).status == 400
    s3.time = s3.time.replace(second=2)
    assert s3("DELETE", "/bkt/k", query).status == 204


def test_headers_tell_of_the_lock(s3: Server) -> None:
    put(s3, retained("GOVERNANCE") | {HOLD: "ON"})
    headers = s3("HEAD", "/bkt/k").headers
    assert (headers[MODE], headers[HOLD]) == ("GOVERNANCE", "ON")
    assert headers[UNTIL] == "2037-01-01T00:00:00.000Z"
    assert s3("GET", "/bkt/k", "retention=").all("Mode") == ["GOVERNANCE"]
    assert s3("GET", "/bkt/k", "legal-hold=").all("Status") == ["ON"]


@pytest.mark.parametrize(
    "headers",
    [
        {MODE: "GOVERNANCE"},
        {UNTIL: "2037-01-01T00:00:00Z"},
        retained("FOO"),
        retained("GOVERNANCE", "foo"),
        retained("GOVERNANCE", "2017-01-01T00:00:00Z"),
        {HOLD: "MAYBE"},
    ],
)
def test_bad_lock_headers_are_refused(s3: Server, headers: dict[str, str]) -> None:
    assert s3("PUT", "/bkt/k", headers=headers, body="x").status == 400


def test_governance_can_be_extended_and_only_bypassed_to_shorten(s3: Server) -> None:
    query = put(s3, retained("GOVERNANCE"))
    assert retain(s3, query, "GOVERNANCE", "2036-01-01T00:00:00Z").status == 400
    assert retain(s3, query, "GOVERNANCE", "2038-01-01T00:00:00Z").status == 200
    assert retain(s3, query, "GOVERNANCE", "2036-01-01T00:00:00Z", **BYPASS).status == 200
    assert s3("GET", "/bkt/k", "retention=").all("RetainUntilDate") == ["2036-01-01T00:00:00.000Z"]


def test_compliance_can_only_be_extended(s3: Server) -> None:
    query = put(s3, retained("COMPLIANCE"))
    assert retain(s3, query, "COMPLIANCE", "2036-01-01T00:00:00Z", **BYPASS).status == 400
    assert retain(s3, query, "GOVERNANCE", "2038-01-01T00:00:00Z", **BYPASS).status == 400
    assert retain(s3, query, "COMPLIANCE", "2038-01-01T00:00:00Z").status == 200


def test_a_legal_hold_can_be_lifted(s3: Server) -> None:
    query = put(s3, {})
    assert s3("GET", "/bkt/k", "legal-hold=").code == "NoSuchObjectLockConfiguration"
    held = hold(s3, query, "ON")
    assert (held.status, "x-amz-version-id" in held.headers) == (200, False)
    assert s3("DELETE", "/bkt/k", query).status == 400
    assert hold(s3, query, "OFF").status == 200
    assert hold(s3, query, "MAYBE").code == "MalformedXML"
    assert s3("DELETE", "/bkt/k", query).status == 204


def test_tags_name_the_version_that_was_asked_for_and_no_other(s3: Server) -> None:
    query = put(s3, {})
    assert "x-amz-version-id" not in s3("GET", "/bkt/k", "tagging=").headers
    assert s3("GET", "/bkt/k", f"tagging=&{query}").headers["x-amz-version-id"] in query


def test_changes_of_a_lock_come_with_a_digest(s3: Server) -> None:
    put(s3, {})
    assert s3("PUT", "/bkt/k", "retention=", body="<Retention/>").code == "MissingContentMD5"


def test_a_default_retention_protects_new_objects(s3: Server) -> None:
    body = lock_config("<Mode>COMPLIANCE</Mode><Days>1</Days>")
    assert s3("PUT", "/bkt", "object-lock=", body=body).status == 200
    assert s3("GET", "/bkt", "object-lock=").text == body
    query = put(s3, {})
    assert s3("HEAD", "/bkt/k").headers[UNTIL].startswith("2026-11-24T12:00:00.0")
    assert s3("DELETE", "/bkt/k", query, BYPASS).status == 400


@pytest.mark.parametrize(
    "inner",
    [
        "<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>",
        "<Mode>GOVERNANCE</Mode>",
        "<Mode>FOO</Mode><Days>1</Days>",
        "<Mode>GOVERNANCE</Mode><Days>0</Days>",
        "<Mode>GOVERNANCE</Mode><Days>99999</Days>",
    ],
)
def test_bad_defaults_are_refused(s3: Server, inner: str) -> None:
    answer = s3("PUT", "/bkt", "object-lock=", body=lock_config(inner))
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_a_copy_onto_itself_loses_the_lock_and_the_old_version_keeps_it(s3: Server) -> None:
    query = put(s3, retained("GOVERNANCE") | {HOLD: "ON"})
    copied = s3("PUT", "/bkt/k", headers={"x-amz-copy-source": "/bkt/k", **S3})
    assert copied.status == 200
    assert MODE not in s3("HEAD", "/bkt/k").headers
    assert s3("HEAD", "/bkt/k", query).headers[HOLD] == "ON"
    source = {"x-amz-copy-source": f"/bkt/k?{query}", **S3}
    assert s3("PUT", "/bkt/k", query, source).code == "InvalidRequest"


def test_locks_need_a_bucket_that_has_them(s3: Server) -> None:
    s3("PUT", "/other")
    headers = retained("GOVERNANCE")
    answer = s3("PUT", "/other/k", headers=headers, body="x")
    assert answer.message == "Bucket is missing ObjectLockConfiguration"
    body = lock_config("<Mode>GOVERNANCE</Mode><Days>1</Days>")
    assert s3("PUT", "/other", "object-lock=", body=body).code == "InvalidBucketState"
    assert s3("DELETE", "/bkt", headers={"x-minio-force-delete": "true"}).status == 405
