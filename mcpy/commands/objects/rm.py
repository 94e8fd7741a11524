"""``mcpy rm``: remove objects, their versions, and uploads that were never finished."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import Failures, buckets_of, jobs_option, streams
from mcpy.cli.output import in_line
from mcpy.cli.params import AGE, MOMENT, TARGETS
from mcpy.commands.objects.rm_plan import Removal, Which, plan, remove
from mcpy.errors import InputError, UnsupportedError
from mcpy.models import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mcpy.cli.app import App
    from mcpy.errors import McpyError


@dataclass(frozen=True)
class Removed:
    """An object, one version of it, or an upload that is gone; with ``dry_run``, that would be."""

    removal: Removal
    dry_run: bool = False

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        done = self.removal
        found = {
            "status": "success",
            "key": str(done.target),
            "deleteMarker": bool(done.marker_id),
            "versionID": done.marker_id or done.version_id,
            "modTime": None,
            "dryRun": self.dry_run,
        }
        return found | ({"missing": True} if done.missing else {})

    def text(self) -> str:
        """Return one line."""
        done, target = self.removal, self.removal.target
        if done.missing:
            return in_line(f"`{target}` was not there: nothing changed.")
        if self.dry_run:
            return in_line(f"Would remove `{target}`{_version(done.version_id)}.")
        if done.marker_id:
            return in_line(f"Put a delete marker over `{target}`{_version(done.marker_id)}.")
        return in_line(f"Removed `{target}`{_version(done.version_id)}.")


def _version(version_id: str) -> str:
    return f" ({version_id})" if version_id else ""


@click.command("rm", cls=Command)
@click.argument("targets", nargs=-1, type=TARGETS, metavar="TARGET...")
@click.option("--recursive", "-r", is_flag=True, help="All that is below prefixes.")
@click.option("--force", is_flag=True, help="What is missing is no error; --recursive needs it.")
@click.option("--dangerous", is_flag=True, help="Let TARGET be a whole ALIAS.")
@click.option("--versions", is_flag=True, help="Every version, for ever.")
@click.option("--non-current", is_flag=True, help="Of the versions, only older ones.")
@click.option("--version-id", "--vid", default="", help="This version, for ever.")
@click.option("--rewind", type=MOMENT, help="What was there then.")
@click.option("--older-than", type=AGE, help="What is older than 7d10h.")
@click.option("--newer-than", type=AGE, help="What is newer than 7d10h.")
@click.option("--incomplete", "-I", is_flag=True, help="Uploads that were never finished.")
@click.option("--bypass", is_flag=True, help="In spite of governance retention.")
@click.option("--purge", is_flag=True, hidden=True, help="Refused: mc's option.")
@click.option("--dry-run", "--fake", is_flag=True, help="Only say what would be removed.")
@click.option("--stdin", is_flag=True, help="Read TARGETs from stdin, one a line.")
@jobs_option
@pass_app
def rm(app: App, /, targets: tuple[Target, ...], **options: Any) -> None:  # noqa: ANN401 - click's
    """Remove objects. In a versioned bucket the versions stay below a delete marker.

    A prefix is a folder or an object: `logs` has below it `logs/1`, and never `logs-of-others`.
    """
    if options["purge"]:
        raise UnsupportedError(
            "a prefix is not removed unseen", hint="mcpy rm --recursive --force TARGET"
        )
    app.bulk()
    which = Which(
        recursive=options["recursive"],
        force=options["force"],
        versions=options["versions"] or options["non_current"],
        non_current=options["non_current"],
        version_id=options["version_id"],
        rewind=options["rewind"],
        older_s=options["older_than"],
        newer_s=options["newer_than"],
        incomplete=options["incomplete"],
        bypass=options["bypass"],
    )
    if not targets and not options["stdin"]:
        raise InputError("rm needs a target", hint="mcpy rm TARGET...")
    _check(which, targets, dangerous=options["dangerous"], stdin=options["stdin"])
    named = [*buckets_of(app, targets), *(_from_stdin(app) if options["stdin"] else ())]
    _remove(app, named, which, dry_run=options["dry_run"], jobs=options["jobs"])


def _check(which: Which, targets: tuple[Target, ...], *, dangerous: bool, stdin: bool) -> None:
    many = which.recursive or which.versions or which.rewind is not None
    if (many or stdin) and not which.force:
        raise InputError("removing many objects for good needs --force", hint="--force")
    if which.version_id and (many or which.incomplete):
        raise InputError("--version-id names a version of one object")
    for target in targets:
        if not target.bucket and not (dangerous and which.recursive and which.force):
            raise InputError(
                f"`{target}` is a whole server: all that is on it would go",
                hint=f"mcpy rm --recursive --force --dangerous {target}",
            )
        if not target.key.rstrip("/") and not which.recursive:
            raise InputError(f"`{target}` names no object", hint=f"mcpy rm {target}/OBJECT")


def _from_stdin(app: App) -> Iterator[Target]:
    for line in app.stdin:
        if text := line.rstrip("\r\n"):
            target = Target.parse(text)
            if not target.key:
                raise InputError(f"`{text}` names no object", hint=f"{target}/OBJECT")
            yield target


def _remove(app: App, targets: list[Target], which: Which, *, dry_run: bool, jobs: int) -> None:
    failures = Failures()
    alone = len(targets) == 1 and not (which.recursive or which.versions or which.incomplete)
    count = 0

    def act(target: Target) -> Iterable[Removal | McpyError]:
        planned = plan(app, target, which)
        return planned if dry_run else remove(app, planned, which)

    with closing(streams(app, targets, act, jobs=jobs)) as outcomes:
        for outcome in outcomes:
            count += 1
            if isinstance(outcome, Removal):
                app.out.done(Removed(outcome, dry_run))
                continue
            if alone:
                raise outcome
            app.out.error(outcome, kind="error")
            failures.add(outcome)
    if failures.count:
        raise failures.sum_of(count)
