"""Copying keys from one keystore to another: complete, proven, resumable; the source stays.

A journal holds the names that were copied and proven, never a key. Without it a copy can be
repeated too: an entry that is there with the same value counts as copied.
"""

from __future__ import annotations

import json
import secrets
from collections import deque
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from mcpy.errors import (
    ConfigError,
    ExitCode,
    IntegrityError,
    McpyError,
    UnreachableError,
    exit_code,
)
from mcpy.jsontext import loads
from mcpy.keystores.base import KEY_NAME, KeyExistsError
from mcpy.keystores.entry import KeyEntry, decode
from mcpy.keystores.seal import seal, unseal
from mcpy.keystores.static_key import StaticKey

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from mcpy.keystores.base import KeyStore, Source

    # given a name, a message and its ciphertext under the source's key: raises unless it opens
    Prove = Callable[[str, bytes, bytes], None]

# as much as no provider takes for a flood; their own throttling is waited for besides
AT_ONCE = 8

# so many refusals in a row are of the provider, and not of the keys
HOPELESS = 8

Outcome = Literal["copied", "present", "done", "failed"]


@dataclass(frozen=True)
class Copied:
    """What became of one key.

    Attributes:
        outcome: in a dry run ``copied`` is what would be.
        error: why it failed, or why it is at the target and not proven.
    """

    name: str
    outcome: Outcome
    error: McpyError | None = None

    @property
    def reason(self) -> str:
        """Why it failed or is not proven; empty where neither is so."""
        return self.error.message if self.error else ""

    @property
    def unproven(self) -> bool:
        """Whether it is there, and the target's KES did not open what was sealed under it."""
        return self.error is not None and self.outcome != "failed"

    @property
    def may_pass(self) -> bool:
        """Whether it failed by something that is no matter of the key."""
        return isinstance(self.error, UnreachableError) or (
            self.error is not None and (exit_code(self.error) == ExitCode.DENIED or self.unproven)
        )


class GaveUpError(McpyError):
    """Many keys in a row failed for what is no matter of theirs."""

    def __init__(self, last: McpyError) -> None:
        super().__init__(f"gave up after {HOPELESS} keys in a row: {last.message}", hint=last.hint)
        self.code = exit_code(last)


class Journal:
    """The names that are done, one JSON object a line; a last line cut off does not count."""

    def __init__(self, path: Path, title: str) -> None:
        self.path = path
        self.done: set[str] = set()
        try:
            lines = path.read_text("utf-8").splitlines() if path.exists() else []
            for line in lines:
                self._read(line)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise ConfigError(f"cannot use the journal {path}: {e}") from e
        if not lines:
            self._write({"copy": title})
        else:
            self._file.write("\n")  # a line cut off by a crash ends here

    def _read(self, line: str) -> None:
        try:
            found = loads(line or "{}")
        except ValueError:
            return
        if isinstance(found, dict) and isinstance(found.get("done"), str):
            self.done.add(found["done"])

    def add(self, name: str) -> None:
        """Note that a key was copied and proven."""
        self.done.add(name)
        self._write({"done": name})

    def close(self, *, complete: bool) -> None:
        """Close the file, and remove it when there is nothing left to resume."""
        self._file.close()
        if complete:
            self.path.unlink(missing_ok=True)

    def _write(self, found: dict[str, str]) -> None:
        self._file.write(json.dumps(found) + "\n")
        self._file.flush()


def select(source: Source, pattern: str = "*") -> tuple[list[str], list[str]]:
    """Return the names to copy, and those that cannot be keys of KES, both sorted."""
    names = sorted({name for name in source.list() if fnmatchcase(name, pattern)})
    return (
        [name for name in names if KEY_NAME.fullmatch(name)],
        [name for name in names if not KEY_NAME.fullmatch(name)],
    )


