"""``ls`` over a scripted server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.recordings import mc_answer, minio
from tests.stub import s3_error, xml

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server

PAGE = """<ListBucketResult><Contents><Key>{}</Key><Size>1536</Size>
<LastModified>2026-11-23T12:41:26.996Z</LastModified><ETag>"e1"</ETag></Contents>{}
</ListBucketResult>"""


def test_ls_of_an_alias_lists_its_buckets(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        xml(
            200,
            "<ListAllMyBucketsResult><Buckets><Bucket><Name>enc-1</Name>"
            "<CreationDate>2026-11-23T12:40:37.801Z</CreationDate></Bucket></Buckets>"
            "</ListAllMyBucketsResult>",
        )
    ]
    assert mcpy("ls", "play") == (0, "[2026-11-23 12:40:37 UTC]        0 B enc-1/\n", "")
    assert server.calls == ["GET /"]


def test_ls_of_an_alias_without_buckets_lists_nothing(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("s3-list-buckets-empty")]
    assert mcpy("ls", "play") == (0, "", "")


def test_ls_of_a_bucket_lists_size_date_and_class(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("list-v2-plain")]
    result = mcpy("ls", "play/mix")
    lines = result.stdout.splitlines()
    assert (result.exit_code, result.stderr) == (0, "")
    assert lines[0] == "[2026-11-23 12:41:26 UTC]       12 B STANDARD e"
    assert [line.split()[-1] for line in lines[1:3]] == ["kms-a", "kms-arn"]
    assert server.calls == ["GET /mix?delimiter=%2F&encoding-type=url&list-type=2&prefix="]


def test_every_page_of_a_listing_is_read(mcpy: Mcpy, server: Server) -> None:
    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t/1</NextContinuationToken>"
    server.replies = [xml(200, PAGE.format("a", more)), xml(200, PAGE.format("b", ""))]
    assert mcpy("ls", "play/mix").stdout.count("\n") == 2
    assert server.calls[1].startswith("GET /mix?continuation-token=t%2F1&")


def test_a_server_that_repeats_a_page_is_not_read_for_ever(mcpy: Mcpy, server: Server) -> None:
    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
    server.replies = [xml(200, PAGE.format("a", more)), xml(200, PAGE.format("a", more))]
    result = mcpy("ls", "play/mix")
    assert result.exit_code == 1
    assert result.stderr == ("mcpy: error: s3.test:9000 gave the same page of a listing twice\n")


def test_keys_are_decoded_and_control_characters_are_shown(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        xml(200, PAGE.format("a+b%1B%5B31m%0Ac", "<EncodingType>url</EncodingType>"))
    ]
    result = mcpy("ls", "play/mix")
    assert result.stdout.endswith(" a b\\x1b[31m\nc\n") or result.stdout.endswith("\\nc\n")
    assert "\x1b" not in result.stdout


def test_names_are_relative_to_the_folder(mcpy: Mcpy, server: Server) -> None:
    server.replies = [xml(200, PAGE.format("logs/2026/a", ""))]
    assert mcpy("ls", "play/mix/logs/2026/").stdout.endswith(" a\n")


def test_recursive_asks_for_no_folders(mcpy: Mcpy, server: Server) -> None:
    server.replies = [xml(200, PAGE.format("logs/a", ""))]
    assert mcpy("ls", "--recursive", "play/mix").stdout.endswith(" logs/a\n")
    assert server.calls == ["GET /mix?encoding-type=url&list-type=2&prefix="]


def test_folders_have_no_size_of_their_own(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        xml(
            200,
            "<ListBucketResult><CommonPrefixes><Prefix>logs/</Prefix></CommonPrefixes>"
            "</ListBucketResult>",
        )
    ]
    assert mcpy("ls", "play/mix") == (0, " " * 25 + "        0 B logs/\n", "")


def test_versions_and_delete_markers_are_listed(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("dm-list")]
    result = mcpy("ls", "--versions", "play/cpv/dm")
    assert (result.exit_code, result.stderr) == (0, "")
    assert " DEL " in result.stdout
    assert " PUT " in result.stdout
    assert server.calls == ["GET /cpv?delimiter=%2F&encoding-type=url&prefix=dm&versions="]


def test_the_summary_counts_objects_and_bytes(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("list-v2-plain")]
    result = mcpy("ls", "--summarize", "play/mix")
    assert result.stdout.endswith("\n\nTotal: 96 B, 8 objects\n")


def test_a_prefix_that_matches_nothing_is_not_found(mcpy: Mcpy, server: Server) -> None:
    server.replies = [xml(200, "<ListBucketResult/>")]
    assert mcpy("ls", "play/mix/none") == (
        5,
        "",
        "mcpy: error: nothing in `play/mix` begins `none`\n",
    )


def test_an_empty_bucket_lists_nothing(mcpy: Mcpy, server: Server) -> None:
    server.replies = [xml(200, "<ListBucketResult/>")]
    assert mcpy("ls", "play/mix") == (0, "", "")


def test_a_listing_blocked_by_a_lost_key_says_so(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("lostkey-list-plain")]
    result = mcpy("ls", "play/doom")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "kms:KeyNotFound: key with given key ID does not exist" in result.stderr


def test_the_region_the_server_names_is_used(mcpy: Mcpy, server: Server) -> None:
    wrong = s3_error(400, "AuthorizationHeaderMalformed", Region="eu-central-1")
    server.replies = [wrong, minio("list-v2-plain")]
    assert mcpy("ls", "play/mix").exit_code == 0
    regions = [request.headers["authorization"].split("/")[2] for request in server.requests]
    assert regions == ["us-east-1", "eu-central-1"]


def test_a_region_that_stays_wrong_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("s3-err-wrong-region-bucket")]
    result = mcpy("ls", "play/mix")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("mcpy: error: AuthorizationHeaderMalformed: ")


@pytest.mark.parametrize(
    ("recording", "code", "words"),
    [
        ("s3-err-bad-secret", 4, "SignatureDoesNotMatch"),
        ("s3-err-bad-access-key", 4, "InvalidAccessKeyId"),
        ("s3-err-clock-skew", 4, "RequestTimeTooSkewed"),
        ("be-get-nosuchbucket", 5, "NoSuchBucket"),
    ],
)
def test_a_refusal_has_its_exit_code_and_the_words_of_the_server(
    mcpy: Mcpy, server: Server, recording: str, code: int, words: str
) -> None:
    server.replies = [minio(recording)]
    result = mcpy("ls", "play/mix")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith(f"mcpy: error: {words}: ")


def test_json_of_ls_has_the_fields_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("list-v2-plain")]
    result = mcpy("--json", "ls", "play/mix")
    recorded = mc_answer("ls-bucket-json").keys()
    assert all(recorded <= answer.keys() for answer in result.objects)
    assert result.objects[0] == {
        "status": "success",
        "type": "file",
        "lastModified": "2026-11-23T12:41:26.996Z",
        "size": 12,
        "key": "e",
        "etag": "2b48e3734b4adac29a18690337d21d5a",
        "url": "http://s3.test:9000/mix/",
        "versionOrdinal": 1,
        "storageClass": "STANDARD",
    }


def test_json_of_buckets_has_the_fields_of_mc(mcpy: Mcpy, server: Server) -> None:
    bucket = "<Bucket><Name>b</Name><CreationDate>2026-11-23T12:40:37.801Z</CreationDate></Bucket>"
    body = f"<ListAllMyBucketsResult><Buckets>{bucket}</Buckets></ListAllMyBucketsResult>"
    server.replies = [xml(200, body)]
    (answer,) = mcpy("--json", "ls", "play").objects
    assert mc_answer("ls-alias-json").keys() <= answer.keys()
    assert (answer["type"], answer["key"]) == ("folder", "b/")


def test_json_of_the_summary_is_that_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("list-v2-plain")]
    result = mcpy("--json", "ls", "--summarize", "play/mix")
    assert result.objects[-1] == {"totalObjects": 8, "totalSize": 96}


def test_an_anonymous_alias_sends_no_signature(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("list-v2-plain")]
    env = {"MCPY_HOST_anon": "http://s3.test:9000"}
    assert mcpy("ls", "anon/mix", env=env).exit_code == 0
    assert "authorization" not in server.requests[0].headers


def test_one_busy_answer_is_not_seen(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(503), minio("list-v2-plain")]
    assert mcpy("ls", "play/mix").exit_code == 0
