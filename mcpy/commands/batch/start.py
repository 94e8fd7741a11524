"""``mcpy batch generate`` and ``start``: a job's document, looked through before it is sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli import documents
from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.params import ALIAS, KEY
from mcpy.commands.batch.state import finish, jobs_of
from mcpy.errors import (
    ApiError,
    InputError,
    McpyError,
    NotFoundError,
    UnreachableError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.fleet.keyrotate import Job


@dataclass(frozen=True)
class JobStarted:
    """A job the server took; ``result`` is its answer as sent."""

    result: dict[str, Any]

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {"status": "success", "result": self.result}

    def text(self) -> str:
        """Return one line."""
        return f"Started {self.result.get('type', '')} job `{self.result['id']}`."


@click.command("generate", cls=Command)
@click.argument("alias", type=ALIAS)
@click.argument("kind", metavar="keyrotate|list")
@click.option("--bucket", default="BUCKET", help="The bucket whose objects' keys are sealed anew.")
@click.option("--prefix", default="", help="Only objects that start so.")
@click.option(
    "--type",
    "scheme",
    type=click.Choice(["sse-s3", "sse-kms"]),
    default="sse-s3",
    help="How the objects are encrypted. [sse-s3]",
)
@click.option("--key", type=KEY, help="The new key, for sse-kms.")
@pass_app
def generate(app: App, /, alias: str, kind: str, **options: Any) -> None:  # noqa: ANN401 - click's options
    """Print a job to fill in, for `batch start`; `list` prints the types there are."""
    from mcpy.fleet.keyrotate import TEMPLATE

    app.alias(alias)
    if kind == "list":
        app.out.lines('["keyrotate"]' if app.out.json else "keyrotate")
        return
    if kind != "keyrotate":
        raise UnsupportedError(f"mcpy writes keyrotate jobs, not `{kind}`")
    text = TEMPLATE.format(
        bucket=_quoted(options["bucket"]),
        prefix=_quoted(options["prefix"]),
        type=options["scheme"],
        key=_quoted(options["key"] or ""),
    )
    app.out.lines(text.rstrip("\n"))


def _quoted(text: str) -> str:
    """Return a YAML scalar; JSON's strings are YAML's."""
    return json.dumps(text)


@click.command("start", cls=Command)
@click.argument("alias", type=ALIAS)
@click.argument("file", metavar="JOBFILE")
@click.option("--force", is_flag=True, help="Start it although it does what it does not say.")
@click.option("--wait", is_flag=True, help="Return when the job is over.")
@pass_app
def start(app: App, alias: str, file: str, *, force: bool, wait: bool) -> None:
    """Start the job in JOBFILE, or of stdin for `-`.

    A keyrotate job is looked through first, and so is what it would reach. It is not started when
    a part of it does nothing or the opposite, when deleted objects would come back, or tags be
    lost.
    """
    text = documents.read_text(app, file)
    where = documents.name_of(file)
    jobs = jobs_of(app, alias, endless=wait)
    _look_through(app, alias, text, where, force=force)
    result = jobs.start(text)
    app.out.done(JobStarted(result))
    if wait:
        finish(app, jobs, str(result["id"]), wait=True)


def _look_through(app: App, alias: str, text: str, where: str, *, force: bool) -> None:
    from mcpy.fleet import keyrotate

    try:
        document = documents.parse(text, where)
        job = keyrotate.parse(document)
        if job is None and isinstance(document, dict) and "expire" in document:
            raise InputError(f"the job in {where} deletes objects", hint="--force, to mean it")
        if job is None:
            app.out.warn(f"{where} is no keyrotate job: it is sent without being looked through")
            return
        traps = [*job.traps, *_reach(app, alias, job)]
    except McpyError as error:
        if not force:
            raise
        app.out.warn(str(error))
        return
    for trap in traps:
        app.out.warn(trap)
    if traps and not force:
        raise InputError(
            f"the job in {where} would not do what it says", hint="change it, or --force"
        )


def _reach(app: App, alias: str, job: Job) -> list[str]:
    """Return what speaks against the job among the objects; note what it leaves as it is."""
    from mcpy.fleet import keyrotate

    _check_key(app, alias, job)
    s3 = app.s3(alias)
    if not s3.bucket_exists(job.bucket):
        raise NotFoundError(f"there is no bucket `{alias}/{job.bucket}`")
    entries = s3.list_versions(job.bucket, job.prefix, metadata=True)
    reserve_s = (app.deadline.timeout_s or 0.0) / 3  # for the request itself
    try:
        found = keyrotate.survey(entries, stop=lambda: app.deadline.left_s() < reserve_s)
    except ApiError as e:
        app.out.warn(f"could not see what the job reaches: {e}")
        return []
    for note in found.notes(job):
        app.out.note(note)
    if found.plain:
        app.out.note(f"mcpy encrypt set sse-s3 {alias}/{job.bucket} encrypts new ones")
    return found.traps(job)


def _check_key(app: App, alias: str, job: Job) -> None:
    key = job.key if job.scheme == "sse-kms" else ""
    found = app.admin(alias).key_status(key)
    if found.missing:
        raise NotFoundError(
            f"there is no key `{found.key_id}`",
            hint=f"mcpy admin kms key create {alias} {found.key_id}",
        )
    if not found.works:
        kind = UnreachableError if found.kms_silent else McpyError
        raise kind(
            f"key `{found.key_id}` does not work: {found.problem}",
            hint=f"mcpy admin kms status {alias}",
        )
