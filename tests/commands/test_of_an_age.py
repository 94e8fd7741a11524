"""``--older-than`` and ``--newer-than``: for one object or file as for many, and no error."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from mcpy.api.s3 import S3
    from tests.in_process import Server
    from tests.running import Mcpy

NOTHING = "mcpy: nothing was copied: there is nothing that was asked for\n"
YOUNG, OLD = ("--newer-than", "30d"), ("--older-than", "30d")


@pytest.fixture(autouse=True)
def _object(s3: S3) -> None:
    s3.make_bucket("data")
    s3.put_object("data", "p/o", b"hello\n")


def writes(world: Server) -> list[str]:
    return [call for call in world.calls if call.split()[0] not in {"GET", "HEAD"}]


@pytest.fixture
def month_old(tmp_path: Path) -> Path:
    """A file of 40 days."""
    made = tmp_path / "month-old"
    made.write_bytes(b"old\n")
    long_ago = made.stat().st_mtime - 40 * 86400
    os.utime(made, (long_ago, long_ago))
    return made


def test_one_object_is_copied_only_when_it_is_of_the_age(run: Mcpy, tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert run("cp", *OLD, "play/data/p/o", str(file)) == (0, "", NOTHING)
    assert not file.exists()
    assert run("cp", *YOUNG, "play/data/p/o", str(file)).exit_code == 0
    assert file.read_bytes() == b"hello\n"


@pytest.mark.parametrize("recursive", [(), ("-r",)], ids=["one", "recursive"])
def test_one_file_is_copied_only_when_it_is_of_the_age(
    run: Mcpy, s3: S3, world: Server, month_old: Path, recursive: tuple[str, ...]
) -> None:
    world.calls.clear()
    line = ("cp", *recursive, str(month_old), "play/data")
    assert run(*line, *YOUNG) == (0, "", NOTHING)
    assert writes(world) == []
    assert run(*line, *OLD).exit_code == 0
    assert s3.head_object("data", "month-old").size == 4


def test_of_several_sources_only_those_of_the_age_are_copied(
    run: Mcpy, s3: S3, month_old: Path, tmp_path: Path
) -> None:
    young = tmp_path / "young"
    young.write_bytes(b"young\n")
    assert run("cp", *OLD, str(young), str(month_old), "play/data/q/") == (
        0,
        f"`{month_old}` -> `play/data/q/month-old` (4 B)\n",
        "",
    )
    assert [one.key for one in s3.list_objects("data", "q/")] == ["q/month-old"]


def test_an_age_is_asked_for_with_the_key_of_its_owner(run: Mcpy, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"k" * 32)
    (tmp_path / "file").write_bytes(b"secret\n")
    own = ("--enc-c", f"play/data/c=@{tmp_path / 'key'}")
    assert run("cp", *own, str(tmp_path / "file"), "play/data/c").exit_code == 0
    assert run("cp", *own, *OLD, "play/data/c", str(tmp_path / "back")) == (0, "", NOTHING)


def test_an_object_that_is_missing_stays_an_error(run: Mcpy, tmp_path: Path) -> None:
    result = run("cp", *OLD, "play/data/p/none", "play/data/p/o", f"{tmp_path}/")
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.startswith("mcpy: error: `play/data/p/none` is not there\n")


def test_stdin_has_no_age(run: Mcpy, world: Server) -> None:
    world.calls.clear()
    assert run("cp", *OLD, "-", "play/data/x", stdin="hello") == (
        2,
        "",
        "mcpy: error: --older-than and --newer-than: what comes from stdin has no age\n",
    )
    assert writes(world) == []


@pytest.mark.parametrize(
    "line",
    [
        ("play/data/p/o",),
        ("--force", "play/data/p/o"),
        ("-r", "--force", "play/data/p/"),
        ("-r", "--force", "play/data"),
        ("--versions", "--force", "play/data/p/o"),
    ],
    ids=" ".join,
)
def test_what_is_too_young_to_go_stays_and_is_not_called_missing(
    run: Mcpy, world: Server, line: tuple[str, ...]
) -> None:
    world.calls.clear()
    assert run("rm", *OLD, *line) == (0, "", "")
    assert run("--json", "rm", *OLD, *line) == (0, "", "")
    assert writes(world) == []
    assert run("rm", *YOUNG, *line).exit_code == 0
    assert run("stat", "play/data/p/o").exit_code == 5


def test_the_latest_version_is_not_missing_where_only_older_ones_go(run: Mcpy, s3: S3) -> None:
    assert run("rm", "--versions", "--non-current", "--force", "play/data/p/o") == (0, "", "")
    assert s3.head_object("data", "p/o").size == 6


def test_an_object_of_its_owners_key_stays_when_it_is_too_young(
    run: Mcpy, s3: S3, world: Server, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(b"k" * 32)
    (tmp_path / "file").write_bytes(b"secret\n")
    own = ("--enc-c", f"play/data/c=@{tmp_path / 'key'}")
    assert run("cp", *own, str(tmp_path / "file"), "play/data/c").exit_code == 0
    world.calls.clear()
    assert run("rm", *OLD, "play/data/c") == (0, "", "")
    assert writes(world) == []
    assert run("rm", *YOUNG, "play/data/c").exit_code == 0
    assert [one.key for one in s3.list_objects("data", "c")] == []


def test_a_version_stays_when_it_is_too_young(run: Mcpy, s3: S3, world: Server) -> None:
    s3.set_versioning("data", status="Enabled")
    s3.put_object("data", "p/o", b"second\n")
    s3.delete_object("data", "p/o")
    ids = [one.version_id for one in s3.list_versions("data", "p/o")]
    assert len(ids) == 3
    for version in ids:  # a delete marker, an object, and the one from before there were versions
        world.calls.clear()
        assert run("rm", *OLD, "--vid", version, "play/data/p/o") == (0, "", "")
        assert writes(world) == []
    assert run("rm", *YOUNG, "--vid", ids[1], "play/data/p/o").exit_code == 0
    assert len(list(s3.list_versions("data", "p/o"))) == 2


def test_the_marker_an_object_was_deleted_by_stays_while_a_version_does(
    run: Mcpy, s3: S3, world: Server
) -> None:
    s3.set_versioning("data", status="Enabled")
    s3.put_object("data", "v", b"1\n")
    s3.delete_object("data", "v")
    line = ("rm", "--versions", "--non-current", "--force")
    world.calls.clear()
    assert run(*line, *OLD, "play/data/v") == (0, "", "")
    assert writes(world) == []
    assert run(*line, "play/data/v").exit_code == 0
    assert list(s3.list_versions("data", "v")) == []


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["plain", "force"])
def test_what_is_not_there_is_missing_whatever_its_age(run: Mcpy, force: tuple[str, ...]) -> None:
    result = run("rm", *force, *OLD, "play/data/p/none")
    assert result.exit_code == (0 if force else 5)
    assert "not there" in result.stdout + result.stderr


def test_a_copy_of_an_empty_bucket_or_folder_says_that_nothing_was_copied(
    run: Mcpy, s3: S3, tmp_path: Path
) -> None:
    s3.make_bucket("empty")
    (tmp_path / "empty").mkdir()
    assert run("cp", "-r", "play/empty", str(tmp_path)) == (0, "", NOTHING)
    assert run("cp", "-r", f"{tmp_path}/empty/", "play/data") == (0, "", NOTHING)
    assert run("--json", "cp", "-r", "play/empty", str(tmp_path)).objects[0]["total"] == 0
    assert run("-q", "cp", "-r", "play/empty", str(tmp_path)) == (0, "", "")


def test_a_past_that_holds_nothing_is_not_found(run: Mcpy, tmp_path: Path) -> None:
    result = run("cp", "-r", "--rewind", "1d", "play/data", f"{tmp_path}/back")
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.startswith("mcpy: error: there was nothing in `play/data` at ")
    assert not (tmp_path / "back").exists()
