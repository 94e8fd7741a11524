"""``encrypt info`` and ``encrypt clear`` over a scripted server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.recordings import mc_answer, minio
from tests.stub import xml

if TYPE_CHECKING:
    import httpx

    from tests.running import Mcpy
    from tests.stub import Server

NO_OBJECTS = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
LISTING = "<ListBucketResult><Name>enc-1</Name></ListBucketResult>"


def test_info_shows_the_default(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-after-sse-kms-arn")]
    assert mcpy("encrypt", "info", "play/enc-1") == (
        0,
        "`play/enc-1` encrypts new objects by sse-kms with key `tenant-a`.\n",
        "",
    )


def test_info_without_a_default_is_not_found(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-none")]
    assert mcpy("encrypt", "info", "play/enc-1") == (
        5,
        "",
        "mcpy: error: `play/enc-1` has no default encryption\n"
        "mcpy: hint: mcpy encrypt set sse-s3 play/enc-1\n",
    )


def test_a_rule_without_an_algorithm_encrypts_nothing(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-after-empty-rule")]
    result = mcpy("encrypt", "info", "play/enc-1")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "has an encryption rule without an algorithm: it encrypts nothing" in result.stderr


def test_a_bucket_that_is_not_there_is_not_found(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-nosuchbucket")]
    result = mcpy("encrypt", "info", "play/nosuch-b")
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.startswith("mcpy: error: NoSuchBucket: ")


def test_being_denied_to_look_is_denied(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("perm-be-get-denied")]
    result = mcpy("encrypt", "info", "play/enc-1")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.startswith("mcpy: error: AccessDenied: Access Denied")


def test_info_of_several_reports_each(mcpy: Mcpy, server: Server) -> None:

    def answer(request: httpx.Request) -> httpx.Response:
        return minio("be-get-none" if "enc-1" in request.url.path else "be-get-after-sse-s3")

    server.replies = [answer, answer]  # several are asked at once
    assert mcpy("encrypt", "info", "play/enc-1", "play/enc-2") == (
        8,
        "`play/enc-2` encrypts new objects by sse-s3.\n",
        "mcpy: error: `play/enc-1` has no default encryption\n"
        "mcpy: hint: mcpy encrypt set sse-s3 play/enc-1\n"
        "mcpy: error: 1 of 2 failed\n",
    )


def test_clear_removes_the_default_and_looks_again(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        minio("be-get-after-sse-s3"),
        minio("be-delete-ok"),
        minio("be-get-none"),
    ]
    assert mcpy("encrypt", "clear", "play/enc-1") == (
        0,
        "`play/enc-1` no longer encrypts new objects by default.\n"
        "Objects that are encrypted stay so: their keys must stay.\n",
        "",
    )
    assert server.calls == [
        "GET /enc-1?encryption=",
        "DELETE /enc-1?encryption=",
        "GET /enc-1?encryption=",
    ]


def test_clear_sends_no_delete_where_there_is_nothing_to_clear(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-none")]
    assert mcpy("encrypt", "clear", "play/enc-1") == (
        0,
        "`play/enc-1` had no default encryption: nothing changed.\n",
        "",
    )
    assert server.calls == ["GET /enc-1?encryption="]


@pytest.mark.parametrize("body", [LISTING, NO_OBJECTS, "", "<html/>", "nonsense"])
@pytest.mark.parametrize("command", ["clear", "info", "set sse-s3"])
def test_a_server_that_ignores_the_question_is_never_sent_a_delete(
    mcpy: Mcpy, server: Server, command: str, body: str
) -> None:
    server.replies = [xml(200, body)]
    result = mcpy("encrypt", *command.split(), "play/enc-1")
    assert (result.exit_code, result.stdout) == (7, "")
    assert result.stderr.startswith("mcpy: error: bucket encryption is unknown to s3.test:9000: ")
    assert server.calls == ["GET /enc-1?encryption="]


def test_a_default_that_stays_after_clearing_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        minio("be-get-after-sse-s3"),
        minio("be-delete-ok"),
        minio("be-get-after-sse-s3"),
    ]
    assert mcpy("encrypt", "clear", "play/enc-1") == (
        1,
        "",
        "mcpy: error: the server kept an encryption of `enc-1`\n"
        "mcpy: hint: AWS S3 and others always encrypt: what is left is their own default\n",
    )


def test_a_failed_clear_keeps_the_error_of_the_server(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-after-sse-s3"), minio("perm-be-get-denied")]
    assert mcpy("encrypt", "clear", "play/enc-1").exit_code == 4


def test_json_of_info_is_that_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-after-sse-kms")]
    result = mcpy("encrypt", "info", "play/enc-1", "--json")
    recorded = mc_answer("encrypt-info-kms-json") | {"url": "play/enc-1"}
    assert (result.exit_code, result.objects, result.stderr) == (0, [recorded], "")


def test_json_of_clear_has_the_fields_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-none")]
    result = mcpy("encrypt", "--json", "clear", "play/enc-1")
    assert mc_answer("encrypt-clear-prefix-json").keys() <= result.objects[0].keys()
    assert (result.exit_code, result.objects[0]["changed"]) == (0, False)


@pytest.mark.parametrize(
    ("reply", "recording"),
    [
        ("be-get-none", "encrypt-info-none-json"),
        ("be-get-nosuchbucket", "encrypt-info-nobucket-json"),
    ],
)
def test_an_error_in_json_has_the_fields_of_mc(
    mcpy: Mcpy, server: Server, reply: str, recording: str
) -> None:
    server.replies = [minio(reply)]
    result = mcpy("--json", "encrypt", "info", "play/enc-1")
    (answer,) = result.objects
    recorded = mc_answer(recording)
    assert (result.exit_code, result.stderr) == (5, "")
    assert answer["status"] == "error"
    assert recorded["error"].keys() <= answer["error"].keys()
    assert answer["error"]["type"] == "fatal"
    assert answer["error"]["cause"]["error"]["Code"] == recorded["error"]["cause"]["error"]["Code"]
    assert answer["error"]["cause"]["message"] == recorded["error"]["cause"]["message"]
