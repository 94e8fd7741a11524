"""Judging a KES configuration: what KES refuses, and what it accepts and misunderstands.

A rule is a function from a Subject to Findings. Nothing here asks a server: what the provider
alone knows is the business of ``keystore check``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.kesconf import (
    rules_endpoint,
    rules_keystore,
    rules_policy,
    rules_server,
    rules_vault,
    schema,
)
from mcpy.kesconf.findings import error, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mcpy.kesconf.document import Node
    from mcpy.kesconf.findings import Finding, Severity, Subject

_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


def lint(subject: Subject) -> list[Finding]:
    """Return all findings, the first lines first."""
    rules: Iterable[Callable[[Subject], Iterator[Finding]]] = (
        _unknown,
        _mistyped,
        _zeros,
        _variables,
        *rules_server.RULES,
        *rules_policy.RULES,
        *rules_keystore.RULES,
        *rules_vault.RULES,
        *rules_endpoint.RULES,
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


def _zeros(subject: Subject) -> Iterator[Finding]:
    places = [f"cache.expiry.{name}" for name in ("any", "unused", "offline")]
    nodes = [subject.root.at(path) for path in (*places, "keystore.vault.status.ping")]
    nodes += [api.at("timeout") for api in subject.root.at("api").fields.values()]
    for node in nodes:
        if node.tag == "!!int" and node.text == "0":  # in quotes it is a duration, to Go alone
            yield error(node, "KES does not start: `0` is a number, and not a duration", "0s")


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
