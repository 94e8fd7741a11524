"""Objects of the S3 server: headers, conditions, ranges, checksums, tags, deletion."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from typing import TYPE_CHECKING

import pytest

from mcpy.sandbox.message import Request
from mcpy.sandbox.s3.canonical import canonical_request
from mcpy.sandbox.s3.checksums import ALGORITHMS
from tests.s3_calls import KMS, S3, Server, md5_header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = b"0123456789"
ETAG = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
PAST, FUTURE = "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2037 07:28:00 GMT"


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server("PUT", "/bkt")
    yield server
    server.close()


# buckets


@pytest.mark.parametrize("name", ["ab", "a..b", "192.168.1.1", "Upper", "under_score", "x" * 64])
def test_a_bucket_needs_a_proper_name(s3: Server, name: str) -> None:
    answer = s3("PUT", f"/{name}")
    assert (answer.status, answer.code) == (400, "InvalidBucketName")


@pytest.mark.parametrize("name", ["xn--abc", "a-s3alias", "a.b.c", "123"])
def test_other_names_are_fine(s3: Server, name: str) -> None:
    answer = s3("PUT", f"/{name}")
    assert (answer.status, answer.headers["location"]) == (200, f"/{name}")


def test_a_bucket_is_made_once(s3: Server) -> None:
    assert s3("PUT", "/bkt").code == "BucketAlreadyOwnedByYou"
    assert s3("PUT", "/minio").code == "AllAccessDisabled"
    assert s3("GET", "/").all("Name") == ["bkt"]


def test_only_an_empty_bucket_can_be_deleted(s3: Server) -> None:
    s3("PUT", "/bkt/k", body="x")
    assert s3("DELETE", "/bkt").code == "BucketNotEmpty"
    s3("DELETE", "/bkt/k")
    assert s3("DELETE", "/bkt").status == 204
    assert s3("HEAD", "/bkt").code == "NoSuchBucket"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("policy=", "NoSuchBucketPolicy"),
        ("lifecycle=", "NoSuchLifecycleConfiguration"),
        ("cors=", "NoSuchCORSConfiguration"),
        ("website=", "NoSuchWebsiteConfiguration"),
        ("replication=", "ReplicationConfigurationNotFoundError"),
        ("object-lock=", "ObjectLockConfigurationNotFoundError"),
        ("tagging=", "NoSuchTagSet"),
        ("publicAccessBlock=", "NotImplemented"),
    ],
)
def test_what_a_bucket_does_not_have(s3: Server, query: str, code: str) -> None:
    assert s3("GET", "/bkt", query).code == code


@pytest.mark.parametrize(
    "query", ["acl=", "notification=", "logging=", "accelerate=", "requestPayment=", "location="]
)
def test_what_every_bucket_has(s3: Server, query: str) -> None:
    assert s3("GET", "/bkt", query).status == 200
    assert s3("GET", "/none", query).code == "NoSuchBucket"


def test_a_policy_is_kept(s3: Server) -> None:
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},'
        '"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::bkt/*"]}]}'
    )
    assert s3("PUT", "/bkt", "policy=", body=policy).status == 204
    assert s3("GET", "/bkt", "policy=").text == policy
    assert s3("GET", "/bkt", "policyStatus=").all("IsPublic") == ["FALSE"]
    assert s3("DELETE", "/bkt", "policy=").status == 204
    assert s3("PUT", "/bkt", "policy=", body="{}").code == "MalformedPolicy"


def test_an_unknown_call_is_refused(s3: Server) -> None:
    answer = s3("PATCH", "/bkt")
    assert (answer.status, answer.code) == (400, "BadRequest")


# names, headers


@pytest.mark.parametrize("key", ["a//b", "a/../b", "./a", "%00", "k" * 256])
def test_names_the_real_server_cannot_keep_are_refused(s3: Server, key: str) -> None:
    assert s3("PUT", f"/bkt/{key}", body="x").status == 400
    assert s3("GET", "/bkt").all("Key") == []


@pytest.mark.parametrize("key", ["a b", "ü", "a&b<c>", "x/", "a+b", "%01", "a%5Cb"])
def test_other_names_are_kept(s3: Server, key: str) -> None:
    assert s3("PUT", f"/bkt/{key}", body="x").status == 200
    assert s3("GET", f"/bkt/{key}").body == b"x"
    assert len(s3("GET", "/bkt", "encoding-type=url").all("Key")) == 1


def test_headers_come_back_as_they_were_put(s3: Server) -> None:
    sent = {
        "cache-control": "no-cache",
        "content-disposition": "attachment",
        "content-encoding": "gzip",
        "content-language": "en",
        "content-type": "text/plain",
        "expires": "Wed, 21 Oct 2026 07:28:00 GMT",
        "x-amz-meta-two-words": "A b",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
    }
    s3("PUT", "/bkt/k", headers={**sent, "x-amz-tagging": "a=1&b=2"}, body="x")
    head = s3("HEAD", "/bkt/k")
    assert {name: head.headers.get(name) for name in sent} == sent
    assert head.headers["x-amz-tagging-count"] == "2"


def test_the_transfer_encoding_is_not_the_content_encoding(s3: Server) -> None:
    s3("PUT", "/bkt/k", headers={"content-encoding": "aws-chunked,gzip"}, body="x")
    assert s3("HEAD", "/bkt/k").headers["content-encoding"] == "gzip"
    assert s3("HEAD", "/bkt/k").headers["content-type"] == "binary/octet-stream"


def test_metadata_that_is_not_ascii_comes_back_encoded(s3: Server) -> None:
    s3("PUT", "/bkt/k", headers={"x-amz-meta-u": "büch".encode().decode("latin-1")}, body="x")
    assert s3("HEAD", "/bkt/k").headers["x-amz-meta-u"] == "=?UTF-8?q?b=C3=BCch?="


def test_a_query_can_override_response_headers(s3: Server) -> None:
    s3("PUT", "/bkt/k", headers={"content-type": "text/plain"}, body="x")
    answer = s3("GET", "/bkt/k", "response-content-type=a%2Fb&response-cache-control=c")
    assert answer.headers["content-type"] == "a/b"
    assert answer.headers["cache-control"] == "c"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-storage-class": "GLACIER"}, "InvalidStorageClass"),
        ({"x-minio-internal-foo": "1"}, "InvalidArgument"),
        ({"x-amz-meta-a": "v" * 2100}, "MetadataTooLarge"),
        ({"content-md5": "bad"}, "InvalidDigest"),
        ({"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "BadDigest"),
        ({"x-amz-tagging": "&".join(f"a{i}=1" for i in range(11))}, "BadRequest"),
        ({"x-amz-tagging": "a=1&a=2"}, "InvalidTag"),
        ({"x-minio-source-mtime": "yesterday"}, "InvalidArgument"),
        ({"x-amz-object-lock-legal-hold": "ON"}, "InvalidRequest"),
    ],
)
def test_bad_headers_store_nothing(s3: Server, headers: dict[str, str], code: str) -> None:
    answer = s3("PUT", "/bkt/k", headers=headers, body="x")
    assert (answer.status, answer.code) == (400, code)
    assert s3("HEAD", "/bkt/k").status == 404


def test_the_time_can_be_given(s3: Server) -> None:
    mtime = {"x-minio-source-mtime": "2026-11-20T01:02:03.123456789Z"}
    s3("PUT", "/bkt/k", headers=mtime, body="x")
    assert s3("HEAD", "/bkt/k").headers["last-modified"] == "Fri, 20 Nov 2026 01:02:03 GMT"
    assert s3("GET", "/bkt").all("LastModified") == ["2026-11-20T01:02:03.123Z"]


# ranges, conditions


@pytest.mark.parametrize(
    ("text", "status", "body"),
    [
        ("bytes=0-0", 206, b"0"),
        ("bytes=2-5", 206, b"2345"),
        ("bytes=5-", 206, b"56789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=-100", 206, BODY),
        ("bytes=9-100", 206, b"9"),
        ("bytes=a-b", 200, BODY),
        ("items=0-1", 200, BODY),
        ("bytes=0-1,3-4", 200, BODY),
        ("bytes=-", 200, BODY),
    ],
)
def test_ranges(s3: Server, text: str, status: int, body: bytes) -> None:
    s3("PUT", "/bkt/k", body=BODY)
    answer = s3("GET", "/bkt/k", headers={"range": text})
    assert (answer.status, answer.body) == (status, body)
    head = s3("HEAD", "/bkt/k", headers={"range": text})
    assert head.headers["content-length"] == str(len(body))


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=10-20", "bytes=5-2", "bytes=-0"])
def test_ranges_that_cannot_be(s3: Server, text: str) -> None:
    s3("PUT", "/bkt/k", body=BODY)
    answer = s3("GET", "/bkt/k", headers={"range": text})
    assert (answer.status, answer.code) == (416, "InvalidRange")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-match": f'"{ETAG}"'}, 200),
        ({"if-match": ETAG}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": '"x"'}, 412),
        ({"if-none-match": f'"{ETAG}"'}, 304),
        ({"if-none-match": '"x"'}, 200),
        ({"if-modified-since": PAST}, 200),
        ({"if-modified-since": FUTURE}, 304),
        ({"if-modified-since": "nonsense"}, 200),
        ({"if-unmodified-since": PAST}, 412),
        ({"if-unmodified-since": FUTURE}, 200),
        ({"if-match": ETAG, "if-unmodified-since": PAST}, 200),
    ],
)
def test_conditional_reads(s3: Server, headers: dict[str, str], status: int) -> None:
    s3("PUT", "/bkt/k", body=BODY)
    assert s3("GET", "/bkt/k", headers=headers).status == status
    assert s3("HEAD", "/bkt/k", headers=headers).status == status


@pytest.mark.parametrize("sse", [{}, S3, KMS])
def test_conditional_writes(s3: Server, sse: dict[str, str]) -> None:
    first = s3("PUT", "/bkt/k", headers={"if-none-match": "*", **sse}, body="1")
    assert first.status == 200
    assert s3("PUT", "/bkt/k", headers={"if-none-match": "*"}, body="2").status == 412
    assert s3("PUT", "/bkt/k", headers={"if-match": "abc"}, body="2").status == 412
    assert s3("PUT", "/bkt/new", headers={"if-match": "*"}, body="2").status == 404
    assert s3("GET", "/bkt/k").body == b"1"
    assert s3("PUT", "/bkt/k", headers={"if-match": first.etag}, body="2").status == 200


# checksums


def checksum(name: str, body: bytes) -> str:
    running = ALGORITHMS[name]()
    running.update(body)
    return base64.b64encode(running.digest()).decode()


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("CRC32", zlib.crc32(b"123456789").to_bytes(4, "big").hex()),
        ("CRC32C", "e3069283"),
        ("CRC64NVME", "ae8b14860a799888"),
        ("SHA1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        ("SHA256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
    ],
)
def test_checksums_have_their_published_values(name: str, digest: str) -> None:
    assert base64.b64decode(checksum(name, b"123456789")).hex() == digest


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("sse", [{}, S3, KMS])
def test_a_checksum_is_verified_kept_and_shown(s3: Server, name: str, sse: dict[str, str]) -> None:
    header = f"x-amz-checksum-{name.lower()}"
    value = checksum(name, BODY)
    wrong = s3("PUT", "/bkt/k", headers={header: value, **sse}, body=b"other")
    assert (wrong.status, wrong.code) == (400, "XAmzContentChecksumMismatch")
    assert s3("PUT", "/bkt/k", headers={header: value, **sse}, body=BODY).headers[header] == value
    mode = {"x-amz-checksum-mode": "ENABLED"}
    for method in ("GET", "HEAD"):
        answer = s3(method, "/bkt/k", headers=mode)
        assert answer.headers[header] == value
        assert answer.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert header not in s3("GET", "/bkt/k").headers
    assert header not in s3("GET", "/bkt/k", headers={**mode, "range": "bytes=0-1"}).headers


def test_a_malformed_checksum_is_refused(s3: Server) -> None:
    answer = s3("PUT", "/bkt/k", headers={"x-amz-checksum-crc32": "abc"}, body=BODY)
    assert answer.message == "Invalid checksum provided."
    two = {
        "x-amz-checksum-crc32": checksum("CRC32", BODY),
        "x-amz-checksum-sha1": checksum("SHA1", BODY),
    }
    assert s3("PUT", "/bkt/k", headers=two, body=BODY).message == "Invalid checksum provided."


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-amz-checksum-algorithm": "SHA512", "x-amz-checksum-sha512": "AAAA"}, 400),
        ({"x-amz-checksum-algorithm": "CRC32"}, 200),
        ({"x-amz-checksum-crc32": "", "x-amz-checksum-sha1": ""}, 200),
        ({"x-amz-checksum-type": "FULL_OBJECT", "x-amz-checksum-sha1": "AAAA"}, 400),
    ],
)
def test_a_checksum_counts_if_it_has_an_algorithm_and_a_value(
    s3: Server, headers: dict[str, str], status: int
) -> None:
    assert s3("PUT", "/bkt/key", headers=headers, body=b"x").status == status


def test_a_body_that_is_not_what_was_signed_is_refused(s3: Server) -> None:
    request = s3._signed("PUT", "/bkt/k", "", {}, BODY)
    request.body = io.BytesIO(BODY[:1] + b"X" + BODY[2:])
    assert s3.app(request).status == 400
    assert s3("HEAD", "/bkt/k").status == 404


# tags, attributes


def test_tags_can_be_replaced_and_removed(s3: Server) -> None:
    s3("PUT", "/bkt/k", headers={"x-amz-tagging": "a=1"}, body="x")
    body = "<Tagging><TagSet><Tag><Key>b</Key><Value>x y</Value></Tag></TagSet></Tagging>"
    assert s3("PUT", "/bkt/k", "tagging=", body=body).status == 200
    assert body in s3("GET", "/bkt/k", "tagging=").text
    assert s3("GET", "/bkt", "list-type=2&metadata=true").all("UserTags") == ["b=x+y"]
    assert s3("DELETE", "/bkt/k", "tagging=").status == 204
    assert s3("GET", "/bkt/k", "tagging=").all("Key") == []
    assert s3("GET", "/bkt/none", "tagging=").code == "NoSuchKey"


def test_a_bucket_has_tags_too(s3: Server) -> None:
    body = "<Tagging><TagSet><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>"
    assert s3("PUT", "/bkt", "tagging=", body=body).status == 200
    assert s3("GET", "/bkt", "tagging=").text == body
    assert s3("DELETE", "/bkt", "tagging=").status == 204


def test_attributes_show_what_is_asked_for(s3: Server) -> None:
    s3("PUT", "/bkt/k", headers={"x-amz-checksum-crc32": checksum("CRC32", BODY)}, body=BODY)
    asked = {"x-amz-object-attributes": "ETag,ObjectSize,StorageClass,Checksum"}
    answer = s3("GET", "/bkt/k", "attributes=", asked)
    assert answer.all("ETag") == [ETAG]
    assert answer.all("ObjectSize") == ["10"]
    assert answer.all("StorageClass") == ["STANDARD"]
    assert answer.all("ChecksumCRC32") == [checksum("CRC32", BODY)]
    assert s3("GET", "/bkt/k", "attributes=", {"x-amz-object-attributes": "X"}).status == 400


# deletion


def test_deleting_what_is_not_there_is_fine(s3: Server) -> None:
    assert s3("DELETE", "/bkt/none").status == 204
    assert s3("DELETE", "/none/k").code == "NoSuchBucket"


def test_many_can_be_deleted_at_once(s3: Server) -> None:
    for key in ("a", "b", "c"):
        s3("PUT", f"/bkt/{key}", body="x")
    wanted = "".join(f"<Object><Key>{key}</Key></Object>" for key in ("a", "b", "none"))
    assert s3.delete_many("/bkt", wanted).all("Key") == ["a", "b", "none"]
    assert s3("GET", "/bkt").all("Key") == ["c"]
    quiet = s3.delete_many("/bkt", "<Quiet>true</Quiet><Object><Key>c</Key></Object>")
    assert quiet.all("Key") == []
    assert s3("GET", "/bkt").all("Key") == []


def test_a_multi_delete_needs_a_digest_and_objects(s3: Server) -> None:
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    assert s3("POST", "/bkt", "delete=", body=body).code == "MissingContentMD5"
    wrong = md5_header(b"other")
    assert s3("POST", "/bkt", "delete=", wrong, body).code == "BadDigest"
    assert s3.delete_many("/bkt", "").code == "MalformedXML"
    bad = s3.delete_many("/bkt", "<Object><Key>a</Key><VersionId>bad</VersionId></Object>")
    assert bad.all("Code") == ["NoSuchVersion"]


def test_a_prefix_can_be_deleted_by_force(s3: Server) -> None:
    for key in ("dir/a", "dir/b", "dirt"):
        s3("PUT", f"/bkt/{key}", body="x")
    assert s3("DELETE", "/bkt/dir/", headers={"x-minio-force-delete": "true"}).status == 204
    assert s3("GET", "/bkt").all("Key") == ["dirt"]
    assert s3("DELETE", "/bkt", headers={"x-minio-force-delete": "true"}).status == 204


def test_an_object_replaced_while_it_is_read_stays_whole(s3: Server) -> None:
    s3("PUT", "/bkt/k", body=b"1" * 3_000_000)
    request = s3._signed("GET", "/bkt/k", "", {}, b"")
    body = s3.app(request).body
    assert not isinstance(body, bytes)
    s3("PUT", "/bkt/k", body=b"2" * 3_000_000)
    assert set(b"".join(body)) == {ord("1")}


def test_answers_may_be_read_by_any_web_page(s3: Server) -> None:
    answer = s3("GET", "/bkt", headers={"origin": "http://page.test"})
    assert answer.headers["access-control-allow-origin"] == "http://page.test"


@pytest.mark.parametrize("name", ["CRC32C", "CRC64NVME"])
@pytest.mark.parametrize("size", [0, 1, 1023, 1025, 5000, 65_537, 300_000])
def test_long_data_has_the_checksum_that_byte_by_byte_gives(name: str, size: int) -> None:
    body = bytes(index * 7 % 251 for index in range(size))
    whole, pieces = ALGORITHMS[name](), ALGORITHMS[name]()
    whole.update(body)
    for start in range(0, size, 500):  # short enough to be done byte by byte
        pieces.update(body[start : start + 500])
    assert whole.digest() == pieces.digest()


def anonymous(s3: Server, method: str, path: str, query: str = "", body: bytes = b"") -> int:
    request = Request(method, path, query, {"host": "s3.test"}, io.BytesIO(body), len(body))
    return s3.app(request).status


def test_nobody_gets_in_without_a_signature(s3: Server) -> None:
    s3("PUT", "/bkt/k", body="x")
    for path in ("/", "/bkt", "/bkt/k", "/none"):
        assert anonymous(s3, "GET", path) == 403


def test_a_policy_can_let_everybody_read(s3: Server) -> None:
    s3("PUT", "/bkt/public/k", body="x")
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
        '"Action":"s3:Get*","Resource":"arn:aws:s3:::bkt/public/*"},'
        '{"Effect":"Deny","Principal":"*","Action":["s3:*"],'
        '"Resource":["arn:aws:s3:::bkt/public/secret"]}]}'
    )
    s3("PUT", "/bkt/public/secret", body="x")
    s3("PUT", "/bkt/private", body="x")
    s3("PUT", "/bkt", "policy=", body=policy)
    assert anonymous(s3, "GET", "/bkt/public/k") == 200
    assert anonymous(s3, "GET", "/bkt/public/secret") == 403
    assert anonymous(s3, "GET", "/bkt/private") == 403
    assert anonymous(s3, "GET", "/bkt/public/k", "tagging=") == 403
    assert anonymous(s3, "PUT", "/bkt/public/k", body=b"y") == 403
    assert anonymous(s3, "GET", "/bkt") == 403


def test_a_policy_can_let_everybody_list_and_write(s3: Server) -> None:
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},'
        '"Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::bkt"],'
        '"Condition":{"StringEquals":{"s3:prefix":["in"]}}},'
        '{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:PutObject"],'
        '"Resource":["arn:aws:s3:::bkt/in*"]}]}'
    )
    s3("PUT", "/bkt", "policy=", body=policy)
    assert anonymous(s3, "PUT", "/bkt/in1", body=b"x") == 200
    assert anonymous(s3, "GET", "/bkt", "prefix=in") == 200
    assert anonymous(s3, "GET", "/bkt", "prefix=out") == 403
    assert anonymous(s3, "GET", "/bkt", "policy=&prefix=in") == 403
    assert s3("GET", "/bkt/in1").body == b"x"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/minio/x", 404, "NoSuchBucket"),
        ("GET", "/minio/", 404, "NoSuchBucket"),
        ("GET", "/minio", 403, "AllAccessDisabled"),
        ("PUT", "/minio/x", 403, "AllAccessDisabled"),
        ("DELETE", "/minio/x", 403, "AllAccessDisabled"),
        ("GET", "/.minio.sys/x", 403, "AllAccessDisabled"),
    ],
)
def test_names_the_server_keeps_for_itself_are_answered_as_measured(
    s3: Server, method: str, path: str, status: int, code: str
) -> None:
    answer = s3(method, path)
    assert (answer.status, answer.code) == (status, code)


def test_a_form_for_an_object_is_not_allowed(s3: Server) -> None:
    headers = {"content-type": "multipart/form-data; boundary=XX"}
    answer = s3("POST", "/bkt/k", headers=headers, body="--XX--\r\n")
    assert (answer.status, answer.code) == (405, "MethodNotAllowed")


# bytes that are not UTF-8


def test_a_copy_source_that_is_not_utf8_is_refused(s3: Server) -> None:
    answer = s3("PUT", "/bkt/copy", headers={"x-amz-copy-source": "/bkt/%FF"})
    assert (answer.status, answer.code) == (400, "XMinioInvalidObjectName")


def test_a_document_that_is_not_utf8_is_named_as_such(s3: Server) -> None:
    body = b"<Delete><Object><Key>\xff</Key></Object></Delete>"
    answer = s3("POST", "/bkt", "delete", body=body, headers=md5_header(body))
    assert (answer.status, answer.code) == (400, "MalformedXML")
    assert "invalid UTF-8" in answer.message


def test_a_path_that_is_not_utf8_is_signed_byte_by_byte(s3: Server) -> None:
    """As on a real MinIO: whoever signs the bytes themselves is refused by 403."""
    request = s3.signed_request("PUT", "/bkt/%C3%28", "")
    canonical = canonical_request(request, ["host"], "UNSIGNED-PAYLOAD")
    assert canonical.split(b"\n")[1] == b"/bkt/%EF%BF%BD%28"
    answer = s3._sent(request)
    assert (answer.status, answer.code) == (400, "XMinioInvalidObjectName")
    assert "<Key>\ufffd(</Key>" in answer.text
