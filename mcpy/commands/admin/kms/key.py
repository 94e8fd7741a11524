"""``mcpy admin kms key``: keys as the MinIO server sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Group
from mcpy.cli.many import for_each, jobs_option
from mcpy.cli.output import printable
from mcpy.cli.params import ALIAS, KEY
from mcpy.errors import McpyError, NotFoundError
from mcpy.models import check_alias_name, check_key_name

if TYPE_CHECKING:
    from mcpy.api.madmin_types import KeyStatus
    from mcpy.cli.app import App

_PAGE = 1024


@dataclass(frozen=True)
class KeyCreated:
    """A key made through the server."""

    key: str
    created: bool

    def data(self) -> dict[str, Any]:
        """Return the key and whether it is new."""
        return {"status": "success", "keyId": self.key, "created": self.created}

    def text(self) -> str:
        """Return one line."""
        if self.created:
            return f"Created key `{self.key}`."
        return f"Key `{self.key}` was there already: nothing changed."


@dataclass(frozen=True)
class KeyList:
    """The keys of the server's KMS; ``several`` says that other servers' are shown too."""

    alias: str
    keys: list[str]
    several: bool = False

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {"status": "success", "target": self.alias, "keys": self.keys}

    def text(self) -> str:
        """Return one name a line, behind its alias when there are several."""
        return "\n".join(f"{self.alias}\t{key}" if self.several else key for key in self.keys)


@dataclass(frozen=True)
class KeyTried:
    """The outcome of a round trip through a key."""

    status: KeyStatus
    target: str = ""

    def data(self) -> dict[str, Any]:
        """Return mc's fields; ``status`` is what became of the key, not of the question."""
        status = self.status
        found = {"keyId": status.key_id, "status": "success" if status.works else "error"}
        found |= {"target": self.target} if self.target else {}
        if status.encryption_error:
            found["encryptionError"] = status.encryption_error
        if status.decryption_error:
            found["decryptionError"] = status.decryption_error
        return found

    def text(self) -> str:
        """Return the key and both halves of the round trip."""
        status = self.status
        rows = [
            f"Key: {status.key_id}" + (f" of `{self.target}`" if self.target else ""),
            f"  Encryption: {status.encryption_error or 'works'}",
            f"  Decryption: {self._decryption()}",
        ]
        return printable("\n".join(rows))

    def _decryption(self) -> str:
        if self.status.encryption_error:
            return "not tried"
        return self.status.decryption_error or "works"


@click.group(cls=Group)
def key() -> None:
    """Create, list and try keys."""


@key.command("create")
@click.argument("alias", type=ALIAS)
@click.argument("names", nargs=-1, required=True, type=KEY, metavar="KEY...")
@click.option("--if-missing", is_flag=True, help="A key that exists is no error.")
@pass_app
def create(app: App, alias: str, names: tuple[str, ...], *, if_missing: bool) -> None:
    """Create keys through the server, and try each afterwards."""
    from mcpy.fleet.kms_keys import create_key

    admin = app.admin(alias)

    def make(name: str) -> KeyCreated:
        return KeyCreated(name, created=create_key(admin, name, if_missing=if_missing))

    for_each(app, names, make)


@key.command("list")
@click.argument("aliases", type=ALIAS, nargs=-1, required=True, metavar="ALIAS...")
@jobs_option
@pass_app
def list_(app: App, aliases: tuple[str, ...], *, jobs: int) -> None:
    """List the keys of the server's KMS."""

    def ask(alias: str) -> KeyList:
        return KeyList(alias, app.admin(alias).list_keys(), len(aliases) > 1)

    for_each(
        app, aliases, ask, data=True, jobs=jobs, then=lambda _, listed: _warn_of_more(app, listed)
    )


def _warn_of_more(app: App, listed: KeyList) -> None:
    if len(listed.keys) >= _PAGE:
        app.out.warn("a MinIO server lists 1,024 keys at most; mcpy kes key ls lists all")


@key.command("status")
@click.argument("names", nargs=-1, required=True, metavar="ALIAS [ALIAS/]... [KEY]...")
@jobs_option
@pass_app
def status(app: App, names: tuple[str, ...], *, jobs: int) -> None:
    """Encrypt and decrypt with keys, or with the server's default key.

    A second name is a key: further aliases end with a slash.
    """
    aliases, keys = _aliases_and_keys(names)

    def ask(pair: tuple[str, str]) -> KeyTried:
        alias, name = pair
        return KeyTried(app.admin(alias).key_status(name), alias if len(aliases) > 1 else "")

    def check(pair: tuple[str, str], tried: KeyTried) -> None:
        _check(pair[0], tried.status)

    pairs = [(alias, name) for alias in aliases for name in keys or [""]]
    for_each(app, pairs, ask, data=True, jobs=jobs, then=check)


def _aliases_and_keys(names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    first, *rest = names
    aliases = [first, *(name for name in rest if name.endswith("/"))]
    keys: list[str] = [check_key_name(name) for name in rest if not name.endswith("/")]
    return [check_alias_name(alias) for alias in aliases], keys


def _check(alias: str, found: KeyStatus) -> None:
    if found.missing:
        raise NotFoundError(f"there is no key `{found.key_id}`", hint="mcpy kes key ls")
    if found.kms_silent:
        from mcpy.fleet.kms_keys import silent_kms

        raise silent_kms(alias)
    if not found.works:
        raise McpyError(f"key `{found.key_id}` does not work", hint="mcpy kes status")
