"""Batch jobs as ``mcpy batch`` shows and follows them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcpy.cli.output import printable
from mcpy.errors import DeadlineError, McpyError, PartialError

if TYPE_CHECKING:
    from mcpy.api.minio_batch import BatchJobs
    from mcpy.cli.app import App

_POLL_S = 1.0
_NEWBORN_S = 5.0


@dataclass(frozen=True)
class JobState:
    """How far a job is; ``metric`` is the server's answer as sent."""

    metric: dict[str, Any]

    def data(self) -> dict[str, Any]:
        """Return mc's fields; ``status`` is what became of the job."""
        status = "error" if self.metric.get("failed") else "success"
        return {"status": status, "metric": self.metric}

    def text(self) -> str:
        """Return one fact a line."""
        metric = self.metric
        work = metric.get("rotation") or metric.get("replicate") or metric.get("expired") or {}
        rows = [
            ("Job", metric.get("jobID")),
            ("State", self.state),
            ("Started", metric.get("startTime")),
            ("Updated", metric.get("lastUpdate")),
            ("Objects", work.get("objects")),
            ("Failed", work.get("objectsFailed")),
            ("Last", "/".join(filter(None, (work.get("lastBucket"), work.get("lastObject"))))),
        ]
        return printable(
            "\n".join(f"{name + ':':<9}{value}" for name, value in rows if value not in (None, ""))
        )

    @property
    def state(self) -> str:
        """``completed``, ``failed`` or ``in-progress``."""
        if self.metric.get("failed"):
            return "failed"
        return "completed" if self.metric.get("complete") else "in-progress"


def jobs_of(app: App, alias: str, *, endless: bool = False) -> BatchJobs:
    """Return the jobs of a deployment; ``endless`` lets --timeout alone end the command."""
    from mcpy.api.http import Deadline
    from mcpy.api.minio_batch import BatchJobs

    if endless:
        app.deadline = Deadline(app.settings.timeout_s)
    return BatchJobs(app.admin(alias))


def finish(app: App, jobs: BatchJobs, job: str, *, wait: bool) -> None:
    """Show a job's state, when it is over if ``wait``, and raise when it failed."""
    with app.out.spinner(f"job {job}") as say:
        state = _state(app, jobs, job, patient=wait)
        while wait and state.state == "in-progress":
            if app.deadline.left_s() <= _POLL_S:
                app.out.emit(state)
                raise DeadlineError(f"job `{job}` is not over; it goes on by itself")
            say(f"{(state.metric.get('rotation') or {}).get('objects', 0)} objects")
            time.sleep(_POLL_S)
            state = _state(app, jobs, job)
    app.out.emit(state)
    failed = (state.metric.get("rotation") or {}).get("objectsFailed", 0)
    if state.state == "failed":
        raise McpyError(f"job `{job}` failed", hint="look into the server's log")
    if state.state == "completed" and failed:
        raise PartialError(f"job `{job}` could not rotate {failed} objects")


def _state(app: App, jobs: BatchJobs, job: str, *, patient: bool = False) -> JobState:
    """Ask for a job; in its first moments a server does not know what it has started."""
    from mcpy.api.minio_batch import NoJobError

    give_up = time.monotonic() + min(_NEWBORN_S, app.deadline.left_s())
    while True:
        try:
            return JobState(jobs.status(job))
        except NoJobError:
            if not patient or time.monotonic() > give_up or not _exists(jobs, job):
                raise
            time.sleep(0.1)


def _exists(jobs: BatchJobs, job: str) -> bool:
    return any(found.get("id") == job for found in jobs.list())
