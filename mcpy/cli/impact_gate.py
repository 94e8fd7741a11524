"""The impact report that has to be there, and be answered, before a key goes away."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from mcpy.cli.impact import ImpactReport, measured, verdict_of
from mcpy.cli.params import ALIAS
from mcpy.errors import (
    ConfigError,
    DeclinedError,
    FindingError,
    InputError,
    Interrupted,
    McpyError,
    NotFoundError,
    exit_code,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mcpy.cli.app import App
    from mcpy.fleet.impact import Impact

IMPACT_ON = click.option(
    "--impact-on",
    type=ALIAS,
    multiple=True,
    metavar="ALIAS",
    help="Look there for what the key encrypted; may be given again.",
)


@dataclass(frozen=True)
class GateOptions:
    """What the command line says of the impact before a key goes away."""

    impact_on: tuple[str, ...] = ()
    impact_report: str | None = None
    impact_accepted: str | None = None
    never_default: bool = False
    without_impact: bool = False


def gate_options(command: Any) -> Any:  # noqa: ANN401 - click's decorators take and give anything
    """Add the options of GateOptions, as single arguments."""
    for option in reversed(
        (
            IMPACT_ON,
            click.option(
                "--impact-report",
                metavar="FILE",
                help="A report of `encrypt impact --save`, of the last hour.",
            ),
            click.option(
                "--impact-accepted",
                metavar="N",
                help="What the report counts, to go on all the same.",
            ),
            click.option(
                "--never-default",
                is_flag=True,
                help="The key never was a server's default: SSE-S3 objects do not need it.",
            ),
            click.option(
                "--without-impact", is_flag=True, help="Do not look for what the key encrypted."
            ),
        )
    ):
        command = option(command)
    return command


def require_impact(
    app: App,
    keys: Sequence[str],
    options: GateOptions,
    *,
    kes_server: str = "",
    again: Callable[[Sequence[str]], str],
) -> None:
    """Go on only when nothing depends on the keys, or the number that does was typed back.

    Args:
        app: the run of mcpy.
        keys: those that go away.
        options: what the command line says.
        kes_server: the KES that loses them; the aliases that use it are looked at.
        again: gives the command for some of the keys as it stands, for hints.

    Raises:
        InputError: nobody says where to look.
        FindingError: something depends on a key, and nobody accepts it.
        DeclinedError: the number typed is another one.
    """
    if options.without_impact:
        return

    def line(names: Sequence[str]) -> str:
        return " ".join([again(names), *as_typed(options)])

    reports = _reports(app, keys, options, kes_server, line(keys))
    _check_one_number(reports, options, line)
    for impact in reports:
        if impact.verdict == "none":
            app.out.note(verdict_of(impact))
            for limit in sorted({one.never_listed for one in impact.servers} - {""}):
                app.out.warn(f"not looked at: {limit}")
            continue
        _accept(app, impact, options, line([impact.key]))


def _check_one_number(
    reports: Sequence[Impact], options: GateOptions, line: Callable[[Sequence[str]], str]
) -> None:
    """Refuse one number for several keys: it would accept the loss under all it happens to fit."""
    needed = [impact for impact in reports if impact.verdict != "none"]
    if options.impact_accepted is None or len(needed) < 2:
        return
    names = ", ".join(f"`{impact.key}` ({impact.answer})" for impact in needed)
    raise InputError(
        f"--impact-accepted is the number of one key, and these have one each: {names}",
        hint=f"{line([needed[0].key])} --impact-accepted {needed[0].answer}",
    )


def as_typed(options: GateOptions) -> Iterator[str]:
    """Yield what was said of where to look, for a command that can be pasted."""
    for alias in options.impact_on:
        yield f"--impact-on {alias}"
    if options.impact_report:
        yield f"--impact-report {shlex.quote(options.impact_report)}"
    if options.never_default:
        yield "--never-default"


def _reports(
    app: App, keys: Sequence[str], options: GateOptions, kes_server: str, again: str
) -> list[Impact]:
    if options.impact_report:
        needed = {*options.impact_on, *aliases_of(app, kes_server)}
        return [_from_file(app, key, Path(options.impact_report), needed) for key in keys]
    aliases = list(dict.fromkeys((*options.impact_on, *aliases_of(app, kes_server))))
    if not aliases:
        listed = ", ".join(f"`{key}`" for key in keys)
        raise InputError(
            f"nobody looked for what {listed} encrypted, and no alias says where to look",
            hint=f"{again} --impact-on ALIAS",
        )
    try:
        return measured(app, keys, aliases, never_default=options.never_default)
    except Interrupted:
        raise
    except McpyError as e:
        message = f"what it encrypted could not be looked for, so nothing was done: {e.message}"
        error = McpyError(message, hint=e.hint)
        error.code = exit_code(e)
        raise error from e


def _from_file(app: App, key: str, path: Path, needed: set[str]) -> Impact:
    from mcpy.fleet.impact.report import load

    found = next((one for one in load(path) if one.key == key), None)
    hint = f"mcpy encrypt impact {key} {' '.join(sorted(needed)) or 'ALIAS'} --save {path}"
    if found is None:
        raise NotFoundError(f"{path} does not tell of `{key}`", hint=hint)
    if not found.is_fresh(datetime.now(UTC)):
        raise ConfigError(f"{path} was made at {found.created}: more than an hour ago", hint=hint)
    covered = {one.url.rstrip("/") for one in found.servers}
    left_out = sorted(one for one in needed if app.alias(one).url.rstrip("/") not in covered)
    names = ", ".join(f"{one.alias} ({one.url})" for one in found.servers) or "no server"
    if left_out:
        raise ConfigError(f"{path} tells of {names}, and not of {', '.join(left_out)}", hint=hint)
    app.out.note(f"{path} tells of {names}.")
    return found


def aliases_of(app: App, kes_server: str) -> list[str]:
    """Return the aliases whose KES is this one."""
    where = _places(kes_server)
    return [
        alias.name
        for alias in app.store.all()
        if alias.kes and not where.isdisjoint(_places(alias.kes.server))
    ]


def _places(servers: str) -> set[str]:
    """Return host and port of each; none where KES could not be called there at all."""
    from mcpy.api.kes import endpoints

    try:
        parts = [urlsplit(url) for url in endpoints(servers)]
    except ConfigError:
        return set()
    return {f"{part.hostname}:{part.port or 7373}" for part in parts}


def _accept(app: App, impact: Impact, options: GateOptions, again: str) -> None:
    for line in ImpactReport(impact).text().splitlines():
        app.out.warn(line)
    given = options.impact_accepted
    if given is None and app.stdin.isatty() and app.out.stderr.isatty():
        words = f"Type {impact.answer} to go on and lose them"
        given = click.prompt(words, err=True, default="", show_default=False)
        if given.strip() != impact.answer:
            raise DeclinedError
    if given is None or given.strip() != impact.answer:
        verdict = verdict_of(impact)
        raise FindingError(
            f"the key stays: {verdict[:1].lower()}{verdict[1:].rstrip('.')}; "
            f"--impact-accepted {impact.answer} would lose that for ever",
            hint=f"{again} --impact-accepted {impact.answer}",
        )
