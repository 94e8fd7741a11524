"""``rm`` and ``ls`` over a scripted server: many objects, versions, unfinished uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.stub import Answering, gone, ok, s3_error, xml

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server

UPLOADS = xml(
    200,
    "<ListMultipartUploadsResult><Upload><Key>big</Key><UploadId>u1</UploadId>"
    "<Initiated>2026-11-23T12:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>",
)
VERSIONS = xml(
    200,
    "<ListVersionsResult>"
    "<DeleteMarker><Key>x</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest>"
    "<LastModified>2026-03-01T00:00:00Z</LastModified></DeleteMarker>"
    "<Version><Key>x</Key><VersionId>v2</VersionId><IsLatest>false</IsLatest>"
    "<LastModified>2026-02-01T00:00:00Z</LastModified></Version>"
    "<Version><Key>x-other</Key><VersionId>v1</VersionId>"
    "<LastModified>2026-01-01T00:00:00Z</LastModified></Version></ListVersionsResult>",
)


def listing(
    *keys: str, date: str = "2026-11-23T12:00:00.000Z", encoding: str = "url"
) -> httpx.Response:
    entries = "".join(
        f"<Contents><Key>{key}</Key><Size>5</Size><LastModified>{date}</LastModified></Contents>"
        for key in keys
    )
    named = f"<EncodingType>{encoding}</EncodingType>" if encoding else ""
    return xml(200, f"<ListBucketResult>{named}{entries}</ListBucketResult>")


def deleted(*keys: str, **refused: str) -> httpx.Response:
    done = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
    failed = "".join(
        f"<Error><Key>{key}</Key><Code>{code}</Code><Message>no</Message></Error>"
        for key, code in refused.items()
    )
    return xml(200, f"<DeleteResult>{done}{failed}</DeleteResult>")


def test_what_lies_below_a_folder_goes_in_one_request(mcpy: Mcpy, server: Server) -> None:
    server.replies = [listing("p", "p-other", "p/1", "p/2"), deleted("p", "p/1", "p/2")]
    assert mcpy("rm", "-r", "--force", "play/enc-1/p") == (
        0,
        "Removed `play/enc-1/p`.\nRemoved `play/enc-1/p/1`.\nRemoved `play/enc-1/p/2`.\n",
        "",
    )
    assert server.calls[1:] == ["POST /enc-1?delete="]
    assert b"p-other" not in server.requests[1].content
    assert "content-md5" in server.requests[1].headers


def test_each_object_that_stays_is_reported(mcpy: Mcpy, server: Server) -> None:
    server.replies = [listing("a", "b"), deleted("a", b="AccessDenied")]
    assert mcpy("rm", "-r", "--force", "play/enc-1") == (
        8,
        "Removed `play/enc-1/a`.\n",
        "mcpy: error: AccessDenied: no: `b`\nmcpy: error: 1 of 2 failed\n",
    )


def test_what_the_server_does_not_mention_is_not_taken_for_gone(
    mcpy: Mcpy, server: Server
) -> None:
    server.replies = [listing("a", "b"), deleted("a")]
    result = mcpy("rm", "-r", "--force", "play/enc-1")
    assert (result.exit_code, result.stdout) == (8, "Removed `play/enc-1/a`.\n")
    assert "the server did not say what became of `b`" in result.stderr


@pytest.mark.parametrize("character", ["%01", "%0D"])
def test_a_name_that_xml_cannot_hold_goes_by_itself(
    mcpy: Mcpy, server: Server, character: str
) -> None:
    server.replies = [listing("a", f"b{character}c"), deleted("a"), gone()]
    assert mcpy("rm", "-r", "--force", "play/enc-1").exit_code == 0
    assert server.calls[1:] == ["POST /enc-1?delete=", f"DELETE /enc-1/b{character}c"]
    assert b"<Key>b" not in server.requests[1].content


def test_names_a_server_did_not_encode_are_taken_as_they_are(mcpy: Mcpy, server: Server) -> None:
    server.replies = [listing("a+b%41", encoding=""), deleted("a+b%41")]
    assert mcpy("rm", "-r", "--force", "play/enc-1").exit_code == 0
    assert b"<Key>a+b%41</Key>" in server.requests[1].content


def test_more_than_a_thousand_go_in_batches(mcpy: Mcpy, server: Server) -> None:
    keys = [f"k{number:04}" for number in range(1001)]
    server.replies = [listing(*keys), deleted(*keys[:1000]), deleted(keys[1000])]
    result = mcpy("rm", "-r", "--force", "play/enc-1")
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1001)


def test_a_dry_run_removes_nothing(mcpy: Mcpy, server: Server) -> None:
    server.replies = [listing("a")]
    result = mcpy("--json", "rm", "-r", "--force", "--dry-run", "play/enc-1")
    assert result.exit_code == 0
    assert result.objects == [
        {
            "status": "success",
            "key": "play/enc-1/a",
            "deleteMarker": False,
            "versionID": "",
            "modTime": None,
            "dryRun": True,
        }
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["-r", "play/enc-1"], "removing many objects for good needs --force"),
        (["--versions", "play/enc-1/x"], "removing many objects for good needs --force"),
        (["--rewind", "2026.02.15", "play/enc-1/x"], "removing many objects for good"),
        (["--stdin"], "removing many objects for good needs --force"),
        (["play/enc-1"], "`play/enc-1` names no object"),
        (["-r", "--force", "play"], "`play` is a whole server"),
        (["--dangerous", "play"], "`play` is a whole server"),
        (["-r", "--force", "--vid", "v", "play/enc-1/x"], "names a version of one object"),
        ([], "rm needs a target"),
    ],
)
def test_what_would_remove_too_much_is_refused(
    mcpy: Mcpy, server: Server, line: list[str], words: str
) -> None:
    result = mcpy("rm", *line)
    assert (result.exit_code, result.stdout, server.calls) == (2, "", [])
    assert words in result.stderr


def test_every_version_of_one_object_goes_and_none_of_its_namesakes(
    mcpy: Mcpy, server: Server
) -> None:
    gone = xml(
        200,
        "<DeleteResult><Deleted><Key>x</Key><VersionId>v3</VersionId></Deleted>"
        "<Deleted><Key>x</Key><VersionId>v2</VersionId></Deleted></DeleteResult>",
    )
    server.replies = [VERSIONS, gone]
    assert mcpy("rm", "--versions", "--force", "--bypass", "play/enc-1/x") == (
        0,
        "Removed `play/enc-1/x` (v3).\nRemoved `play/enc-1/x` (v2).\n",
        "",
    )
    assert b"x-other" not in server.requests[1].content
    assert server.requests[1].headers["x-amz-bypass-governance-retention"] == "true"


def test_a_delete_marker_is_told_from_a_removal(mcpy: Mcpy, server: Server) -> None:
    headers = {"x-amz-delete-marker": "true", "x-amz-version-id": "v9"}
    marker = httpx.Response(204, headers=headers)
    server.replies = [ok(), marker]
    (answer,) = mcpy("--json", "rm", "play/enc-1/x").objects
    assert (answer["deleteMarker"], answer["versionID"]) == (True, "v9")


def test_only_what_is_old_enough_goes(mcpy: Mcpy, server: Server) -> None:
    page = "<Contents><Key>{}</Key><LastModified>{}</LastModified></Contents>"
    old, new = (
        page.format("old", "2020-01-01T00:00:00Z"),
        page.format("new", "2999-01-01T00:00:00Z"),
    )
    server.replies = [xml(200, f"<ListBucketResult>{old}{new}</ListBucketResult>"), deleted("old")]
    result = mcpy("rm", "-r", "--force", "--older-than", "7d10h", "play/enc-1")
    assert result == (0, "Removed `play/enc-1/old`.\n", "")


def test_names_come_from_stdin(mcpy: Mcpy, server: Server) -> None:
    server.afterwards = Answering({"HEAD /enc-1/": ok(), "DELETE /enc-1/": gone()})
    result = mcpy("rm", "--force", "--stdin", stdin="play/enc-1/a\n\nplay/enc-1/b c\r\n")
    assert result == (0, "Removed `play/enc-1/a`.\nRemoved `play/enc-1/b c`.\n", "")
    deleted = sorted(call for call in server.calls if call.startswith("DELETE"))
    assert deleted == ["DELETE /enc-1/a", "DELETE /enc-1/b%20c"]


def test_an_unfinished_upload_is_listed_and_aborted(mcpy: Mcpy, server: Server) -> None:
    server.replies = [UPLOADS, UPLOADS, gone()]
    assert mcpy("ls", "--incomplete", "play/enc-1").stdout.endswith(" big\n")
    assert mcpy("rm", "--incomplete", "play/enc-1/big") == (0, "Removed `play/enc-1/big`.\n", "")
    assert server.calls[-1] == "DELETE /enc-1/big?uploadId=u1"


def test_what_is_missing_is_an_error_unless_forced(mcpy: Mcpy, server: Server) -> None:
    server.replies = [listing(), listing()]
    assert mcpy("rm", "-r", "--force", "play/enc-1/p").exit_code == 0
    (answer,) = mcpy("--json", "rm", "-r", "--force", "play/enc-1/p").objects
    assert answer["missing"] is True


def test_versions_are_numbered_from_the_oldest(mcpy: Mcpy, server: Server) -> None:
    server.replies = [VERSIONS, VERSIONS]
    found = mcpy("--json", "ls", "-r", "--versions", "play/enc-1").objects
    assert [(line["key"], line["versionOrdinal"]) for line in found] == [
        ("x", 2),
        ("x", 1),
        ("x-other", 1),
    ]
    assert " v3 v2 DEL x\n" in mcpy("ls", "-r", "--versions", "play/enc-1").stdout


def test_a_folder_s_name_lists_what_is_in_it(mcpy: Mcpy, server: Server) -> None:
    outside = xml(
        200,
        "<ListBucketResult><CommonPrefixes><Prefix>logs/</Prefix></CommonPrefixes>"
        "<CommonPrefixes><Prefix>logs-2/</Prefix></CommonPrefixes></ListBucketResult>",
    )
    server.replies = [outside, listing("logs/1")]
    (line,) = mcpy("--json", "ls", "play/enc-1/logs").objects
    assert (line["key"], line["url"]) == ("1", "http://s3.test:9000/enc-1/logs/")


def test_the_past_has_what_was_the_latest_then(mcpy: Mcpy, server: Server) -> None:
    server.replies = [VERSIONS]
    result = mcpy("--json", "ls", "-r", "--rewind", "2026.02.15", "play/enc-1")
    assert [line["key"] for line in result.objects] == ["x", "x-other"]


def test_a_storage_class_leaves_out_the_others(mcpy: Mcpy, server: Server) -> None:
    entry = "<Contents><Key>{}</Key><StorageClass>{}</StorageClass></Contents>"
    page = entry.format("a", "STANDARD") + entry.format("b", "GLACIER")
    server.replies = [xml(200, f"<ListBucketResult>{page}</ListBucketResult>")]
    assert mcpy("ls", "--sc", "GLACIER", "play/enc-1").stdout.endswith(" GLACIER b\n")


def test_zip_archives_are_refused(mcpy: Mcpy, server: Server) -> None:
    result = mcpy("ls", "--zip", "play/enc-1/a.zip")
    assert (result.exit_code, result.stdout, server.calls) == (7, "", [])


def test_a_locked_object_that_stays_says_why(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), s3_error(400, "ObjectLocked", "Object is WORM protected")]
    result = mcpy("rm", "--vid", "v1", "play/enc-1/x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "ObjectLocked: Object is WORM protected" in result.stderr


def test_a_whole_server_is_emptied_only_when_asked_three_times(mcpy: Mcpy, server: Server) -> None:
    listed = "<Bucket><Name>app-1</Name></Bucket><Bucket><Name>app-2</Name></Bucket>"
    buckets = f"<ListAllMyBucketsResult><Buckets>{listed}</Buckets></ListAllMyBucketsResult>"
    server.replies = [xml(200, buckets), listing("a"), listing("b"), deleted("a"), deleted("b")]
    result = mcpy("rm", "-r", "--force", "--dangerous", "play")
    assert result == (0, "Removed `play/app-1/a`.\nRemoved `play/app-2/b`.\n", "")
    assert server.calls[3:] == ["POST /app-1?delete=", "POST /app-2?delete="]


def test_mcs_purge_is_refused_with_what_does_it(mcpy: Mcpy) -> None:
    assert mcpy("rm", "--purge", "--force", "play/enc-1/logs") == (
        7,
        "",
        "mcpy: error: a prefix is not removed unseen\n"
        "mcpy: hint: mcpy rm --recursive --force TARGET\n",
    )


def test_fake_is_mcs_older_word_for_dry_run(mcpy: Mcpy, server: Server) -> None:
    server.replies = [listing("a")]
    result = mcpy("rm", "-r", "--force", "--fake", "play/enc-1")
    assert result.exit_code == 0
    assert [call.split()[0] for call in server.calls] == ["GET"]


def test_a_marker_alone_does_not_go_and_bring_its_object_back(mcpy: Mcpy, server: Server) -> None:
    entry = "<Key>x</Key><VersionId>{}</VersionId><LastModified>{}</LastModified>"
    marker = entry.format("m", "2099-01-01T00:00:00Z") + "<IsLatest>true</IsLatest>"
    version = entry.format("v", "2020-01-01T00:00:00Z") + "<IsLatest>false</IsLatest>"
    page = f"<DeleteMarker>{marker}</DeleteMarker><Version>{version}<Size>1</Size></Version>"
    server.replies = [xml(200, f"<ListVersionsResult>{page}</ListVersionsResult>")]
    line = ("rm", "--versions", "--non-current", "--force", "--newer-than", "1d", "play/enc-1/x")
    assert mcpy(*line) == (0, "", "")
    assert len(server.calls) == 1
