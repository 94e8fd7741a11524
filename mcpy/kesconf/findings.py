"""What rules judge, and what they find."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.kesconf.document import Node

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One thing wrong with a configuration; ``fix`` says what to write instead, if known."""

    severity: Severity
    line: int
    path: str
    message: str
    fix: str = ""


@dataclass(frozen=True)
class Subject:
    """What is judged, and from where.

    Attributes:
        root: the document.
        env: what ``${NAME}`` is looked up in.
        elsewhere: the file is for another machine, whose files and variables are not here.
        folder: what relative paths start at, the working directory of KES.
        config: the file itself, where it is here.
    """

    root: Node
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    elsewhere: bool = False
    folder: Path = Path()
    config: Path | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def text(self, path: str) -> str | None:
        """Return a field's text, ``""`` when absent, None when a variable hides it."""
        return self.of(self.root.at(path))

    def of(self, node: Node) -> str | None:
        """Return a scalar's text as ``text`` does."""
        return node.expanded(self.env) if node.kind == "scalar" else ""

    def file(self, path: str) -> Path | None:
        """Return the file a field names; None when there is none to look at from here."""
        text = self.text(path)
        return self.folder / text if text and not self.elsewhere else None


def error(node: Node, message: str, fix: str = "") -> Finding:
    """Return a finding KES fails on, or that makes it do something else than was meant."""
    return Finding("error", node.line, node.path, message, fix)


def warning(node: Node, message: str, fix: str = "") -> Finding:
    """Return a finding that works, and that a careful operator would not leave so."""
    return Finding("warning", node.line, node.path, message, fix)


def info(node: Node, message: str, fix: str = "") -> Finding:
    """Return a finding that is good to know."""
    return Finding("info", node.line, node.path, message, fix)
