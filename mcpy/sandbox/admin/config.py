"""The server's configuration: sub-systems with keys and values, their history, one file.

``defaults.txt`` holds every sub-system as a server that was never configured exports it; those
that start with ``#`` are off.
"""

from __future__ import annotations

import json
import os
import re
import threading
import uuid
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from mcpy.sandbox.admin.info import rfc3339
from mcpy.sandbox.s3.errors import S3Problem

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
        found[name] = Subsystem(name, line.startswith("#"), _pairs(rest))
    # replaced by `site`, still readable and writable, never exported
    return found | {"region": Subsystem("region", off=False, values={"name": ""})}


def _pairs(text: str) -> dict[str, str]:
    return {key: value.strip('"') for key, value in _PAIR.findall(text)}


@dataclass
class ConfigStore:
    """What was configured beyond the defaults.

    Attributes:
        file: JSON, mode 0600 from its first byte; None keeps it in memory.
        changed: values by target (``sub-system`` or ``sub-system:name``).
        history: oldest first.
    """

    file: Path | None = None
    changed: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    history: list[Change] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        if self.file is not None and self.file.exists():
            kept = json.loads(self.file.read_bytes())
            self.changed = kept["changed"]
            self.history = [Change(**entry) for entry in kept["history"]]

    def get(self, key: str) -> str:
        """Return the lines of one sub-system or target.

        Raises:
            S3Problem: XMinioConfigError, no such sub-system.
        """
        name = _known(key).name
        targets = [key, *(t for t in self.changed if key == name and t.startswith(f"{name}:"))]
        return "".join(self._line(target) for target in targets)

    def export(self) -> str:
        """Return all of them; the ones that are off start with ``# ``."""
        exported = (name for name in defaults() if name != "region")
        return "".join(self.get(name) for name in exported)

    def set(self, text: str, now: datetime) -> bool:
        """Apply lines of ``sub-system key=value ...``; tell whether no restart is needed.

        Raises:
            S3Problem: an unknown sub-system, key or value; nothing was changed then.
        """
        lines = [line.strip() for line in text.splitlines()]
        parsed = [_parse(line) for line in lines if line and not line.startswith("#")]
        with self._lock:
            for target, values in parsed:
                self.changed.setdefault(target, {}).update(values)
            self.history.append(Change(str(uuid.uuid4()), rfc3339(now), text))
            self._keep()
        return all(_known(target).name in DYNAMIC for target, _ in parsed)

    def replace(self, text: str, now: datetime) -> bool:
        """Apply ``text`` to a configuration without changes; see ``set``."""
        for line in text.splitlines():
            if line.strip() and not line.startswith("#"):
                _parse(line)
        with self._lock:
            self.changed = {}
        return self.set(text, now)

    def reset(self, text: str, now: datetime) -> bool:
        """Put a sub-system, or the keys named after it, back to the defaults; see ``set``."""
        target, *keys = text.split()[:50] or [""]
        subsystem = _known(target)
        with self._lock:
            if not keys:
                self.changed.pop(target, None)
            for key in keys:
                self.changed.get(target, {}).pop(key.partition("=")[0], None)
            self.history.append(Change(str(uuid.uuid4()), rfc3339(now), text))
            self._keep()
        return subsystem.name in DYNAMIC

    def restore(self, restore_id: str, now: datetime) -> bool:
        """Apply an entry of the history again; see ``set``.

        Raises:
            S3Problem: no such entry.
        """
        found = next((change for change in self.history if change.restoreId == restore_id), None)
        if found is None:
            raise S3Problem("XMinioConfigError", 404, "config file not found")
        return self.set(found.data, now)

    def clear_history(self, restore_id: str) -> None:
        """Forget one entry of the history, or with ``all`` every one."""
        with self._lock:
            kept = [change for change in self.history if change.restoreId != restore_id]
            self.history = [] if restore_id == "all" else kept
            self._keep()

    def _line(self, target: str) -> str:
        subsystem = _known(target)
        changes = self.changed.get(target, {})
        values = subsystem.values | changes
        off = subsystem.off and not changes
        pairs = " ".join(f"{key}={_quoted(value)}" for key, value in values.items())
        return f"{'# ' if off else ''}{target} {pairs} \n"

    def _keep(self) -> None:
        if self.file is None:
            return
        history = [asdict(change) for change in self.history]
        text = json.dumps({"changed": self.changed, "history": history})
        temporary = self.file.with_name(f".{self.file.name}.{uuid.uuid4().hex}")
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(self.file)


def _known(target: str) -> Subsystem:
    name = target.partition(":")[0]
    subsystem = defaults().get(name)
    if subsystem is None:
        raise S3Problem.of("XMinioConfigError", f"unknown subsystem: {name}")
    return subsystem


def _parse(line: str) -> tuple[str, dict[str, str]]:
    target, _, rest = line.strip().partition(" ")
    subsystem = _known(target)
    values = _pairs(rest)
    if not values or not values.keys() <= subsystem.values.keys() | {"comment"}:
        raise S3Problem.of(
            "XMinioConfigError", f"sub-system '{subsystem.name}' cannot have empty keys"
        )
    if subsystem.name == "scanner" and values.get("speed", "default") not in SPEEDS:
        raise S3Problem("XMinioAdminConfigBadJSON", 400, f"unknown '{values['speed']}' value")
    return target, values


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value
