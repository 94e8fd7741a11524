"""``admin kms key create, list, status`` over a scripted server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.recordings import mc_answer, minio

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server


def test_create_makes_a_key_and_tries_it(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("kms-key-create-ok"), minio("kms-key-status-ok")]
    result = mcpy("admin", "kms", "key", "create", "play", "tenant-a")
    assert result == (0, "Created key `tenant-a`.\n", "")
    assert server.calls == [
        "POST /minio/kms/v1/key/create?key-id=tenant-a",
        "GET /minio/kms/v1/key/status?key-id=tenant-a",
    ]


def test_a_key_that_exists_says_so_in_plain_words(mcpy: Mcpy, server: Server) -> None:
    """MinIO calls it an internal error, with status 500."""
    server.replies = [minio("kms-key-create-exists")]
    assert mcpy("admin", "kms", "key", "create", "play", "created-1") == (
        1,
        "",
        "mcpy: error: key `created-1` exists\n"
        "mcpy: hint: mcpy admin kms key create --if-missing play created-1\n",
    )


def test_a_key_that_exists_is_no_error_with_if_missing(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("kms-key-create-exists")]
    result = mcpy("--json", "admin", "kms", "key", "create", "--if-missing", "play", "created-1")
    assert result.objects == [{"status": "success", "keyId": "created-1", "created": False}]
    assert result.exit_code == 0


def test_a_key_that_was_made_and_does_not_work_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("kms-key-create-ok"), minio("kesdown-key-status")]
    result = mcpy("admin", "kms", "key", "create", "play", "k")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "key `k` was created but does not work: failed to generate" in result.stderr


def test_being_denied_is_denied(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("perm-kms-key-create-denied")]
    assert mcpy("admin", "kms", "key", "create", "play", "k").exit_code == 4


def test_a_creation_that_was_cut_off_is_not_sent_again(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.ReadError("reset")]
    assert mcpy("admin", "kms", "key", "create", "play", "k").exit_code == 6


def test_list_shows_one_name_a_line(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("kms-key-list-pattern-star")]
    assert mcpy("admin", "kms", "key", "list", "play") == (
        0,
        "my-minio-sse-s3-key\ntenant-a\ntenant-b\n",
        "",
    )
    assert server.calls == ["GET /minio/kms/v1/key/list?pattern=%2A"]


def test_json_of_list_has_the_fields_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("kms-key-list-pattern-star")]
    keys = ["my-minio-sse-s3-key", "tenant-a", "tenant-b"]
    assert mcpy("admin", "kms", "key", "list", "play", "--json").objects == [
        {"status": "success", "target": "play", "keys": keys}
    ]


def test_a_full_page_of_keys_warns_that_there_may_be_more(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json=[{"name": f"k{i}"} for i in range(1024)])]
    result = mcpy("admin", "kms", "key", "list", "play")
    assert result.exit_code == 0
    assert "mcpy: warning: a MinIO server lists 1,024 keys at most" in result.stderr


def test_a_server_without_a_kms_says_what_to_do(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("nokms-kms-key-list")]
    result = mcpy("admin", "kms", "key", "list", "play")
    assert (result.exit_code, result.stdout) == (7, "")
    assert "s3.test:9000 has no KMS" in result.stderr
    assert "mcpy: hint: mcpy admin kms env play --key KEY" in result.stderr


def test_status_of_a_key_that_works(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("kms-key-status-ok")]
    assert mcpy("admin", "kms", "key", "status", "play", "tenant-a") == (
        0,
        "Key: tenant-a\n  Encryption: works\n  Decryption: works\n",
        "",
    )


def test_status_without_a_key_tries_the_default_one(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("kms-key-status-default")]
    result = mcpy("--json", "admin", "kms", "key", "status", "play")
    assert result.objects == [mc_answer("kms-key-status-default-json")]
    assert server.calls == ["GET /minio/kms/v1/key/status"]


def test_status_of_a_missing_key_is_not_found(mcpy: Mcpy, server: Server) -> None:
    """The real mc answers exit 0 and ``success`` here."""
    server.replies = [minio("kms-key-status-missing")]
    result = mcpy("admin", "kms", "key", "status", "play", "nokey")
    assert result.exit_code == 5
    assert "  Decryption: not tried\n" in result.stdout
    assert result.stderr == ("mcpy: error: there is no key `nokey`\nmcpy: hint: mcpy kes key ls\n")


def test_status_while_the_kms_is_down_is_a_failure(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("kesdown-key-status")]
    result = mcpy("--json", "admin", "kms", "key", "status", "play")
    assert result.exit_code == 6
    assert result.objects[0]["status"] == "error"
    assert "connection refused" in result.objects[0]["encryptionError"]
    assert result.objects[1]["status"] == "error"


@pytest.mark.parametrize("body", ["", "{}", "[]", "nonsense"])
def test_an_answer_without_a_key_is_no_success(mcpy: Mcpy, server: Server, body: str) -> None:
    server.replies = [httpx.Response(200, text=body)]
    result = mcpy("admin", "kms", "key", "status", "play")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("answer", ["5", '{"keys": []}', "[5]", "[{}]", "[" * 100_000])
def test_a_list_of_keys_of_another_form_is_refused(
    mcpy: Mcpy, server: Server, answer: str
) -> None:
    server.replies = [httpx.Response(200, text=answer)]
    result = mcpy("admin", "kms", "key", "list", "play")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("mcpy: error: s3.test:9000 answered ")