def copy(
    source: Source,
    target: KeyStore,
    names: Sequence[str],
    journal: Journal,
    *,
    prove: Prove | None = None,
    at_once: int = AT_ONCE,
) -> Iterator[Copied]:
    """Copy keys, several at once, and yield each in the order of ``names``.

    One that fails does not stop the rest. The journal is believed only where the target has the
    name still, and the same key under it.

    Raises:
        GaveUpError: several in a row failed since the provider, or KES, is away or denies it.
    """
    done = journal.done & set(target.list()) if journal.done else set()

    def one(name: str) -> Copied:
        try:
            if name in done:
                _compare(source, target, name)
                return Copied(name, "done")
            outcome, message, ciphertext = _copy(source, target, name)
        except McpyError as e:
            return Copied(name, "failed", e)
        try:
            if prove:
                prove(name, message, ciphertext)
        except McpyError as e:
            return Copied(name, outcome, e)
        return Copied(name, outcome)

    for result in _while_hope(_at_once(one, names, at_once)):
        if result.outcome in {"copied", "present"} and not result.unproven:
            journal.add(result.name)
        yield result


def foresee(
    source: Source, target: KeyStore, names: Sequence[str], *, at_once: int = AT_ONCE
) -> Iterator[Copied]:
    """Yield what ``copy`` would do with each key; both sides are read and nothing is written.

    Raises:
        GaveUpError: as ``copy``.
    """
    there = set(target.list())

    def one(name: str) -> Copied:
        try:
            if name in there:
                _compare(source, target, name)
                return Copied(name, "present")
            with _at("source"):
                decode(source.read(name))
        except McpyError as e:
            return Copied(name, "failed", e)
        return Copied(name, "copied")

    yield from _while_hope(_at_once(one, names, at_once))


def _compare(source: Source, target: KeyStore, name: str) -> None:
    """See that both have the same key."""
    with _at("source"):
        entry = decode(source.read(name))
    with _at("target"):
        found = target.read(name)
    _expect_same(source, found, entry, name)


@contextmanager
def _at(side: str) -> Iterator[None]:
    """Say in errors which keystore they are of."""
    try:
        yield
    except McpyError as e:
        e.message = f"at the {side}: {e.message}"
        e.args = (e.message,)
        raise


def _while_hope(results: Generator[Copied]) -> Iterator[Copied]:
    refused = 0
    with closing(results):  # at once: what is in flight ends before connections are closed
        for result in results:
            yield result
            refused = refused + 1 if result.may_pass else 0
            if refused == HOPELESS and result.error:
                raise GaveUpError(result.error)


def _at_once(
    act: Callable[[str], Copied], names: Sequence[str], at_once: int
) -> Generator[Copied]:
    """Yield what comes of each name in order; no more are begun than are waited for."""
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(at_once)
    running: deque[Future[Copied]] = deque()
    try:
        for name in names:
            running.append(pool.submit(act, name))
            if len(running) >= 2 * at_once:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        # interrupted: what is in flight ends, and counts as present when this is repeated
        pool.shutdown(cancel_futures=True)


def _copy(source: Source, target: KeyStore, name: str) -> tuple[Outcome, bytes, bytes]:
    """Return what was done, and a message with its ciphertext that whoever has the key opens."""
    with _at("source"):
        value = source.read(name)
        entry = decode(value)
    outcome: Outcome = "copied"
    with _at("target"):
        try:
            target.create(name, value)
        except KeyExistsError:
            outcome = "present"
        found = target.read(name)
    if outcome == "present":
        _expect_same(source, found, entry, name)
    elif not _same(found, entry):
        raise IntegrityError(f"`{name}` reads back as other bytes than were written")
    message = secrets.token_bytes(32)
    ciphertext = seal(entry, message, name.encode())
    if unseal(decode(found), ciphertext, name.encode()) != message:
        raise IntegrityError(f"`{name}` does not decrypt at the target")
    return outcome, message, ciphertext


def _expect_same(source: Source, found: bytes, entry: KeyEntry, name: str) -> None:
    if isinstance(source, StaticKey):  # the HMAC key is made up, another one each time
        entry = replace(entry, hmac_key=None)
    if not _same(found, entry):
        raise IntegrityError(f"the target has another key of the name `{name}`")


def _same(value: bytes, entry: KeyEntry) -> bool:
    found = decode(value)
    if found.hmac_key and entry.hmac_key and found.hmac_key != entry.hmac_key:
        return False
    return found.key == entry.key and found.cipher == entry.cipher
