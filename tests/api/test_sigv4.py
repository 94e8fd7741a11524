"""Signatures: AWS's published vectors, requests recorded from a MinIO server, and what is sent."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from mcpy.api.call import Outgoing, origin_of
from mcpy.api.sigv4 import (
    EMPTY_SHA256,
    Scope,
    SigV4Auth,
    amz_date_of,
    canonical_request,
    encode_query,
    signature,
    signing_key,
    uri_encode,
)
from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

DATA = Path(__file__).parents[1] / "data/sigv4"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
RECORDED = [json.loads(line) for line in (DATA / "recorded.jsonl").read_text().splitlines()]
# S3 signs the path as it is sent: the vectors that normalise it hold for other services
NORMALISED = "normalize-path"
VECTORS = [path for path in sorted(DATA.glob("suite/**/*.sreq")) if NORMALISED not in path.parts]


def outgoing(
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    content: bytes | Iterable[bytes] = b"",
) -> Outgoing:
    return Outgoing(
        method, origin_of("http://s3.test"), target, {"host": "s3.test"} | (headers or {}), content
    )


def read_vector(path: Path) -> tuple[str, str, str, dict[str, str]]:
    """Return method, path, query and headers of a signed request of the suite."""
    head = path.read_bytes().partition(b"\n\n")[0].decode()
    first, *lines = re.sub(r"\n +", " ", head).splitlines()
    method, rest = first.split(" ", 1)
    target, _, query = rest.rpartition(" ")[0].partition("?")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known},{value.strip()}"
    return method, target, query, headers


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_an_aws_vector_gives_its_canonical_request_and_signature(path: Path) -> None:
    method, target, query, headers = read_vector(path)
    authorization = path.with_suffix(".authz").read_text()
    expected = path.with_suffix(".creq").read_text()
    signed = re.findall(r"SignedHeaders=([^,]+)", authorization)[0].split(";")
    headers = {name: value for name, value in headers.items() if name in signed}
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    canonical = canonical_request(
        method,
        uri_encode(target, safe="/%"),
        encode_query((unquote(name), unquote(value)) for name, value in pairs),
        headers,
        expected.rpartition("\n")[2],
    )
    assert canonical == expected
    scope = Scope("20150830", "us-east-1", "service")
    mark = signature(canonical, secret=SECRET, amz_date="20150830T123600Z", scope=scope)
    assert authorization.endswith(f"Signature={mark}")


@pytest.mark.parametrize(
    "record",
    [r for r in RECORDED if "Credential=minioadmin/" in r["request"]["headers"]["authorization"]],
    ids=lambda record: str(record["name"]),
)
def test_a_recorded_request_to_minio_signed_again_gives_the_same_header(
    record: dict[str, Any],
) -> None:
    sent = record["request"]
    wanted = sent["headers"]["authorization"]
    signed = re.findall(r"SignedHeaders=([^,]+)", wanted)[0].split(";")
    moment = datetime.strptime(sent["headers"]["x-amz-date"] + "+0000", "%Y%m%dT%H%M%SZ%z")
    region = re.findall(r"Credential=[^/]+/\d+/([^/]*)/", wanted)[0]
    auth = SigV4Auth("minioadmin", "minioadmin", region=region, now=lambda: moment)
    query = encode_query(sent["query"].items())
    path = uri_encode(sent["path"], safe="/")
    target = path + (f"?{query}" if query else "")
    headers = {name: sent["headers"][name] for name in signed}
    request = outgoing(sent["method"], target, headers, sent["body"].encode())
    auth.sign(request)
    assert request.headers["authorization"] == wanted


def test_the_signing_key_is_that_of_the_aws_guide() -> None:
    scope = Scope("20120215", "us-east-1", "iam")
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    assert (
        signing_key(secret, scope).hex()
        == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
    )


def test_a_session_token_is_sent_and_signed() -> None:
    request = outgoing("GET", "/")
    SigV4Auth("access", "secret", "the-token").sign(request)
    assert request.headers["x-amz-security-token"] == "the-token"
    assert ";x-amz-security-token," in request.headers["authorization"]


def test_a_body_of_bytes_is_hashed_into_the_signature() -> None:
    request = outgoing("PUT", "/b/k", content=b"abc")
    SigV4Auth("access", "secret").sign(request)
    assert (
        request.headers["x-amz-content-sha256"]
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_a_request_without_a_body_has_the_hash_of_nothing() -> None:
    request = outgoing("GET", "/")
    SigV4Auth("access", "secret").sign(request)
    assert request.headers["x-amz-content-sha256"] == EMPTY_SHA256


def test_streamed_content_without_a_hash_is_gathered_to_be_hashed() -> None:
    pieces = iter([b"a", b"bc"])
    request = outgoing("PUT", "/b/k", {"transfer-encoding": "chunked"}, pieces)
    SigV4Auth("access", "secret").sign(request)
    assert request.content == b"abc"
    assert request.headers["x-amz-content-sha256"].startswith("ba7816bf8f01cfea")
    assert request.headers["content-length"] == "3"
    assert "transfer-encoding" not in request.headers


def test_a_date_has_all_its_digits() -> None:
    assert amz_date_of(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "20260102T030405Z"


def test_a_hash_the_caller_set_stays() -> None:
    request = outgoing("PUT", "/b/k", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    SigV4Auth("access", "secret").sign(request)
    assert request.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"


def test_dot_segments_in_a_key_are_signed_as_they_are_sent() -> None:
    request, plain = outgoing("GET", "/b/a/../x"), outgoing("GET", "/b/x")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    auth = SigV4Auth("access", "secret", now=lambda: moment)
    auth.sign(request)
    auth.sign(plain)
    assert request.headers["authorization"] != plain.headers["authorization"]


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("~-_.", "~-_."),
        ("ü/é", "%C3%BC/%C3%A9"),
        ("*'()", "%2A%27%28%29"),
    ],
)
def test_only_unreserved_characters_stay_as_they_are(text: str, encoded: str) -> None:
    assert uri_encode(text, safe="/") == encoded


def test_a_query_is_sorted_by_name_and_then_by_value() -> None:
    assert encode_query([("b", "2"), ("a", "2"), ("a", "1"), ("A", "")]) == "A=&a=1&a=2&b=2"


def test_the_secret_is_not_in_the_repr() -> None:
    shown = repr(SigV4Auth("access", "very-secret", "very-token"))
    assert "very-secret" not in shown
    assert "very-token" not in shown


@pytest.mark.parametrize("token", [" hush", "hush ", "hu\nsh", "h\u00fcsh"])
def test_a_token_no_header_can_hold_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(ConfigError, match="the session token holds characters") as caught:
        SigV4Auth("access", "secret", token)
    assert "sh" not in str(caught.value).replace("session", "")
