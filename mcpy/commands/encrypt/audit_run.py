"""One run of ``encrypt audit``: target after target, its files, and what its exit code says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcpy.cli.many import Failures
from mcpy.cli.sizes import are
from mcpy.commands.encrypt.audit_report import AuditSummary, TargetReport, VersionLine
from mcpy.errors import FindingError, Interrupted, McpyError, PartialError, UnreachableError

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.commands.encrypt.audit_list import VersionList
    from mcpy.fleet.audit import AuditedTarget, AuditState, Requirement, Watch, Wish
    from mcpy.fleet.inventory import Item
    from mcpy.models import Target

_HIDDEN = {"unknown", "unreadable"}


@dataclass
class AuditRun:
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
            "list": sorted(set(self.options["listed"])) if self._has_files else [],
        }
        resume = self.options["resume"]
        self.state: AuditState = AuditState(
            self.places, question, Path(resume) if resume else None
        )
        self.list = self._opened() if question["list"] else None

    @property
    def _has_files(self) -> bool:
        return bool(self.options["csv_file"] or self.options["html_file"])

    def _opened(self) -> VersionList:
        from mcpy.commands.encrypt.audit_list import VersionList

        path = self.state.path and Path(f"{self.state.path}.list")
        found = VersionList(path, [one.listed for one in self.state.targets])
        self.app.at_end(found.close)
        return found

    def all(self) -> None:
        """Audit target after target; what one lacks does not stop the others."""
        for number, audited in enumerate(self.state.targets):
            if not audited.done:
                self._one(number, audited)
            self.app.out.emit(TargetReport(audited, self.wish, aligned=self.app.out.tables))

    def _one(self, number: int, audited: AuditedTarget) -> None:
        alias = audited.target.alias
        if alias in self.gone:
            audited.problem = f"not looked at: {self.gone[alias].message}"
            self.failures.add(self.gone[alias])
            return
        try:
            self._audit(number, audited)
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
            self._keep(audited, now=True)

    def _keep(self, audited: AuditedTarget, *, now: bool = False) -> None:
        if self.list:
            self.list.flush()
        self.state.keep(audited, now=now)

    def _audit(self, number: int, audited: AuditedTarget) -> None:
        from mcpy.fleet.audit import Watch, audit_target
        from mcpy.fleet.parallel import Stop

        app, s3 = self.app, self.app.s3(audited.target.alias)
        with app.out.counting(str(audited.target), total=self._expected(audited)) as advance:

            def see(item: Item, violates: bool) -> None:
                advance(1)
                if self._is_listed(item, violates=violates):
                    self._put(number, audited, VersionLine(audited.target, item, violates))

            watch: Watch = Watch(see, lambda: self._keep(audited), app.out.warn)
            audit_target(s3, audited, self.wish, watch=watch, stop=Stop(), cut=app.cut)

    def _put(self, number: int, audited: AuditedTarget, line: VersionLine) -> None:
        self.app.out.emit(line)
        if self.list:
            self.list.add(number, line.data())
            audited.listed += 1

    def _is_listed(self, item: Item, *, violates: bool) -> bool:
        listed = self.options["listed"]
        if not listed or "all" in listed or item.state in listed:
            return bool(listed)
        bad = violates or (item.state in _HIDDEN and not self.wish.requirement)
        return bad and "violations" in listed

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
            if self.list:
                self.list.remove()
        else:
            self._tell_how_to_resume()
        if finding := _finding(summary, self.wish, self.failures.count):
            raise finding
        if self.last:
            raise self.last if len(self.places) == 1 else self.failures.sum_of(len(self.places))
        if not summary.complete:
            raise PartialError("this audit is not complete: there may be more than it tells of")

    def _write_files(self, summary: AuditSummary) -> None:
        from mcpy.cli.documents import write_long

        if name := self.options["csv_file"]:
            from mcpy.commands.encrypt.audit_csv import rows

            write_long(name, rows(summary, self.list))
        if name := self.options["html_file"]:
            from mcpy.commands.encrypt.audit_page import page

            write_long(name, page(summary, self.list))


def _finding(summary: AuditSummary, wish: Wish, failed: int) -> McpyError | None:
    """Return what violates the requirement, or could not be opened; None where nothing is so."""
    tally = summary.tally
    total = tally.total().number
    if tally.violations and wish.requirement:
        message, kind = are(tally.violations, "version", of=total), "violations"
        shown = "shown to be " if tally.hidden == tally.violations else ""
        message += f" not {shown}{wish.requirement.words}"
        if tally.hidden:
            message += f" ({tally.hidden:,} of them unknown or unreadable)"
    elif tally.unreadable and wish.open:
        message, kind = are(tally.unreadable, "version", of=total), "unreadable"
        message += " unreadable"
    else:
        return None
    if failed:
        message += f", and {failed} of {len(summary.targets)} targets could not be audited"
    return FindingError(message, hint=_hint(summary, kind))


def _hint(summary: AuditSummary, kind: str) -> str:
    """Return what names the versions; where they may merely not be seen, the right that is due."""
    tally = summary.tally
    named = [item for one in summary.targets for item in one.tally.named]
    denied = all(item.state == "unknown" and "s3:GetObject" in item.why for item in named)
    if named and denied and tally.number_of("unknown") == tally.violations:
        return "s3:GetObject, and s3:GetObjectVersion for older versions, let them be seen"
    return f"--list {kind} names them all"
