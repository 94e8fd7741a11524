"""The server's configuration: sub-systems with keys and values, their history, one file.

``defaults.txt`` holds every sub-system as a server that was never configured exports it; those
that start with ``#`` are off.
"""

from __future__ import annotations

import copy
import json
import os
import re
import threading
import uuid
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.times import rfc3339

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

DYNAMIC = frozenset(
    {
        "api",
        "audit_kafka",
        "audit_webhook",
        "batch",
        "browser",
        "callhome",
        "compression",
        "drive",
        "heal",
        "ilm",
        "logger_webhook",
        "scanner",
        "storage_class",
        "subnet",
    }
)
"""Sub-systems whose changes apply without a restart."""

SPEEDS = frozenset({"fastest", "fast", "default", "slow", "slowest"})
_MANY_TARGETS = re.compile(
    r"notify_\w+|(?:logger|audit|lambda)_webhook|audit_kafka|identity_openid"
)
_PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


class Subsystem(NamedTuple):
    """A sub-system as it is when nobody configured it."""

    name: str
    off: bool
    values: dict[str, str]


@dataclass(frozen=True)
class Change:
    """One entry of the history."""

    restoreId: str  # noqa: N815 - as it is on the wire
    createTime: str  # noqa: N815 - as it is on the wire
    data: str


@cache
def defaults() -> dict[str, Subsystem]:
    """Return every sub-system by name, in the order of an export."""
    text = files("mcpy.sandbox.admin").joinpath("defaults.txt").read_text("utf-8")
    found = {}
    for line in filter(str.strip, text.splitlines()):
        name, _, rest = line.removeprefix("# ").partition(" ")
        values = {key: value.strip('"') for key, value in _PAIR.findall(rest)}
        found[name] = Subsystem(name, line.startswith("#"), values)
    # replaced by `site`, still readable and writable, never exported
    return found | {"region": Subsystem("region", off=False, values={"name": ""})}


Values = dict[str, dict[str, str]]


