"""``encrypt set``, and how a prefix is refused, over a scripted server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.recordings import mc_answer, minio
from tests.stub import s3_error, xml

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server

KEY_STATUS = "GET /minio/kms/v1/key/status"
LIST = "GET /enc-1?encoding-type=url&list-type=2&prefix="
NO_OBJECTS = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"


def test_set_tries_the_key_counts_the_objects_and_reads_back(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        minio("be-get-none"),
        minio("kms-key-status-default"),
        minio("list-v2-plain"),
        minio("be-put-sse-s3"),
        minio("be-get-after-sse-s3"),
    ]
    assert mcpy("encrypt", "set", "sse-s3", "play/enc-1") == (
        0,
        "`play/enc-1` encrypts new objects by sse-s3 from now on.\n"
        "8 objects that were there stay as they are.\n",
        "",
    )
    assert server.calls == [
        "GET /enc-1?encryption=",
        KEY_STATUS,
        LIST,
        "PUT /enc-1?encryption=",
        "GET /enc-1?encryption=",
    ]
    assert b"<SSEAlgorithm>AES256</SSEAlgorithm>" in server.requests[3].content
    assert b"KMSMasterKeyID" not in server.requests[3].content


@pytest.mark.parametrize("key", ["tenant-a", "arn:aws:kms:tenant-a"])
def test_set_sse_kms_sends_the_key(mcpy: Mcpy, server: Server, key: str) -> None:
    server.replies = [
        minio("be-get-none"),
        minio("kms-key-status-ok"),
        xml(200, NO_OBJECTS),
        minio("be-put-sse-s3"),
        minio("be-get-after-sse-kms"),
    ]
    assert mcpy("encrypt", "set", "sse-kms", key, "play/enc-1") == (
        0,
        "`play/enc-1` encrypts new objects by sse-kms with key `tenant-a` from now on.\n",
        "",
    )
    assert server.calls[1] == KEY_STATUS + "?key-id=tenant-a"
    assert b"<KMSMasterKeyID>tenant-a</KMSMasterKeyID>" in server.requests[3].content


def test_a_key_of_aws_is_named_in_full(mcpy: Mcpy, server: Server) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    stored = minio("be-get-after-sse-kms")
    server.replies = [
        minio("be-get-none"),
        s3_error(403, "AccessDenied"),
        xml(200, NO_OBJECTS),
        minio("be-put-sse-s3"),
        xml(200, stored.text.replace("tenant-a", key)),
    ]
    assert mcpy("encrypt", "set", "sse-kms", key, "play/enc-1").exit_code == 0
    assert f"<KMSMasterKeyID>{key}</KMSMasterKeyID>".encode() in server.requests[3].content


def test_set_changes_nothing_when_it_is_so_already(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-after-sse-s3"), minio("kms-key-status-default")]
    assert mcpy("encrypt", "set", "sse-s3", "play/enc-1") == (
        0,
        "`play/enc-1` encrypts new objects by sse-s3 already.\n",
        "",
    )


def test_a_key_stored_with_its_arn_prefix_is_the_same_key(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-after-sse-kms-arn"), minio("kms-key-status-ok")]
    result = mcpy("encrypt", "set", "sse-kms", "tenant-a", "play/enc-1")
    assert result == (
        0,
        "`play/enc-1` encrypts new objects by sse-kms with key `tenant-a` already.\n",
        "",
    )


def test_set_keeps_the_parts_of_the_configuration_it_does_not_know(
    mcpy: Mcpy, server: Server
) -> None:
    stored = minio("be-get-after-sse-kms").text.replace(
        "</Rule>", "<BucketKeyEnabled>true</BucketKeyEnabled></Rule>"
    )
    server.replies = [
        xml(200, stored),
        minio("kms-key-status-default"),
        xml(200, NO_OBJECTS),
        minio("be-put-sse-s3"),
        minio("be-get-after-sse-s3"),
    ]
    assert mcpy("encrypt", "set", "sse-s3", "play/enc-1").exit_code == 0
    assert b"<BucketKeyEnabled>true</BucketKeyEnabled>" in server.requests[3].content
    assert b"tenant-a" not in server.requests[3].content


def test_set_refuses_a_key_that_is_not_there(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-none"), minio("kms-key-status-missing")]
    assert mcpy("encrypt", "set", "sse-kms", "nokey", "play/enc-1") == (
        5,
        "",
        "mcpy: error: the KMS has no key `nokey`, and uploads would fail; objects that were "
        "encrypted with it stay unreadable under a new key of the same name\n"
        "mcpy: hint: mcpy kes key import nokey @BACKUP; "
        "mcpy kes key create nokey only if nothing was ever encrypted with it\n",
    )


def test_set_refuses_while_the_kms_is_down(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-none"), minio("kesdown-key-status")]
    result = mcpy("encrypt", "set", "sse-s3", "play/enc-1")
    assert (result.exit_code, result.stdout) == (6, "")
    assert "the key `my-minio-sse-s3-key` does not work" in result.stderr
    assert "mcpy: hint: mcpy admin kms key status play\n" in result.stderr


def test_set_says_what_to_do_on_a_server_without_a_kms(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-none"), minio("nokms-kms-key-status")]
    assert mcpy("encrypt", "set", "sse-s3", "play/enc-1") == (
        7,
        "",
        "mcpy: error: s3.test:9000 has no KMS: its MINIO_KMS_* environment is not set, "
        "or was set after it started\n"
        "mcpy: hint: mcpy admin kms env play --key KEY, then mcpy admin service restart play\n",
    )


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_set_warns_where_the_key_cannot_be_tried(mcpy: Mcpy, server: Server, status: int) -> None:
    server.replies = [
        minio("be-get-none"),
        s3_error(status, "AccessDenied"),
        xml(200, NO_OBJECTS),
        minio("be-put-sse-s3"),
        minio("be-get-after-sse-s3"),
    ]
    assert mcpy("encrypt", "set", "sse-s3", "play/enc-1") == (
        0,
        "`play/enc-1` encrypts new objects by sse-s3 from now on.\n",
        "mcpy: warning: `play` cannot be asked whether its key works: try an upload\n",
    )


def test_a_change_the_server_does_not_show_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        minio("be-get-none"),
        minio("kms-key-status-default"),
        xml(200, NO_OBJECTS),
        minio("be-put-sse-s3"),
        minio("be-get-none"),
    ]
    assert mcpy("encrypt", "set", "sse-s3", "play/enc-1") == (
        1,
        "",
        "mcpy: error: the server took the encryption of `enc-1` but shows none\n",
    )


def test_a_change_that_became_another_one_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        minio("be-get-none"),
        minio("kms-key-status-default"),
        xml(200, NO_OBJECTS),
        minio("be-put-sse-s3"),
        minio("be-get-after-sse-kms"),
    ]
    assert mcpy("encrypt", "set", "sse-s3", "play/enc-1") == (
        1,
        "",
        "mcpy: error: the server took the encryption of `enc-1` but shows aws:kms\n",
    )


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["set", "sse-s3", "play/enc-1/logs"], "mcpy encrypt set sse-s3 play/enc-1"),
        (["set", "sse-kms", "k", "play/enc-1/logs"], "mcpy encrypt set sse-kms k play/enc-1"),
        (["clear", "play/enc-1/logs"], "mcpy encrypt clear play/enc-1"),
        (["info", "play/enc-1/logs"], "mcpy stat play/enc-1/logs"),
    ],
)
def test_a_prefix_is_refused_with_the_command_that_was_meant(
    mcpy: Mcpy, args: list[str], hint: str
) -> None:
    result = mcpy("encrypt", *args)
    assert result == (
        2,
        "",
        "mcpy: error: a default encryption is a bucket's, and `play/enc-1/logs` lies in "
        f"`play/enc-1`\nmcpy: hint: {hint}\n",
    )


@pytest.mark.parametrize("words", ["set sse-s3", "set sse-kms tenant-a", "info", "clear"])
def test_an_alias_alone_is_answered_with_the_whole_command(mcpy: Mcpy, words: str) -> None:
    assert mcpy("encrypt", *words.split(), "play") == (
        2,
        "",
        f"mcpy: error: `play` names no bucket\nmcpy: hint: mcpy encrypt {words} play/BUCKET\n",
    )


def test_set_says_which_other_default_it_replaced(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        minio("be-get-after-sse-kms"),
        minio("kms-key-status-default"),
        xml(200, NO_OBJECTS),
        minio("be-put-sse-s3"),
        minio("be-get-after-sse-s3"),
    ]
    assert mcpy("encrypt", "set", "sse-s3", "play/enc-1") == (
        0,
        "`play/enc-1` encrypts new objects by sse-s3 from now on, "
        "and no longer by sse-kms with key `tenant-a`.\n",
        "",
    )


def test_json_of_set_has_the_default_that_was_replaced(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        minio("be-get-after-sse-kms"),
        minio("kms-key-status-default"),
        xml(200, NO_OBJECTS),
        minio("be-put-sse-s3"),
        minio("be-get-after-sse-s3"),
    ]
    result = mcpy("--json", "encrypt", "set", "sse-s3", "play/enc-1")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.objects[0]["encryption"] == {"algorithm": "sse-s3"}
    assert result.objects[0]["previous"] == {"algorithm": "sse-kms", "keyId": "tenant-a"}


def test_a_slash_after_the_bucket_is_no_prefix(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-after-sse-s3")]
    assert mcpy("encrypt", "info", "play/enc-1/").exit_code == 0


def test_an_unknown_algorithm_names_those_there_are(mcpy: Mcpy) -> None:
    assert mcpy("encrypt", "set", "aes256", "play/enc-1") == (
        2,
        "",
        "mcpy: error: invalid value for '{sse-s3|sse-kms}': 'aes256' is not one of "
        "'sse-s3', 'sse-kms'\n"
        "mcpy: hint: mcpy encrypt set --help\n",
    )


def test_sse_s3_with_a_key_names_the_command_that_takes_one(mcpy: Mcpy) -> None:
    assert mcpy("encrypt", "set", "sse-s3", "tenant-a", "play/enc-1") == (
        2,
        "",
        "mcpy: error: sse-s3 takes no key: it uses the server's default key\n"
        "mcpy: hint: mcpy encrypt set sse-kms tenant-a play/enc-1\n",
    )


def test_sse_kms_without_a_key_says_where_it_goes(mcpy: Mcpy) -> None:
    assert mcpy("encrypt", "set", "sse-kms", "play/enc-1") == (
        2,
        "",
        "mcpy: error: sse-kms needs a key\n"
        "mcpy: hint: mcpy encrypt set sse-kms KEY ALIAS/BUCKET\n",
    )


def test_a_key_name_kes_would_refuse_is_refused_before_any_request(mcpy: Mcpy) -> None:
    result = mcpy("encrypt", "set", "sse-kms", "bad.name", "play/enc-1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "`bad.name` is not a key name" in result.stderr


def test_json_of_set_has_the_fields_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        minio("be-get-none"),
        minio("kms-key-status-ok"),
        minio("list-v2-plain"),
        minio("be-put-sse-s3"),
        minio("be-get-after-sse-kms"),
    ]
    result = mcpy("--json", "encrypt", "set", "sse-kms", "tenant-a", "play/enc-1")
    recorded = mc_answer("encrypt-set-kms-json")
    (answer,) = result.objects
    assert (result.exit_code, result.stderr) == (0, "")
    assert recorded.keys() <= answer.keys()
    assert answer["encryption"] == {"algorithm": "sse-kms", "keyId": "tenant-a"}
    assert (answer["changed"], answer["existingObjects"]) == (True, 8)


@pytest.mark.parametrize(
    ("count", "words"), [(10_000, "\n10000 objects"), (10_001, "\nMore than 10000 objects")]
)
def test_counting_stops_where_it_would_take_long(
    mcpy: Mcpy, server: Server, count: int, words: str
) -> None:
    objects = "<Contents><Key>k</Key></Contents>" * count
    server.replies = [
        minio("be-get-none"),
        minio("kms-key-status-default"),
        xml(200, f"<ListBucketResult>{objects}</ListBucketResult>"),
        minio("be-put-sse-s3"),
        minio("be-get-after-sse-s3"),
    ]
    result = mcpy("encrypt", "set", "sse-s3", "play/enc-1")
    assert result.stdout.endswith(f"{words} that were there stay as they are.\n")


def test_a_server_that_fails_to_try_the_key_is_a_failure(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-none"), s3_error(500, "InternalError")]
    server.afterwards = s3_error(500, "InternalError")
    result = mcpy("encrypt", "set", "sse-s3", "play/enc-1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert not [call for call in server.calls if call.startswith("PUT")]


def test_another_s3_server_has_no_key_to_try(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        minio("be-get-none"),
        xml(200, NO_OBJECTS),  # it takes the KMS path for a bucket
        xml(200, NO_OBJECTS),
        minio("be-put-sse-s3"),
        minio("be-get-after-sse-s3"),
    ]
    result = mcpy("encrypt", "set", "sse-s3", "play/enc-1")
    assert result.exit_code == 0
    assert "cannot be asked whether its key works: try an upload" in result.stderr
