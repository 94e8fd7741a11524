"""What an entry is shows by its content; where that is denied, by its state alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.keystores.base import (
    KeyMissingError,
    KeystoreDeniedError,
    KeystoreError,
    NotAKeyError,
    State,
)
from mcpy.keystores.check import MOST_READ, survey
from mcpy.keystores.entry import KeyEntry
from mcpy.keystores.fs import FolderStore
from mcpy.keystores.strangers import key_of, state_of, strangers

if TYPE_CHECKING:
    from pathlib import Path

VALUE = KeyEntry.of(bytes(32), now_ns=1).encode()


class Failing(FolderStore):
    """A folder whose entries cannot be read, and have some state."""

    def __init__(self, folder: Path, error: Exception, found: State) -> None:
        super().__init__(folder)
        self.error, self.found = error, found

    def read(self, name: str) -> bytes:  # noqa: ARG002 - as the others
        raise self.error

    def state(self, name: str) -> State:  # noqa: ARG002 - as the others
        return self.found


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    for name, content in (("k", VALUE), ("diary", b"dear"), ("a.b", VALUE)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "l").write_bytes(b"locked-by-mcpy:" + VALUE)
    return FolderStore(tmp_path)


def test_a_key_is_given_and_what_is_none_is_named_with_its_place(
    store: FolderStore, tmp_path: Path
) -> None:
    assert key_of(store, "k").key == bytes(32)
    with pytest.raises(NotAKeyError, match=f"`diary` at {tmp_path} is not a key of KES"):
        key_of(store, "diary")


def test_states_go_by_the_content(store: FolderStore) -> None:
    states = [state_of(store, name) for name in ("k", "diary", "l")]
    assert states == ["enabled", "not a key", "locked"]


@pytest.mark.parametrize("found", ["enabled", "locked"])
def test_whoever_may_not_read_is_told_the_state(tmp_path: Path, found: State) -> None:
    assert state_of(Failing(tmp_path, KeystoreDeniedError("no"), found), "k") == found


def test_a_key_without_a_value_is_empty_and_a_destroyed_one_is_said_to_be(tmp_path: Path) -> None:
    assert state_of(Failing(tmp_path, KeyMissingError("k"), "empty"), "k") == "empty"
    assert state_of(Failing(tmp_path, KeystoreError("x"), "destroyed"), "k") == "destroyed"


def test_a_key_that_kes_fails_on_for_another_reason_has_no_state(tmp_path: Path) -> None:
    expired = Failing(tmp_path, KeystoreError("`k` is expired"), "enabled")
    with pytest.raises(KeystoreError, match="is expired"):
        state_of(expired, "k")


def test_locked_and_unreadable_entries_do_not_count_as_strangers(
    store: FolderStore, tmp_path: Path
) -> None:
    assert strangers(store, ["k", "diary", "a.b", "l", "none"]) == ["diary", "a.b"]
    assert strangers(Failing(tmp_path, KeystoreDeniedError("no"), "enabled"), ["k"]) == []


def test_of_very_many_entries_some_are_read_and_that_is_said(tmp_path: Path) -> None:
    for i in range(MOST_READ + 5):
        (tmp_path / f"k{i:05}").write_bytes(VALUE)
    store = FolderStore(tmp_path)
    (step,) = (s for s in survey(store, contents=True) if not s.ok)
    assert step.words == "5 entries were not read: whether they are keys is open"
    (tmp_path / "k00000").write_bytes(b"of somebody")
    (step,) = (s for s in survey(store, contents=True) if not s.ok)
    assert step.words == (
        "1 entries (k00000) of the first 1,000 are no keys of KES and show as keys"
    )
