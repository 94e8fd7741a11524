"""``mcpy kes policy``: what KES lets its identities do."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Group
from mcpy.cli.kes_access import KesCommand, KesOptions, connect
from mcpy.commands.kes.ls import policies, show
from mcpy.errors import KesError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.api.kes import PolicyInfo
    from mcpy.cli.app import App


@dataclass(frozen=True)
class PolicyShown:
    """When and by whom a policy was made."""

    info: PolicyInfo

    def data(self) -> dict[str, Any]:
        """Return the fields as kes has them."""
        info = self.info
        return {"name": info.name, "created_at": info.created_at, "created_by": info.created_by}

    def text(self) -> str:
        """Return one field a line."""
        rows = [
            ("Name", self.info.name),
            ("Date", self.info.created_at),
            ("Created by", self.info.created_by),
        ]
        return "\n".join(f"{name:<12}{value}" for name, value in rows if value)


@dataclass(frozen=True)
class PolicyRules:
    """A policy with its rules: JSON in a pipe as in kes, lists for a person."""

    info: PolicyInfo
    lines: bool

    def data(self) -> dict[str, Any]:
        """Return kes's fields and the name; an empty list is left out, as in kes."""
        found: dict[str, Any] = {}
        for name, patterns in (("allow", self.info.allow), ("deny", self.info.deny)):
            if patterns:
                found[name] = {pattern: {} for pattern in patterns}
        return found | PolicyShown(self.info).data()

    def text(self) -> str:
        """Return lists where stdout is a terminal, and kes's JSON where it is not."""
        if not self.lines:
            return json.dumps(self.data(), separators=(",", ":"))
        blocks = [
            "\n".join([f"{name.capitalize()}:", *(f"  {p}" for p in getattr(self.info, name))])
            for name in ("allow", "deny")
            if getattr(self.info, name)
        ]
        return "\n".join([*blocks, PolicyShown(self.info).text()])


@click.group(
    cls=Group,
    lazy={
        "check": (
            "mcpy.commands.kes.policy_check",
            "check",
            "See whether a policy or identity may do what MinIO does.",
        ),
    },
)
def policy() -> None:
    """Show policies, and check that they let MinIO work."""


@policy.command("info", cls=KesCommand)
@click.argument("name")
@pass_app
def info(app: App, name: str, *, access: KesOptions) -> None:
    """Show when and by whom a policy was made."""
    client = connect(app, access)
    with named(name):
        app.out.emit(PolicyShown(client.describe_policy(name)))


@policy.command("ls", cls=KesCommand)
@click.argument("pattern", default="*", metavar="[PATTERN]")
@pass_app
def ls(app: App, pattern: str, *, access: KesOptions) -> None:
    """List the policies that match PATTERN; a bare word is a prefix."""
    show(app, "Policy", policies(connect(app, access), pattern))


@policy.command("show", cls=KesCommand)
@click.argument("name")
@pass_app
def show_(app: App, name: str, *, access: KesOptions) -> None:
    """Show the rules of a policy."""
    client = connect(app, access)
    with named(name):
        app.out.emit(PolicyRules(client.read_policy(name), lines=app.out.tables))


@contextmanager
def named(name: str) -> Iterator[None]:
    """Say which policy KES speaks of; its own texts do not."""
    try:
        yield
    except KesError as e:
        hint = "mcpy kes policy ls" if e.status == 404 else e.hint
        raise KesError(e.status, f"policy `{name}`: {e.server_message}", hint=hint) from e
