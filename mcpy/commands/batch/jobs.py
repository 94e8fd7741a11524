"""``mcpy batch list``, ``status``, ``describe`` and ``cancel``: jobs that were started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.output import printable, table
from mcpy.cli.params import ALIAS
from mcpy.commands.batch.state import JobState, finish, jobs_of
from mcpy.errors import InputError

if TYPE_CHECKING:
    from mcpy.api.minio_batch import BatchJobs
    from mcpy.cli.app import App


@dataclass(frozen=True)
class JobList:
    """The jobs of a deployment."""

    jobs: list[dict[str, Any]]
    aligned: bool

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {"status": "success", "jobs": self.jobs}

    def text(self) -> str:
        """Return a line for each job."""
        names = ("id", "type", "user", "started", "status")
        rows = [[printable(str(job.get(name, ""))) for name in names] for job in self.jobs]
        return table(["ID", "Type", "User", "Started", "Status"], rows, aligned=self.aligned)


@dataclass(frozen=True)
class JobCancelled:
    """A job that was stopped."""

    job: str

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {"status": "success", "job-id": self.job}

    def text(self) -> str:
        """Return one line."""
        return f"Cancelled job `{self.job}`."


@click.command("list", cls=Command)
@click.argument("alias", type=ALIAS)
@click.option("--type", "kind", default="", metavar="TYPE", help="Only jobs of this type.")
@pass_app
def list_(app: App, alias: str, kind: str) -> None:
    """List the jobs and what became of them."""
    jobs = jobs_of(app, alias)
    found = [_with_status(jobs, job) for job in jobs.list(kind)]
    if found or app.out.json:
        app.out.emit(JobList(found, app.out.tables))


@click.command("status", cls=Command)
@click.argument("alias", type=ALIAS)
@click.argument("job", metavar="JOB-ID")
@click.option("--wait", is_flag=True, help="Return when the job is over.")
@pass_app
def status(app: App, alias: str, job: str, *, wait: bool) -> None:
    """Show how far a job is; ends with an error when it failed."""
    finish(app, jobs_of(app, alias, endless=wait), job, wait=wait)


@click.command("describe", cls=Command)
@click.argument("alias", type=ALIAS)
@click.argument("job", metavar="JOB-ID")
@pass_app
def describe(app: App, alias: str, job: str) -> None:
    """Print a job's YAML, as the server understood it."""
    app.out.lines(jobs_of(app, alias).describe(job).rstrip("\n"))


@click.command("cancel", cls=Command)
@click.argument("alias", type=ALIAS)
@click.argument("job", required=False, metavar="JOB-ID")
@click.option("--id", "given", metavar="JOB-ID", help="The same, as in mc.")
@pass_app
def cancel(app: App, alias: str, job: str | None, given: str | None) -> None:
    """Stop a job; what it rotated already stays rotated."""
    job = job or given
    if not job:
        raise InputError("which job?", hint=f"mcpy batch list {alias}")
    jobs = jobs_of(app, alias)
    jobs.describe(job)  # the server takes any id
    jobs.cancel(job)
    app.out.done(JobCancelled(job))


def _with_status(jobs: BatchJobs, job: dict[str, Any]) -> dict[str, Any]:
    """Add what became of a job, which the server's list does not say."""
    from mcpy.api.minio_batch import NoJobError

    found = {name: job[name] for name in ("id", "started", "type", "user") if name in job}
    try:
        state = JobState(jobs.status(str(job.get("id", "")))).state
    except NoJobError:
        state = "unknown"
    return found | {"status": job.get("status") or state}
