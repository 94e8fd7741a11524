"""The journal of one rewriting: what is about to be done before it is, and what came of it after.

JSON lines, appended in one write each and never changed, so that a process killed at any moment
leaves whole lines and at most one torn one behind. The first line binds the file to a server, a
target and a wish. A ``mark`` says that all keys up to it are settled, and holds the counts so far
and what is still open; only what follows the last mark is ever held in memory.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mcpy.errors import ConfigError, InputError
from mcpy.fleet.rewrite import lines
from mcpy.fleet.rewrite.goal import Class, Outcome, Tally
from mcpy.fleet.rewrite.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FORMAT = 1
_SYNC_S = 1.0


class Version(NamedTuple):
    """One version of a key; ``""`` where there are no versions."""

    key: str
    version_id: str


@dataclass
class Intent:
    """A rewriting that was begun: how the object was before, and its upload in parts, if any."""

    version: Version
    before: Snapshot
    upload_id: str = ""
    scheme: str = ""

    def state(self) -> dict[str, Any]:
        """Return it as the file keeps it."""
        return {
            "key": self.version.key,
            "version": self.version.version_id,
            "before": self.before.state(),
            "upload": self.upload_id,
            "scheme": self.scheme,
        }


@dataclass
class Left:
    """What an interrupted run left: where it was, and what it had begun and done behind that."""

    after: str = ""
    tally: Tally = field(default_factory=Tally)
    intents: dict[Version, Intent] = field(default_factory=dict)
    done: dict[Version, Outcome] = field(default_factory=dict)
    scratch: set[str] = field(default_factory=set)


class Journal:
    """An open journal; ``left`` is what a run before this one did not finish."""

    def __init__(self, path: Path, header: Mapping[str, str], *, fresh: bool = False) -> None:
        """Open ``path``, and go on with what is in it unless it is complete, or ``fresh``.

        Raises:
            ConfigError: it cannot be written, or another process has it.
            InputError: it belongs to another server, target or wish.
        """
        self.path = path
        self._header = dict(header)
        self._lock = threading.Lock()
        self._numbers: dict[Version, int] = {}
        self._open: dict[int, Intent] = {}
        self._done: dict[Version, Outcome] = {}  # of keys behind the mark
        self._scratch: set[str] = set()
        self._next = 0
        self._synced = time.monotonic()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            lines.claim(self._handle, path)
            left = None if fresh else self._read()
            if left is None:
                os.ftruncate(self._handle, 0)
                self._write({"t": "header", "format": FORMAT, **self._header})
                os.fsync(self._handle)
        except OSError as e:
            raise ConfigError(
                f"cannot use the journal {path}: {(e.strerror or '').lower()}"
            ) from e
        self.left = left or Left()
        self.resumed = bool(self.left.after or self.left.intents or self.left.done)

    def intend(self, intent: Intent) -> None:
        """Say that an object is about to be rewritten."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._keep(number, intent)
            self._write({"t": "intent", "n": number, **intent.state()})

    def begun(self, version: Version, upload_id: str) -> None:
        """Note the upload in parts of a rewriting."""
        with self._lock:
            number = self._numbers[version]
            self._open[number].upload_id = upload_id
            self._write({"t": "upload", "n": number, "upload": upload_id})

    def withdraw(self, version: Version) -> None:
        """Say that what was intended was not done, for sure: the object is as it was."""
        with self._lock:
            number = self._numbers.pop(version, None)
            if number is not None:
                del self._open[number]
                self._write({"t": "void", "n": number})

    def settle(self, outcome: Outcome) -> None:
        """Say what became of an object that was to be rewritten."""
        with self._lock:
            version = Version(outcome.key, outcome.version_id)
            number = self._numbers.pop(version, -1)
            self._open.pop(number, None)
            self._done[version] = outcome
            self._write({"t": "done", "n": number, **_outcome_state(outcome)})

    def passed(self, versions: Iterable[Version]) -> None:
        """Forget what became of these: the next mark lies behind them."""
        with self._lock:
            for version in versions:
                self._done.pop(version, None)

    def mark(self, key: str, tally: Tally) -> None:
        """Say that all keys up to ``key`` are settled."""
        with self._lock:
            record = {
                "t": "mark",
                "key": key,
                "tally": tally.state(),
                "open": {str(n): intent.state() for n, intent in self._open.items()},
                "done": [_outcome_state(outcome) for outcome in self._done.values()],
                "scratch": sorted(self._scratch),
            }
            self._write(record)
            if time.monotonic() - self._synced > _SYNC_S:
                os.fdatasync(self._handle)
                self._synced = time.monotonic()

    def scratch(self, bucket: str) -> None:
        """Note the bucket a canary is about to make: it outlives marks until it is gone."""
        with self._lock:
            self._scratch.add(bucket)
            self._write({"t": "scratch", "bucket": bucket})

    def scratch_gone(self, bucket: str) -> None:
        """Note that a canary's bucket is not there any more."""
        with self._lock:
            self._scratch.discard(bucket)
            self._write({"t": "clean", "bucket": bucket})

    def end(self, tally: Tally) -> None:
        """Say that the run is complete: the next one begins anew."""
        with self._lock:
            self._write({"t": "end", "tally": tally.state()})
            os.fsync(self._handle)

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._handle)

    def _write(self, record: Mapping[str, object]) -> None:
        line = json.dumps(record, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._handle, line) :]
        except OSError as e:
            # without it nothing may be touched
            message = f"cannot write the journal {self.path}: {(e.strerror or '').lower()}"
            raise ConfigError(message) from e

    def _read(self) -> Left | None:
        """Return what is left to do, or None when the file is empty or complete."""
        size = lines.trim(self._handle)
        first = next(lines.lines(self._handle, 0), None) if size else None
        if first is None:
            return None
        self._check(first)
        start, left = 0, Left()
        for offset, record in lines.backwards(self._handle, size):
            if record.get("t") == "end":
                return None
            if record.get("t") in {"mark", "header"}:
                start = offset
                break
        for record in lines.lines(self._handle, start):
            self._take(record, left)
        left.intents = {intent.version: intent for intent in self._open.values()}
        left.done = dict(self._done)
        left.scratch = self._scratch - {""}
        return left

    def _keep(self, number: int, intent: Intent) -> None:
        self._open.pop(self._numbers.get(intent.version, -1), None)
        self._numbers[intent.version] = number
        self._open[number] = intent

    def _check(self, first: Mapping[str, Any]) -> None:
        if first.get("t") != "header" or first.get("format") != FORMAT:
            raise InputError(
                f"the file {self.path} is not a journal of this version of mcpy",
                hint="--journal FILE names another one",
            )
        for name, wanted in self._header.items():
            if first.get(name) != wanted:
                message = f"the journal {self.path} is of another run: its {name} is another"
                raise InputError(message, hint="--journal FILE names another one")

    def _take(self, record: Mapping[str, Any], left: Left) -> None:
        kind, number = record.get("t"), int(record.get("n", -1))
        self._next = max(self._next, number + 1)
        if kind == "mark":
            left.after, left.tally = record["key"], Tally.load(record["tally"])
            self._take_mark(record)
        elif kind == "intent":
            self._keep(number, _intent(record))
        elif kind == "upload" and number in self._open:
            self._open[number].upload_id = record["upload"]
        elif kind == "scratch":
            self._scratch.add(record["bucket"])
        elif kind == "clean":
            self._scratch.discard(record["bucket"])
        elif kind in {"done", "void"}:
            self._take_end(record, number)

    def _take_mark(self, record: Mapping[str, Any]) -> None:
        self._open, self._numbers = {}, {}
        for name, state in record["open"].items():
            self._keep(int(name), _intent(state))
            self._next = max(self._next, int(name) + 1)
        self._done = {_version(state): _outcome(state) for state in record["done"]}
        self._scratch = set(record.get("scratch", ()))

    def _take_end(self, record: Mapping[str, Any], number: int) -> None:
        if intent := self._open.pop(number, None):
            self._numbers.pop(intent.version, None)
        if record["t"] == "done":
            self._done[_version(record)] = _outcome(record)


def _version(state: Mapping[str, Any]) -> Version:
    return Version(state["key"], state["version"])


def _intent(state: Mapping[str, Any]) -> Intent:
    return Intent(_version(state), Snapshot(**state["before"]), state["upload"], state["scheme"])


def _outcome_state(outcome: Outcome) -> dict[str, Any]:
    return {
        "key": outcome.key,
        "version": outcome.version_id,
        "class": outcome.kind,
        "size": outcome.size,
        "reason": outcome.reason,
        "scheme": outcome.before,
        "etag": outcome.etag_changed,
        "new": outcome.new_version,
    }


def _outcome(state: Mapping[str, Any]) -> Outcome:
    return Outcome(
        state["key"],
        state["version"],
        Class(state["class"]),
        state["size"],
        state["reason"],
        state["scheme"],
        state["etag"],
        state["new"],
    )
