"""Server-side encryption of the S3 server: really encrypted, and answered as MinIO answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.s3_calls import (
    KMS,
    OTHER_KEY,
    S3,
    Answer,
    ManyKeys,
    Server,
    client_key,
    kms_with,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = {"s3": S3, "kms": kms_with("tenant-a"), "c": client_key()}
MARK = b"this is a secret that must not be found on any disk "


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server("PUT", "/bkt")
    yield server
    server.close()


def keys_of(server: Server) -> ManyKeys:
    assert server.kms is not None
    return server.kms


def needs(kind: str) -> dict[str, str]:
    """Return the headers reading needs."""
    return KINDS[kind] if kind == "c" else {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 5, 65536, 200_000, 3_000_000])
def test_an_encrypted_object_is_read_back(s3: Server, kind: str, size: int) -> None:
    body = os.urandom(size)
    assert s3("PUT", "/bkt/k", headers=KINDS[kind], body=body).status == 200
    answer = s3("GET", "/bkt/k", headers=needs(kind))
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["content-length"] == str(size)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=65535-65536", 65535, 65536),
        ("bytes=65536-131071", 65536, 131071),
        ("bytes=-7", 199_993, 199_999),
        ("bytes=199999-", 199_999, 199_999),
        ("bytes=1000-150000", 1000, 150_000),
        ("bytes=5-999999", 5, 199_999),
    ],
)
def test_a_range_of_an_encrypted_object(
    s3: Server, kind: str, text: str, first: int, last: int
) -> None:
    body = os.urandom(200_000)
    s3("PUT", "/bkt/k", headers=KINDS[kind], body=body)
    answer = s3("GET", "/bkt/k", headers={"range": text, **needs(kind)})
    assert (answer.status, answer.body) == (206, body[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/200000"


@pytest.mark.parametrize("kind", KINDS)
def test_no_plaintext_is_anywhere_on_disk(s3: Server, tmp_path: Path, kind: str) -> None:
    s3("PUT", "/bkt/small", headers=KINDS[kind], body=MARK)
    s3("PUT", "/bkt/large", headers=KINDS[kind], body=MARK * 5000)
    upload = s3("POST", "/bkt/parts", "uploads=", headers=KINDS[kind]).all("UploadId")[0]
    query = f"partNumber=1&uploadId={upload}"
    assert s3("PUT", "/bkt/parts", query, needs(kind), MARK * 5000).status == 200
    s3("PUT", "/bkt/copy", headers={"x-amz-copy-source": "/bkt/large", **S3})
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or MARK[:20] not in path.read_bytes(), path


def test_plaintext_is_what_it_is(s3: Server, tmp_path: Path) -> None:
    s3("PUT", "/bkt/large", body=MARK * 5000)
    assert any(MARK in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_sse_s3_answers_the_md5(s3: Server) -> None:
    put = s3("PUT", "/bkt/k", headers=S3, body="x")
    assert (put.sse, put.etag) == ("AES256", "9dd4e461268c8034f5c8564e155c67a6")
    assert s3("HEAD", "/bkt/k").etag == put.etag


@pytest.mark.parametrize("kind", ["kms", "c"])
def test_other_kinds_answer_an_etag_that_is_no_md5(s3: Server, kind: str) -> None:
    put = s3("PUT", "/bkt/k", headers=KINDS[kind], body="x")
    assert len(put.etag) == 32
    assert put.etag != "9dd4e461268c8034f5c8564e155c67a6"
    assert s3("GET", "/bkt/k", headers=needs(kind)).etag == put.etag


def test_sse_kms_answers_the_key_as_an_arn_and_the_context_canonically(s3: Server) -> None:
    put = s3("PUT", "/bkt/k", headers=kms_with("arn:aws:kms:tenant-b", '{"dept": "x"}'), body="x")
    get = s3("GET", "/bkt/k")
    for answer in (put, get):
        assert answer.sse == "aws:kms"
        prefix = "x-amz-server-side-encryption-"
        assert answer.headers[prefix + "aws-kms-key-id"] == "arn:aws:kms:tenant-b"
        assert answer.headers[prefix + "context"] == "eyJkZXB0IjoieCJ9"


@pytest.mark.parametrize("headers", [KMS, kms_with("")])
def test_sse_kms_without_a_key_takes_the_default_key(s3: Server, headers: dict[str, str]) -> None:
    s3("PUT", "/bkt/k", headers=headers, body="x")
    key = s3("HEAD", "/bkt/k").headers["x-amz-server-side-encryption-aws-kms-key-id"]
    assert key == "arn:aws:kms:my-key"


@pytest.mark.parametrize(
    ("headers", "status", "code", "message"),
    [
        ({"x-amz-server-side-encryption": "ROT13"}, 400, "InvalidArgument", "not supported"),
        (S3 | kms_with("tenant-a") | S3, 400, "InvalidArgument", "not supported"),
        (S3 | client_key(), 400, "InvalidArgument", "incompatible with the encryption"),
        (KMS | client_key(), 400, "InvalidArgument", "incompatible with the encryption"),
        (kms_with("nokey"), 404, "kms:KeyNotFound", "key with given key ID does not exist"),
        (kms_with("bad/name"), 500, "kms:KeyGenerationFailed", "failed to generate data key"),
        (client_key(b"short"), 400, "InvalidArgument", "The SSE-C client key is invalid"),
        (client_key(source=True) | S3, 400, "InvalidRequest", "not applicable to this object"),
        (
            {"x-amz-server-side-encryption-customer-algorithm": "AES256"},
            400,
            "InvalidArgument",
            "missing the customer key",
        ),
        (
            client_key()
            | {"x-amz-server-side-encryption-customer-key-md5": "/mv66/UHBvosRpoiO6ZIsg=="},
            400,
            "InvalidArgument",
            "does not match the computed MD5",
        ),
        (
            KMS | {"x-amz-server-side-encryption-context": "!!"},
            400,
            "InvalidArgument",
            "illegal base64 data at input byte 0",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    s3: Server, headers: dict[str, str], status: int, code: str, message: str
) -> None:
    answer = s3("PUT", "/bkt/k", headers=headers, body="x")
    assert (answer.status, answer.code) == (status, code)
    assert message in answer.message
    assert s3("HEAD", "/bkt/k").status == 404


def test_sse_c_needs_tls(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", secure=False)
    server("PUT", "/bkt")
    answer = server("PUT", "/bkt/k", headers=client_key(), body="x")
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert "secure connection" in answer.message
    server.close()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_sse_c_needs_the_right_key(s3: Server, method: str) -> None:
    s3("PUT", "/bkt/k", headers=client_key(), body="x")
    assert (s3(method, "/bkt/k").status, s3(method, "/bkt/k").code) == (400, "InvalidRequest")
    other = s3(method, "/bkt/k", headers=client_key(OTHER_KEY))
    assert (other.status, other.code) == (403, "AccessDenied")


def test_encryption_headers_do_not_belong_on_reads(s3: Server) -> None:
    s3("PUT", "/bkt/plain", body="x")
    s3("PUT", "/bkt/s3", headers=S3, body="x")
    answer = s3("GET", "/bkt/plain", headers=client_key())
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert s3("GET", "/bkt/s3", headers=client_key()).code == "InvalidRequest"
    assert s3("GET", "/bkt/s3", headers=S3).code == "BadRequest"


# the KMS lost


def lost(server: Server, kind: str) -> Answer:
    server("PUT", "/bkt/k", headers=KINDS[kind], body="x")
    del keys_of(server).known["my-key" if kind == "s3" else "tenant-a"]
    return server("GET", "/bkt/k")


@pytest.mark.parametrize("kind", ["s3", "kms"])
def test_a_lost_key_makes_objects_unreadable(s3: Server, kind: str) -> None:
    answer = lost(s3, kind)
    assert (answer.status, answer.code) == (404, "kms:KeyNotFound")


@pytest.mark.parametrize("kind", ["s3", "kms"])
def test_a_kms_that_is_down_fails_reads_and_writes(s3: Server, kind: str) -> None:
    s3("PUT", "/bkt/k", headers=KINDS[kind], body="x")
    keys_of(s3).down = True
    get, put = s3("GET", "/bkt/k"), s3("PUT", "/bkt/n", headers=KINDS[kind], body="x")
    assert (get.status, get.code) == (500, "kms:DecryptionFailed")
    assert (put.status, put.code) == (500, "kms:KeyGenerationFailed")
    keys_of(s3).down = False
    assert s3("GET", "/bkt/k").body == b"x"


def test_head_of_sse_kms_does_without_the_kms(s3: Server) -> None:
    etag = s3("PUT", "/bkt/k", headers=KMS, body="x").etag
    keys_of(s3).calls.clear()
    keys_of(s3).down = True
    head = s3("HEAD", "/bkt/k")
    assert (head.status, head.etag, head.sse) == (200, etag, "aws:kms")
    assert keys_of(s3).calls == []


def test_head_of_sse_s3_without_its_key_shows_the_sealed_etag(s3: Server) -> None:
    lost(s3, "s3")
    head = s3("HEAD", "/bkt/k")
    assert head.status == 200
    assert len(head.etag) == 96
    assert head.etag.startswith("20000f00")


def test_one_unreadable_sse_s3_object_fails_the_whole_listing(s3: Server) -> None:
    s3("PUT", "/bkt/plain", body="x")
    lost(s3, "s3")
    for query in ("", "list-type=2", "list-type=2&metadata=true", "versions="):
        answer = s3("GET", "/bkt", query)
        assert (answer.status, answer.code) == (404, "kms:KeyNotFound")
    assert s3("GET", "/bkt", "list-type=2&start-after=k").status == 200


def test_a_lost_sse_kms_key_leaves_listings_alone(s3: Server) -> None:
    lost(s3, "kms")
    assert s3("GET", "/bkt", "list-type=2").all("Key") == ["k"]


# defaults of a bucket


def test_a_buckets_default_encrypts_what_says_nothing(s3: Server) -> None:
    assert s3.encrypt_by_default("/bkt", "AES256").status == 200
    assert s3("PUT", "/bkt/k", body="x").sse == "AES256"
    assert s3.encrypt_by_default("/bkt", "aws:kms", "tenant-a").status == 200
    assert s3("PUT", "/bkt/l", body="x").sse == "aws:kms"
    assert s3("PUT", "/bkt/m", headers=S3, body="x").sse == "AES256"
    assert s3("HEAD", "/bkt/k").sse == "AES256"


def test_auto_encryption_is_sse_kms_with_the_default_key(s3: Server) -> None:
    s3.app.auto_encrypt = True
    answer = s3("PUT", "/bkt/k", body="x")
    assert answer.sse == "aws:kms"
    key = answer.headers["x-amz-server-side-encryption-aws-kms-key-id"]
    assert key == "arn:aws:kms:my-key"


def rule(inner: str) -> str:
    return (
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
        f"{inner}</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
    )


ALGORITHM_KMS = "<SSEAlgorithm>aws:kms</SSEAlgorithm>"


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (rule(ALGORITHM_KMS), 400, "MasterKeyID is missing with aws:kms"),
        (
            rule(ALGORITHM_KMS + "<KMSMasterKeyID></KMSMasterKeyID>"),
            400,
            "MasterKeyID is missing with aws:kms",
        ),
        (
            rule("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>"),
            400,
            "MasterKeyID is allowed with aws:kms only",
        ),
        (rule("<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm>"), 400, "Unknown SSE algorithm"),
        (
            rule(ALGORITHM_KMS + "<KMSMasterKeyID> k</KMSMasterKeyID>"),
            400,
            "MasterKeyID contains unsupported characters",
        ),
        (rule(ALGORITHM_KMS + "<KMSMasterKeyID>no</KMSMasterKeyID>"), 404, "does not exist"),
        (rule(ALGORITHM_KMS + "<KMSMasterKeyID>a/b</KMSMasterKeyID>"), 500, "failed to generate"),
        (
            "<ServerSideEncryptionConfiguration></ServerSideEncryptionConfiguration>",
            400,
            "only one server-side encryption rule",
        ),
        ("<Foo/>", 400, "expected element type"),
        ("", 400, "EOF"),
    ],
)
def test_a_default_that_cannot_be_is_refused(
    s3: Server, body: str, status: int, reason: str
) -> None:
    answer = s3("PUT", "/bkt", "encryption=", body=body)
    assert answer.status == status
    assert reason in answer.message
    none = s3("GET", "/bkt", "encryption=")
    assert none.code == "ServerSideEncryptionConfigurationNotFoundError"


def test_a_rule_without_an_algorithm_is_taken_and_encrypts_nothing(s3: Server) -> None:
    assert s3("PUT", "/bkt", "encryption=", body=rule("")).status == 200
    assert "SSEAlgorithm" not in s3("GET", "/bkt", "encryption=").text
    assert s3("PUT", "/bkt/k", body="x").sse == ""


def test_the_default_comes_back_as_it_was_put(s3: Server) -> None:
    s3.encrypt_by_default("/bkt", "aws:kms", "arn:aws:kms:tenant-a")
    answer = s3("GET", "/bkt", "encryption=")
    assert not answer.text.startswith("<?xml")
    assert answer.all("KMSMasterKeyID") == ["arn:aws:kms:tenant-a"]
    assert s3("DELETE", "/bkt", "encryption=").status == 204
    assert s3("DELETE", "/bkt", "encryption=").status == 204


def test_sse_s3_can_be_set_although_the_kms_is_down(s3: Server) -> None:
    keys_of(s3).down = True
    assert s3.encrypt_by_default("/bkt", "AES256").status == 200
    assert s3.encrypt_by_default("/bkt", "aws:kms", "tenant-a").status == 500
    assert s3("PUT", "/bkt/k", body="x").code == "kms:KeyGenerationFailed"


def test_without_a_kms_nothing_can_be_encrypted(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", kms=None)
    server("PUT", "/bkt")
    assert server.encrypt_by_default("/bkt", "AES256").code == "NotImplemented"
    assert server("PUT", "/bkt/k", headers=S3, body="x").status == 501
    assert server("PUT", "/bkt/c", headers=client_key(), body="x").status == 200
    assert server("GET", "/bkt", "encryption=").status == 404
    server.close()


def test_encryption_of_an_object_path_is_no_setting(s3: Server) -> None:
    body = rule("<SSEAlgorithm>AES256</SSEAlgorithm>")
    assert s3("PUT", "/bkt/some/prefix", "encryption=", body=body).status == 200
    assert s3("GET", "/bkt/some/prefix", "encryption=").text == body
    assert s3("GET", "/bkt", "encryption=").status == 404


def test_a_damaged_object_is_an_error_and_never_wrong_bytes(s3: Server, tmp_path: Path) -> None:
    s3("PUT", "/bkt/k", headers=S3, body=bytes(3_000_000))
    (content,) = (path for path in (tmp_path / "data/content").rglob("*") if path.is_file())
    data = bytearray(content.read_bytes())
    data[100] ^= 1
    content.write_bytes(data)
    answer = s3("GET", "/bkt/k")
    assert (answer.status, answer.code) == (500, "InternalError")
    assert s3("GET", "/bkt/k", headers={"range": "bytes=2000000-2000005"}).status == 206


def test_no_secret_is_in_a_repr(s3: Server) -> None:
    from mcpy.sandbox.s3.sse import Wanted

    assert "secret" not in repr(Wanted("SSE-C", client_key=b"secret"))
    assert s3.app.identities
