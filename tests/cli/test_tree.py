"""What holds for every command of the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from mcpy import __version__
from mcpy.__main__ import cli
from mcpy.cli.base import Command, Group
from mcpy.cli.options import GLOBAL_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Mcpy


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every command and group below ``group``."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        yield (*path, name)
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))


def find(path: tuple[str, ...]) -> click.Command:
    found: click.Command = cli
    for name in path:
        assert isinstance(found, click.Group)
        below = found.get_command(click.Context(found), name)
        assert below is not None
        found = below
    return found


TREE = sorted(commands(cli))


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_every_command_takes_the_global_options(path: tuple[str, ...]) -> None:
    found = find(path)
    assert isinstance(found, Command | Group)
    given = found.get_params(click.Context(found, info_name=path[-1]))
    assert set(GLOBAL_OPTIONS) <= set(given)


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_every_command_explains_itself(mcpy: Mcpy, path: tuple[str, ...]) -> None:
    result = mcpy(*path, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: mcpy {' '.join(path)} ")
    assert find(path).help


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_no_option_of_a_command_hides_a_global_one(path: tuple[str, ...]) -> None:
    found = find(path)
    names = {name for option in GLOBAL_OPTIONS for name in option.opts}
    own = {
        name for param in found.params if isinstance(param, click.Option) for name in param.opts
    }
    assert not own & names


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_an_option_nobody_knows_is_a_usage_error(mcpy: Mcpy, path: tuple[str, ...]) -> None:
    result = mcpy(*path, "--no-such-option")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no such option '--no-such-option'" in result.stderr
    assert result.stderr.count("\n") == 2


@pytest.mark.parametrize(
    "path", [path for path in TREE if isinstance(find(path), click.Group)], ids=" ".join
)
def test_the_lazy_help_of_a_group_is_true_of_its_commands(path: tuple[str, ...]) -> None:
    group = find(path)
    assert isinstance(group, Group)
    for name, (_, _, text) in group.lazy.items():
        assert find((*path, name)).help
        assert text.endswith(".")


def test_an_unknown_command_is_a_usage_error(mcpy: Mcpy) -> None:
    result = mcpy("encript")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "mcpy: error: no such command 'encript'. Did you mean 'encrypt'?\n"
        "mcpy: hint: mcpy --help\n"
    )


def test_a_command_that_is_like_no_other_is_answered_with_the_help(mcpy: Mcpy) -> None:
    result = mcpy("encrypt", "xyzzy")
    assert result == (
        2,
        "",
        "mcpy: error: no such command 'xyzzy'\nmcpy: hint: mcpy encrypt --help\n",
    )


def test_a_group_without_a_command_shows_its_help(mcpy: Mcpy) -> None:
    result = mcpy("encrypt")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: mcpy encrypt" in result.stderr


def test_the_version_is_told(mcpy: Mcpy) -> None:
    assert mcpy("--version") == (0, f"mcpy {__version__}\n", "")


@pytest.mark.parametrize(
    ("name", "words"),
    [("anonymous", "mcpy administers encryption"), ("pipe", "use `mcpy cp - TARGET`")],
)
def test_what_else_mc_can_do_is_said_not_to_be_here(mcpy: Mcpy, name: str, words: str) -> None:
    assert mcpy(name, "set", "public", "play/b") == (
        2,
        "",
        f"mcpy: error: mc's command '{name}' is not here: {words}\nmcpy: hint: mcpy --help\n",
    )
    assert name not in cli.list_commands(click.Context(cli))
