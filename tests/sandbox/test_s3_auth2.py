"""Signature Version 2: the examples AWS published, and everything that must be refused."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from mcpy.sandbox.message import Request
from mcpy.sandbox.s3 import auth2
from mcpy.sandbox.s3.errors import S3Problem
from tests.s3_calls import ACCESS, SECRET, Answer, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = {"AKIAIOSFODNN7EXAMPLE": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
ID = "AKIAIOSFODNN7EXAMPLE"
BUCKET = "johnsmith"
# of AWS's page on REST authentication: method, path, query, headers, time, signature
EXAMPLES = [
    (
        "GET",
        "/photos/puppy.jpg",
        "",
        {"date": "Tue, 27 Mar 2007 19:36:42 +0000"},
        datetime(2007, 3, 27, 19, 36, tzinfo=UTC),
        "bWq2s1WEIj+Ydj0vQ697zp+IXMU=",
    ),
    (
        "PUT",
        "/photos/puppy.jpg",
        "",
        {"date": "Tue, 27 Mar 2007 21:15:45 +0000", "content-type": "image/jpeg"},
        datetime(2007, 3, 27, 21, 15, tzinfo=UTC),
        "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
    ),
    (
        "GET",
        "/",
        "prefix=photos&max-keys=50&marker=puppy",
        {"date": "Tue, 27 Mar 2007 19:42:41 +0000"},
        datetime(2007, 3, 27, 19, 42, tzinfo=UTC),
        "htDYFYduRNen8P9ZfE/s9SuKy0U=",
    ),
    (
        "GET",
        "/",
        "acl",
        {"date": "Tue, 27 Mar 2007 19:44:46 +0000"},
        datetime(2007, 3, 27, 19, 44, tzinfo=UTC),
        "c2WLPFtWHVgbEmeEG93a4cG37dM=",
    ),
]


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "s3")
    assert server("PUT", "/bucket").status == 200
    yield server
    server.close()


def request(
    method: str, path: str, query: str = "", headers: dict[str, str] | None = None
) -> Request:
    return Request(method, path, query, headers or {}, io.BytesIO(), 0)


@pytest.mark.parametrize(("method", "path", "query", "headers", "now", "signature"), EXAMPLES)
def test_the_published_signatures_are_accepted(
    method: str, path: str, query: str, headers: dict[str, str], now: datetime, signature: str
) -> None:
    asked = request(method, path, query, headers | {"authorization": f"AWS {ID}:{signature}"})
    asked.in_bucket(BUCKET)
    assert auth2.authenticate(asked, KEYS, now).access_key == ID


def test_the_published_url_is_accepted_until_it_expires() -> None:
    query = f"AWSAccessKeyId={ID}&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
    asked = request("GET", "/photos/puppy.jpg", query)
    asked.in_bucket(BUCKET)
    assert auth2.is_signed(asked)
    end = datetime.fromtimestamp(1175139620, UTC)
    assert auth2.authenticate(asked, KEYS, end).access_key == ID
    with pytest.raises(S3Problem, match="Request has expired"):
        auth2.authenticate(asked, KEYS, end + timedelta(seconds=1))


DATE = "Tue, 27 Mar 2007 19:36:42 +0000"
GOOD = f"AWS {ID}:bWq2s1WEIj+Ydj0vQ697zp+IXMU="


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"authorization": GOOD}, "AccessDenied"),
        ({"authorization": GOOD, "date": "yesterday"}, "AccessDenied"),
        ({"authorization": GOOD, "date": "Tue, 27 Mar 2007 19:00:00 GMT"}, "RequestTimeTooSkewed"),
        ({"authorization": f"AWS {ID}", "date": DATE}, "MissingFields"),
        ({"authorization": f"AWS {ID}:=", "date": DATE}, "SignatureDoesNotMatch"),
        ({"authorization": GOOD.replace("AWS", "AWS9"), "date": DATE}, "SignatureDoesNotMatch"),
        ({"authorization": GOOD, "date": DATE, "x-amz-acl": "x"}, "SignatureDoesNotMatch"),
        ({"authorization": "AWS nobody:x", "date": DATE}, "InvalidAccessKeyId"),
    ],
)
def test_what_is_not_rightly_signed_is_refused(headers: dict[str, str], code: str) -> None:
    asked = request("GET", "/johnsmith/photos/puppy.jpg", headers=headers)
    with pytest.raises(S3Problem) as raised:
        auth2.authenticate(asked, KEYS, EXAMPLES[0][4])
    assert raised.value.code in {code, "MalformedDate"}


@pytest.mark.parametrize(
    "query",
    [
        f"AWSAccessKeyId={ID}&Signature=x",
        f"AWSAccessKeyId={ID}&Signature=x&Expires=1175139620&acl",
        f"AWSAccessKeyId={ID}&Signature=x&Expires=soon",
        f"AWSAccessKeyId={ID}&Signature=x&Expires=1175139620",
    ],
)
def test_a_url_needs_all_its_parts(query: str) -> None:
    with pytest.raises(S3Problem) as raised:
        auth2.authenticate(request("GET", "/a/b", query), KEYS, EXAMPLES[0][4])
    assert raised.value.code in {"AuthorizationQueryParametersError", "SignatureDoesNotMatch"}


def send(s3: Server, method: str, path: str, query: str = "", body: bytes = b"") -> Answer:
    """Send a request signed in the old way."""
    headers = {"date": f"{s3.time:%a, %d %b %Y %H:%M:%S GMT}", "content-type": "text/plain"}
    asked = Request(method, quote(path), query, headers, io.BytesIO(body), len(body))
    message = auth2.string_to_sign(asked, query.split("&"), headers["date"])
    signature = base64.b64encode(auth2.signature_of(message, SECRET)).decode()
    headers["authorization"] = f"AWS {ACCESS}:{signature}"
    response = s3.app(asked)
    content = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    return Answer(response.status, {k.lower(): v for k, v in response.headers}, content)


def test_an_old_client_can_put_list_and_get(s3: Server) -> None:
    assert send(s3, "PUT", "/bucket/a b", body=b"content").status == 200
    assert send(s3, "GET", "/bucket", "prefix=a").all("Key") == ["a b"]
    got = send(s3, "GET", "/bucket/a b", "response-content-type=x/y")
    assert (got.body, got.headers["content-type"]) == (b"content", "x/y")


def test_a_bucket_may_be_named_by_the_host(s3: Server) -> None:
    s3.app.domains = ("s3.test",)
    s3("PUT", "/bucket/name", body=b"content")
    url = "AWSAccessKeyId=" + ACCESS
    asked = request("GET", "/name", headers={"host": "bucket.s3.test:9000"})
    asked.in_bucket("bucket")
    expires = str(int(s3.time.timestamp()) + 60)
    message = auth2.string_to_sign(asked, [], expires)
    signature = quote(base64.b64encode(auth2.signature_of(message, SECRET)), safe="")
    query = f"{url}&Signature={signature}&Expires={expires}"
    response = s3.app(request("GET", "/name", query, {"host": "bucket.s3.test:9000"}))
    assert response.status == 200
    assert s3("GET", "/bucket/name").body == b"content"


def test_a_form_may_be_signed_so(s3: Server) -> None:
    policy = base64.b64encode(
        b'{"expiration": "2030-01-01T00:00:00Z", "conditions": [{"bucket": "bucket"},'
        b' ["starts-with", "$key", "up/"]]}'
    ).decode()
    signature = base64.b64encode(auth2.signature_of(policy, SECRET)).decode()
    for given, status in ((signature, 204), (base64.b64encode(b"x" * 20).decode(), 403)):
        fields = {"key": "up/k", "AWSAccessKeyId": ACCESS, "policy": policy, "signature": given}
        parts = [
            f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in (*fields.items(), ("file", "content"))
        ]
        body = ("".join(parts) + "--B--\r\n").encode()
        headers = {"content-type": "multipart/form-data; boundary=B", "host": "s3.test"}
        form = Request("POST", "/bucket", "", headers, io.BytesIO(body), len(body))
        assert s3.app(form).status == status
    assert s3("GET", "/bucket/up/k").body == b"content"
