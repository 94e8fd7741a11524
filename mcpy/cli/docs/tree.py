"""The command tree as plain values: what a man page or a completion script needs of click."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from mcpy.cli.options import GLOBAL_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

# a word of a metavar, and what the shell can offer for it
_KINDS = {
    "ALIAS": "alias",
    "TARGET": "target",
    "SOURCE": "target file",
    "FILE": "file",
    "CERTIFICATE": "file",
    "DIR": "folder",
    "DIRECTORY": "folder",
}
# as an argument it is the beginning of a key's or policy's name
_OPTION_KINDS = _KINDS | {"PREFIX": "target"}


@dataclass(frozen=True)
class Value:
    """What an argument or option takes.

    Attributes:
        metavar: as shown to people.
        choices: every value there is, or none when there are too many.
        kinds: of ``alias``, ``target``, ``file``, ``folder``: where values can be looked up.
    """

    metavar: str
    choices: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Option:
    """One option; ``value`` is None for a flag."""

    names: tuple[str, ...]
    help: str
    value: Value | None = None
    may_repeat: bool = False
    optional_value: bool = False


@dataclass(frozen=True)
class Argument:
    """One positional argument; ``may_repeat`` holds for the last one only."""

    value: Value
    required: bool
    may_repeat: bool


@dataclass(frozen=True)
class Node:
    """A command or a group, with all that lies below it."""

    path: tuple[str, ...]
    short_help: str
    paragraphs: tuple[str, ...]
    usage: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    children: tuple[Node, ...]

    @property
    def words(self) -> str:
        """The path as it is typed: ``mcpy encrypt set``."""
        return " ".join(self.path)

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def commands(self) -> Iterator[Node]:
        """Yield what can be run: the nodes without children."""
        return (node for node in self.walk() if not node.children)


def read(command: click.Command, name: str, parent: click.Context | None = None) -> Node:
    """Return the tree from ``command`` down, importing every lazy group."""
    ctx = click.Context(command, parent, info_name=name, **command.context_settings)
    params = click.Command.get_params(command, ctx)
    own = [p for p in params if isinstance(p, click.Option) and not p.hidden]
    children: list[Node] = []
    if isinstance(command, click.Group):
        for child_name in command.list_commands(ctx):
            child = command.get_command(ctx, child_name)
            if child and not child.hidden:
                children.append(read(child, child_name, ctx))
    return Node(
        path=tuple(ctx.command_path.split()),
        short_help=command.get_short_help_str(limit=200),
        paragraphs=_paragraphs(command.help or ""),
        usage=_usage(ctx),
        options=tuple(_option(option, ctx) for option in own),
        arguments=tuple(_argument(p, ctx) for p in params if isinstance(p, click.Argument)),
        children=tuple(children),
    )


def global_options() -> tuple[Option, ...]:
    """Return the options that may stand anywhere on the line."""
    ctx = click.Context(click.Command("mcpy"))
    return tuple(_option(option, ctx) for option in GLOBAL_OPTIONS)


def _paragraphs(text: str) -> tuple[str, ...]:
    blocks = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return tuple(" ".join(block.split()) for block in blocks if block)


def _usage(ctx: click.Context) -> str:
    """Return what follows the name in ``Usage:``, without ``[OPTIONS]`` where there are none."""
    return " ".join(ctx.command.collect_usage_pieces(ctx))


def _option(option: click.Option, ctx: click.Context) -> Option:
    return Option(
        names=tuple(sorted((*option.opts, *option.secondary_opts), key=_long_last)),
        help=_help(option, ctx),
        value=None if option.is_flag else _value(option, ctx),
        may_repeat=option.multiple,
        # click has no public name for "the value may be left out"
        optional_value=not option.is_flag and option._flag_needs_value,
    )


def _help(option: click.Option, ctx: click.Context) -> str:
    """Return the help with what click adds, such as the default."""
    record = option.get_help_record(ctx)
    return " ".join(record[1].split()) if record else ""


def _argument(argument: click.Argument, ctx: click.Context) -> Argument:
    return Argument(
        value=_value(argument, ctx),
        required=argument.required,
        may_repeat=argument.nargs == -1,
    )


def _value(param: click.Parameter, ctx: click.Context) -> Value:
    metavar = param.metavar or param.make_metavar(ctx)
    if isinstance(param.type, click.Choice):
        return Value(metavar, choices=tuple(str(choice) for choice in param.type.choices))
    known = _OPTION_KINDS if isinstance(param, click.Option) else _KINDS
    words = re.findall(r"[A-Z]+", f"{metavar} {param.type.name}")
    kinds = {kind for word in words for kind in known.get(word, "").split()}
    if not kinds and isinstance(param.type, click.Path):
        kinds = {"file" if param.type.file_okay else "folder"}
    return Value(metavar, kinds=frozenset(kinds))


def _long_last(name: str) -> tuple[bool, str]:
    return name.startswith("--"), name
