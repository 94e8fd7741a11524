"""Judging a KES configuration: what KES refuses, and what it accepts and misunderstands.

A rule is a function from a Subject to Findings. Nothing here asks a server: what the provider
alone knows is the business of ``keystore check``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mcpy.kesconf import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mcpy.kesconf.document import Node

Severity = Literal["error", "warning", "info"]
_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


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
    """

    root: Node
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    elsewhere: bool = False
    folder: Path = Path()
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


def lint(subject: Subject) -> list[Finding]:
    """Return all findings, the first lines first."""
    from mcpy.kesconf import rules_keystore, rules_policy, rules_server

    rules: Iterable[Callable[[Subject], Iterator[Finding]]] = (
        _unknown,
        _mistyped,
        _variables,
        *rules_server.RULES,
        *rules_policy.RULES,
        *rules_keystore.RULES,
    )
    found = {finding for rule in rules for finding in rule(subject)}
    return sorted(found, key=lambda f: (f.line, _ORDER[f.severity], f.path, f.message))


_EXPLAINED = {
    "keystore.gemalto.keysecure.credentials.retry": "KES stopped reading it",
    "keystore.kes": "KES knows the name and keeps no key there: it does not start",
}


def _unknown(subject: Subject) -> Iterator[Finding]:
    for node, meant in schema.unknown(subject.root, schema.ROOT):
        reason = _EXPLAINED.get(node.path, "KES ignores it without a word")
        fix = f"write `{meant}`" if meant else "remove it"
        yield error(node, f"unknown field: {reason}", fix)


def _mistyped(subject: Subject) -> Iterator[Finding]:
    for node, wanted in schema.mistyped(subject.root, schema.ROOT):
        yield error(node, f"must be a {wanted}, and is a {node.kind}")


def _variables(subject: Subject) -> Iterator[Finding]:
    for node in subject.root.walk():
        if node.kind == "scalar" and "$" in node.text and not _is_pattern(node):
            yield from _variable(subject, node)


def _is_pattern(node: Node) -> bool:
    return node.path.startswith("policy.") and (".allow[" in node.path or ".deny[" in node.path)


def _variable(subject: Subject, node: Node) -> Iterator[Finding]:
    from difflib import get_close_matches

    name = node.variable
    if name is None:
        if "${" in node.text or node.text.startswith("$"):
            yield error(
                node,
                "a variable is only expanded when it is the whole value, as `${NAME}`",
                "put the whole value into the variable",
            )
        return
    if not name or not name.replace("_", "a").isalnum() or name[:1].isdigit():
        yield error(node, f"`{name}` is not the name of an environment variable")
    elif name not in subject.env and not subject.elsewhere:
        close = get_close_matches(name, subject.env, 1, 0.8)
        fix = f"did you mean ${{{close[0]}}}?" if close else f"export {name}=..."
        yield error(node, f"the environment variable {name} is not set: KES does not start", fix)
    elif not subject.env.get(name) and not subject.elsewhere:
        yield warning(node, f"the environment variable {name} is empty")
