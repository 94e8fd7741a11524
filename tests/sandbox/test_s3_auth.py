"""Signatures: AWS's published vectors, recorded requests, and everything that must be refused."""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from mcpy.sandbox.message import Request
from mcpy.sandbox.s3 import auth
from mcpy.sandbox.s3.canonical import (
    Credential,
    canonical_request,
    parse_time,
    signature_of,
    string_to_sign,
)
from mcpy.sandbox.s3.errors import S3Problem

DATA = Path(__file__).parents[1] / "data/sigv4"
SUITE_KEYS = {"AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
SUITE_TIME = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
GUIDE_KEYS = {"AKIAIOSFODNN7EXAMPLE": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
GUIDE_TIME = datetime(2013, 5, 24, tzinfo=UTC)
RECORDED = [json.loads(line) for line in (DATA / "recorded.jsonl").read_text().splitlines()]
# S3 signs the path as it is, so these vectors hold for other services only
NORMALISED = {
    "get-relative",
    "get-relative-relative",
    "get-slash",
    "get-slash-dot-slash",
    "get-slash-pointless-dot",
    "get-slashes",
}
VECTORS = sorted(DATA.glob("suite/**/*.sreq"))


def request(  # one place where the raw form of a request is built
    method: str = "GET",
    path: str = "/",
    query: str = "",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> Request:
    return Request(method, path, query, headers or {}, io.BytesIO(body), len(body))


def vector(path: Path) -> tuple[Request, bytes]:
    """Read a ``.sreq`` file of the suite."""
    head, _, body = path.read_bytes().partition(b"\n\n")
    first, *lines = re.sub(r"\n +", " ", head.decode()).splitlines()
    method, rest = first.split(" ", 1)
    target, _, query = rest.rpartition(" ")[0].partition("?")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        known = headers.get(name.lower())
        headers[name.lower()] = value.strip() if known is None else f"{known},{value.strip()}"
    headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
    return request(method, target, query, headers, body), body


@pytest.mark.parametrize(
    "path", [path for path in VECTORS if path.stem not in NORMALISED], ids=lambda path: path.stem
)
def test_aws_vectors_are_reproduced_to_the_canonical_request(path: Path) -> None:
    asked, body = vector(path)
    authorization = path.with_suffix(".authz").read_text()  # one .sreq of the suite is wrong
    names = re.findall(r"SignedHeaders=([^,]+)", authorization)[0].split(";")
    canonical = canonical_request(asked, names, hashlib.sha256(body).hexdigest())
    assert canonical == path.with_suffix(".creq").read_bytes()
    credential = Credential("AKIDEXAMPLE", "20150830", "us-east-1", "service")
    message = string_to_sign(canonical, "20150830T123600Z", credential.scope)
    assert message == path.with_suffix(".sts").read_text()
    signature = signature_of(message, SUITE_KEYS["AKIDEXAMPLE"], credential)
    assert authorization.endswith(f"Signature={signature}")


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_aws_vectors_are_accepted_as_requests(path: Path) -> None:
    asked, body = vector(path)
    if path.stem in NORMALISED:
        refused("SignatureDoesNotMatch", asked, SUITE_KEYS, SUITE_TIME, service="service")
    elif "x-amz-security-token" in asked.headers:
        refused("InvalidTokenId", asked, SUITE_KEYS, SUITE_TIME, service="service")
    else:
        caller = auth.authenticate(asked, SUITE_KEYS, SUITE_TIME, service="service")
        assert caller.access_key == "AKIDEXAMPLE"
        assert auth.payload(asked, caller).read() == body


def refused(
    code: str, asked: Request, keys: dict[str, str], now: datetime, **more: str
) -> S3Problem:
    with pytest.raises(S3Problem) as raised:
        auth.authenticate(asked, keys, now, **more)
    assert raised.value.code == code
    return raised.value


GUIDE = [
    (
        "GET",
        "/test.txt",
        "",
        {"range": "bytes=0-9"},
        b"",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    (
        "PUT",
        "/test%24file.text",
        "",
        {
            "date": "Fri, 24 May 2013 00:00:00 GMT",
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
        },
        b"Welcome to Amazon S3.",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    (
        "GET",
        "/",
        "lifecycle",
        {},
        b"",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    (
        "GET",
        "/",
        "max-keys=2&prefix=J",
        {},
        b"",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
]


@pytest.mark.parametrize(("method", "path", "query", "more", "body", "signature"), GUIDE)
def test_the_examples_of_the_s3_guide_are_accepted(
    method: str, path: str, query: str, more: dict[str, str], body: bytes, signature: str
) -> None:
    headers = {
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-amz-date": "20130524T000000Z",
        **more,
    }
    names = ";".join(sorted(headers))
    headers["authorization"] = (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={names},Signature={signature}"
    )
    asked = request(method, path, query, headers, body)
    caller = auth.authenticate(asked, GUIDE_KEYS, GUIDE_TIME, region="us-east-1")
    assert auth.payload(asked, caller).read() == body


PRESIGNED = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request",
    "X-Amz-Date": "20130524T000000Z",
    "X-Amz-Expires": "86400",
    "X-Amz-SignedHeaders": "host",
    "X-Amz-Signature": "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
}


def presigned(headers: dict[str, str] | None = None, /, **changes: str | None) -> Request:
    parameters = {**PRESIGNED, **{f"X-Amz-{k}": v for k, v in changes.items()}}
    query = urlencode({k: v for k, v in parameters.items() if v is not None})
    host = {"host": "examplebucket.s3.amazonaws.com"}
    return request("GET", "/test.txt", query, host | (headers or {}))


def test_the_presigned_example_of_the_s3_guide_is_accepted() -> None:
    caller = auth.authenticate(presigned(), GUIDE_KEYS, GUIDE_TIME)
    assert caller.content_sha256 == "UNSIGNED-PAYLOAD"


@pytest.mark.parametrize(
    ("code", "changes", "late"),
    [
        ("AccessDenied", {}, timedelta(days=1, seconds=1)),
        ("AccessDenied", {}, -timedelta(minutes=16)),
        ("SignatureDoesNotMatch", {"Expires": "86401"}, timedelta()),
        ("AuthorizationQueryParametersError", {"Expires": "604801"}, timedelta()),
        ("AuthorizationQueryParametersError", {"Expires": "-1"}, timedelta()),
        ("AuthorizationQueryParametersError", {"Expires": "soon"}, timedelta()),
        ("SignatureDoesNotMatch", {"Expires": "086400"}, timedelta()),
        ("SignatureDoesNotMatch", {"Expires": "60.5"}, timedelta()),
        ("AuthorizationQueryParametersError", {"Expires": None}, timedelta()),
        ("AuthorizationQueryParametersError", {"Date": "2013-05-24"}, timedelta()),
        ("AuthorizationQueryParametersError", {"Algorithm": "AWS4"}, timedelta()),
        ("AuthorizationQueryParametersError", {"Credential": "a/b"}, timedelta()),
        ("AccessDenied", {"SignedHeaders": "range"}, timedelta()),
        ("InvalidTokenId", {"Security-Token": "t"}, timedelta()),
    ],
)
def test_a_presigned_request_is_refused(
    code: str, changes: dict[str, str | None], late: timedelta
) -> None:
    refused(code, presigned(**changes), GUIDE_KEYS, GUIDE_TIME + late)


def test_metadata_cannot_be_added_to_a_presigned_request() -> None:
    refused("AccessDenied", presigned({"x-amz-meta-a": "b"}), GUIDE_KEYS, GUIDE_TIME)


@pytest.mark.parametrize("record", RECORDED, ids=lambda record: str(record["name"]))
def test_recorded_requests_of_a_real_client_are_accepted(record: dict[str, Any]) -> None:
    asked = recorded(record)
    now = parse_time(asked.headers["x-amz-date"])
    assert now is not None
    caller = auth.authenticate(asked, {"minioadmin": "minioadmin"}, now + timedelta(minutes=14))
    assert caller.access_key == "minioadmin"


def recorded(record: dict[str, Any]) -> Request:
    asked = record["request"]
    body = (asked["body"] or "").encode() if isinstance(asked["body"], str) else b""
    return request(
        asked["method"], asked["path"], urlencode(asked["query"]), asked["headers"], body
    )


def signed(**changes: str) -> Request:
    """The recorded request for the server's info, with headers changed (empty: taken out)."""
    record = next(record for record in RECORDED if record["name"] == "admin-info-kes")
    asked = recorded(record)
    headers = {**asked.headers, **{k.replace("_", "-"): v for k, v in changes.items()}}
    return replace_headers(asked, {k: v for k, v in headers.items() if v})


def replace_headers(asked: Request, headers: dict[str, str]) -> Request:
    return Request(
        asked.method, asked.raw_path, asked.raw_query, headers, io.BytesIO(), asked.length
    )


def authorization(pattern: str, replacement: str) -> Request:
    return signed(authorization=re.sub(pattern, replacement, signed().headers["authorization"]))


NOW = parse_time(signed().headers["x-amz-date"]) or GUIDE_TIME
ADMIN = {"minioadmin": "minioadmin"}


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("AccessDenied", signed(authorization="")),
        ("InvalidRequest", signed(authorization="AWS minioadmin:abc")),
        ("AccessDenied", signed(authorization="Bearer x.y.z")),
        ("MissingFields", signed(authorization="AWS4-HMAC-SHA256 Credential=x")),
        ("MissingFields", authorization("Signature=.*", "Signature=")),
        ("MissingFields", authorization("SignedHeaders=[^,]*", "SignedHeaders")),
        ("InvalidRequest", authorization("Credential=", "Cred=")),
        ("InvalidArgument", authorization("SignedHeaders=", "Headers=")),
        ("AccessDenied", authorization("Signature=", "Sig=")),
        ("SignatureDoesNotMatch", authorization("Signature=.", "Signature=z")),
        ("AccessDenied", authorization("SignedHeaders=host;", "SignedHeaders=")),
        ("AccessDenied", authorization("SignedHeaders=host;", "SignedHeaders=host;x-amz-new;")),
        ("InvalidAccessKeyId", authorization("minioadmin/", "someone/")),
        ("InvalidAccessKeyId", authorization("minioadmin/", "me/")),
        ("AuthorizationParametersError", authorization("/s3/", "/sts/")),
        ("AuthorizationQueryParametersError", authorization("/aws4_request", "/aws5_request")),
        ("AuthorizationQueryParametersError", authorization(r"/2026\d\d\d\d/", "/today/")),
        ("AccessDenied", signed(x_amz_date="")),
        ("MalformedDate", signed(x_amz_date="yesterday")),
        ("RequestTimeTooSkewed", signed(x_amz_date="20261122T000000Z")),
        ("SignatureDoesNotMatch", signed(x_amz_content_sha256="UNSIGNED-PAYLOAD")),
        ("InvalidTokenId", signed(x_amz_security_token="t")),
    ],
)
def test_a_wrong_header_is_refused(code: str, asked: Request) -> None:
    refused(code, asked, ADMIN, NOW)


def test_a_wrong_secret_is_refused() -> None:
    refused("SignatureDoesNotMatch", signed(), {"minioadmin": "other"}, NOW)


def test_the_wrong_region_is_refused_only_where_a_region_is_asked_for() -> None:
    problem = refused("AuthorizationHeaderMalformed", signed(), ADMIN, NOW, region="eu-west-1")
    assert problem.region == "eu-west-1"
    assert "expecting 'eu-west-1'" in problem.message


def test_secrets_stay_out_of_repr() -> None:
    caller = auth.authenticate(signed(), {"minioadmin": "minioadmin"}, NOW)
    shown = repr(replace(caller, secret_key="hunter2-hunter2"))
    assert "hunter2" not in shown
    assert caller.signature not in shown


@pytest.mark.parametrize("late", [timedelta(minutes=16), -timedelta(minutes=16)])
def test_a_clock_may_be_a_quarter_of_an_hour_wrong(late: timedelta) -> None:
    refused("RequestTimeTooSkewed", signed(), ADMIN, NOW + late)


def test_a_changed_body_is_found_at_its_end() -> None:
    record = next(record for record in RECORDED if record["name"] == "be-put-sse-s3")
    asked = recorded(record)
    now = parse_time(asked.headers["x-amz-date"])
    assert now is not None
    caller = auth.authenticate(asked, {"minioadmin": "minioadmin"}, now)
    changed = asked.body.read().replace(b"AES256", b"AES255")
    other = Request("PUT", "/", "", asked.headers, io.BytesIO(changed), len(changed))
    body = auth.payload(other, caller)
    assert body.read(10) == changed[:10]
    with pytest.raises(S3Problem, match="XAmzContentSHA256Mismatch"):
        body.read()


def test_an_encoded_body_needs_its_decoded_length() -> None:
    caller = auth.authenticate(signed(), {"minioadmin": "minioadmin"}, NOW)
    stream = replace(caller, content_sha256=auth.STREAMING)
    with pytest.raises(S3Problem, match="MissingContentLength"):
        auth.payload(signed(), stream)


@pytest.mark.parametrize("query", ["prefix=a;b", "prefix=%zz", "prefix=%"])
def test_a_query_that_cannot_be_read_is_refused(query: str) -> None:
    asked = request(query=query, headers=dict(signed().headers))
    refused("InvalidRequest", asked, ADMIN, NOW)


@pytest.mark.parametrize("value", ["zz", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"])
def test_what_is_no_hash_cannot_be_the_hash_of_a_body(value: str) -> None:
    headers = {
        "host": "h",
        "x-amz-date": "20130524T000000Z",
        "x-amz-content-sha256": value,
    }
    credential = Credential("AKIAIOSFODNN7EXAMPLE", "20130524", "", "s3")
    canonical = canonical_request(request(headers=headers), headers, value)
    message = string_to_sign(canonical, "20130524T000000Z", credential.scope)
    signature = signature_of(message, GUIDE_KEYS["AKIAIOSFODNN7EXAMPLE"], credential)
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/{credential.scope},"
        f"SignedHeaders={';'.join(sorted(headers))},Signature={signature}"
    )
    refused("XAmzContentSHA256Mismatch", request(headers=headers), GUIDE_KEYS, GUIDE_TIME)


def test_a_request_that_frames_no_body_has_an_empty_one() -> None:
    caller = auth.authenticate(signed(), ADMIN, NOW)
    bare = Request("PUT", "/", "", {}, io.BytesIO(), None)
    assert auth.payload(bare, caller).length == 0
    chunked = Request("PUT", "/", "", {"transfer-encoding": "chunked"}, io.BytesIO(), None)
    assert auth.payload(chunked, caller).length is None
