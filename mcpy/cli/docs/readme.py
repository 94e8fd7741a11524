"""The tables of the README, between ``<!-- NAME -->`` and ``<!-- end NAME -->``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcpy.cli.docs import facts
from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from mcpy.cli.docs.tree import Node


def tables(root: Node) -> dict[str, str]:
    """Return each table by its name."""
    return {
        "commands": _table(
            ("command", "what it does"),
            [(f"`{_line(node)}`", node.short_help) for node in root.commands()],
        ),
        "exit codes": _table(
            ("code", "meaning"), [(str(code), meaning) for code, meaning in facts.exit_codes()]
        ),
        "environment": _table(
            ("variable", "meaning"),
            [
                (", ".join(f"`{name}`" for name in names.split(", ")), meaning)
                for names, meaning in [*facts.option_variables(), *facts.variables()]
            ],
        ),
    }


def filled(text: str, root: Node) -> str:
    """Return the README with every table as it should be.

    Raises:
        ConfigError: the place of a table is not there.
    """
    for name, table in tables(root).items():
        start, end = f"<!-- {name} -->", f"<!-- end {name} -->"
        place = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
        if not place.search(text):
            raise ConfigError(f"the README has no place for the table `{name}`", hint=start)
        filled_in = f"{start}\n{table}\n{end}"
        text = place.sub(lambda _, new=filled_in: new, text)  # type: ignore[misc]
    return text


def _line(node: Node) -> str:
    return f"{node.words} {node.usage.removeprefix('[OPTIONS]').strip()}".strip()


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [head, ("---", "---"), *rows]
    return "\n".join(f"| {_cell(left)} | {_cell(right)} |" for left, right in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