@dataclass
class ConfigStore:
    """What was configured beyond the defaults.

    As on the real server only dynamic sub-systems show a change at once; the others show it after
    a restart, which is when this is made anew.

    Attributes:
        file: JSON, mode 0600 from its first byte; None keeps it in memory.
        kept: values by target (``sub-system`` or ``sub-system:name``), as they will be.
        live: the same, as they are.
        history: oldest first.
    """

    file: Path | None = None
    kept: Values = field(default_factory=dict, repr=False)
    live: Values = field(default_factory=dict, repr=False)
    history: list[Change] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        if self.file is not None and self.file.exists():
            kept = json.loads(self.file.read_bytes())
            self.kept = kept["kept"]
            self.history = [Change(**entry) for entry in kept["history"]]
        self.live = copy.deepcopy(self.kept)

    def get(self, key: str) -> str:
        """Return the lines of one sub-system with its targets, or of one target.

        Raises:
            S3Problem: XMinioConfigError, no such sub-system or target.
        """
        name, colon, target = key.partition(":")
        if name not in defaults():
            raise _refusal(f"unknown subsystem: {name}")
        if colon and key not in self.live:
            raise _refusal(f"there is no target `{target}` for subsystem `{name}`")
        return "".join(self._line(target) for target in self._targets(key))

    def export(self) -> str:
        """Return all of them; the ones that are off start with ``# ``."""
        lines = []
        for name, subsystem in defaults().items():
            if name != "region":
                for target in self._targets(name):
                    off = subsystem.off and target not in self.live
                    lines.append(f"{'# ' if off else ''}{self._line(target)}")
        return "".join(lines)

    def set(self, text: str, now: datetime) -> bool:
        """Apply lines of ``sub-system key=value ...``; tell whether no restart is needed.

        Raises:
            S3Problem: an unknown sub-system, key or value; nothing was changed then.
        """
        parsed = [_parse(line) for line in _lines(text)]
        with self._lock:
            for target, values in parsed:
                self._merge(target, values)
            self.history.append(Change(str(uuid.uuid4()), rfc3339(now), text))
            self._save()
        return all(_dynamic(target) for target, _ in parsed)

    def replace(self, text: str, now: datetime) -> None:
        """Let ``text``, an export, be the configuration from the next start on; see ``set``."""
        parsed = [_parse(line) for line in _lines(text) if not line.startswith("#")]
        with self._lock:
            self.kept = dict(parsed)
            self.history.append(Change(str(uuid.uuid4()), rfc3339(now), text))
            self._save()

    def reset(self, text: str) -> bool:
        """Put a sub-system, or the keys named after it, back to the defaults; see ``set``."""
        target, *keys = _lines(text)[0].split()
        if target.partition(":")[0] not in defaults():
            raise _refusal(f"unknown sub-system {text}")
        stores = [self.kept, self.live] if _dynamic(target) else [self.kept]
        with self._lock:
            for store in stores:
                if not keys:
                    store.pop(target, None)
                for key in keys:
                    store.get(target, {}).pop(key.partition("=")[0], None)
            self._save()
        return _dynamic(target)

    def restore(self, restore_id: str) -> None:
        """Set the lines of an entry from the next start on, and forget the entry.

        Raises:
            S3Problem: no such entry.
        """
        found = next((change for change in self.history if change.restoreId == restore_id), None)
        if found is None:
            raise S3Problem("XMinioConfigError", 404, "config file not found")
        parsed = [_parse(line) for line in _lines(found.data) if not line.startswith("#")]
        with self._lock:
            for target, values in parsed:
                self.kept.setdefault(target, {}).update(values)
            self.history.remove(found)
            self._save()

    def clear_history(self, restore_id: str) -> None:
        """Forget one entry of the history, or with ``all`` every one."""
        with self._lock:
            kept = [change for change in self.history if change.restoreId != restore_id]
            self.history = [] if restore_id == "all" else kept
            self._save()

    def _targets(self, key: str) -> list[str]:
        return [key, *(target for target in self.live if target.startswith(f"{key}:"))]

    def _line(self, target: str) -> str:
        values = defaults()[target.partition(":")[0]].values | self.live.get(target, {})
        pairs = (
            f"{key}={_quoted(value)} "
            for key, value in values.items()
            if (key, value) != ("enable", "on")
        )
        return f"{target} {''.join(pairs)}\n"

    def _merge(self, target: str, values: dict[str, str]) -> None:
        self.kept.setdefault(target, {}).update(values)
        if _dynamic(target):
            self.live.setdefault(target, {}).update(values)

    def _save(self) -> None:
        if self.file is None:
            return
        history = [asdict(change) for change in self.history]
        text = json.dumps({"kept": self.kept, "history": history})
        temporary = self.file.with_name(f".{self.file.name}.{uuid.uuid4().hex}")
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(self.file)


def _dynamic(target: str) -> bool:
    return target.partition(":")[0] in DYNAMIC


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise _refusal("input arguments cannot be empty")
    return lines


def _parse(line: str) -> tuple[str, dict[str, str]]:
    target, _, rest = line.partition(" ")
    name, colon, _ = target.partition(":")
    if name not in defaults():
        raise _refusal(f"unknown sub-system {line}")
    if colon and not _MANY_TARGETS.fullmatch(name):
        raise _refusal(f"sub-system '{name}' only supports single target")
    if not rest:
        raise _refusal(f"sub-system '{name}' must have key")
    known = defaults()[name].values
    # a key nobody knows belongs to the value before it
    keys = "|".join(map(re.escape, [*known, "comment"]))
    first, *pairs = re.split(rf"(?:^|\s)({keys})=", rest)
    if first.strip() or not pairs:
        raise _refusal(f"sub-system '{name}' cannot have empty keys")
    given = zip(pairs[::2], pairs[1::2], strict=True)
    values = {key: value.strip().strip('"') for key, value in given}
    # an empty value is the default again
    values = {key: value or known.get(key, "") for key, value in values.items()}
    _check(name, values)
    return target, values


def _check(name: str, values: dict[str, str]) -> None:
    """Refuse the few values whose refusal was measured."""
    speed, requests = values.get("speed", "default"), values.get("requests_max", "0")
    if name == "scanner" and speed not in SPEEDS:
        raise S3Problem("XMinioAdminConfigBadJSON", 400, f"unknown '{speed}' value")
    if name == "api" and not re.fullmatch(r"[+-]?\d+", requests):
        text = f'strconv.Atoi: parsing "{requests}": invalid syntax'
        raise S3Problem("XMinioAdminConfigBadJSON", 400, text)


def _refusal(reason: str) -> S3Problem:
    return S3Problem.of("XMinioConfigError", reason)


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value
