"""What ``encrypt objects`` and ``encrypt rotate`` share: options, and the work on one target."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.headway import headway
from mcpy.cli.many import jobs_option
from mcpy.cli.params import Parsed
from mcpy.cli.rewritten import Line
from mcpy.errors import InputError, McpyError, NotFoundError, PartialError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mcpy.cli.app import App
    from mcpy.cli.headway import Headway
    from mcpy.fleet.rewrite.goal import Goal, Outcome, Tally
    from mcpy.fleet.rewrite.rate import Rate
    from mcpy.fleet.rewrite.session import Session
    from mcpy.models import ObjectEncryption, Target

_SAMPLES = 3


def _rate(text: str) -> Rate:
    from mcpy.fleet.rewrite.rate import parse_rate

    return parse_rate(text)


def _size(text: str) -> int:
    from mcpy.fleet.rewrite.rate import parse_size

    return parse_size(text)


_FILE = click.Path(path_type=Path, dir_okay=False)
_OPTIONS = (
    click.option("--dry-run", is_flag=True, help="Only say what would be rewritten."),
    click.option(
        "--list", "listed", is_flag=True, help="A line for every object, not only failures."
    ),
    click.option(
        "--verify",
        type=click.Choice(["quick", "full"]),
        default="quick",
        help="Compare the first and last 64 KiB of each object, or all of it. [quick]",
    ),
    click.option(
        "--max-rate", type=Parsed("RATE", _rate), help="At most 50/s objects, or 20MiB/s."
    ),
    click.option(
        "--journal",
        type=_FILE,
        metavar="FILE",
        help="Where to note what is done. [a file by itself]",
    ),
    click.option("--restart", is_flag=True, help="Do not go on with an interrupted run."),
    click.option(
        "--canary-inside",
        is_flag=True,
        help="Try out below .mcpy-canary/ in the bucket itself, where none can be made.",
    ),
    click.option(
        "--nobody-writes",
        is_flag=True,
        help="Accept a server that cannot tell whether an object changed meanwhile.",
    ),
    click.option(
        "--copy-limit",
        type=Parsed("SIZE", _size),
        help="Larger objects are copied in parts. [5TiB on MinIO, else 5GiB]",
    ),
)


def rewriting_options(command: Any) -> Any:  # noqa: ANN401 - click's decorators take and give anything
    """Add the options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return jobs_option(command)


class Rewriting:
    """The rewriting of several targets by one command."""

    def __init__(self, app: App, options: Mapping[str, Any]) -> None:
        app.bulk()
        self.app = app
        self.options = options
        self._unsettled = self._scanned = 0
        self._refused: list[Target] = []
        self._empty: list[Target] = []
        journal = options["journal"]
        if journal and not journal.absolute().parent.is_dir():
            raise InputError(f"there is no folder for the journal `{journal}`")

    def check_key(self, alias: str, encryption: ObjectEncryption) -> None:
        """See that the key works before anything is touched."""
        from mcpy.fleet.default_encryption import check_key

        if not check_key(self.app.admin(alias), encryption.key_id):
            self.app.out.note(f"`{alias}` cannot be asked whether its key works: it is tried out")

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
        """Remember a prefix below which there was nothing."""
        if target.key and not count:
            self._empty.append(target)

    @contextmanager
    def going_on(self, target: Target, count: int) -> Iterator[None]:
        """Let one refused target of several not end the run: ``finish`` names it."""
        try:
            yield
        except UnsupportedError as e:
            if count == 1:
                raise
            self._refused.append(target)
            self.app.out.warn(f"`{target}` is not done: {e.message}; {e.hint or ''}".rstrip("; "))

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
            except McpyError as e:
                if not e.hint and session.working:
                    e.hint = _go_on(session)
                raise
            except KeyboardInterrupt:
                if session.working:
                    self.app.out.note(_go_on(session))
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
        """Raise PartialError when something is not as wanted, or a target was not done.

        Raises:
            NotFoundError: there is nothing at all below a prefix.
        """
        if self._refused:
            raise PartialError(f"not done: {', '.join(f'`{target}`' for target in self._refused)}")
        if self._unsettled and not self.options["dry_run"]:
            raise PartialError(f"{self._unsettled} of {self._scanned} are not as wanted")
        if self._empty:
            raise NotFoundError(f"there is nothing below `{self._empty[0]}`")


def _journals(app: App) -> Path:
    if app.settings.config_dir:
        return app.settings.config_dir / "journals"
    from platformdirs import user_state_path

    return user_state_path("mcpy", appauthor=False) / "journals"


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

    def outcome(self, outcome: Outcome) -> None:
        """Take one outcome."""
        from mcpy.fleet.rewrite.goal import SETTLED, Class

        self._advance.one()
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
