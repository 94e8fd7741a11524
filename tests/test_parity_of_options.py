"""Every option, short name and variable of mc and kes is here, or in a table with its reason.

``tests/data/peers/options.json`` holds what the last public mc and kes list in their help, and
what their sources hide there.
"""

from __future__ import annotations

import json
from typing import Any

import click
import pytest

from mcpy.__main__ import cli
from mcpy.cli.docs import facts
from mcpy.cli.options import GLOBAL_OPTIONS, variable_names
from tests.recordings import DATA
from tests.shapes import PAGE, Difference, table

PEERS: dict[str, Any] = json.loads((DATA / "peers/options.json").read_text("utf-8"))
COMMANDS = [(program, line) for program in ("mc", "kes") for line in PEERS[program]]


def find(program: str, line: str) -> click.Command:
    """Return our command for one of theirs; kes's are below ``mcpy kes``."""
    found: click.Command = cli
    for word in ([] if program == "mc" else ["kes"]) + line.split():
        assert isinstance(found, click.Group)
        below = found.get_command(click.Context(found), word)
        assert below is not None, f"there is no {line}"
        found = below
    return found


def names(command: click.Command) -> set[str]:
    context = click.Context(command, info_name=command.name, help_option_names=["-h", "--help"])
    found = {
        name
        for param in command.get_params(context)
        for name in (*param.opts, *param.secondary_opts)
    }
    return found | {"-h", "--help"}


@pytest.mark.parametrize(("program", "line"), COMMANDS)
def test_every_option_is_taken_or_listed(program: str, line: str) -> None:
    ours, listed = names(find(program, line)), table("Options")
    for option in PEERS[program][line]:
        row = Difference(f"{program} {line}".strip(), option[0])
        assert set(option) <= ours or row in listed


def test_each_row_is_an_option_that_there_is() -> None:
    rows = {
        Difference(f"{program} {line}".strip(), name)
        for program, line in COMMANDS
        for option in PEERS[program][line]
        for name in option
    }
    assert table("Options").keys() <= rows


def test_short_names_of_commands_are_those_of_mc() -> None:
    for group, short in PEERS["short"].items():
        found = find("mc", group)
        assert isinstance(found, click.Group)
        for word, name in short.items():
            assert found.get_command(click.Context(found), word) is find("mc", f"{group} {name}")


def test_every_variable_is_read_or_said_not_to_be() -> None:
    ours = {name for option in GLOBAL_OPTIONS for name in variable_names(option)}
    ours |= {name for named, _ in facts.variables() for name in named.split(", ")}
    page = PAGE.read_text("utf-8")
    for name in [*PEERS["environment"], *PEERS["kes_environment"]]:
        assert name in ours or f"`{name}" in page, name
