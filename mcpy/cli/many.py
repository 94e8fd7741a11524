"""Doing one thing to several: each is reported by itself, and the exit code tells the sum."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcpy.cli.params import is_pattern
from mcpy.errors import (
    DeclinedError,
    ExitCode,
    InputError,
    Interrupted,
    McpyError,
    NotFoundError,
    PartialError,
    exit_code,
)
from mcpy.models import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from mcpy.cli.app import App
    from mcpy.cli.output import Result

T = TypeVar("T")
R = TypeVar("R", bound="Result")
V = TypeVar("V")
F = TypeVar("F", bound="Callable[..., Any]")
JOBS = 4
_AHEAD = 1000  # a page of a listing


def jobs_option(command: Any) -> Any:  # noqa: ANN401 - click's decorators take and give anything
    """Add ``--jobs``, and mc's name for it."""
    return jobs_of("Targets")(command)


def jobs_of(what: str, jobs: int = JOBS) -> Callable[[F], F]:
    """Return what adds ``--jobs``, where it counts something else than targets."""
    return click.option(
        "--jobs",
        "--max-workers",
        type=click.IntRange(1, 64),
        default=jobs,
        metavar="N",
        help=f"{what} at a time. [{jobs}]",
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
    act: Callable[[T], R],
    *,
    data: bool = False,
    jobs: int = 1,
    then: Callable[[T, R], None] = lambda _, __: None,
) -> None:
    """Call ``act`` on each item and report what it did; one failure does not stop the rest.

    With ``data`` the reports are what was asked for, and ``--quiet`` does not silence them. With
    ``jobs`` some are done at a time; the reports come in the order of the items all the same.
    ``then`` is called after each report, and may raise what fails the item in spite of it.

    Raises:
        McpyError: the one item's own error, or, of several, PartialError when some failed, and an
            error with their common exit code (else 1) when all did.
    """
    report = app.out.emit if data else app.out.done
    if len(items) == 1:
        done = act(items[0])
        report(done)
        then(items[0], done)
        return
    failures: list[McpyError] = []

    def failed(error: McpyError) -> None:
        app.out.error(error, kind="error")
        failures.append(error)

    def tell(item: T, outcome: R | McpyError) -> None:
        if isinstance(outcome, McpyError):
            failed(outcome)
            return
        report(outcome)
        try:
            then(item, outcome)
        except McpyError as e:
            failed(e)

    from mcpy.fleet.parallel import Stop, each

    each(items, act, tell, jobs=min(jobs, max(1, len(items))), stop=Stop(), cut=app.cut)
    if failures:
        raise sum_of(failures, len(items))


def streams(
    app: App, items: Sequence[T], act: Callable[[T], Iterable[V]], *, jobs: int
) -> Generator[V | McpyError]:
    """Yield what ``act`` gives for each item, in the order of the items, some items at a time.

    An item that waits for its turn is a page ahead at most. What fails ends that item alone and
    stands in its place.

    Raises:
        McpyError: the one item's own.
    """
    from mcpy.fleet.parallel import Stop, outcomes

    if len(items) == 1:
        yield from act(items[0])
        return
    begun = outcomes(
        items,
        lambda item: _begun(act(item)),
        jobs=min(jobs, max(1, len(items))),
        stop=Stop(),
        cut=app.cut,
    )
    with closing(begun) as found:
        for _, stream in found:
            if isinstance(stream, McpyError):
                yield stream
                continue
            try:
                yield from stream
            except Interrupted:
                raise
            except McpyError as e:
                yield e


def _begun(stream: Iterable[V]) -> Iterator[V]:
    """Take a page of ``stream`` at once; a failure comes after what came before it."""
    source, first = iter(stream), list[V]()
    failure: McpyError | None = None
    try:
        for value in islice(source, _AHEAD):
            first.append(value)
    except McpyError as e:
        failure = e
    return _rest(first, failure, source)


def _rest(first: list[V], failure: McpyError | None, source: Iterator[V]) -> Iterator[V]:
    yield from first
    if failure:
        raise failure
    yield from source


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
