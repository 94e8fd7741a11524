"""Doing one thing to several: each is reported by itself, and the exit code tells the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mcpy.errors import Interrupted, McpyError, PartialError, exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mcpy.cli.app import App
    from mcpy.cli.output import Result

T = TypeVar("T")


def for_each(
    app: App, items: Sequence[T], act: Callable[[T], Result], *, data: bool = False
) -> None:
    """Call ``act`` on each item and report what it did; one failure does not stop the rest.

    With ``data`` the reports are what was asked for, and ``--quiet`` does not silence them.

    Raises:
        McpyError: the one item's own error, or, of several, PartialError when some failed, and an
            error with their common exit code (else 1) when all did.
    """
    report = app.out.emit if data else app.out.done
    if len(items) == 1:
        report(act(items[0]))
        return
    failures: list[McpyError] = []
    for item in items:
        try:
            report(act(item))
        except Interrupted:
            raise
        except McpyError as error:
            app.out.error(error, kind="error")
            failures.append(error)
    if failures:
        raise _sum(failures, len(items))


def _sum(failures: list[McpyError], total: int) -> McpyError:
    if len(failures) < total:
        return PartialError(f"{len(failures)} of {total} failed")
    error = McpyError(f"all {total} failed")
    codes = {exit_code(failure) for failure in failures}
    if len(codes) == 1:
        error.code = codes.pop()
    return error


def confirm(app: App, question: str, *, yes: bool, hint: str) -> None:
    """Ask on a terminal; without one, ``--yes`` must have answered.

    Raises:
        InputError: nobody can be asked.
        Interrupted: the answer is no.
    """
    from mcpy.errors import InputError

    if yes:
        return
    if not (app.stdin.isatty() and app.out.stderr.isatty()):
        raise InputError(f"{question} Nobody can be asked here", hint=hint)
    import click

    if not click.confirm(question, err=True):
        raise Interrupted("nothing was done")
