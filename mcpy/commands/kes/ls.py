"""``mcpy kes ls``: names of keys, identities or policies, and the listings of their groups."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from mcpy.cli.app import pass_app
from mcpy.cli.kes_access import KesCommand, KesOptions, connect
from mcpy.cli.output import table
from mcpy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mcpy.api.kes import Kes
    from mcpy.cli.app import App


@dataclass(frozen=True)
class Names:
    """Names under a header, which a terminal alone shows."""

    header: str
    names: list[str]
    aligned: bool = False

    def data(self) -> list[str]:
        """Return the bare list, as kes prints it; an empty one is ``[]``."""
        return self.names

    def text(self) -> str:
        """Return one name a line."""
        return table([self.header], [[name] for name in self.names], aligned=self.aligned)


def show(app: App, header: str, names: Iterable[str]) -> None:
    """Write names; no line at all when there are none."""
    found = list(names)
    if found or app.out.json:
        app.out.emit(Names(header, found, aligned=app.out.tables))


def keys(client: Kes, pattern: str) -> Iterable[str]:
    """Yield the names of the keys that match; a bare word is a prefix, as in kes."""
    return _matching(client.list_keys, pattern)


def policies(client: Kes, pattern: str) -> Iterable[str]:
    """Yield the names of the policies that match."""
    return _matching(lambda prefix: client.list_policies(_as_pattern(prefix)), pattern)


def identities(client: Kes, pattern: str) -> Iterable[str]:
    """Yield the identities that match."""
    return _matching(lambda prefix: client.list_identities(_as_pattern(prefix)), pattern)


def _matching(lister: Callable[[str], Iterable[str]], pattern: str) -> Iterable[str]:
    prefix = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    wanted = pattern if pattern != prefix else pattern + "*"
    return (name for name in lister(prefix) if fnmatchcase(name, wanted))


def _as_pattern(prefix: str) -> str:
    # KES refuses a pattern whose last letter is a hyphen
    return prefix.rstrip("-") + "*"


@click.command("ls", cls=KesCommand, short=True)
@click.argument("prefix", required=False, default="*", metavar="[PREFIX]")
@click.option("-i", "--identity", "of_identities", is_flag=True, help="List identities.")
@click.option("-p", "--policy", "of_policies", is_flag=True, help="List policies.")
@pass_app
def ls(
    app: App, prefix: str, *, of_identities: bool, of_policies: bool, access: KesOptions
) -> None:
    """List keys, identities or policies. They start with PREFIX, or match a pattern."""
    if of_identities and of_policies:
        raise InputError("-i lists identities and -p policies: choose one")
    client = connect(app, access)
    if of_identities:
        show(app, "Identity", identities(client, prefix))
    elif of_policies:
        show(app, "Policy", policies(client, prefix))
    else:
        show(app, "Key", keys(client, prefix))
