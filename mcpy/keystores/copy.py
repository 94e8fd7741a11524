"""Copying keys from one keystore to another: complete, proven, resumable; the source stays.

A journal holds the names that were copied and proven, never a key. Without it a copy can be
repeated too: an entry that is there with the same value counts as copied.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections import deque
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from mcpy.errors import ConfigError, IntegrityError, McpyError
from mcpy.jsontext import loads
from mcpy.keystores.base import KEY_NAME, KeyExistsError, KeyMissingError
from mcpy.keystores.entry import KeyEntry, decode
from mcpy.keystores.seal import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from mcpy.keystores.base import KeyStore, Source

    # given a name, a message and its ciphertext under the source's key: raises unless it opens
    Prove = Callable[[str, bytes, bytes], None]

# as much as no provider takes for a flood; their own throttling is waited for besides
AT_ONCE = 8

Outcome = Literal["copied", "present", "done", "failed"]


@dataclass(frozen=True)
class Copied:
    """What became of one key; ``reason`` says why it failed."""

    name: str
    outcome: Outcome
    reason: str = ""


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
    """
    done = journal.done & set(target.list()) if journal.done else set()

    def one(name: str) -> Copied:
        try:
            if name in done:
                _expect_same(source, target.read(name), decode(source.read(name)), name)
                return Copied(name, "done")
            return Copied(name, _copy(source, target, name, prove))
        except McpyError as e:
            return Copied(name, "failed", e.message)

    for result in _at_once(one, names, at_once):
        if result.outcome in {"copied", "present"}:
            journal.add(result.name)
        yield result


def _at_once(act: Callable[[str], Copied], names: Sequence[str], at_once: int) -> Iterator[Copied]:
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


def _copy(
    source: Source,
    target: KeyStore,
    name: str,
    prove: Prove | None,
) -> Outcome:
    value = source.read(name)
    entry = decode(value)
    outcome: Outcome = "copied"
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
    if prove:
        prove(name, message, ciphertext)
    return outcome


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


class StaticKey:
    """The one key of a MinIO that was run with ``MINIO_KMS_SECRET_KEY``, as a source.

    Args:
        text: ``NAME:BASE64``.

    Raises:
        ConfigError: it is not of that form; the value is not repeated.
    """

    where = "MINIO_KMS_SECRET_KEY"

    def __init__(self, text: str) -> None:
        name, colon, encoded = text.strip().partition(":")
        try:
            if not colon or not KEY_NAME.fullmatch(name):
                raise ValueError("no name")  # noqa: TRY301 - one place for the message
            key = base64.b64decode(encoded, validate=True)
            self._name, self._value = name, KeyEntry.of(key).encode()
        except (ValueError, binascii.Error, IntegrityError) as e:
            raise ConfigError("MINIO_KMS_SECRET_KEY is not NAME:BASE64 of 32 bytes") from e

    def list(self) -> Iterator[str]:
        """Yield its name."""
        yield self._name

    def read(self, name: str) -> bytes:
        """Return it as an entry of KES, with an HMAC key made up for it."""
        if name != self._name:
            raise KeyMissingError(name)
        return self._value
