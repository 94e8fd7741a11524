"""The folder of keys: whole entries, locks that keep the value, and the folder's own failures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mcpy.errors import IntegrityError
from mcpy.keystores.base import (
    MAX_ENTRY_BYTES,
    KeyExistsError,
    KeyLockedError,
    KeyMissingError,
    KeystoreDeniedError,
    KeystoreError,
)
from mcpy.keystores.check import check
from mcpy.keystores.entry import decode
from mcpy.keystores.fs import FolderStore
from tests.keystores.entries import VALUE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """A keystore with the key ``k``."""
    (tmp_path / "keys").mkdir()
    made = FolderStore(tmp_path / "keys")
    made.create("k", VALUE)
    return made


def test_an_entry_is_one_private_file_and_nothing_else_is_left(
    store: FolderStore, tmp_path: Path
) -> None:
    path = tmp_path / "keys" / "k"
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (VALUE, 0o600)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["keys"]
    assert list(store.list()) == ["k"]


def test_an_entry_that_is_there_is_not_replaced(store: FolderStore) -> None:
    with pytest.raises(KeyExistsError):
        store.create("k", b"other")
    assert store.read("k") == VALUE


def test_a_locked_entry_is_there_keeps_its_value_and_is_no_key(
    store: FolderStore, tmp_path: Path
) -> None:
    store.lock("k")
    store.lock("k")
    content = (tmp_path / "keys" / "k").read_bytes()
    assert content == b"locked-by-mcpy:" + VALUE
    with pytest.raises(IntegrityError):
        decode(content)
    with pytest.raises(KeyLockedError):
        store.read("k")
    assert (store.state("k"), list(store.list())) == ("locked", ["k"])


def test_unlocking_gives_the_entry_back_byte_for_byte(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "keys" / "k").write_bytes(VALUE + b"\n")
    store.lock("k")
    store.unlock("k")
    store.unlock("k")
    assert (store.read("k"), store.state("k")) == (VALUE + b"\n", "enabled")


def test_a_locked_entry_can_be_erased(store: FolderStore) -> None:
    store.lock("k")
    store.delete("k")
    assert list(store.list()) == []


@pytest.mark.parametrize("act", ["read", "delete", "state", "lock", "unlock"])
def test_what_is_not_there_is_missing(store: FolderStore, act: str) -> None:
    with pytest.raises(KeyMissingError):
        getattr(store, act)("none")


@pytest.mark.parametrize("name", ["../k", "a/b", ".k", "", "a\0"])
def test_a_name_that_is_no_file_in_the_folder_is_refused(store: FolderStore, name: str) -> None:
    with pytest.raises(KeystoreError, match="cannot be a key's file"):
        store.read(name)


def test_a_folder_that_is_not_there_is_no_empty_keystore(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "none")
    for act in (lambda: list(store.list()), lambda: store.read("k")):
        with pytest.raises(KeystoreError, match="is not a folder of keys"):
            act()
    with pytest.raises(KeystoreError, match="is not a folder of keys"):
        store.create("k", VALUE)
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_a_denial(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "keys").chmod(0o500)
    with pytest.raises(KeystoreDeniedError):
        store.create("k2", VALUE)


def test_a_check_tries_everything_and_leaves_nothing(store: FolderStore) -> None:
    steps = [(step.name, step.ok) for step in check(store)]
    names = ("folder", "list", "create", "read", "lock", "unlock", "delete")
    assert steps == [(name, True) for name in names]
    assert list(store.list()) == ["k"]


def test_a_check_counts_the_strangers(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "keys" / ".hidden").write_text("")
    words = [step.words for step in check(store) if step.name == "names"]
    assert words == ["1 entries KES lists and cannot address: .hidden"]


def test_a_file_too_large_for_a_key_is_refused_and_never_cut_off(
    store: FolderStore, tmp_path: Path
) -> None:
    path = tmp_path / "keys" / "large"
    content = b"x" * (MAX_ENTRY_BYTES + 1)
    path.write_bytes(content)
    for act in (store.lock, store.unlock, store.read, store.state):
        with pytest.raises(KeystoreError, match="`large` has more than 1048576 bytes"):
            act("large")
    assert path.read_bytes() == content


def test_the_largest_entry_there_may_be_is_locked_and_unlocked(
    store: FolderStore, tmp_path: Path
) -> None:
    path = tmp_path / "keys" / "large"
    content = b"x" * MAX_ENTRY_BYTES
    path.write_bytes(content)
    store.lock("large")
    assert store.state("large") == "locked"
    store.unlock("large")
    assert path.read_bytes() == content
