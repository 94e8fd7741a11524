"""``cp`` onto links, pipes and devices: they stay what they are. Each is one of the test's own."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

import mcpy
from mcpy.config import write_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcpy.api.s3 import S3
    from tests.in_process import Server
    from tests.running import Mcpy

TEXT = b"hello\n"


@pytest.fixture(autouse=True)
def _object(s3: S3) -> None:
    s3.make_bucket("data")
    s3.put_object("data", "p/o", TEXT)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe in a folder of its own."""
    made = tmp_path / "out" / "o"
    made.parent.mkdir()
    os.mkfifo(made)
    return made


def _full(path: Path) -> None:
    """Make a device of our own that takes nothing, where the machine lets us."""
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 7))
        os.close(os.open(path, os.O_WRONLY))
    except PermissionError:
        pytest.skip("this user may not make device nodes here")


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _read_meanwhile(pipe: Path, act: Callable[[], object]) -> bytes:
    """Return what comes through the pipe while ``act`` runs."""
    came: list[bytes] = []
    # not blocking: the reader must not wait for ever when nobody writes
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)

    def read() -> None:
        while chunk := os.read(reader, 4096):
            came.append(chunk)

    own = os.open(pipe, os.O_WRONLY)  # the end is reached when this and every other is closed
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        act()
    finally:
        os.close(own)
        thread.join(10)
        os.close(reader)
    return b"".join(came)


@pytest.mark.parametrize(
    "options", [(), ("--resume",), ("--preserve",)], ids=["plain", "resume", "preserve"]
)
def test_a_pipe_is_written_and_stays_one(run: Mcpy, pipe: Path, options: tuple[str, ...]) -> None:
    before = pipe.stat()
    results = []

    def copy() -> None:
        results.append(run("cp", *options, "play/data/p/o", str(pipe)))

    assert _read_meanwhile(pipe, copy) == TEXT
    assert results == [(0, f"`play/data/p/o` -> `{pipe}` (6 B)\n", "")]
    after = pipe.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert _names(pipe.parent) == ["o"]


def test_a_pipe_in_a_folder_is_written_by_a_recursive_copy(run: Mcpy, pipe: Path) -> None:
    def copy() -> None:
        assert run("cp", "-r", "play/data/p/", f"{pipe.parent}/").exit_code == 0

    assert _read_meanwhile(pipe, copy) == TEXT
    assert pipe.is_fifo()


def test_a_link_to_a_pipe_leads_to_the_pipe(run: Mcpy, pipe: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(pipe)

    def copy() -> None:
        assert run("cp", "play/data/p/o", str(link)).exit_code == 0

    assert _read_meanwhile(pipe, copy) == TEXT
    assert link.is_symlink()
    assert pipe.is_fifo()


def test_the_library_writes_a_pipe_too(world: Server, pipe: Path) -> None:
    with mcpy.connect(world.alias.url, "minioadmin", "throw-away-secret", transport=world) as c:
        assert _read_meanwhile(pipe, lambda: c.download("data", "p/o", pipe)) == TEXT
    assert pipe.is_fifo()


def test_a_device_that_takes_nothing_is_an_error_and_stays_a_device(
    run: Mcpy, tmp_path: Path
) -> None:
    full = tmp_path / "full"
    _full(full)
    assert run("cp", "play/data/p/o", str(full)) == (
        1,
        "",
        f"mcpy: error: cannot write {full}: no space left on device\n",
    )
    assert full.is_char_device()
    assert not [name for name in _names(tmp_path) if name.startswith(".full")]


@pytest.mark.parametrize("options", [(), ("--resume",)], ids=["plain", "resume"])
def test_a_link_stays_one_and_what_it_leads_to_is_written(
    run: Mcpy, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()
    file, link = tmp_path / "far" / "file", tmp_path / "near" / "link"
    file.write_bytes(b"before")
    file.chmod(0o640)
    link.symlink_to("../far/file")
    assert run("cp", *options, "play/data/p/o", str(link)).exit_code == 0
    assert str(link.readlink()) == "../far/file"
    assert file.read_bytes() == TEXT
    assert file.stat().st_mode & 0o777 == 0o640
    assert _names(link.parent) == ["link"]
    assert _names(file.parent) == ["file"]


def test_a_link_that_leads_nowhere_makes_the_file_it_names(run: Mcpy, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("file")
    assert run("cp", "play/data/p/o", str(link)).exit_code == 0
    assert link.is_symlink()
    assert (tmp_path / "file").read_bytes() == TEXT


def test_links_in_a_circle_are_an_error_and_stay(run: Mcpy, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    result = run("cp", "play/data/p/o", str(one))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"mcpy: error: cannot write {one}: too many ")
    assert one.is_symlink()
    assert other.is_symlink()


def test_a_file_a_shell_opened_is_added_to_and_not_replaced(run: Mcpy, tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"before\n")
    number = file.stat().st_ino
    handle = os.open(file, os.O_WRONLY | os.O_APPEND)
    try:
        assert run("cp", "play/data/p/o", f"/proc/self/fd/{handle}").exit_code == 0
    finally:
        os.close(handle)
    assert file.read_bytes() == b"before\n" + TEXT
    assert file.stat().st_ino == number


def test_what_is_written_in_one_step_replaces_no_pipe(pipe: Path) -> None:
    with pytest.raises(OSError, match="it is not a regular file"):
        write_private(pipe, b"secret")
    assert pipe.is_fifo()


def test_an_identity_replaces_no_pipe_and_no_link(run: Mcpy, pipe: Path, tmp_path: Path) -> None:
    line = ("kes", "identity", "new", "--force", "--cert", str(tmp_path / "cert"))
    assert run(*line, "--key", str(pipe)) == (
        1,
        "",
        f"mcpy: error: cannot write {pipe}: it is not a regular file\n",
    )
    assert pipe.is_fifo()
    link, key = tmp_path / "link", tmp_path / "key"
    key.touch()
    link.symlink_to(key)
    assert run(*line, "--key", str(link)).exit_code == 0
    assert link.is_symlink()
    assert b"PRIVATE KEY" in key.read_bytes()
