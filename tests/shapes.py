"""The shape of JSON: which fields there are, and of which type; and the table of differences."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parent.parent / "docs" / "differences.md"
# below these stand names that are data: headers, tags, endpoints
_MAPS = {"metadata", "checksum", "minio_env_vars", "network", "allow", "deny", "tags"}
_TYPES = {dict: "object", list: "list", str: "text", bool: "boolean", type(None): "null"}


def shape(value: object, path: str = "") -> set[tuple[str, str]]:
    """Return each path below ``value`` with its type; of a list, those of all its items."""
    found = {(path, _TYPES.get(type(value), "number"))} if path else set()
    if isinstance(value, dict):
        for key, below in value.items():
            name = "*" if path.rpartition(".")[2] in _MAPS else key
            found |= shape(below, f"{path}.{name}" if path else name)
    if isinstance(value, list):
        for item in value:
            found |= shape(item, f"{path}[]")
    return found


def missing(theirs: set[tuple[str, str]], ours: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return what ``ours`` lacks or has of another type; fields may be added."""
    have = {path for path, _ in ours}
    return {(path, kind) for path, kind in theirs - ours if path not in have or kind != "null"}


class Difference(NamedTuple):
    """A row: ``path`` may be ``exit code`` or ``nothing``; ``command`` is without options."""

    command: str
    path: str


def table(heading: str) -> dict[Difference, str]:
    """Return the rows below a heading of ``docs/differences.md``, and their reasons."""
    text = PAGE.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (.+?) \|$", text, re.MULTILINE)
    found = {Difference(command, path): why for command, path, why in rows}
    assert len(found) == len(rows), "a row stands twice"
    return found
