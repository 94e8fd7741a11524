"""How far an audit is: a file replaced as a whole, so that a kill at any moment is fine."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mcpy.config import write_private
from mcpy.errors import ConfigError, InputError
from mcpy.fleet.audit.count import Shard
from mcpy.fleet.audit.run import AuditedTarget
from mcpy.fleet.audit.tally import Tally
from mcpy.jsontext import loads
from mcpy.models import BucketEncryption, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

VERSION = 2
SAVED_EVERY_S = 2.0


class AuditState:
    """The targets of one audit.

    Args:
        targets: what is audited.
        question: what has to be the same to go on; JSON.
        path: the file; None keeps nothing.

    What the file holds of a target is always as of a whole key: a version is counted once.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        question: dict[str, Any],
        path: Path | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._question = question
        self._clock = clock
        self._written = clock()
        self.targets = [AuditedTarget(target) for target in targets]
        if path is not None and path.exists():
            self.targets = self._read(path)
        self._kept = {one.target: _data(one) for one in self.targets}

    def _read(self, path: Path) -> list[AuditedTarget]:
        """Raise InputError for the state of another audit, ConfigError for no state at all."""
        try:
            found = loads(path.read_text("utf-8"))
            if found["version"] == VERSION and found["question"] == self._question:
                return [_target(one) for one in found["targets"]]
        except OSError as e:
            raise ConfigError(f"cannot read {path}: {e.strerror}") from e
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise ConfigError(f"{path} is not the state of an audit") from e
        raise InputError(
            f"{path} is the state of an audit of other targets or with other options",
            hint=f"give the command as it was, or remove {path}",
        )

    def keep(self, audited: AuditedTarget, *, now: bool = False) -> None:
        """Write how far a target is, not more often than every two seconds unless ``now``.

        Raises:
            ConfigError: it cannot be written.
        """
        if self.path is None or not (now or self._clock() - self._written >= SAVED_EVERY_S):
            return
        self._kept[audited.target] = _data(audited)
        document = {
            "version": VERSION,
            "question": self._question,
            "targets": list(self._kept.values()),
        }
        try:
            write_private(self.path, json.dumps(document).encode())
        except OSError as e:
            raise ConfigError(f"cannot write {self.path}: {e.strerror}") from e
        self._written = self._clock()

    def remove(self) -> None:
        """Remove the file of an audit that is over."""
        if self.path:
            self.path.unlink(missing_ok=True)


def _data(one: AuditedTarget) -> dict[str, Any]:
    default = one.default
    return {
        "target": asdict(one.target),
        "default": [default.algorithm, default.key_id] if default else None,
        "defaultProblem": one.default_problem,
        "versions": one.versions,
        "shards": [[shard.prefix, shard.after, shard.done] for shard in one.shards],
        "listed": one.listed,
        "done": one.done,
        "tally": one.tally.data(),
    }


def _target(data: dict[str, Any]) -> AuditedTarget:
    return AuditedTarget(
        Target(**data["target"]),
        BucketEncryption(*data["default"]) if data["default"] else None,
        data["defaultProblem"],
        data["versions"],
        Tally.of(data["tally"]),
        [Shard(*shard) for shard in data["shards"]],
        int(data["listed"]),
        data["done"],
    )
