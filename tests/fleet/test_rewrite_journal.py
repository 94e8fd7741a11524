"""The journal of a rewriting: whenever a process is killed, the next one knows enough."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from mcpy.errors import ConfigError, InputError
from mcpy.fleet.rewrite import lines
from mcpy.fleet.rewrite.goal import Class, Outcome, Tally
from mcpy.fleet.rewrite.journal import Intent, Journal, Left, Version
from mcpy.fleet.rewrite.snapshot import Snapshot

if TYPE_CHECKING:
    from pathlib import Path

HEADER = {"server": "http://s", "bucket": "b", "prefix": ""}


def intent(key: str, version_id: str = "v") -> Intent:
    return Intent(Version(key, version_id), Snapshot(3, "etag", {"content-type": "x"}), scheme="")


def done(key: str, version_id: str = "v") -> Outcome:
    return Outcome(key, version_id, Class.REWRITTEN, 3, before="SSE-S3", etag_changed=True)


def tally(*keys: str) -> Tally:
    found = Tally()
    for key in keys:
        found.add(done(key))
    return found


def left(path: Path) -> Left:
    made = Journal(path, HEADER)
    made.close()
    return made.left


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "j.jsonl"


def test_a_new_journal_leaves_nothing_and_is_private(path: Path) -> None:
    made = Journal(path, HEADER)
    made.close()
    assert (made.resumed, made.left) == (False, Left())
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {"t": "header", "format": 1, **HEADER}


def test_what_was_begun_done_and_withdrawn_is_known(path: Path) -> None:
    made = Journal(path, HEADER)
    for key in ("a", "b", "c"):
        made.intend(intent(key))
    made.begun(Version("b", "v"), "upload-1")
    made.settle(done("a"))
    made.withdraw(Version("c", "v"))
    made.scratch("mcpy-canary-1")
    made.scratch("mcpy-canary-2")
    made.scratch_gone("mcpy-canary-2")
    made.close()
    found = left(path)
    assert found.done == {Version("a", "v"): done("a")}
    assert list(found.intents) == [Version("b", "v")]
    assert found.intents[Version("b", "v")].upload_id == "upload-1"
    assert found.intents[Version("b", "v")].before == intent("b").before
    assert (found.scratch, found.after) == ({"mcpy-canary-1"}, "")
    made = Journal(path, HEADER)
    made.mark("a", tally("a"))
    made.close()
    assert left(path).scratch == {"mcpy-canary-1"}


def test_only_what_lies_behind_the_mark_is_held(path: Path) -> None:
    made = Journal(path, HEADER)
    for key in ("a", "b", "c", "d"):
        made.intend(intent(key))
    made.settle(done("a"))
    made.settle(done("c"))  # before `b`: it goes on behind the mark
    made.passed([Version("a", "v")])
    made.mark("a", tally("a"))
    made.close()
    found = left(path)
    assert (found.after, found.tally) == ("a", tally("a"))
    assert set(found.done) == {Version("c", "v")}
    assert set(found.intents) == {Version("b", "v"), Version("d", "v")}
    made = Journal(path, HEADER)
    made.settle(done("b"))
    made.passed([Version("b", "v"), Version("c", "v")])
    made.mark("c", tally("a", "b", "c"))
    made.close()
    found = left(path)
    assert (found.after, found.done, set(found.intents)) == ("c", {}, {Version("d", "v")})


def test_a_version_that_is_begun_anew_is_open_once(path: Path) -> None:
    made = Journal(path, HEADER)
    made.intend(intent("a"))
    made.intend(intent("a"))
    made.settle(done("a"))
    made.close()
    assert left(path).intents == {}


def test_a_torn_line_is_cut_off_wherever_it_is_torn(path: Path) -> None:
    made = Journal(path, HEADER)
    made.intend(intent("a"))
    made.mark("0", tally())
    made.settle(done("a"))
    made.close()
    whole = path.read_bytes()
    pieces = whole.splitlines(keepends=True)
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        found = left(path)
        count = whole[:size].count(b"\n")
        assert bool(found.intents) == (count in {2, 3})
        assert bool(found.done) == (count == 4)
        assert path.read_bytes() == b"".join(pieces[: max(1, count)])


def test_a_complete_journal_begins_anew(path: Path) -> None:
    made = Journal(path, HEADER)
    made.mark("a", tally("a"))
    made.end(tally("a"))
    made.close()
    assert left(path) == Left()


def test_an_interrupted_run_can_be_left(path: Path) -> None:
    made = Journal(path, HEADER)
    made.intend(intent("a"))
    made.close()
    made = Journal(path, HEADER, fresh=True)
    made.close()
    assert (made.resumed, made.left) == (False, Left())


def test_the_journal_of_another_target_is_refused(path: Path) -> None:
    Journal(path, HEADER).close()
    with pytest.raises(InputError, match="its bucket is another"):
        Journal(path, {**HEADER, "bucket": "other"})


@pytest.mark.parametrize("content", ["[1]\n", "hello\n", '{"t":"mark"}\n', '{"t":"header"}\n'])
def test_a_file_that_is_no_journal_is_refused_and_kept(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(InputError):
        Journal(path, HEADER)
    assert path.read_text() == content


def test_two_processes_do_not_share_a_journal(path: Path) -> None:
    made = Journal(path, HEADER)
    with pytest.raises(ConfigError, match="another process is using"):
        Journal(path, HEADER)
    made.close()
    Journal(path, HEADER).close()


def test_nothing_is_touched_when_the_journal_cannot_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Journal(path, HEADER)

    def full(_: int, __: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ConfigError, match="no space left"):
        made.intend(intent("a"))
    monkeypatch.undo()
    made.close()


def test_a_journal_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot use the journal"):
        Journal(tmp_path / "file" / "j", HEADER)


@pytest.mark.parametrize("block", [7, 64, 333, 65536])
def test_a_long_journal_is_read_from_its_last_mark(
    path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK", block)
    made = Journal(path, HEADER)
    for number in range(40):
        key = f"k{number:03}"
        made.intend(intent(key))
        made.settle(done(key))
        if number % 10 == 5:
            made.mark(key, tally(key))
    made.close()
    found = left(path)
    assert found.after == "k035"
    assert set(found.done) >= {Version(f"k{n:03}", "v") for n in range(36, 40)}
    assert found.intents == {}
