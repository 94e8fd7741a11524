"""Copying keys: complete, proven, resumed; nothing at the target is replaced."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mcpy.errors import ConfigError, IntegrityError, McpyError, UnreachableError
from mcpy.keystores.base import KEY_NAME, Capabilities, KeystoreDeniedError, misfits
from mcpy.keystores.copy import HOPELESS, GaveUpError, Journal, copy, foresee, select
from mcpy.keystores.entry import KeyEntry, decode
from mcpy.keystores.fs import FolderStore
from mcpy.keystores.static_key import StaticKey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def entry(byte: int) -> bytes:
    return KeyEntry.of(bytes([byte]) * 32, now_ns=byte).encode()


@pytest.fixture
def stores(tmp_path: Path) -> tuple[FolderStore, FolderStore]:
    """A source with the keys a, b, c and an empty target."""
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    source, target = FolderStore(tmp_path / "source"), FolderStore(tmp_path / "target")
    for i, name in enumerate("abc"):
        source.create(name, entry(i))
    return source, target


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "copies" / "j.jsonl", "s -> t")
    yield made
    made.close(complete=True)


Stores = tuple[FolderStore, FolderStore]


def test_values_are_copied_byte_for_byte(stores: Stores, journal: Journal) -> None:
    source, target = stores
    results = list(copy(source, target, ["a", "b", "c"], journal))
    assert [(r.name, r.outcome) for r in results] == [(n, "copied") for n in "abc"]
    assert [target.read(n) for n in "abc"] == [source.read(n) for n in "abc"]


def test_several_are_copied_at_once_and_reported_in_order(
    stores: Stores, journal: Journal
) -> None:
    """Four proofs wait for each other: one after the other they would wait in vain."""
    source, target = stores
    names = [f"k{i:02}" for i in range(40)]
    for i, name in enumerate(names):
        source.create(name, entry(i))
    together = threading.Barrier(4)

    def prove(_: str, __: bytes, ___: bytes) -> None:
        together.wait(5)

    results = list(copy(source, target, names, journal, prove=prove, at_once=4))
    assert [(r.name, r.outcome) for r in results] == [(n, "copied") for n in names]


def test_who_stops_listening_ends_the_copy_with_what_was_begun(
    stores: Stores, journal: Journal
) -> None:
    source, target = stores
    names = [f"k{i:02}" for i in range(40)]
    for i, name in enumerate(names):
        source.create(name, entry(i))
    results = copy(source, target, names, journal, at_once=2)
    assert next(results).name == "k00"
    results.close()  # type: ignore[attr-defined]
    assert 1 <= len(list(target.list())) <= 5
    assert journal.done == {"k00"}


def test_what_is_there_already_counts_and_another_key_of_the_name_is_kept(
    stores: Stores, journal: Journal
) -> None:
    source, target = stores
    target.create("a", source.read("a"))
    other = entry(9)
    target.create("b", other)
    results = list(copy(source, target, ["a", "b", "c"], journal))
    assert [r.outcome for r in results] == ["present", "failed", "copied"]
    assert results[1].reason == "the target has another key of the name `b`"
    assert target.read("b") == other


def test_a_locked_key_and_one_that_is_none_fail_alone(
    stores: Stores, journal: Journal, tmp_path: Path
) -> None:
    source, target = stores
    source.lock("a")
    (tmp_path / "source" / "b").write_text("foreign secret")
    results = {r.name: r.reason for r in copy(source, target, ["a", "b", "c"], journal)}
    assert results == {
        "a": "at the source: the key `a` is locked",
        "b": "at the source: the entry is not a key of KES",
        "c": "",
    }
    assert list(target.list()) == ["c"]


def test_a_journal_holds_names_and_no_key_and_a_copy_goes_on_from_it(
    stores: Stores, tmp_path: Path
) -> None:
    source, target = stores
    path = tmp_path / "j.jsonl"
    first = Journal(path, "s -> t")
    assert [r.outcome for r in copy(source, target, ["a"], first)] == ["copied"]
    first.close(complete=False)
    with path.open("a") as file:
        file.write('{"done": "b')  # the line a crash cut off
    again = Journal(path, "s -> t")
    outcomes = [r.outcome for r in copy(source, target, ["a", "b", "c"], again)]
    assert outcomes == ["done", "copied", "copied"]
    again.close(complete=False)
    third = Journal(path, "s -> t")
    assert third.done == {"a", "b", "c"}
    third.close(complete=True)
    assert not path.exists()


def test_a_journal_is_not_believed_about_a_key_that_is_gone(
    stores: Stores, journal: Journal
) -> None:
    source, target = stores
    list(copy(source, target, ["a", "b"], journal))
    target.delete("a")
    outcomes = [r.outcome for r in copy(source, target, ["a", "b"], journal)]
    assert (outcomes, target.read("a")) == (["copied", "done"], source.read("a"))


def test_a_journal_is_not_believed_about_another_key_of_the_name(
    stores: Stores, journal: Journal
) -> None:
    source, target = stores
    list(copy(source, target, ["a", "b"], journal))
    target.delete("a")
    target.create("a", entry(9))
    results = list(copy(source, target, ["a", "b"], journal))
    assert [r.outcome for r in results] == ["failed", "done"]
    assert results[0].reason == "the target has another key of the name `a`"
    assert target.read("a") != source.read("a")


def test_a_key_with_another_hmac_key_is_another_key(stores: Stores, journal: Journal) -> None:
    source, target = stores
    other = replace(decode(source.read("a")), hmac_key=bytes(32)).encode()
    target.create("a", other)
    (result,) = copy(source, target, ["a"], journal)
    assert (result.outcome, target.read("a")) == ("failed", other)
    assert result.reason == "the target has another key of the name `a`"


def test_a_static_key_copied_twice_is_the_same_key(stores: Stores, journal: Journal) -> None:
    text = f"k:{base64.b64encode(bytes(32)).decode()}"
    outcomes = []
    for left in (set[str](), set[str](), {"k"}):
        journal.done = left
        outcomes += [r.outcome for r in copy(StaticKey(text), stores[1], ["k"], journal)]
    assert outcomes == ["copied", "present", "done"]


def test_what_is_foreseen_is_what_happens_and_nothing_is_written(
    stores: Stores, journal: Journal
) -> None:
    source, target = stores
    source.create("d", entry(7))
    target.create("a", source.read("a"))
    target.create("b", entry(9))
    source.lock("c")
    names = ["a", "b", "c", "d"]
    foreseen = [(r.name, r.outcome, r.reason) for r in foresee(source, target, names)]
    assert sorted(target.list()) == ["a", "b"]
    done = [(r.name, r.outcome, r.reason) for r in copy(source, target, names, journal)]
    assert foreseen == done
    assert [outcome for _, outcome, _ in done] == ["present", "failed", "failed", "copied"]


def test_a_key_that_is_locked_at_the_target_is_said_to_be_locked_there(
    stores: Stores, journal: Journal
) -> None:
    source, target = stores
    target.create("a", source.read("a"))
    target.lock("a")
    (result,) = copy(source, target, ["a"], journal)
    assert result.reason == "at the target: the key `a` is locked"


class Away(FolderStore):
    """A folder that went away after some keys."""

    def __init__(self, folder: Path, error: McpyError) -> None:
        super().__init__(folder)
        self.error = error
        self.asked: list[str] = []

    def create(self, name: str, value: bytes) -> None:  # noqa: ARG002 - as the others
        self.asked.append(name)
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"),
    [(UnreachableError("refused"), 6), (KeystoreDeniedError("no"), 4)],
)
def test_a_target_that_is_away_is_given_up_soon(
    stores: Stores, journal: Journal, tmp_path: Path, error: McpyError, code: int
) -> None:
    source = stores[0]
    names = [f"k{i:03}" for i in range(200)]
    for i, name in enumerate(names):
        source.create(name, entry(i))
    target = Away(tmp_path / "target", error)
    results = copy(source, target, names, journal, at_once=1)
    assert [next(results).outcome for _ in range(HOPELESS)] == ["failed"] * HOPELESS
    with pytest.raises(GaveUpError, match=f"after {HOPELESS} keys in a row") as caught:
        next(results)
    assert caught.value.code == code
    assert len(target.asked) < 2 * HOPELESS


def test_keys_of_others_in_a_row_are_no_reason_to_give_up(
    stores: Stores, journal: Journal, tmp_path: Path
) -> None:
    names = [f"s{i:02}" for i in range(20)]
    for name in names:
        (tmp_path / "source" / name).write_text("of somebody")
    results = list(copy(*stores, [*names, "a"], journal))
    assert [r.outcome for r in results] == ["failed"] * 20 + ["copied"]


def test_a_proof_that_fails_is_a_failure_of_that_key(stores: Stores, journal: Journal) -> None:
    def prove(name: str, message: bytes, ciphertext: bytes) -> None:
        assert len(ciphertext) == len(message) + 44
        if name == "b":
            raise IntegrityError("no")

    results = list(copy(*stores, ["a", "b"], journal, prove=prove))
    found = [(r.outcome, r.unproven, r.reason) for r in results]
    assert found == [("copied", False, ""), ("copied", True, "no")]
    assert journal.done == {"a"}


def test_names_are_selected_by_pattern_and_strangers_are_told_apart(
    stores: Stores, tmp_path: Path
) -> None:
    (tmp_path / "source" / "a.b").write_text("")
    assert select(stores[0]) == (["a", "b", "c"], ["a.b"])
    assert select(stores[0], "[ab]") == (["a", "b"], [])


def test_names_a_target_cannot_hold_are_known_beforehand() -> None:
    import re

    azure = Capabilities("", "", re.compile(r"[0-9A-Za-z-]{1,127}"), "holds `_`", False)
    assert misfits(azure, ["ok", "a_b", "Key", "key"]) == {
        "a_b": "holds `_`",
        "key": "is the same name as `Key` there: case does not count",
    }
    assert misfits(Capabilities("", ""), ["a" * 80, "Key", "key"]) == {}
    assert KEY_NAME.fullmatch("a_b")


def test_a_static_key_becomes_an_entry() -> None:
    source = StaticKey("my-key:" + base64.b64encode(bytes(32)).decode() + "\n")
    assert list(source.list()) == ["my-key"]
    found = decode(source.read("my-key"))
    assert (found.key, found.cipher, len(found.hmac_key or b"")) == (bytes(32), "AES256", 32)


@pytest.mark.parametrize("text", ["", "k", ":AAAA", "k:AAAA", "a.b:" + "A" * 44, "k:!"])
def test_another_static_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        StaticKey(text)
    assert str(caught.value) == "MINIO_KMS_SECRET_KEY is not NAME:BASE64 of 32 bytes"


def test_a_journal_that_is_no_file_of_ours_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot use the journal"):
        Journal(tmp_path, "s -> t")
    path = tmp_path / "j"
    path.write_text(json.dumps(["list"]) + "\n")
    journal = Journal(path, "s -> t")
    assert journal.done == set()
    journal.close(complete=True)
