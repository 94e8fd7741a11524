"""A 200 alone proves nothing: what every answer about an object, and a deletion, has to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api.deletes import delete_objects
from mcpy.api.http import HttpOptions
from mcpy.api.multipart import MultipartUpload
from mcpy.api.s3 import S3
from mcpy.errors import ProtocolError, S3Error
from mcpy.models import Alias
from tests.running import ACCESS_KEY, SECRET_KEY, URL
from tests.stub import gone, ok, s3_error, xml

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stub import Server

EMPTY = {"content-length": "0"}
DATED = {**EMPTY, "last-modified": "Mon, 23 Nov 2026 12:00:00 GMT"}
POLICY = "/b?policy="
UPLOAD = "/b/k?uploadId=u"


@pytest.fixture
def s3(server: Server) -> S3:
    return S3(Alias("play", URL, ACCESS_KEY, SECRET_KEY), HttpOptions(transport=server))


def fetched(s3: S3) -> None:
    with s3.get_object("b", "k"):
        pass


ABOUT_AN_OBJECT: dict[str, Callable[[S3], object]] = {
    "PUT": lambda s3: s3.put_object("b", "k", b"new"),
    "part": lambda s3: MultipartUpload(s3, "b", "k", "u", {}).put(1, [b""], EMPTY),
    "GET": fetched,
    "HEAD": lambda s3: s3.head_object("b", "k"),
}


@pytest.mark.parametrize("act", ABOUT_AN_OBJECT.values(), ids=ABOUT_AN_OBJECT)
@pytest.mark.parametrize("body", [b"", b"{}"], ids=["empty", "json"])
def test_a_200_that_names_no_object_is_none(
    s3: S3, server: Server, act: Callable[[S3], object], body: bytes
) -> None:
    server.replies = [httpx.Response(200, content=body)]
    with pytest.raises(ProtocolError, match="ETag"):
        act(s3)


@pytest.mark.parametrize("act", [ABOUT_AN_OBJECT["GET"], ABOUT_AN_OBJECT["HEAD"]])
def test_a_proxy_may_take_the_etag_away_and_leave_the_date(
    s3: S3, server: Server, act: Callable[[S3], object]
) -> None:
    server.replies = [httpx.Response(200, headers=DATED)]
    act(s3)


def test_an_etag_that_a_proxy_made_weak_is_the_server_s(s3: S3, server: Server) -> None:
    server.replies = [ok(etag='W/"abc"')]
    assert s3.head_object("b", "k").etag == "abc"


DELETIONS: dict[str, tuple[Callable[[S3], object], str]] = {
    "object": (lambda s3: s3.delete_object("b", "k"), "HEAD /b/k"),
    "version": (
        lambda s3: s3.delete_object("b", "k", version_id="v"),
        "HEAD /b/k?versionId=v",
    ),
    "bucket": (lambda s3: s3.remove_bucket("b"), "HEAD /b"),
    "policy": (lambda s3: s3.put_bucket_policy("b", ""), f"GET {POLICY}"),
    "upload": (lambda s3: MultipartUpload(s3, "b", "k", "u", {}).abort(), f"GET {UPLOAD}"),
}


@pytest.mark.parametrize(("act", "look"), DELETIONS.values(), ids=DELETIONS)
@pytest.mark.parametrize(
    "there", [ok(), s3_error(403, "AccessDenied"), httpx.Response(400)], ids=str
)
def test_a_deletion_that_is_not_answered_as_s3_does_is_looked_after(
    s3: S3, server: Server, act: Callable[[S3], object], look: str, there: httpx.Response
) -> None:
    server.replies = [httpx.Response(200), there]
    with pytest.raises(ProtocolError, match="answered a deletion with HTTP 200, not 204"):
        act(s3)
    assert server.calls[1] == look


@pytest.mark.parametrize(("act", "look"), DELETIONS.values(), ids=DELETIONS)
def test_a_server_that_deletes_and_says_200_is_believed_when_it_is_gone(
    s3: S3, server: Server, act: Callable[[S3], object], look: str
) -> None:
    server.replies = [httpx.Response(200), httpx.Response(404)]
    act(s3)
    assert server.calls[1] == look


@pytest.mark.parametrize(("act", "look"), DELETIONS.values(), ids=DELETIONS)
def test_s3_s_own_answer_to_a_deletion_costs_no_second_request(
    s3: S3, server: Server, act: Callable[[S3], object], look: str
) -> None:
    server.replies = [gone()]
    act(s3)
    assert look not in server.calls


def test_of_several_deletions_one_that_did_nothing_stops_no_other(s3: S3, server: Server) -> None:
    deleted = "<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>"
    server.replies = [xml(200, deleted), httpx.Response(200), ok()]
    first, second = delete_objects(s3, "b", [("a", ""), ("\x01", "")])
    assert not isinstance(first, S3Error)
    assert isinstance(second, S3Error)
    assert "not 204" in second.message


def test_a_deleted_marker_may_be_named_as_marker_alone(s3: S3, server: Server) -> None:
    answer = "".join(
        f"<Deleted><Key>a</Key><DeleteMarkerVersionId>{marker}</DeleteMarkerVersionId></Deleted>"
        for marker in ("m1", "m2")
    )
    server.replies = [xml(200, f"<DeleteResult>{answer}</DeleteResult>")]
    outcomes = list(delete_objects(s3, "b", [("a", "m1"), ("a", "m2"), ("a", "m3")]))
    assert [isinstance(outcome, S3Error) for outcome in outcomes] == [False, False, True]


@pytest.mark.parametrize(
    ("answer", "done"),
    [
        ("<Deleted><Key>a</Key></Deleted>", True),
        ("<Deleted><Key>a</Key><VersionId>null</VersionId></Deleted>", True),
        ("<Deleted><Key>a</Key><DeleteMarkerVersionId>v</DeleteMarkerVersionId></Deleted>", False),
        ("<Deleted><Key>a</Key><VersionId>other</VersionId></Deleted>", False),
        ("<Error><Key>a</Key><Code>AccessDenied</Code></Error>", False),
        ("", False),
    ],
)
def test_the_only_version_of_an_object_may_go_unnamed_in_what_was_deleted(
    s3: S3, server: Server, answer: str, done: bool
) -> None:
    server.replies = [xml(200, f"<DeleteResult>{answer}</DeleteResult>")]
    (outcome,) = delete_objects(s3, "b", [("a", "null")])
    assert isinstance(outcome, S3Error) is not done
