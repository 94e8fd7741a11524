"""Several targets, and patterns over the buckets of an alias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.stub import s3_error, xml

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server

SET = (
    "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
    "<SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>"
    "</ServerSideEncryptionConfiguration>"
)
NONE_SET = s3_error(404, "ServerSideEncryptionConfigurationNotFoundError")


def buckets(*names: str) -> httpx.Response:
    listed = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in names)
    return xml(
        200, f"<ListAllMyBucketsResult><Buckets>{listed}</Buckets></ListAllMyBucketsResult>"
    )


def test_a_pattern_stands_for_the_buckets_it_matches(mcpy: Mcpy, server: Server) -> None:
    server.replies = [buckets("app-1", "app-2", "web-1"), xml(200, SET), xml(200, SET)]
    assert mcpy("encrypt", "info", "--jobs", "1", "play/app-*") == (
        0,
        "`play/app-1` encrypts new objects by sse-s3.\n"
        "`play/app-2` encrypts new objects by sse-s3.\n",
        "",
    )
    assert server.calls == ["GET /", "GET /app-1?encryption=", "GET /app-2?encryption="]


@pytest.mark.parametrize("command", [["encrypt", "info"], ["encrypt", "clear"], ["rb"], ["ls"]])
def test_a_pattern_that_matches_nothing_is_not_found(
    mcpy: Mcpy, server: Server, command: list[str]
) -> None:
    server.replies = [buckets("web-1")]
    assert mcpy(*command, "play/app-*") == (
        5,
        "",
        "mcpy: error: no bucket matches `play/app-*`\nmcpy: hint: mcpy ls play\n",
    )
    assert server.calls == ["GET /"]


def test_a_bucket_that_is_named_twice_is_done_once(mcpy: Mcpy, server: Server) -> None:
    server.replies = [buckets("app-1"), xml(200, SET)]
    result = mcpy("encrypt", "info", "play/app-1", "play/app-?")
    assert result.stdout.count("\n") == 1


def test_a_pattern_with_a_prefix_is_refused_where_only_a_bucket_makes_sense(
    mcpy: Mcpy, server: Server
) -> None:
    result = mcpy("encrypt", "clear", "play/*/logs")
    assert (result.exit_code, result.stdout, server.calls) == (2, "", [])
    assert "`play/*/logs` lies in `play/*`" in result.stderr


def test_a_new_bucket_has_no_pattern_for_a_name(mcpy: Mcpy, server: Server) -> None:
    result = mcpy("mb", "play/app-*")
    assert (result.exit_code, result.stdout, server.calls) == (2, "", [])


def test_reports_come_in_the_order_of_the_targets(mcpy: Mcpy, server: Server) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return NONE_SET if request.url.path == "/app-2" else xml(200, SET)

    server.replies = [buckets("app-1", "app-2", "app-3"), answer, answer, answer]
    assert mcpy("encrypt", "info", "--jobs", "3", "play/*") == (
        8,
        "`play/app-1` encrypts new objects by sse-s3.\n"
        "`play/app-3` encrypts new objects by sse-s3.\n",
        "mcpy: error: `play/app-2` has no default encryption\n"
        "mcpy: hint: mcpy encrypt set sse-s3 play/app-2\n"
        "mcpy: error: 1 of 3 failed\n",
    )


def test_json_has_a_line_for_every_target(mcpy: Mcpy, server: Server) -> None:
    server.replies = [xml(200, SET), NONE_SET]
    result = mcpy("--json", "encrypt", "info", "--jobs", "1", "play/app-1", "play/app-2")
    assert result.exit_code == 8
    assert [answer["status"] for answer in result.objects] == ["success", "error", "error"]


def test_every_bucket_of_a_server_goes_when_that_was_asked_for_twice(
    mcpy: Mcpy, server: Server
) -> None:
    empty, gone = xml(200, "<ListVersionsResult/>"), httpx.Response(204)
    server.replies = [buckets("app-1", "app-2"), empty, gone, empty, gone]
    result = mcpy("rb", "--jobs", "1", "--force", "--dangerous", "play")
    assert result == (0, "Removed bucket `play/app-1`.\nRemoved bucket `play/app-2`.\n", "")


def test_listing_several_goes_on_after_one_that_is_not_there(mcpy: Mcpy, server: Server) -> None:
    page = "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>"
    server.replies = [s3_error(404, "NoSuchBucket", "gone"), xml(200, page)]
    assert mcpy("ls", "play/none", "play/app-1") == (
        8,
        " " * 25 + "        1 B a\n",
        "mcpy: error: NoSuchBucket: gone\nmcpy: error: 1 of 2 failed\n",
    )
