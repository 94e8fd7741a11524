"""Doing one thing to several: each is reported by itself, and the exit code tells the sum."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcpy.cli.params import is_pattern
from mcpy.errors import (
    DeclinedError,
    ExitCode,
    InputError,
    McpyError,
    NotFoundError,
    PartialError,
    exit_code,
)
from mcpy.models import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mcpy.cli.app import App
    from mcpy.cli.output import Result

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any]")
JOBS = 4


def jobs_option(command: Any) -> Any:  # noqa: ANN401 - click's decorators take and give anything
    """Add ``--jobs``, and mc's name for it."""
    return jobs_of("Targets")(command)


def jobs_of(what: str) -> Callable[[F], F]:
    """Return what adds ``--jobs``, where it counts something else than targets."""
    return click.option(
        "--jobs",
        "--max-workers",
        type=click.IntRange(1, 64),
        default=JOBS,
        metavar="N",
        help=f"{what} at a time. [{JOBS}]",
    )


def buckets_of(app: App, targets: Iterable[Target]) -> list[Target]:
    """Put the buckets that are there in the place of ``ALIAS/PATTERN``.

    Raises:
        NotFoundError: no bucket matches a pattern.
    """
    found: list[Target] = []
    for target in targets:
        if not is_pattern(target.bucket):
            found.append(target)
            continue
        names = [bucket.name for bucket in app.s3(target.alias).list_buckets()]
        matching = [name for name in names if fnmatchcase(name, target.bucket)]
        if not matching:
            hint = f"mcpy ls {target.alias}"
            raise NotFoundError(f"no bucket matches `{target.alias}/{target.bucket}`", hint=hint)
        found += [Target(target.alias, name, target.key) for name in matching]
    return list(dict.fromkeys(found))


def for_each(
    app: App,
    items: Sequence[T],
    act: Callable[[T], Result],
    *,
    data: bool = False,
    jobs: int = 1,
) -> None:
    """Call ``act`` on each item and report what it did; one failure does not stop the rest.

    With ``data`` the reports are what was asked for, and ``--quiet`` does not silence them. With
    ``jobs`` some are done at a time; the reports come in the order of the items all the same.

    Raises:
        McpyError: the one item's own error, or, of several, PartialError when some failed, and an
            error with their common exit code (else 1) when all did.
    """
    report = app.out.emit if data else app.out.done
    if len(items) == 1:
        report(act(items[0]))
        return
    failures: list[McpyError] = []

    def tell(_: T, outcome: Result | McpyError) -> None:
        if isinstance(outcome, McpyError):
            app.out.error(outcome, kind="error")
            failures.append(outcome)
        else:
            report(outcome)

    from mcpy.fleet.parallel import Stop, each

    each(items, act, tell, jobs=min(jobs, max(1, len(items))), stop=Stop(), cut=app.cut)
    if failures:
        raise sum_of(failures, len(items))


@dataclass
class Failures:
    """How many failed and with which exit codes: the errors of a million objects are not kept."""

    count: int = 0
    codes: set[int] = field(default_factory=set)

    def add(self, error: McpyError) -> None:
        """Count one."""
        self.count += 1
        self.codes.add(exit_code(error))

    def sum_of(self, total: int) -> McpyError:
        """Return the error that stands for them, of ``total``."""
        if self.count < total:
            return PartialError(f"{self.count} of {total} failed")
        error = McpyError(f"all {total} failed")
        if len(self.codes) == 1:
            error.code = ExitCode(next(iter(self.codes)))
        return error


def sum_of(failures: list[McpyError], total: int) -> McpyError:
    """Return the error that stands for ``failures`` of ``total``."""
    counted = Failures()
    for failure in failures:
        counted.add(failure)
    return counted.sum_of(total)


def check_askable(app: App, question: str, *, yes: bool, hint: str) -> None:
    """See before the work whether ``confirm`` could ask.

    Raises:
        InputError: nobody can be asked.
    """
    if not yes and not (app.stdin.isatty() and app.out.stderr.isatty()):
        raise InputError(f"there is no terminal to ask on: {question}", hint=hint)


def confirm(app: App, question: str, *, yes: bool, hint: str) -> None:
    """Ask on a terminal; without one, ``--yes`` must have answered.

    Raises:
        InputError: nobody can be asked.
        DeclinedError: the answer is no.
    """
    check_askable(app, question, yes=yes, hint=hint)
    if yes:
        return
    if not click.confirm(question, err=True):
        raise DeclinedError
