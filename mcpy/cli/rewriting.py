"""What ``encrypt objects`` and ``encrypt rotate`` share: work on one target after another."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mcpy.cli.headway import headway
from mcpy.cli.many import Failures, buckets_of
from mcpy.cli.rewritten import Line
from mcpy.errors import (
    ConfigError,
    ExitCode,
    InputError,
    Interrupted,
    McpyError,
    NotFoundError,
    PartialError,
    exit_code,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mcpy.cli.app import App
    from mcpy.cli.headway import Headway
    from mcpy.fleet.rewrite.goal import Goal, Outcome, Tally
    from mcpy.fleet.rewrite.session import Session
    from mcpy.models import ObjectEncryption, Target

_SAMPLES = 3


class Rewriting:
    """The rewriting of several targets by one command."""

    def __init__(self, app: App, options: Mapping[str, Any]) -> None:
        app.bulk()
        self.app = app
        self.options = options
        self._unsettled = self._scanned = 0
        self._failures = Failures()
        self._refused: list[Target] = []
        self._foreseen: McpyError | None = None
        self._targets: list[Target] = []

    def begin(self, targets: Sequence[Target], encryption: ObjectEncryption) -> list[Target]:
        """Return the targets one by one, once the key works and the journal can be written.

        Raises:
            InputError: there are several targets for one journal.
            McpyError: the key does not work, or no bucket matches.
        """
        from mcpy.fleet.default_encryption import check_key

        _check_journal(self.options["journal"])
        for alias in dict.fromkeys(target.alias for target in targets):
            if not check_key(self.app.admin(alias), encryption.key_id):
                note = f"`{alias}` cannot be asked whether its key works: it is tried out"
                self.app.out.note(note)
        self._targets = buckets_of(self.app, targets)
        if self.options["journal"] and len(self._targets) > 1:
            raise InputError("--journal is of one target, and there are several")
        return self._targets

    def one(self, target: Target, goal: Goal) -> tuple[Tally, str]:
        """Work on one target; return what became of it and where the journal is.

        Raises:
            McpyError: it could not be done to the end; what was done is told.
        """
        dry_run = self.options["dry_run"]
        with self.telling(target, goal) as session:
            tally = session.rehearse() if dry_run else session.run()
        self.looked_at(target, tally.scanned)
        self._unsettled += tally.unsettled
        self._scanned += tally.scanned
        return tally, "" if dry_run else str(session.journal_path)

    def looked_at(self, target: Target, count: int) -> None:
        """See that there was something.

        Raises:
            NotFoundError: it is a prefix, and there is nothing below it.
        """
        if target.key and not count:
            raise NotFoundError(f"there is nothing below `{target}`")

    @contextmanager
    def going_on(self, target: Target) -> Iterator[None]:
        """Let one refused target of several not end the run: ``finish`` sums them up."""
        self._foreseen = None
        try:
            yield
            if self._foreseen:
                raise self._foreseen
        except McpyError as e:
            if len(self._targets) == 1 or not _is_refused(e):
                raise
            self._refused.append(target)
            self._failures.add(e)
            e.message = f"`{target}` is not done: {e.message}"
            self.app.out.error(e, kind="error")

    @contextmanager
    def telling(self, target: Target, goal: Goal) -> Iterator[Session]:
        """Give the session for one target, which tells what it does; failures say how to go on."""
        from mcpy.fleet.rewrite.session import Told

        session = self.session(target, goal)
        with headway(self.app, session, str(target)) as advance:
            teller = _Teller(self.app, target, advance, self.options)
            session.told = Told(teller.outcome, advance.state, self.app.out.warn)
            try:
                yield session
                self._foreseen = session.foreseen
            except KeyboardInterrupt as e:
                raise _interrupted(Interrupted("interrupted"), session, teller) from e
            except Interrupted as e:
                raise _interrupted(e, session, teller) from e
            except McpyError as e:
                if not e.hint and session.working and not _is_refused(e):
                    e.hint = _go_on(session)
                raise

    def session(self, target: Target, goal: Goal) -> Session:
        """Return the session for one target, with nobody to tell yet."""
        from mcpy.api.s3 import S3
        from mcpy.fleet.rewrite.rate import Rate
        from mcpy.fleet.rewrite.session import Session, Wish

        options, app = self.options, self.app
        alias = app.alias(target.alias)
        patient = S3(alias, replace(app.http_options(alias.ca), idle_s=12 * 3600))
        app.at_end(patient.http.close)
        wish = Wish(
            jobs=options["jobs"],
            rate=options["max_rate"] or Rate(),
            whole=options["verify"] == "full",
            journal=options["journal"],
            journals=_journals(app),
            restart=options["restart"],
            canary_inside=options["canary_inside"],
            nobody_writes=options["nobody_writes"],
            copy_limit=options["copy_limit"] or 0,
        )
        return Session(app.s3(target.alias), patient, target, goal, wish, cut=app.cut)

    def finish(self) -> None:
        """Raise PartialError when something is not as wanted, or a target was not done."""
        if self._refused:
            error = self._failures.sum_of(len(self._targets))
            error.message = f"not done: {', '.join(f'`{target}`' for target in self._refused)}"
            raise error
        if self._unsettled:
            are = "is not" if self._unsettled == 1 else "are not"
            are = "would not be" if self.options["dry_run"] else are
            raise PartialError(f"{self._unsettled} of {self._scanned} {are} as wanted")


def _journals(app: App) -> Path:
    if app.settings.config_dir:
        return app.settings.config_dir / "journals"
    from platformdirs import user_state_path

    return user_state_path("mcpy", appauthor=False) / "journals"


def _check_journal(journal: Path | None) -> None:
    """See that a journal can be written before anybody is asked for anything.

    Raises:
        InputError: there is no folder for it.
        ConfigError: it cannot be written.
    """
    if journal is None:
        return
    if not journal.absolute().parent.is_dir():
        raise InputError(f"there is no folder for the journal `{journal}`")
    is_new = not journal.exists()
    try:
        os.close(os.open(journal, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600))
        if is_new:
            journal.unlink()
    except OSError as e:
        reason = (e.strerror or "").lower()
        raise ConfigError(f"cannot use the journal {journal}: {reason}") from e


def _is_refused(error: McpyError) -> bool:
    """Whether a server says no to one target, which another one need not meet."""
    codes = {ExitCode.DENIED, ExitCode.NOT_FOUND, ExitCode.UNSUPPORTED, ExitCode.USAGE}
    return exit_code(error) in codes


def _interrupted(error: Interrupted, session: Session, teller: _Teller) -> Interrupted:
    """Say how far it was, and how to go on."""
    if not session.working:
        error.message += f": nothing of `{session.target}` was touched"
        return error
    from mcpy.fleet.rewrite.goal import Class

    if session.elsewhere:
        error.message += f": a job of the server goes on with `{session.target}`"
        error.hint = session.elsewhere
        return error
    rewritten, seen = teller.count[Class.REWRITTEN], teller.count.total()
    error.message += f": {rewritten} rewritten of {seen} that were looked at in `{session.target}`"
    error.hint = _go_on(session)
    return error


def _go_on(session: Session) -> str:
    return f"the same command goes on where it was; the journal is {session.journal_path}"


class _Teller:
    """Writes the lines of single objects: of all with ``--list``, else of those not as wanted."""

    def __init__(
        self, app: App, target: Target, advance: Headway, options: Mapping[str, Any]
    ) -> None:
        self._app = app
        self._target = target
        self._advance = advance
        self._all = options["listed"]
        self._dry_run = options["dry_run"]
        self._samples = 0
        self.count: Counter[str] = Counter()

    def outcome(self, outcome: Outcome) -> None:
        """Take one outcome."""
        from mcpy.fleet.rewrite.goal import SETTLED, Class

        self._advance.one()
        self.count[outcome.kind] += 1
        line = Line(self._target, outcome, self._dry_run)
        sample = self._dry_run and outcome.kind is Class.REWRITTEN and self._samples < _SAMPLES
        self._samples += sample
        if self._all or sample:
            self._app.out.emit(line)
        elif outcome.kind not in SETTLED:
            if self._app.out.json:
                self._app.out.emit(line)
            else:
                self._app.out.warn(line.text())
