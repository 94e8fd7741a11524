"""What ``keystore copy`` says: of each key that needs a word, and of all together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mcpy.errors import PartialError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mcpy.keystores.copy import Copied


@dataclass(frozen=True)
class CopyReport:
    """What became of all keys together, or in a dry run would; ``untried`` were not begun."""

    source: str
    target: str
    total: int
    copied: int
    present: int
    failed: int
    unproven: int = 0
    untried: int = 0
    dry_run: bool = False

    def data(self) -> dict[str, Any]:
        """Return the counts."""
        found = asdict(self)
        found["dryRun"] = found.pop("dry_run")
        return {"status": "success", **found}

    def text(self) -> str:
        """Return one line."""
        copied, failed = (
            ("would be copied", "would fail") if self.dry_run else ("copied", "failed")
        )
        line = f"{self.copied} keys {copied}, {self.present} there already, {self.failed} {failed}"
        line += f", {self.unproven} there and not proven" if self.unproven else ""
        line += f", {self.untried} not tried" if self.untried else ""
        return f"{line}, of {self.total}: {self.source} -> {self.target}"


@dataclass(frozen=True)
class KeyCopied:
    """What became of one key, or in a dry run would."""

    result: Copied
    dry_run: bool = False

    def data(self) -> dict[str, Any]:
        """Return name, outcome, and the reason where there is one."""
        result = self.result
        found = {"name": result.name, "outcome": result.outcome, "dryRun": self.dry_run}
        if result.error is None:
            return {"status": "success", **found}
        return {"status": "error", **found, "proven": False, "message": result.reason}

    def text(self) -> str:
        """Return one line."""
        if self.result.error:
            state = "NOT PROVEN" if self.result.unproven else "FAILED"
            return f"{self.result.name}\t{state}\t{self.result.reason}"
        done = self.result.outcome == "copied"
        return f"{self.result.name}\t{'would be copied' if done else 'there already'}"


def counted(
    where: tuple[str, str], results: Sequence[Copied], total: int, *, dry_run: bool = False
) -> CopyReport:
    """Return the sum of ``results``; ``where`` names source and target."""
    failed = sum(r.outcome == "failed" for r in results)
    copied = sum(r.outcome == "copied" for r in results)
    return CopyReport(
        *where,
        total,
        copied,
        len(results) - copied - failed,
        failed,
        sum(r.unproven for r in results),
        total - len(results),
        dry_run,
    )


def failure(
    results: Sequence[Copied], again: str, files: tuple[Path | None, Path]
) -> PartialError | None:
    """Return the error that stands for what failed, if anything did.

    Args:
        results: what became of each key.
        again: the hint where repeating may help.
        files: the config files of source and target.
    """
    from mcpy.keystores.base import KeyLockedError

    bad = [result for result in results if result.error]
    if not bad:
        return None
    unproven = sum(result.unproven for result in bad)
    parts = [
        f"{len(bad) - unproven} of {len(results)} keys were not copied" * (len(bad) > unproven),
        f"{unproven} are there and not proven" * (unproven > 0),
    ]
    hint = again if any(result.may_pass for result in bad) else None
    locked = next((r for r in bad if isinstance(r.error, KeyLockedError)), None)
    if hint is None and locked:
        file = files[locked.reason.startswith("at the target")]
        hint = f"mcpy keystore unlock {locked.name} --config {file}"
    return PartialError(", ".join(filter(None, parts)), hint=hint)
