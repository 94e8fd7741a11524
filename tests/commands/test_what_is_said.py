"""What ``ls``, ``cp``, ``rm`` and ``stat`` say: one line for one thing, and of the right thing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import mcpy
from mcpy.errors import InputError, McpyError
from tests.in_process import ACCESS, SECRET
from tests.stub import ok, s3_error, xml

if TYPE_CHECKING:
    from pathlib import Path

    from mcpy.api.s3 import S3
    from tests.in_process import Server as World
    from tests.running import Mcpy
    from tests.stub import Server

FORGED = "a\nRemoved `play/data/b`.\tx"
SHOWN = "a\\nRemoved `play/data/b`.\\tx"


@pytest.fixture
def data(s3: S3) -> S3:
    s3.make_bucket("data")
    s3.put_object("data", "o", b"hello\n")
    return s3


@pytest.mark.parametrize(
    "line",
    [
        ("ls", "-r", "play/data/"),
        ("stat", "-r", "play/data/"),
        ("cp", f"play/data/{FORGED}", "play/data/c"),
        ("cp", "play/data/o", f"play/data/{FORGED}2"),
        ("rm", f"play/data/{FORGED}"),
        ("rm", "--dry-run", f"play/data/{FORGED}"),
        ("rm", "--force", f"play/data/{FORGED}-missing"),
    ],
    ids=lambda line: " ".join(line[:2]),
)
def test_a_name_with_a_line_break_forges_no_line(
    run: Mcpy, data: S3, line: tuple[str, ...]
) -> None:
    data.put_object("data", FORGED, b"hello\n")
    result = run(*line)
    assert result.exit_code == 0, result
    assert SHOWN in result.stdout
    assert "\nRemoved" not in result.stdout.removeprefix("Removed")
    assert "\t" not in result.stdout


@pytest.mark.usefixtures("data")
def test_a_hint_is_one_line_too(run: Mcpy) -> None:
    result = run("cp", "-r", f"play/data/{FORGED}", "play")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 2
    assert SHOWN in result.stderr


def test_files_that_are_left_out_are_warned_of(run: Mcpy, data: S3, tmp_path: Path) -> None:
    folder = tmp_path / "dir"
    folder.mkdir()
    (folder / "file").write_bytes(b"x")
    (folder / "link").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    assert run("cp", "-r", str(folder), "play/data") == (
        0,
        f"`{folder}/file` -> `play/data/dir/file` (1 B)\n",
        f"mcpy: warning: {folder}/link leads nowhere, and is left out\n"
        f"mcpy: warning: {folder}/pipe is not a regular file, and is left out\n",
    )
    assert [one.key for one in data.list_objects("data", "dir/")] == ["dir/file"]


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    "line",
    [
        ("stat", "play/data/c"),
        ("cat", "play/data/c"),
        ("cp", "play/data/c", "play/data/d"),
        ("cp", "play/data/c", "FILE"),
    ],
    ids=" ".join,
)
def test_an_object_of_its_owner_s_key_is_named_with_the_option_for_the_key(
    run: Mcpy, tmp_path: Path, line: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_bytes(b"secret\n")
    (tmp_path / "key").write_bytes(b"k" * 32)
    own = f"play/data/c=@{tmp_path / 'key'}"
    assert run("cp", "--enc-c", own, str(tmp_path / "file"), "play/data/c").exit_code == 0
    result = run(*(str(tmp_path / "back") if word == "FILE" else word for word in line))
    assert (result.exit_code, result.stdout) == (1, "")
    error, hint = result.stderr.splitlines()
    assert "Server Side Encryption" in error
    assert error.endswith("`data/c`")
    assert hint == "mcpy: hint: --enc-c play/data/c=@KEYFILE"


def test_an_empty_prefix_of_an_encryption_is_not_hinted_at(mcpy: Mcpy) -> None:
    assert mcpy("cp", "--enc-kms", "", "file", "play/data/o") == (
        2,
        "",
        "mcpy: error: `` is not PREFIX=KEY\nmcpy: hint: --enc-kms PREFIX=KEY\n",
    )


SOURCE = "<BucketName>old</BucketName><Key>a</Key>"  # MinIO names it, whatever is wrong


@pytest.mark.parametrize(
    ("status", "code", "said", "exit_code"),
    [
        (404, "NoSuchBucket", "NoSuchBucket: no: `play/old/a` -> `play/none/b`", 5),
        (404, "kms:KeyNotFound", "kms:KeyNotFound: no: `play/old/a` -> `play/none/b`", 5),
        (404, "NoSuchKey", "`play/old/a` is not there", 5),
    ],
)
def test_a_copy_that_fails_names_both_ends_unless_the_source_went_away(
    mcpy: Mcpy, server: Server, status: int, code: str, said: str, exit_code: int
) -> None:
    refusal = xml(status, f"<Error><Code>{code}</Code><Message>no.</Message>{SOURCE}</Error>")
    server.replies = [ok(content_length="6", etag='"e"'), refusal]
    result = mcpy("cp", "play/old/a", "play/none/b")
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert result.stderr.splitlines()[0] == f"mcpy: error: {said}"
    assert server.calls == ["HEAD /old/a", "PUT /none/b"]


def test_json_of_a_copy_without_its_bucket_names_that_bucket(mcpy: Mcpy, server: Server) -> None:
    refusal = xml(404, f"<Error><Code>NoSuchBucket</Code><Message>no</Message>{SOURCE}</Error>")
    server.replies = [ok(content_length="6", etag='"e"'), refusal]
    (found,) = mcpy("--json", "cp", "play/old/a", "play/none/b").objects
    cause = found["error"]["cause"]["error"]
    assert (cause["BucketName"], cause["Key"]) == ("none", "b")


def test_a_wrong_secret_key_is_told_as_such_by_a_copy_too(mcpy: Mcpy, server: Server) -> None:
    refusal = s3_error(403, "SignatureDoesNotMatch")
    server.replies = [ok(content_length="6", etag='"e"'), refusal]
    result = mcpy("cp", "play/old/a", "play/none/b")
    assert result.exit_code == 4
    assert "the secret key of alias `play` is wrong" in result.stderr


def test_a_listing_of_a_moment_names_versions_and_delete_markers(run: Mcpy, s3: S3) -> None:
    s3.make_bucket("ver")
    s3.set_versioning("ver", status="Enabled")
    for key in ("x", "y"):
        s3.put_object("ver", key, b"1")
    s3.put_object("ver", "x", b"22")
    s3.delete_object("ver", "y")
    newest = {entry.key: entry.version_id for entry in s3.list_versions("ver") if entry.is_latest}
    shown = run("--json", "ls", "--rewind", "2100.01.01", "play/ver").objects
    assert [
        (one["key"], one["size"], one["versionId"], one["versionOrdinal"]) for one in shown
    ] == [("x", 2, newest["x"], 2), ("y", 0, newest["y"], 2)]
    assert [one.get("isDeleteMarker", False) for one in shown] == [False, True]
    assert "DEL y" in run("ls", "--rewind", "2100.01.01", "play/ver").stdout
    assert (
        len(run("ls", "--rewind", "2100.01.01", "--versions", "play/ver").stdout.split("\n")) == 5
    )
    assert run("ls", "--rewind", "2020.01.01", "play/ver") == (0, "", "")


def test_an_sse_c_key_is_bytes() -> None:
    with pytest.raises(InputError, match="an SSE-C key is bytes, and not text"):
        mcpy.sse_c("a" * 32)  # type: ignore[arg-type]


def test_a_client_that_was_closed_is_of_no_use(world: World) -> None:
    client = mcpy.connect(world.alias.url, ACCESS, SECRET, transport=world)
    client.make_bucket("data")
    client.close()
    client.close()
    world.calls.clear()
    for use in (client.buckets, client.info, lambda: client.read("data", "o"), lambda: client.kes):
        with pytest.raises(McpyError, match="the client is closed"):
            use()
    assert world.calls == []
    assert repr(client)
