"""``cp`` over a scripted server: what was stored is looked at, what came is counted."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.recordings import mc_answer, minio
from tests.running import Terminal
from tests.stub import ok, s3_error, xml

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server

TEXT = b"hello\n"
MD5 = "b1946ac92492d2347c6235b4d2611184"


TOOK = ok(etag=f'"{MD5}"')


def stored(size: int = len(TEXT), **headers: str) -> httpx.Response:
    return ok(content_length=str(size), etag=f'"{MD5}"', **headers)


def sse_s3(size: int = len(TEXT)) -> httpx.Response:
    return stored(size, x_amz_server_side_encryption="AES256")


def body(content: bytes = TEXT, **headers: str) -> httpx.Response:
    given = {"content-length": str(len(content)), "etag": f'"{MD5}"'} | headers
    stream = httpx.ByteStream(content)
    return httpx.Response(200, headers=given, stream=stream)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "hello.txt"
    made.write_bytes(TEXT)
    return made


def test_an_upload_sends_hash_type_and_length_and_looks_again(
    mcpy: Mcpy, server: Server, file: Path
) -> None:
    server.replies = [TOOK, stored()]
    assert mcpy("cp", str(file), "play/enc-1/o") == (
        0,
        f"`{file}` -> `play/enc-1/o` (6 B)\n",
        "",
    )
    assert server.calls == ["PUT /enc-1/o", "HEAD /enc-1/o"]
    sent = server.requests[0]
    assert sent.content == TEXT
    assert sent.headers["x-amz-content-sha256"] == hashlib.sha256(TEXT).hexdigest()
    assert sent.headers["content-type"] == "text/plain"
    assert sent.headers["content-length"] == "6"
    assert "x-amz-server-side-encryption" not in sent.headers


def test_an_empty_file_is_an_empty_object(mcpy: Mcpy, server: Server, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    server.replies = [TOOK, stored(0)]
    assert mcpy("cp", str(tmp_path / "empty"), "play/enc-1/o").exit_code == 0
    assert server.requests[0].content == b""


@pytest.mark.parametrize("target", ["play/enc-1", "play/enc-1/", "play/enc-1/folder/"])
def test_a_folder_as_target_keeps_the_name_of_the_file(
    mcpy: Mcpy, server: Server, file: Path, target: str
) -> None:
    server.replies = [TOOK, stored()]
    assert mcpy("cp", str(file), target).exit_code == 0
    assert server.calls[0] == "PUT /" + target.removeprefix("play/").rstrip("/") + "/hello.txt"


def test_sse_s3_is_asked_for_and_seen(mcpy: Mcpy, server: Server, file: Path) -> None:
    server.replies = [TOOK, sse_s3()]
    result = mcpy("cp", "--enc-s3", "play/enc-1", str(file), "play/enc-1/o")
    assert result == (0, f"`{file}` -> `play/enc-1/o` (6 B, SSE-S3)\n", "")
    assert server.requests[0].headers["x-amz-server-side-encryption"] == "AES256"


def test_sse_kms_is_asked_for_with_its_key(mcpy: Mcpy, server: Server, file: Path) -> None:
    key = "x_amz_server_side_encryption_aws_kms_key_id"
    kms = {"x_amz_server_side_encryption": "aws:kms", key: "arn:aws:kms:k"}
    server.replies = [TOOK, stored(len(TEXT), **kms)]
    assert mcpy("cp", "--enc-kms", "play/enc-1=k", str(file), "play/enc-1/o").exit_code == 0
    sent = server.requests[0].headers
    assert sent["x-amz-server-side-encryption"] == "aws:kms"
    assert sent["x-amz-server-side-encryption-aws-kms-key-id"] == "k"


def test_an_object_that_is_not_encrypted_as_asked_is_an_error(
    mcpy: Mcpy, server: Server, file: Path
) -> None:
    server.replies = [TOOK, stored()]
    assert mcpy("cp", "--enc-s3", "play/enc-1", str(file), "play/enc-1/o") == (
        1,
        "",
        "mcpy: error: the server took `play/enc-1/o` and stored it with no encryption\n"
        "mcpy: hint: mcpy rm play/enc-1/o\n",
    )


def test_an_object_of_another_size_is_an_error(mcpy: Mcpy, server: Server, file: Path) -> None:
    server.replies = [TOOK, stored(5)]
    assert mcpy("cp", str(file), "play/enc-1/o") == (
        1,
        "",
        "mcpy: error: `play/enc-1/o` was stored with 5 of 6 bytes\n",
    )


def test_an_upload_that_was_cut_off_is_not_sent_again(
    mcpy: Mcpy, server: Server, file: Path
) -> None:
    server.replies = [httpx.WriteError("reset")]
    result = mcpy("cp", str(file), "play/enc-1/o")
    assert (result.exit_code, result.stdout) == (6, "")
    assert server.calls == ["PUT /enc-1/o"]


def test_an_upload_a_busy_server_did_not_take_is_sent_again(
    mcpy: Mcpy, server: Server, file: Path
) -> None:
    server.replies = [httpx.Response(503), TOOK, stored()]
    assert mcpy("cp", str(file), "play/enc-1/o").exit_code == 0
    assert server.requests[1].content == TEXT


def test_a_kms_that_is_down_is_the_error_of_the_server(
    mcpy: Mcpy, server: Server, file: Path
) -> None:
    server.replies = [s3_error(500, "kms:KeyGenerationFailed", "failed to generate")]
    result = mcpy("cp", str(file), "play/enc-1/o")
    assert (result.exit_code, result.stdout) == (6, "")
    assert "kms:KeyGenerationFailed: failed to generate" in result.stderr
    assert result.stderr.endswith("mcpy: hint: mcpy doctor play\n")


def test_json_of_cp_has_the_fields_of_mc(mcpy: Mcpy, server: Server, file: Path) -> None:
    server.replies = [TOOK, sse_s3()]
    result = mcpy("--json", "cp", "--enc-s3", "play/enc-1", str(file), "play/enc-1/o")
    assert mc_answer("cp-enc-s3-json").keys() <= result.objects[0].keys()
    assert result.objects[0]["encryption"] == "SSE-S3"


def test_a_download_takes_its_name_when_it_is_whole(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "again.txt"
    target.parent.mkdir()
    server.replies = [body()]
    assert mcpy("cp", "play/mix/o", str(target)).exit_code == 0
    assert target.read_bytes() == TEXT
    assert [path.name for path in target.parent.iterdir()] == ["again.txt"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_download_into_a_folder_keeps_its_name(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    server.replies = [body()]
    assert mcpy("cp", "play/mix/a/b.txt", str(tmp_path)).exit_code == 0
    assert (tmp_path / "b.txt").read_bytes() == TEXT


@pytest.mark.parametrize(
    ("content", "headers", "words"),
    [
        (TEXT, {"content-length": "60"}, "broke off after 6 of 60 bytes"),
        (b"hullo\n", {}, "arrived changed"),
    ],
)
def test_a_download_that_is_not_what_was_sent_leaves_no_file(
    mcpy: Mcpy,
    server: Server,
    tmp_path: Path,
    content: bytes,
    headers: dict[str, str],
    words: str,
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    server.replies = [lambda _: body(content, **headers)]
    result = mcpy("cp", "play/mix/o", str(folder / "o"), "--retries", "0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr
    assert list(folder.iterdir()) == []


def test_a_download_makes_the_folders_it_needs(mcpy: Mcpy, server: Server, tmp_path: Path) -> None:
    server.replies = [body()]
    assert mcpy("cp", "play/mix/o", str(tmp_path / "new" / "o")).exit_code == 0
    assert (tmp_path / "new" / "o").read_bytes() == TEXT


def test_a_file_in_place_of_the_folder_is_named(mcpy: Mcpy, file: Path) -> None:
    result = mcpy("cp", "play/mix/o", str(file / "o"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(file) in result.stderr


def test_a_file_that_is_not_there_is_named(mcpy: Mcpy, tmp_path: Path) -> None:
    result = mcpy("cp", str(tmp_path / "none"), "play/mix/o")
    assert result.exit_code in {1, 5}
    assert result.stdout == ""
    assert str(tmp_path / "none") in result.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("a",), "needs a source and a target"),
        (("--enc-kms", "play/mix", "f", "play/mix/o"), "is not PREFIX=KEY"),
        (("--enc-kms", "play/mix=bad.name", "f", "play/mix/o"), "is not a key name"),
        (("--enc-s3", "play", "f", "play/mix/o"), "names no bucket"),
        (("--enc-s3", "play/other", "f", "play/mix/o"), "covers none of the targets"),
        (("--enc-s3", "play/mi", "f", "play/mix/o"), "is not a bucket name"),
        (("f", "play"), "names no bucket"),
    ],
)
def test_what_cannot_be_is_refused_before_any_request(
    mcpy: Mcpy, tmp_path: Path, args: tuple[str, ...], words: str
) -> None:
    (tmp_path / "f").write_text("x")
    here = [str(tmp_path / "f") if arg == "f" else arg for arg in args]
    result = mcpy("cp", *here)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_an_unknown_alias_is_never_a_folder(mcpy: Mcpy, file: Path, tmp_path: Path) -> None:
    """The real mc makes a folder of that name."""
    result = mcpy("cp", str(file), "ghost/bucket/o")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "no alias `ghost`" in result.stderr
    assert not (tmp_path / "ghost").exists()


@pytest.mark.parametrize("alias", ["play", "again"])
@pytest.mark.parametrize("options", [[], ["--enc-s3", "play/mix", "--attr", "a=b"]])
def test_a_copy_onto_itself_is_refused(
    mcpy: Mcpy, server: Server, options: list[str], alias: str
) -> None:
    mcpy.store.put(replace(mcpy.store.get("play"), name="again"))
    result = mcpy("cp", *options, "play/mix/o", f"{alias}/mix/o")
    assert (result.exit_code, result.stdout, server.calls) == (2, "", [])
    assert "are the same object" in result.stderr


def test_a_missing_source_is_not_found(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("obj-head-missing")]
    server.afterwards = minio("obj-head-missing")
    assert mcpy("cp", "play/mix/none", "play/mix/o").exit_code == 5


def test_a_terminal_sees_progress_and_a_pipe_does_not(
    mcpy: Mcpy, server: Server, file: Path
) -> None:
    server.replies = [TOOK, stored()]
    seen = mcpy("cp", str(file), "play/enc-1/o", stderr=Terminal())
    assert seen.exit_code == 0
    assert "hello.txt" in seen.stderr or "\x1b[" in seen.stderr


def test_quiet_shows_no_progress_even_on_a_terminal(
    mcpy: Mcpy, server: Server, file: Path
) -> None:
    server.replies = [TOOK, stored()]
    assert mcpy("cp", "-q", str(file), "play/enc-1/o", stderr=Terminal()) == (0, "", "")


@pytest.mark.parametrize("goal", ["o", "-"])
def test_an_object_whose_size_nobody_tells_is_not_taken_for_empty(
    mcpy: Mcpy, server: Server, tmp_path: Path, goal: str
) -> None:
    chunked = {"transfer-encoding": "chunked", "etag": f'"{MD5}"'}
    server.replies = [httpx.Response(200, headers=chunked, stream=httpx.ByteStream(TEXT))]
    target = goal if goal == "-" else str(tmp_path / goal)
    result = mcpy("cp", "play/enc-1/o", target)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not tell an object's size" in result.stderr
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("option", "form", "taken"),
    [
        ("--enc-s3", "PREFIX", "`FILE`"),
        ("--enc-kms", "PREFIX=KEY", "`FILE`"),
        ("--enc-c", "PREFIX=KEY", "the path behind it"),
    ],
)
def test_an_option_that_took_the_source_says_so(
    mcpy: Mcpy, option: str, form: str, taken: str
) -> None:
    assert mcpy("cp", option, "FILE", "play/enc-1/FILE") == (
        2,
        "",
        f"mcpy: error: {option} takes a PREFIX: it took {taken}, and cp has one path left\n"
        f"mcpy: hint: mcpy cp {option} {form} SOURCE... TARGET\n",
    )


def test_two_files_are_answered_with_what_an_object_looks_like(mcpy: Mcpy) -> None:
    assert mcpy("cp", "one", "two") == (
        2,
        "",
        "mcpy: error: no alias is named: both ends are files on this machine\n"
        "mcpy: hint: mcpy cp SOURCE... ALIAS/BUCKET/OBJECT\n",
    )


def test_an_argument_too_long_for_a_file_is_not_repeated(mcpy: Mcpy) -> None:
    message = "mcpy: error: an argument is too long for the name of a file\n"
    assert mcpy("cp", "x" * 300, "play/enc-1/o") == (2, "", message)


@pytest.mark.parametrize("duration", ["9999999999d", "101y", "²d", "d"])
def test_a_retention_no_calendar_has_is_refused(mcpy: Mcpy, duration: str) -> None:
    retention = ("--retention-mode", "governance", "--retention-duration", duration)
    result = mcpy("cp", *retention, "-", "play/enc-1/o")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "retention" in result.stderr


def test_a_file_whose_name_is_not_utf8_stops_no_other(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for name in (b"\xff", b"a"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"x")
    server.replies = [TOOK, stored(1)]
    result = mcpy("cp", "--recursive", f"{folder}/", "play/enc-1")
    assert result.exit_code == 8
    assert "is not valid UTF-8" in result.stderr
    assert "/a`" in result.stdout
    assert server.calls[0].startswith("PUT /enc-1/a")


def test_the_first_upload_to_another_region_is_signed_again_for_it(
    mcpy: Mcpy, server: Server, file: Path
) -> None:
    elsewhere = s3_error(400, "AuthorizationHeaderMalformed", Region="eu-west-1")
    server.replies = [elsewhere, TOOK, stored()]
    assert mcpy("cp", str(file), "play/enc-1/o").exit_code == 0
    assert [request.content for request in server.requests] == [TEXT, TEXT, b""]
    assert "/eu-west-1/s3/" in server.requests[1].headers["authorization"]


def test_an_upload_waits_as_long_as_a_busy_server_asks_for(
    mcpy: Mcpy, server: Server, file: Path
) -> None:
    server.replies = [httpx.Response(503, headers={"retry-after": "0"}), TOOK, stored()]
    assert mcpy("cp", str(file), "play/enc-1/o").exit_code == 0
    assert [request.content for request in server.requests] == [TEXT, TEXT, b""]


def test_an_object_with_no_file_of_its_own_is_refused_and_stops_no_other(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    keys = ["a//b", "a/../../c", "a/./b", "a/b"]
    entries = "".join(
        f"<Contents><Key>{key}</Key><Size>6</Size>"
        "<LastModified>2026-11-23T12:00:00.000Z</LastModified></Contents>"
        for key in keys
    )
    server.replies = [xml(200, f"<ListBucketResult>{entries}</ListBucketResult>"), body()]
    result = mcpy("cp", "-r", "play/enc-1/", f"{tmp_path}/in")
    assert (result.exit_code, server.calls[1:]) == (8, ["GET /enc-1/a/b"])
    for key in keys[:3]:
        assert f"the object `{key}` has no place below" in result.stderr
    assert (tmp_path / "in" / "a" / "b").read_bytes() == TEXT
