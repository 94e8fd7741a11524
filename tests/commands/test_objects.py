"""``stat``, ``cat`` and ``rm`` over a scripted server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.recordings import mc_answer, minio
from tests.stub import ETAG, ok, s3_error, xml

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server

HELLO = {"content-length": "6", "etag": '"b1946ac92492d2347c6235b4d2611184"'}
# what a bucket answers where nothing is set: all but its encryption, in the order of the questions
SETTINGS = [
    xml(200, "<VersioningConfiguration/>"),
    s3_error(404, "ObjectLockConfigurationNotFoundError"),
    s3_error(404, "NoSuchBucketPolicy"),
    xml(200, "<LocationConstraint/>"),
    s3_error(404, "ReplicationConfigurationNotFoundError"),
    httpx.Response(200, json={"bucketsUsageInfo": {}}),
]


def test_stat_shows_how_an_object_is_encrypted(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("obj-head-sse-s3")]
    result = mcpy("stat", "play/mix/sse-s3")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Name       : sse-s3\n" in result.stdout
    assert "Size       : 12 B (12 bytes)\n" in result.stdout
    assert "Encryption : SSE-S3\n" in result.stdout
    assert "X-Amz-Server-Side-Encryption: AES256\n" in result.stdout
    assert server.calls == ["HEAD /mix/sse-s3"]


@pytest.mark.parametrize(
    ("recording", "shown"),
    [
        ("obj-head-kms-a", "SSE-KMS (arn:aws:kms:tenant-a)"),
        ("obj-head-sse-c", "SSE-C"),
        ("obj-head-plain", "none"),
    ],
)
def test_stat_names_the_kind_of_encryption(
    mcpy: Mcpy, server: Server, recording: str, shown: str
) -> None:
    server.replies = [minio(recording)]
    assert f"Encryption : {shown}\n" in mcpy("stat", "play/mix/o").stdout


def test_stat_of_a_version_asks_for_that_version(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("obj-head-plain")]
    assert mcpy("stat", "--version-id", "v1", "play/mix/o").exit_code == 0
    assert server.calls == ["HEAD /mix/o?versionId=v1"]


def test_stat_of_an_object_that_is_not_there(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("obj-head-missing"), xml(200, "<ListBucketResult/>")]
    assert mcpy("stat", "play/mix/none") == (
        5,
        "",
        "mcpy: error: `play/mix/none` is not there\nmcpy: hint: mcpy ls play/mix\n",
    )


def test_stat_of_a_bucket_shows_its_default(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-after-sse-kms-arn"), *SETTINGS]
    assert mcpy("stat", "play/enc-1") == (
        0,
        "Name      : enc-1\nType      : bucket\nLocation  : us-east-1\n"
        "Encryption: aws:kms (tenant-a)\n",
        "",
    )


def test_stat_of_a_bucket_without_a_default_says_none(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-none"), *SETTINGS]
    assert mcpy("stat", "play/enc-1").stdout.endswith("Encryption: none\n")


@pytest.mark.parametrize(
    ("reply", "recording"),
    [("obj-head-sse-s3", "stat-s3-json"), ("obj-head-kms-a", "stat-kms-json")],
)
def test_json_of_stat_has_the_fields_of_mc(
    mcpy: Mcpy, server: Server, reply: str, recording: str
) -> None:
    server.replies = [minio(reply)]
    (answer,) = mcpy("--json", "stat", "play/mix/o").objects
    recorded = mc_answer(recording)
    assert recorded.keys() - {"checksum"} <= answer.keys()
    encryption = {k: v for k, v in recorded["metadata"].items() if "Encryption" in k}
    assert encryption.items() <= answer["metadata"].items()


def test_json_of_a_bucket_has_the_fields_of_mc_for_encryption(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-after-sse-kms"), *SETTINGS]
    (answer,) = mcpy("--json", "stat", "play/enc-1").objects
    recorded = mc_answer("stat-bucket-enc-json")
    assert answer["Encryption"].keys() == recorded["Encryption"].keys()
    assert recorded.keys() <= answer.keys()
    assert answer["name"] == "enc-1/"


def test_cat_writes_the_bytes_as_they_are(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, headers=HELLO, content=b"hello\n")]
    assert mcpy("cat", "play/mix/o") == (0, "hello\n", "")
    assert server.calls == ["GET /mix/o"]
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_cat_of_several_writes_them_in_order(mcpy: Mcpy, server: Server) -> None:
    one = httpx.Response(200, headers={"content-length": "1", **ETAG}, content=b"1")
    two = httpx.Response(200, headers={"content-length": "1", **ETAG}, content=b"2")
    server.replies = [one, two]
    assert mcpy("cat", "play/mix/a", "play/mix/b").stdout == "12"


def test_cat_of_an_object_that_breaks_off_is_an_error(mcpy: Mcpy, server: Server) -> None:
    short = HELLO | {"content-length": "60"}
    server.replies = [
        lambda _: httpx.Response(200, headers=short, stream=httpx.ByteStream(b"hello\n"))
    ]
    result = mcpy("cat", "play/mix/o")
    assert result == (1, "hello\n", "mcpy: error: `o` broke off after 6 of 60 bytes\n")


def test_cat_of_changed_bytes_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, headers=HELLO, content=b"hullo\n")]
    result = mcpy("cat", "play/mix/o")
    assert (result.exit_code, result.stderr) == (
        1,
        "mcpy: error: `o` arrived changed: its MD5 is not the server's\n",
    )


def test_the_etag_of_an_sse_kms_object_is_no_digest(mcpy: Mcpy, server: Server) -> None:
    headers = HELLO | {"x-amz-server-side-encryption": "aws:kms"}
    server.replies = [httpx.Response(200, headers=headers, content=b"hullo\n")]
    assert mcpy("cat", "play/mix/o").exit_code == 0


def test_cat_of_an_object_whose_key_is_lost(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("lostkey-get-s3")]
    assert mcpy("cat", "play/doom/s3") == (
        5,
        "",
        "mcpy: error: kms:KeyNotFound: key with given key ID does not exist: `doom/s3`\n",
    )


def test_cat_of_a_bucket_is_a_usage_error(mcpy: Mcpy) -> None:
    assert mcpy("cat", "play/mix") == (
        2,
        "",
        "mcpy: error: `play/mix` names no object\nmcpy: hint: mcpy cat play/mix/OBJECT\n",
    )


def test_a_key_with_dot_segments_goes_out_as_it_is(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok()]
    assert mcpy("cat", "play/mix/a/../b c").exit_code == 0
    assert server.calls == ["GET /mix/a/../b%20c"]


def test_rm_removes_an_object_that_is_there(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("obj-head-plain"), httpx.Response(204)]
    assert mcpy("rm", "play/mix/o") == (0, "Removed `play/mix/o`.\n", "")
    assert server.calls == ["HEAD /mix/o", "DELETE /mix/o"]


def test_rm_of_an_object_that_is_not_there_sends_no_delete(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("obj-head-missing")]
    assert mcpy("rm", "play/mix/none") == (
        5,
        "",
        "mcpy: error: `play/mix/none` is not there\n",
    )


def test_rm_with_force_passes_over_what_is_not_there(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("obj-head-missing")]
    assert mcpy("rm", "--force", "play/mix/none") == (
        0,
        "`play/mix/none` was not there: nothing changed.\n",
        "",
    )


def test_rm_of_a_version_removes_that_version(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), httpx.Response(204)]
    assert mcpy("rm", "--version-id", "v1", "play/mix/o").stdout == "Removed `play/mix/o` (v1).\n"
    assert server.calls == ["HEAD /mix/o?versionId=v1", "DELETE /mix/o?versionId=v1"]


def test_rm_of_a_delete_marker_does_not_say_that_it_put_one(mcpy: Mcpy, server: Server) -> None:
    marker = {"x-amz-delete-marker": "true", "x-amz-version-id": "m1"}
    server.replies = [httpx.Response(405, headers=marker), httpx.Response(204, headers=marker)]
    removed = mcpy("rm", "--version-id", "m1", "play/mix/o")
    assert removed == (0, "Removed `play/mix/o` (m1).\n", "")


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_rm_of_a_version_that_never_was_removes_nothing(
    mcpy: Mcpy, server: Server, force: tuple[str, ...]
) -> None:
    server.replies = [minio("obj-head-missing")]
    assert mcpy("rm", *force, "--version-id", "v1", "play/mix/o") == (
        5,
        "",
        "mcpy: error: `play/mix/o` has no version v1\n",
    )


def test_rm_keeps_the_refusal_of_the_server(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), s3_error(403, "AccessDenied")]
    assert mcpy("rm", "play/mix/o") == (
        4,
        "",
        "mcpy: error: AccessDenied: no (s3:DeleteObject is needed)\n",
    )


def test_a_denied_look_is_no_missing_object(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(403)]
    assert mcpy("rm", "--force", "play/mix/o").exit_code == 4


def test_json_of_rm_has_the_fields_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), httpx.Response(204)]
    assert mcpy("--json", "rm", "play/mix/o").objects == [
        {
            "status": "success",
            "key": "play/mix/o",
            "deleteMarker": False,
            "versionID": "",
            "modTime": None,
            "dryRun": False,
        }
    ]


def test_versions_of_a_bucket_are_the_buckets_own_settings_as_in_mc(
    mcpy: Mcpy, server: Server
) -> None:
    server.replies = [minio("be-get-after-sse-kms-arn"), *SETTINGS]
    (answer,) = mcpy("--json", "stat", "--versions", "play/enc-1").objects
    assert answer["name"] == "enc-1/"
    assert answer["Encryption"]["algorithm"] == "aws:kms"


def test_a_version_of_a_bucket_without_versions_is_called_null(mcpy: Mcpy, server: Server) -> None:
    listed = xml(
        200,
        "<ListVersionsResult><Version><Key>o</Key><VersionId>null</VersionId><Size>5</Size>"
        "<IsLatest>true</IsLatest><LastModified>2026-11-23T12:00:00.000Z</LastModified>"
        "</Version></ListVersionsResult>",
    )
    server.replies = [listed, minio("obj-head-plain")]
    (answer,) = mcpy("--json", "stat", "--versions", "play/mix/o").objects
    assert answer["versionID"] == "null"


def test_that_no_upload_was_left_is_no_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [xml(200, "<ListMultipartUploadsResult/>")]
    assert mcpy("ls", "--incomplete", "play/mix/logs/") == (0, "", "")
