"""Uploads by form: the policy of the S3 guide, and forms that must be refused."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mcpy.sandbox.message import Request
from mcpy.sandbox.s3.canonical import Credential, signature_of
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.postpolicy import FormUpload, is_form, read_form

NOW = datetime(2026, 11, 23, 20, tzinfo=UTC)
KEYS = {"minioadmin": "minioadmin"}
SCOPE = Credential("minioadmin", "20261123", "us-east-1", "s3")
CREDENTIAL = f"minioadmin/{SCOPE.scope}"


def form(
    fields: dict[str, str], conditions: list[Any], *, late: int = 60, content: bytes = b"content"
) -> Request:
    """Return a signed form; a condition for each of ``fields`` is not added."""
    expires = (NOW + timedelta(seconds=late)).isoformat().replace("+00:00", "Z")
    policy = json.dumps({"expiration": expires, "conditions": conditions}).encode()
    encoded = base64.b64encode(policy).decode()
    fields = {"policy": encoded, **fields}
    fields.setdefault("x-amz-signature", signature_of(fields["policy"], "minioadmin", SCOPE))
    fields.setdefault("X-Amz-Credential", CREDENTIAL)
    return multipart(fields, content)


def multipart(fields: dict[str, str], content: bytes | None, name: str = "a b.txt") -> Request:
    parts = [
        f'--XX\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    if content is not None:
        head = f'--XX\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        parts.append(head.encode() + b"Content-Type: text/plain\r\n\r\n" + content + b"\r\n")
    body = b"".join(parts) + b"--XX--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=XX"}
    return Request("POST", "/bucket/", "", headers, io.BytesIO(body), len(body))


BASE: list[Any] = [
    {"bucket": "bucket"},
    ["starts-with", "$key", "up/"],
    ["eq", "$x-amz-credential", CREDENTIAL],
]


def read(request: Request) -> FormUpload:
    return read_form(request, KEYS, NOW, region="us-east-1")


def test_the_guides_policy_is_signed_as_the_guide_says() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html"""
    policy = (
        '{ "expiration": "2015-12-30T12:00:00.000Z",\r\n'
        '  "conditions": [\r\n'
        '    {"bucket": "sigv4examplebucket"},\r\n'
        '    ["starts-with", "$key", "user/user1/"],\r\n'
        '    {"acl": "public-read"},\r\n'
        '    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/'
        'successful_upload.html"},\r\n'
        '    ["starts-with", "$Content-Type", "image/"],\r\n'
        '    {"x-amz-meta-uuid": "14365123651274"},\r\n'
        '    {"x-amz-server-side-encryption": "AES256"},\r\n'
        '    ["starts-with", "$x-amz-meta-tag", ""],\r\n\r\n'
        '    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},\r\n'
        '    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},\r\n'
        '    {"x-amz-date": "20151229T000000Z" }\r\n'
        "  ]\r\n}"
    )
    credential = Credential("AKIAIOSFODNN7EXAMPLE", "20151229", "us-east-1", "s3")
    encoded = base64.b64encode(policy.encode()).decode()
    assert signature_of(encoded, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", credential) == (
        "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
    )


@pytest.mark.parametrize("content", [b"content", b"", b"\r\n--X", b"x" * 200_000 + b"\r\n--XY"])
def test_a_form_brings_key_headers_and_file(content: bytes) -> None:
    conditions = [*BASE, {"x-amz-meta-a": "b"}, ["starts-with", "$Content-Type", "text/"]]
    fields = {"Key": "up/${filename}", "x-amz-meta-A": "b", "Content-Type": "text/plain"}
    asked = form(fields, conditions, content=content)
    assert is_form(asked)
    upload = read(asked)
    assert upload.key == "up/a b.txt"
    assert upload.caller.access_key == "minioadmin"
    assert upload.headers["x-amz-meta-a"] == "b"
    assert upload.headers["content-type"] == "text/plain"
    assert upload.payload.read(3) + upload.payload.read() == content
    assert upload.payload.read(1) == b""


