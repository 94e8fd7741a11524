"""One HEAD, and one byte where it lies: the state of an object that a listing does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api.http import Deadline, HttpOptions
from mcpy.api.s3 import S3
from mcpy.api.s3listing import Entry
from mcpy.errors import UnreachableError
from mcpy.fleet.inventory.head import headed, unreadable
from mcpy.models import Alias
from tests.running import ACCESS_KEY, SECRET_KEY, URL
from tests.stub import ETAG, ok, s3_error

if TYPE_CHECKING:
    from tests.stub import Server

SEALED = "20000f00" + "ab" * 44
ENTRY = Entry("dir/", 7, SEALED, "2026-11-25T12:00:00Z", "STANDARD", "v1")


@pytest.fixture
def s3(server: Server) -> S3:
    options = HttpOptions(Deadline(20), retries=0, transport=server)
    return S3(Alias("play", URL, ACCESS_KEY, SECRET_KEY), options)


def head(size: int = 7, etag: str = "abc", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(200, headers={"content-length": str(size), "etag": f'"{etag}"', **named})


def sse_s3(etag: str = "abc") -> httpx.Response:
    return head(etag=etag, x_amz_server_side_encryption="AES256")


def part(content: bytes, size: int = 7) -> httpx.Response:
    headers = {"content-range": f"bytes 0-0/{size}", "content-length": str(len(content)), **ETAG}
    return httpx.Response(206, headers=headers, content=content)


def test_a_plain_object_is_plain_by_its_own_word_alone(s3: S3, server: Server) -> None:
    server.replies = [head()]
    item = headed(s3, "b-1", ENTRY)
    assert (item.state, item.why, item.version_id, item.storage_class) == (
        *("plain", "", "v1"),
        "STANDARD",
    )
    assert server.calls == ["HEAD /b-1/dir/?versionId=v1"]


def test_a_sealed_etag_is_tried_with_one_byte_and_may_be_readable(s3: S3, server: Server) -> None:
    server.replies = [sse_s3(SEALED), part(b"x")]
    assert headed(s3, "b-1", ENTRY).state == "sse-s3"
    assert server.calls[1] == "GET /b-1/dir/?versionId=v1"
    assert server.requests[1].headers["range"] == "bytes=0-0"


def test_a_sealed_etag_whose_byte_is_refused_is_unreadable(s3: S3, server: Server) -> None:
    server.replies = [sse_s3(SEALED), s3_error(404, "kms:KeyNotFound", "no such key")]
    item = headed(s3, "b-1", ENTRY)
    assert (item.state, item.why) == ("unreadable", "kms:KeyNotFound: no such key")


def test_another_name_for_an_algorithm_is_unknown(s3: S3, server: Server) -> None:
    server.replies = [head(x_amz_server_side_encryption="ROT13")]
    item = headed(s3, "b-1", ENTRY)
    assert (item.state, item.why) == ("unknown", "the server calls its encryption `ROT13`")


def test_the_reason_of_a_refused_head_is_asked_for_where_it_has_none(
    s3: S3, server: Server
) -> None:
    words = "The object was stored using a form of Server Side Encryption."
    refused = s3_error(400, "InvalidRequest", words)
    server.replies = [httpx.Response(400), httpx.Response(200), refused]
    assert headed(s3, "b-1", ENTRY).state == "sse-c"
    assert server.calls[1] == "GET /b-1?location="  # a signature for another region is a 400 too


def test_minio_tells_of_a_customers_key_in_the_refused_head(s3: S3, server: Server) -> None:
    words = '"The object was stored using a form of Server Side Encryption. Give the key."'
    codes = {"x-minio-error-code": "InvalidRequest", "x-minio-error-desc": words}
    server.replies = [httpx.Response(400, headers=codes)]
    assert headed(s3, "b-1", ENTRY).state == "sse-c"


def test_a_head_refused_for_nothing_leaves_the_object_unknown(s3: S3, server: Server) -> None:
    server.replies = [httpx.Response(400), ok(), part(b"x")]
    item = headed(s3, "b-1", ENTRY)
    assert (item.state, item.why.startswith("HEAD was refused: ")) == ("unknown", True)


@pytest.mark.parametrize(
    ("replies", "problem"),
    [
        ([part(b"x")], ""),
        ([s3_error(416, "InvalidRange"), head(0)], ""),
        ([s3_error(416, "InvalidRange"), s3_error(404, "kms:KeyNotFound")], "kms:KeyNotFound: no"),
        ([part(b"")], "the server answered without content"),
        ([httpx.Response(200, headers={"content-length": "7", **ETAG}, content=b"content")], ""),
        ([s3_error(500, "kms:DecryptionFailed")], "kms:DecryptionFailed: no"),
    ],
)
def test_a_byte_is_read_to_see_whether_an_object_opens(
    s3: S3, server: Server, replies: list[httpx.Response], problem: str
) -> None:
    server.replies = list(replies)
    assert unreadable(s3, "b-1", "k") == problem


def test_an_answer_that_is_cut_off_before_its_content_is_no_content(
    s3: S3, server: Server
) -> None:
    server.replies = [httpx.RemoteProtocolError("peer closed connection without sending")]
    problem = unreadable(s3, "b-1", "k")
    assert "closed the connection before its answer was complete" in problem


def test_a_server_that_is_gone_is_no_statement_about_an_object(s3: S3, server: Server) -> None:
    server.replies = [httpx.ConnectError("refused")]
    with pytest.raises(UnreachableError):
        unreadable(s3, "b-1", "k")
