"""``mcpy encrypt audit``: every object and version by scheme and key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import Failures, buckets_of, jobs_of
from mcpy.cli.params import TARGETS, Parsed, is_pattern
from mcpy.cli.sizes import are
from mcpy.commands.encrypt.audit_report import AuditSummary, TargetReport, VersionLine
from mcpy.errors import (
    FindingError,
    InputError,
    Interrupted,
    McpyError,
    PartialError,
    UnreachableError,
)
from mcpy.fleet.transfer.walk import is_below
from mcpy.models import Target

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.fleet.audit import AuditedTarget, AuditState, Requirement, Watch, Wish
    from mcpy.fleet.inventory import Item

LISTED = ("all", "violations", "plain", "sse-s3", "sse-kms", "sse-c", "unknown", "unreadable")


def _requirement(text: str) -> Requirement:
    from mcpy.fleet.audit import Requirement

    return Requirement.parse(text)


def _open(text: str) -> int:
    from mcpy.fleet.audit.run import ALL

    if text == "all":
        return ALL
    number = int(text) if re.fullmatch("[0-9]{1,9}", text) else 0
    if not 0 < number <= MOST_OPENED:
        raise InputError(f"`{text}` is neither `all` nor a number up to {MOST_OPENED}")
    return number


MOST_OPENED = 10_000


@click.command("audit", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=TARGETS, metavar="TARGET...")
@click.option("--latest", is_flag=True, help="The latest versions only.")
@click.option(
    "--require",
    type=Parsed("SCHEME", _requirement),
    metavar="SCHEME[:KEY]",
    help="Exit 3 unless each is so: sse-s3, sse-kms, sse-kms:KEY, or `any` for encrypted at all.",
)
@click.option(
    "--decrypt-check",
    "open_",
    type=Parsed("N|all", _open),
    metavar="N|all",
    help="Read one byte of N versions of each scheme and key, or of all; exit 3 when one fails.",
)
@click.option(
    "--list",
    "listed",
    multiple=True,
    type=click.Choice(LISTED),
    help="Name each version of this kind too.",
)
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False), help="Write the table there.")
@click.option(
    "--html", "html_file", type=click.Path(dir_okay=False), help="Write a page with charts there."
)
@click.option(
    "--resume",
    type=click.Path(dir_okay=False),
    help="Keep in this file how far it is, and go on from there.",
)
@jobs_of("Requests")
@pass_app
def audit(app: App, /, targets: tuple[Target, ...], **options: Any) -> None:  # noqa: ANN401 - click's
    """Count every object and version by scheme and key.

    TARGET is an alias, a bucket, a prefix, or a pattern over buckets, such as 'ALIAS/app-*'.
    Beside it stands its bucket's default. What a server says of an object is what is shown; what
    is on its disks nobody outside can see.

    An object whose encryption may not be seen is unknown, and one that the KMS cannot open is
    unreadable: neither passes --require.
    """
    from mcpy.cli.documents import check_writable

    app.bulk()
    check_writable(options["csv_file"], options["html_file"], options["resume"])
    run = _Run(app, _places(app, targets), options, _unlisted(app, targets))
    run.all()
    run.finish()


def _places(app: App, targets: tuple[Target, ...]) -> list[Target]:
    """Return buckets and prefixes, none of which lies in another."""
    every = [t if t.bucket else Target(t.alias, "*") for t in targets]
    found = buckets_of(app, every)
    return [one for one in found if not any(_covers(other, one) for other in found)]


def _unlisted(app: App, targets: tuple[Target, ...]) -> dict[str, str]:
    """Return for each alias of which all buckets are meant why some may be missing; of MinIO."""
    from mcpy.api.minio_account import unlisted

    aliases = dict.fromkeys(t.alias for t in targets if not t.bucket or is_pattern(t.bucket))
    whys = {name: unlisted(app.admin(name)) for name in aliases if app.s3(name).is_minio}
    return {
        name: f"whether these are all its buckets is not known: {why}"
        for name, why in whys.items()
        if why
    }


def _covers(other: Target, one: Target) -> bool:
    same = (other.alias, other.bucket) == (one.alias, one.bucket)
    return same and other != one and is_below(one.key, other.key)


@dataclass
class _Run:
    """One audit on its way: what is asked, how far it is, what failed."""

    app: App
    places: list[Target]
    options: dict[str, Any]
    unlisted: dict[str, str] = field(default_factory=dict)
    failures: Failures = field(default_factory=Failures)
    gone: dict[str, McpyError] = field(default_factory=dict)
    last: McpyError | None = None

    def __post_init__(self) -> None:
        from mcpy.fleet.audit import AuditState, Wish

        requirement: Requirement | None = self.options["require"]
        self.wish: Wish = Wish(
            versions=not self.options["latest"],
            requirement=requirement,
            open=self.options["open_"] or 0,
            jobs=self.options["jobs"],
        )
        question = {
            "targets": [str(place) for place in self.places],
            "latest": self.options["latest"],
            "require": str(requirement or ""),
            "decryptCheck": self.wish.open,
        }
        resume = self.options["resume"]
        self.state: AuditState = AuditState(
            self.places, question, Path(resume) if resume else None
        )

    def all(self) -> None:
        """Audit target after target; what one lacks does not stop the others."""
        for audited in self.state.targets:
            if not audited.done:
                self._one(audited)
            self.app.out.emit(TargetReport(audited, self.wish, aligned=self.app.out.tables))

    def _one(self, audited: AuditedTarget) -> None:
        alias = audited.target.alias
        if alias in self.gone:
            audited.problem = f"not looked at: {self.gone[alias].message}"
            self.failures.add(self.gone[alias])
            return
        try:
            self._audit(audited)
        except Interrupted:
            self._tell_how_to_resume()
            raise
        except McpyError as error:
            if isinstance(error, UnreachableError):
                self.gone[alias] = error  # said once, and not for each of a thousand buckets
            audited.problem = error.message
            self.last = error
            self.failures.add(error)
            if len(self.places) > 1:
                self.app.out.error(error, kind="error")
        else:
            self.state.keep(audited, now=True)

    def _audit(self, audited: AuditedTarget) -> None:
        from mcpy.fleet.audit import Watch, audit_target
        from mcpy.fleet.parallel import Stop

        app, s3 = self.app, self.app.s3(audited.target.alias)
        with app.out.counting(str(audited.target), total=self._expected(audited)) as advance:

            def see(item: Item, violates: bool) -> None:
                advance(1)
                if self._is_listed(item, violates=violates):
                    app.out.emit(VersionLine(audited.target, item, violates))

            watch: Watch = Watch(see, lambda: self.state.keep(audited), app.out.warn)
            audit_target(s3, audited, self.wish, watch=watch, stop=Stop(), cut=app.cut)

    def _is_listed(self, item: Item, *, violates: bool) -> bool:
        listed = self.options["listed"]
        return bool(listed) and (
            "all" in listed or item.state in listed or (violates and "violations" in listed)
        )

    def _expected(self, audited: AuditedTarget) -> int | None:
        """Return how many versions the server's scanner last counted, for the time left."""
        if not self.app.out.interactive or audited.target.key:
            return None
        try:
            usage = self.app.admin(audited.target.alias).bucket_usage(audited.target.bucket)
        except McpyError:
            return None
        number = usage.get("versionsCount" if self.wish.versions else "objectsCount")
        return number if isinstance(number, int) and number > 0 else None

    def _tell_how_to_resume(self) -> None:
        if self.state.path:
            self.app.out.note(f"the same command goes on from {self.state.path}")

    def finish(self) -> None:
        """Write the sum and the files, and raise what has to be said by the exit code."""
        summary = AuditSummary.of(
            self.state.targets, self.wish, aligned=self.app.out.tables, unlisted=self.unlisted
        )
        for problem in summary.problems:
            self.app.out.warn(problem)
        if len(self.places) > 1 or self.app.out.json:
            self.app.out.emit(summary)
        self._write_files(summary)
        if not self.failures.count:
            self.state.remove()
        else:
            self._tell_how_to_resume()
        if finding := _finding(summary, self.wish, self.failures.count):
            raise finding
        if self.last:
            raise self.last if len(self.places) == 1 else self.failures.sum_of(len(self.places))
        if not summary.complete:
            raise PartialError("this audit is not complete: there may be more than it tells of")

    def _write_files(self, summary: AuditSummary) -> None:
        from mcpy.cli.documents import write_text
        from mcpy.commands.encrypt.audit_csv import counts
        from mcpy.commands.encrypt.audit_page import page

        if name := self.options["csv_file"]:
            write_text(name, counts(summary))
        if name := self.options["html_file"]:
            write_text(name, page(summary))


def _finding(summary: AuditSummary, wish: Wish, failed: int) -> McpyError | None:
    """Return what violates the requirement, or could not be opened; None where nothing is so."""
    tally = summary.tally
    total = tally.total().number
    if tally.violations and wish.requirement:
        message, kind = are(tally.violations, "version", of=total), "violations"
        message += f" not {wish.requirement.words}"
        if tally.hidden:
            message += f" ({tally.hidden:,} of them unknown or unreadable)"
    elif tally.unreadable and wish.open:
        message, kind = are(tally.unreadable, "version", of=total), "unreadable"
        message += " unreadable"
    else:
        return None
    if failed:
        message += f", and {failed} of {len(summary.targets)} targets could not be audited"
    return FindingError(message, hint=f"--list {kind} names them all")
