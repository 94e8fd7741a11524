"""What ``mcpy cp`` says: of each copy, of what failed, and in the end of all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpy.cli.many import Failures
from mcpy.cli.output import in_line
from mcpy.cli.sizes import human_size
from mcpy.errors import McpyError

if TYPE_CHECKING:
    from mcpy.api.s3 import ObjectInfo
    from mcpy.cli.app import App
    from mcpy.commands.objects.cp_jobs import Job


@dataclass
class Tally:
    """What a run has done so far."""

    count: int = 0
    size: int = 0
    failures: Failures = field(default_factory=Failures)
    last: McpyError | None = None


@dataclass(frozen=True)
class Copied:
    """One thing that was copied and looked at again."""

    job: Job
    info: ObjectInfo
    count: int
    total: int

    def data(self) -> dict[str, Any]:
        """Return mc's fields, and how the copy is encrypted."""
        source, target = self.job.names
        return {
            "status": "success",
            "source": source,
            "target": target,
            "size": self.info.size,
            "totalCount": self.count,
            "totalSize": self.total,
            "encryption": self.info.encryption.scheme,
        }

    def text(self) -> str:
        """Return one line."""
        source, target = self.job.names
        scheme = f", {self.info.encryption.scheme}" if self.info.encryption.scheme else ""
        return in_line(f"`{source}` -> `{target}` ({human_size(self.info.size)}{scheme})")


@dataclass(frozen=True)
class Summary:
    """All that was copied; mc's last object."""

    tally: Tally
    taken_s: float

    def data(self) -> dict[str, Any]:
        """Return mc's fields; ``duration`` is in nanoseconds, ``speed`` in bytes a second."""
        return {
            "status": "success",
            "total": self.tally.size,
            "transferred": self.tally.size,
            "duration": int(self.taken_s * 1e9),
            "speed": self.tally.size / self.taken_s if self.taken_s else 0.0,
        }

    def text(self) -> str:
        """Return one line."""
        size = human_size(self.tally.size)
        return f"Copied {self.tally.count} objects, {size} in {self.taken_s:.1f} s."


@dataclass
class Report:
    """Says what became of each job; while a bar is shown it waits, and of many tells the sum."""

    app: App
    tally: Tally
    alone: bool
    to_stdout: bool
    bar: bool = False
    many: bool = False
    waiting: list[Copied | McpyError] = field(default_factory=list)

    def __call__(self, job: Job, outcome: ObjectInfo | McpyError | None) -> None:
        """Count one job, and say what became of it; None is one that was left alone."""
        if outcome is None:
            return
        self.tally.count += 1
        if isinstance(outcome, McpyError):
            self.tally.failures.add(outcome)
            self.tally.last = outcome
            self._later(outcome if self.alone else _naming(outcome, job))
            return
        self.tally.size += outcome.size
        if not (self.bar and self.many):
            self._later(Copied(job, outcome, self.tally.count, self.tally.size))

    def _later(self, news: Copied | McpyError) -> None:
        if self.bar:
            self.waiting.append(news)
        else:
            self._say(news)

    def finish(self) -> None:
        """Say what waited for the bar to go."""
        for news in self.waiting:
            self._say(news)

    def _say(self, news: Copied | McpyError) -> None:
        if isinstance(news, Copied):
            if not self.to_stdout:
                self.app.out.done(news)
        elif not self.alone:
            self.app.out.error(news, kind="error")


def _naming(error: McpyError, job: Job) -> McpyError:
    """Say of which of many an error speaks."""
    if not any(name in error.message for name in job.names):
        error.message = f"{job.names[0]}: {error.message}"
    return error
