"""``mb`` and ``rb`` over a scripted server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.recordings import mc_answer, minio
from tests.running import Terminal
from tests.stub import gone, ok, s3_error, xml

if TYPE_CHECKING:
    import httpx

    from tests.running import Mcpy
    from tests.stub import Server


NOT_VERSIONED = xml(200, "<VersioningConfiguration/>")
VERSIONED = xml(200, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
LOCKED = xml(
    200,
    "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    "</ObjectLockConfiguration>",
)


def test_mb_makes_a_bucket_and_sees_that_it_is_there(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("bucket-create-ok"), minio("bucket-head-ok")]
    assert mcpy("mb", "play/enc-1") == (0, "Made bucket `play/enc-1`.\n", "")
    assert server.calls == ["PUT /enc-1", "HEAD /enc-1"]
    assert server.requests[0].content == b""


def test_mb_asks_for_lock_versioning_and_region(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), ok(), LOCKED, NOT_VERSIONED, ok(), VERSIONED]
    args = ("mb", "--with-lock", "--with-versioning", "--region", "eu-west-1", "play/enc-1")
    assert mcpy(*args) == (0, "Made bucket `play/enc-1`.\n", "")
    assert server.calls == [
        "PUT /enc-1",
        "HEAD /enc-1",
        "GET /enc-1?object-lock=",
        "GET /enc-1?versioning=",
        "PUT /enc-1?versioning=",
        "GET /enc-1?versioning=",
    ]
    assert server.requests[0].headers["x-amz-bucket-object-lock-enabled"] == "true"
    assert b"<LocationConstraint>eu-west-1<" in server.requests[0].content
    assert b"<Status>Enabled</Status>" in server.requests[4].content


@pytest.mark.parametrize("options", [[], ["-p"]])
def test_a_bucket_without_the_lock_that_was_asked_for_is_an_error(
    mcpy: Mcpy, server: Server, options: list[str]
) -> None:
    made = minio("bucket-create-again-same-owner") if options else ok()
    server.replies = [made, ok(), s3_error(404, "ObjectLockConfigurationNotFoundError")]
    assert mcpy("mb", "--with-lock", *options, "play/enc-1") == (
        1,
        "",
        "mcpy: error: `play/enc-1` is there and has no object lock\n",
    )


def test_a_bucket_that_is_there_says_when_its_versioning_is_switched_on(
    mcpy: Mcpy, server: Server
) -> None:
    there = minio("bucket-create-again-same-owner")
    server.replies = [there, ok(), NOT_VERSIONED, ok(), VERSIONED, there, ok(), VERSIONED]
    line = ("mb", "-p", "--with-versioning", "play/enc-1")
    assert mcpy(*line).stdout == (
        "Bucket `play/enc-1` was there already: switched its versioning on.\n"
    )
    assert mcpy(*line).stdout == "Bucket `play/enc-1` was there already: nothing changed.\n"


def test_versioning_that_stays_off_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), ok(), NOT_VERSIONED, ok(), NOT_VERSIONED]
    result = mcpy("mb", "--with-versioning", "play/enc-1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not have it on" in result.stderr


def test_mb_of_an_existing_bucket_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("bucket-create-again-same-owner")]
    result = mcpy("mb", "play/enc-1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("mcpy: error: BucketAlreadyOwnedByYou: ")


def test_mb_may_pass_over_a_bucket_that_is_there(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("bucket-create-again-same-owner"), minio("bucket-head-ok")]
    assert mcpy("mb", "--ignore-existing", "play/enc-1") == (
        0,
        "Bucket `play/enc-1` was there already: nothing changed.\n",
        "",
    )


def test_somebody_elses_bucket_is_not_passed_over(mcpy: Mcpy, server: Server) -> None:
    server.replies = [s3_error(409, "BucketAlreadyExists")]
    assert mcpy("mb", "-p", "play/enc-1").exit_code == 1


def test_a_bucket_the_server_took_and_does_not_have_is_an_error(
    mcpy: Mcpy, server: Server
) -> None:
    server.replies = [minio("bucket-create-ok"), minio("bucket-head-missing")]
    assert mcpy("mb", "play/enc-1") == (
        1,
        "",
        "mcpy: error: the server took `play/enc-1` and does not have it\n",
    )


@pytest.mark.parametrize(
    "name", ["UPPER", "ab", "a..b", "192.168.1.1", "under_score", "x" * 64, "-a-", "a.-b"]
)
@pytest.mark.parametrize("command", ["mb", "rb"])
def test_a_bucket_name_no_server_takes_is_refused_before_any_request(
    mcpy: Mcpy, command: str, name: str
) -> None:
    assert mcpy(command, f"play/{name}") == (
        2,
        "",
        f"mcpy: error: `{name}` is not a bucket name: "
        "3-63 lower-case letters, digits, `-` and `.`\n",
    )


@pytest.mark.parametrize("command", ["mb", "rb"])
def test_a_prefix_is_no_bucket(mcpy: Mcpy, command: str) -> None:
    assert mcpy(command, "play/enc-1/p") == (
        2,
        "",
        f"mcpy: error: `play/enc-1/p` is more than a bucket\n"
        f"mcpy: hint: mcpy {command} play/enc-1\n",
    )


@pytest.mark.parametrize("command", ["mb", "ls", "stat", "encrypt info"])
def test_an_unknown_alias_goes_before_what_is_wrong_behind_it(mcpy: Mcpy, command: str) -> None:
    result = mcpy(*command.split(), "ghost/x")
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.startswith("mcpy: error: no alias `ghost`\n")


def test_an_alias_is_no_bucket(mcpy: Mcpy) -> None:
    assert mcpy("mb", "play") == (
        2,
        "",
        "mcpy: error: `play` names no bucket\nmcpy: hint: mcpy mb play/BUCKET\n",
    )


@pytest.mark.parametrize("options", [[], ["--force"], ["--dangerous"]])
def test_a_whole_server_is_emptied_of_buckets_only_when_asked_twice(
    mcpy: Mcpy, options: list[str]
) -> None:
    assert mcpy("rb", *options, "play") == (
        2,
        "",
        "mcpy: error: `play` is a whole server: every bucket on it would go\n"
        "mcpy: hint: mcpy rb --force --dangerous play\n",
    )


def test_an_unknown_alias_is_an_error_and_never_a_folder(mcpy: Mcpy) -> None:
    assert mcpy("mb", "ghost/enc-1") == (
        5,
        "",
        "mcpy: error: no alias `ghost`\n"
        "mcpy: hint: mcpy alias set ghost URL ACCESSKEY SECRETKEY\n",
    )


def test_of_several_buckets_each_is_reported_and_one_failure_stops_none(
    mcpy: Mcpy, server: Server
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        taken = request.url.path == "/one"  # the two are made at a time, in either order
        return s3_error(409, "BucketAlreadyExists") if taken else ok()

    server.replies = [answer] * 3
    assert mcpy("mb", "play/one", "play/two") == (
        8,
        "Made bucket `play/two`.\n",
        "mcpy: error: BucketAlreadyExists: no\nmcpy: error: 1 of 2 failed\n",
    )


def test_when_all_fail_for_one_reason_the_exit_code_is_that_reason(
    mcpy: Mcpy, server: Server
) -> None:
    server.replies = [s3_error(403, "AccessDenied"), s3_error(403, "AccessDenied")]
    result = mcpy("mb", "play/one", "play/two")
    assert result.exit_code == 4
    assert result.stderr.endswith("mcpy: error: all 2 failed\n")


def test_when_all_fail_for_several_reasons_the_exit_code_is_one(
    mcpy: Mcpy, server: Server
) -> None:
    server.replies = [s3_error(403, "AccessDenied"), s3_error(409, "BucketAlreadyExists")]
    assert mcpy("mb", "play/one", "play/two").exit_code == 1


def test_quiet_says_nothing_of_a_success(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), ok()]
    assert mcpy("mb", "--quiet", "play/enc-1") == (0, "", "")


def test_json_of_mb_has_the_fields_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), ok()]
    result = mcpy("--json", "mb", "play/enc-1")
    assert result.objects == [
        {"status": "success", "bucket": "play/enc-1", "region": "", "created": True}
    ]
    assert mc_answer("mb-json").keys() <= result.objects[0].keys()


def test_rb_removes_an_empty_bucket(mcpy: Mcpy, server: Server) -> None:
    server.replies = [gone()]
    assert mcpy("rb", "play/enc-1") == (0, "Removed bucket `play/enc-1`.\n", "")
    assert server.calls == ["DELETE /enc-1"]


def test_json_of_rb_is_that_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [gone()]
    recorded = mc_answer("rb-force-nonempty-json") | {"bucket": "play/enc-1"}
    assert mcpy("--json", "rb", "play/enc-1").objects == [recorded]


def test_rb_of_a_full_bucket_names_the_way_to_empty_it(mcpy: Mcpy, server: Server) -> None:
    server.replies = [s3_error(409, "BucketNotEmpty")]
    assert mcpy("rb", "play/enc-1") == (
        1,
        "",
        "mcpy: error: `play/enc-1` is not empty\nmcpy: hint: mcpy rb --force play/enc-1\n",
    )


def test_rb_of_a_bucket_that_is_not_there_is_not_found(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-nosuchbucket")]
    assert mcpy("rb", "play/nosuch-b").exit_code == 5


def test_rb_with_force_removes_every_version_first(mcpy: Mcpy, server: Server) -> None:
    versions = xml(
        200,
        "<ListVersionsResult><Version><Key>a</Key><VersionId>v1</VersionId></Version>"
        "<DeleteMarker><Key>a</Key><VersionId>v2</VersionId></DeleteMarker></ListVersionsResult>",
    )
    deleted = xml(
        200,
        "<DeleteResult><Deleted><Key>a</Key><VersionId>v1</VersionId></Deleted>"
        "<Deleted><Key>a</Key><VersionId>v2</VersionId></Deleted></DeleteResult>",
    )
    server.replies = [versions, deleted, gone()]
    assert mcpy("rb", "--force", "play/enc-1") == (0, "Removed bucket `play/enc-1`.\n", "")
    assert server.calls[1:] == ["POST /enc-1?delete=", "DELETE /enc-1"]
    assert b"<Key>a</Key><VersionId>v2</VersionId>" in server.requests[1].content


def test_rb_with_force_asks_a_person_first(mcpy: Mcpy) -> None:
    stdin = Terminal("")
    result = mcpy("rb", "--force", "play/enc-1", stdin=stdin, stderr=None)
    assert (result.exit_code, result.stdout) == (2, "")
    assert (
        "there is no terminal to ask on: Remove play/enc-1 and all that is in it?" in result.stderr
    )


def test_rb_with_force_and_yes_asks_nobody(mcpy: Mcpy, server: Server) -> None:
    server.replies = [xml(200, "<ListVersionsResult/>"), gone()]
    stdin = Terminal("")
    assert mcpy("rb", "--force", "--yes", "play/enc-1", stdin=stdin).exit_code == 0


def test_a_bucket_that_is_there_is_answered_with_the_option_for_it(
    mcpy: Mcpy, server: Server
) -> None:
    server.replies = [s3_error(409, "BucketAlreadyOwnedByYou")]
    result = mcpy("mb", "play/enc-1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("mcpy: hint: mcpy mb --ignore-existing play/enc-1\n")