@pytest.mark.parametrize(
    ("fields", "conditions", "code"),
    [
        ({"key": "other"}, BASE, "AccessDenied"),
        ({"key": "up/a"}, BASE[1:], "AccessDenied"),
        ({"key": "up/a", "x-amz-meta-a": "b"}, BASE, "AccessDenied"),
        ({"key": "up/a", "x-amz-meta-a": "c"}, [*BASE, {"x-amz-meta-a": "b"}], "AccessDenied"),
        ({"key": "up/a"}, [*BASE, ["starts-with", "$bucket", "b"]], "AccessDenied"),
        ({"key": "up/a"}, [*BASE, {"bucket": "other"}], "AccessDenied"),
        ({"key": "up/a", "x-amz-signature": "0" * 64}, BASE, "SignatureDoesNotMatch"),
        ({"key": "up/a", "X-Amz-Credential": "me"}, BASE, "AuthorizationQueryParametersError"),
        ({"key": "up/a", "policy": "***"}, BASE, "MalformedPOSTRequest"),
        ({"key": "up/a", "policy": "e30="}, BASE, "PostPolicyInvalidKeyName"),
        ({"key": "up/a", "policy": "e3g="}, BASE, "PostPolicyInvalidKeyName"),
        ({"key": "up/a"}, [*BASE, ["like", "$key", "u"]], "PostPolicyInvalidKeyName"),
        ({"key": "up/a"}, [*BASE, {"acl": 1}], "PostPolicyInvalidKeyName"),
        (
            {"key": "up/a"},
            [*BASE, ["content-length-range", "a", 1]],
            "PostPolicyInvalidKeyName",
        ),
        ({}, BASE, "MalformedPOSTRequest"),
    ],
)
def test_a_form_is_refused(fields: dict[str, str], conditions: list[Any], code: str) -> None:
    with pytest.raises(S3Problem) as raised:
        read(form(fields, conditions))
    assert raised.value.code == code


def test_an_expired_policy_is_refused() -> None:
    with pytest.raises(S3Problem, match="Policy expired"):
        read(form({"key": "up/a"}, BASE, late=-1))


def test_an_unsigned_form_is_refused() -> None:
    with pytest.raises(S3Problem, match="AuthorizationQueryParametersError"):
        read(multipart({"key": "up/a"}, b"x"))
    with pytest.raises(S3Problem, match="SignatureDoesNotMatch"):
        read(multipart({"key": "up/a", "x-amz-credential": CREDENTIAL}, b"x"))


@pytest.mark.parametrize(
    ("low", "high", "code"), [(8, 10, "EntityTooSmall"), (1, 6, "EntityTooLarge")]
)
def test_the_size_of_the_file_is_bounded(low: int, high: int, code: str) -> None:
    upload = read(form({"key": "up/a"}, [*BASE, ["content-length-range", low, high]]))
    with pytest.raises(S3Problem, match=code):
        upload.payload.read(100)


@pytest.mark.parametrize(
    "broken",
    [
        multipart({"key": "up/a"}, None),
        Request("POST", "/b", "", {"content-type": "text/plain"}, io.BytesIO(), 0),
        Request("POST", "/b", "", {"content-type": "multipart/form-data"}, io.BytesIO(), 0),
    ],
)
def test_what_is_no_form_is_refused(broken: Request) -> None:
    with pytest.raises(S3Problem, match="MalformedPOSTRequest"):
        read(broken)


def test_a_file_cut_off_is_refused() -> None:
    asked = form({"key": "up/a"}, BASE)
    raw = asked.body.read()[:-8]
    cut = Request("POST", "/bucket", "", asked.headers, io.BytesIO(raw), len(raw))
    with pytest.raises(S3Problem, match="MalformedPOSTRequest"):
        read(cut).payload.read()


@pytest.mark.parametrize(
    ("field", "value", "status", "location"),
    [
        ("success_action_status", "201", 201, "http://h/bucket/up/a"),
        ("success_action_status", "200", 200, "http://h/bucket/up/a"),
        ("success_action_status", "999", 204, "http://h/bucket/up/a"),
        (
            "success_action_redirect",
            "http://x/y?z=1",
            303,
            "http://x/y?bucket=bucket&etag=%22e%22&key=up%2Fa&z=1",
        ),
    ],
)
def test_the_form_says_what_is_answered(
    field: str, value: str, status: int, location: str
) -> None:
    upload = read(form({"key": "up/a", field: value}, [*BASE, {field: value}]))
    answer = upload.answer("bucket", '"e"', "http://h/bucket/up/a")
    assert (answer.status, answer.header("location")) == (status, location)
    if status == 201:
        assert b"<Key>up/a</Key><ETag>&#34;e&#34;</ETag>" in bytes(answer.body)  # type: ignore[arg-type]
