"""``mcpy batch``: jobs that the servers of a deployment work on by themselves."""

from __future__ import annotations

import click

from mcpy.cli.base import Group

_JOBS = "mcpy.commands.batch.jobs"


@click.group(
    cls=Group,
    short={"ls": "list"},
    lazy={
        "list": (_JOBS, "list_", "List the jobs and what became of them."),
        "status": (_JOBS, "status", "Show how far a job is; ends with an error when it failed."),
        "describe": (_JOBS, "describe", "Print a job's YAML, as the server understood it."),
        "cancel": (_JOBS, "cancel", "Stop a job; what it rotated already stays rotated."),
        "generate": (
            "mcpy.commands.batch.start",
            "generate",
            "Print a job to fill in, for `batch start`; `list` prints the types there are.",
        ),
        "start": (
            "mcpy.commands.batch.start",
            "start",
            "Start the job in JOBFILE, or of stdin for `-`.",
        ),
    },
)
def batch() -> None:
    """Have the servers rotate the keys of many objects by themselves."""
