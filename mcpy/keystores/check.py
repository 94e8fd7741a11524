"""Proving a keystore: each permission is tried with an entry of our own, removed afterwards."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from mcpy.errors import McpyError
from mcpy.keystores.base import KEY_NAME, KeyLockedError, KeyMissingError, Step
from mcpy.keystores.entry import KeyEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from mcpy.keystores.base import KeyStore

# of one store: a call each, some providers take money for them
MOST_READ = 1000
PROBE_PREFIX = "mcpy-probe-"


def check(store: KeyStore, *, locking: bool = True) -> Iterator[Step]:
    """Yield what works and what does not; without ``locking`` only what KES itself needs.

    Nothing is written where the keystore is not what the config says.
    """
    if not (yield from survey(store)):
        return
    name = f"{PROBE_PREFIX}{secrets.token_hex(6)}"
    value = KeyEntry.of(secrets.token_bytes(32)).encode()
    created = _tried("create", lambda: store.create(name, value))
    yield created
    if not created.ok:
        with suppress(McpyError):
            store.withdraw(name)  # where only the answer failed
        return
    try:
        yield _tried("read", lambda: _expect(store.read(name) == value, "read other bytes"))
        if locking and store.capabilities.lock:
            yield from _locking(store, name, value)
    finally:
        removed = _tried("delete", lambda: _removed(store, name))
        if not removed.ok:
            with suppress(McpyError):
                store.withdraw(name)
    left = "" if removed.ok else f"{removed.words}; remove `{name}` by hand"
    yield Step("delete", removed.ok, left)


def survey(store: KeyStore, *, contents: bool = False) -> Generator[Step, None, bool]:
    """Yield what can be told without writing: signing in, the keystore itself, its names.

    With ``contents`` entries are read, to tell keys from what others keep there under names like
    keys. Returns whether the keystore is what the config says.
    """
    sound = True
    for step in store.inspect():
        yield step
        sound = sound and step.ok
    yield from _listing(store, contents=contents and sound)
    return sound


def _listing(store: KeyStore, *, contents: bool) -> Iterator[Step]:
    names: list[str] = []
    yield _tried("list", lambda: names.extend(store.list()))
    others = [name for name in names if not KEY_NAME.fullmatch(name)]
    if others:
        shown = ", ".join(others[:3])
        yield Step("names", False, f"{len(others)} entries KES lists and cannot address: {shown}")
    if contents:
        yield from _contents(store, [name for name in names if KEY_NAME.fullmatch(name)])


def _contents(store: KeyStore, names: list[str]) -> Iterator[Step]:
    from mcpy.keystores.strangers import strangers

    found = strangers(store, names[:MOST_READ])
    if found:
        of = f" of the first {MOST_READ:,}" if len(names) > MOST_READ else ""
        yield Step("entries", False, f"{_shown(found)}{of} are no keys of KES and show as keys")
    elif len(names) > MOST_READ:
        words = f"{len(names) - MOST_READ:,} entries were not read: whether they are keys is open"
        yield Step("entries", False, words)


def _shown(names: list[str]) -> str:
    return f"{len(names)} entries ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"


def _locking(store: KeyStore, name: str, value: bytes) -> Iterator[Step]:
    locked = _tried("lock", lambda: _locked(store, name))
    yield locked
    if locked.ok:
        yield _tried("unlock", lambda: _unlocked(store, name, value))
    else:
        yield Step("unlock", False, "nothing is locked", tried=False)


def _locked(store: KeyStore, name: str) -> None:
    store.lock(name)
    _expect(store.state(name) == "locked", "the entry is not locked afterwards")
    with suppress(KeyLockedError):
        store.read(name)
        _expect(False, "a locked entry can be read")


def _unlocked(store: KeyStore, name: str, value: bytes) -> None:
    store.unlock(name)
    _expect(store.read(name) == value, "the entry is not what it was")


def _removed(store: KeyStore, name: str) -> None:
    store.withdraw(name)
    with suppress(KeyMissingError):
        store.state(name)
        _expect(False, "the entry is there still: the version of the engine may be wrong")


def _tried(name: str, act: Callable[[], object]) -> Step:
    try:
        act()
    except McpyError as e:
        return Step(name, False, e.message)
    return Step(name, True)


def _expect(held: bool, otherwise: str) -> None:
    if not held:
        raise McpyError(otherwise)
