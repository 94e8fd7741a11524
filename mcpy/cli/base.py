"""click with two additions: lazy groups, and options that may stand anywhere on the line.

A lazy group imports a command only when it is named; global options stand anywhere, as in ``mc``.
Nothing here imports httpx, rich, cryptography or ssl: ``--help`` and completion stay quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from mcpy import __version__
from mcpy.cli.options import ACCEPTED_OPTIONS, GLOBAL_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping


def _show_help(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        ctx.find_root().obj.out.lines(ctx.get_help())
        ctx.exit()


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        ctx.find_root().obj.out.lines(f"mcpy {__version__}")
        ctx.exit()


version_option = click.option(
    "-v",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)


class _WithGlobalOptions(click.Command):
    """Adds the global options; below the root they are left out of ``--help``'s list."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own parameters and the global ones."""
        return [*super().get_params(ctx), *GLOBAL_OPTIONS, *ACCEPTED_OPTIONS]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line, options written as mc takes them too."""
        from mcpy.cli.spelling import as_click_reads

        def off(option: click.Option) -> None:
            if option in GLOBAL_OPTIONS:  # it may be on in the environment
                setattr(ctx.find_root().obj.settings, option.name or "", False)

        leaf = not isinstance(self, click.Group)
        words = as_click_reads(args, self.get_params(ctx), off, interspersed=leaf)
        return super().parse_args(ctx, words)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return click's option, which writes as everything else does."""
        option = super().get_help_option(ctx)
        if option:
            option.callback = _show_help
        return option

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write own options in full and name the global ones in one paragraph."""
        own = [p for p in super().get_params(ctx) if isinstance(p, click.Option)]
        records = [record for p in own if (record := p.get_help_record(ctx))]
        if records:
            with formatter.section("Options"):
                formatter.write_dl(records)
        shared = [r for p in GLOBAL_OPTIONS if (r := p.get_help_record(ctx))]
        with formatter.section("Global options, anywhere on the line"):
            if ctx.parent is None:
                formatter.write_dl(shared)
            else:
                names = [max(p.opts, key=len) for p in GLOBAL_OPTIONS]
                formatter.write_text(" ".join(names) + " (see mcpy --help)")


class Command(_WithGlobalOptions):
    """A command that takes the global options too."""


class Group(_WithGlobalOptions, click.Group):
    """A group of commands.

    ``lazy`` maps names to ``(module, attribute, one-line help)``, ``short`` mc's short names to
    the names that are listed, ``elsewhere`` names of mc that are not here to what to say of them.
    """

    command_class = Command

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - passed on to click
        lazy: Mapping[str, tuple[str, str, str]] | None = None,
        short: Mapping[str, str] | None = None,
        elsewhere: Mapping[str, str] | None = None,
        **kwargs: Any,  # noqa: ANN401 - passed on to click
    ) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy or {})
        self.short = dict(short or {})
        self.elsewhere = dict(elsewhere or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every name in the order given, imported or not."""
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, importing it when it is lazy."""
        cmd_name = self.short.get(cmd_name, cmd_name)
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, attribute, _ = self.lazy[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command; for one that is not there, say which is spelled alike."""
        name = args[0]
        if not name.startswith("-") and not self.get_command(ctx, name):
            from difflib import get_close_matches

            if name in self.elsewhere:
                ctx.fail(f"mc's command {name!r} is not here: {self.elsewhere[name]}.")
            near = get_close_matches(name, self.list_commands(ctx), n=1)
            ctx.fail(
                f"No such command {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
            )
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, then the options."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write names and help without importing lazy commands."""
        rows = []
        for name in self.list_commands(ctx):
            if name in self.lazy:
                rows.append((name, self.lazy[name][2]))
            elif (command := self.get_command(ctx, name)) and not command.hidden:
                rows.append((name, command.get_short_help_str(limit=200)))
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


Group.group_class = Group
