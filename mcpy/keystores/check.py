"""Proving a keystore: each permission is tried with an entry of our own, removed afterwards."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from mcpy.errors import McpyError
from mcpy.keystores.base import KEY_NAME, KeyLockedError, KeyMissingError, Step
from mcpy.keystores.entry import KeyEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.keystores.base import KeyStore

PROBE_PREFIX = "mcpy-probe-"


def check(store: KeyStore, *, locking: bool = True) -> Iterator[Step]:
    """Yield what works and what does not; without ``locking`` only what KES itself needs."""
    yield from survey(store)
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


def survey(store: KeyStore) -> Iterator[Step]:
    """Yield what can be told without writing: signing in, the keystore itself, its names."""
    yield from store.inspect()
    yield from _listing(store)


def _listing(store: KeyStore) -> Iterator[Step]:
    names: list[str] = []
    yield _tried("list", lambda: names.extend(store.list()))
    strangers = [name for name in names if not KEY_NAME.fullmatch(name)]
    if strangers:
        shown = ", ".join(strangers[:3])
        yield Step(
            "names", False, f"{len(strangers)} entries KES lists and cannot address: {shown}"
        )


def _locking(store: KeyStore, name: str, value: bytes) -> Iterator[Step]:
    yield _tried("lock", lambda: _locked(store, name))
    yield _tried("unlock", lambda: _unlocked(store, name, value))


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
