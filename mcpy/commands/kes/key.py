"""``mcpy kes key``: create, import, show, use and remove the keys of a KES."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Group
from mcpy.cli.impact_gate import GateOptions, gate_options, require_impact
from mcpy.cli.kes_access import KesCommand, KesOptions, connect, resolve
from mcpy.cli.many import check_askable, confirm, for_each
from mcpy.cli.params import KEY
from mcpy.commands.kes.crypto import named
from mcpy.commands.kes.ls import keys, show
from mcpy.errors import KesError, McpyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mcpy.api.kes import Kes, KeyInfo
    from mcpy.cli.app import App


@dataclass(frozen=True)
class KeyChange:
    """What was done to one key: ``created``, ``deleted``, ``exists`` or ``missing``."""

    name: str
    change: str

    def data(self) -> dict[str, Any]:
        """Return name and change."""
        return {"status": "success", "name": self.name, "change": self.change}

    def text(self) -> str:
        """Return one line."""
        return {
            "created": f"Created key `{self.name}`.",
            "deleted": f"Deleted key `{self.name}`.",
            "exists": f"Key `{self.name}` was there already: nothing changed.",
            "missing": f"Key `{self.name}` was not there: nothing changed.",
        }[self.change]


@dataclass(frozen=True)
class KeyShown:
    """What KES tells of a key."""

    info: KeyInfo

    def data(self) -> dict[str, Any]:
        """Return the fields as KES has them."""
        return {
            "name": self.info.name,
            "algorithm": self.info.algorithm,
            "created_at": self.info.created_at,
            "created_by": self.info.created_by,
        }

    def text(self) -> str:
        """Return one field a line."""
        rows = [
            ("Name", self.info.name),
            ("Algorithm", self.info.algorithm),
            ("Date", self.info.created_at),
            ("Owner", self.info.created_by),
        ]
        return "\n".join(f"{name:<10}{value}" for name, value in rows if value)


_CRYPTO = "mcpy.commands.kes.crypto"


@click.group(
    cls=Group,
    lazy={
        "dek": (_CRYPTO, "dek", "Make a data encryption key."),
        "encrypt": (_CRYPTO, "encrypt", "Encrypt a message."),
        "decrypt": (_CRYPTO, "decrypt", "Decrypt a ciphertext."),
        "hmac": (_CRYPTO, "hmac", "Compute the HMAC of a message."),
        "import": ("mcpy.commands.kes.key_import", "import_", "Make a key of given bytes."),
    },
)
def key() -> None:
    """Create, import, show, use and remove keys."""


@key.command("create", cls=KesCommand)
@click.argument("names", nargs=-1, required=True, type=KEY, metavar="NAME...")
@click.option("--if-missing", is_flag=True, help="A key that exists is no error.")
@pass_app
def create(app: App, names: tuple[str, ...], *, if_missing: bool, access: KesOptions) -> None:
    """Create keys; each is described afterwards, so that success is proven."""
    client = connect(app, access)
    for_each(app, names, lambda name: _create(client, name, if_missing=if_missing))


@key.command("info", cls=KesCommand)
@click.argument("name", type=KEY)
@pass_app
def info(app: App, name: str, *, access: KesOptions) -> None:
    """Show algorithm, date and owner of a key."""
    client = connect(app, access)
    with named(name):
        app.out.emit(KeyShown(client.describe_key(name)))


@key.command("ls", cls=KesCommand)
@click.argument("pattern", default="*")
@pass_app
def ls(app: App, pattern: str, *, access: KesOptions) -> None:
    """List the keys whose names match PATTERN, complete whatever their number."""
    show(app, "Key", keys(connect(app, access), pattern))


@key.command("rm", cls=KesCommand)
@click.argument("names", nargs=-1, required=True, type=KEY, metavar="NAME...")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--if-exists", is_flag=True, help="A key that is missing is no error.")
@gate_options
@pass_app
def rm(
    app: App,
    /,
    names: tuple[str, ...],
    *,
    yes: bool,
    if_exists: bool,
    access: KesOptions,
    **impact: Any,  # noqa: ANN401 - click's
) -> None:
    """Delete keys: whatever they encrypted can never be read again.

    A new key of the same name does not bring it back. What depends on them is looked for first, on
    the alias given, on those of --impact-on, or on all aliases that use this KES.
    """
    client = connect(app, access)
    listed = ", ".join(f"`{name}`" for name in names)
    what = "What it" if len(names) == 1 else "What they"
    question = f"Delete {listed} for ever? {what} encrypted becomes unreadable."
    options = GateOptions(**impact)
    also = [*(["--if-exists"] if if_exists else []), *access.words()]

    def again(some: Sequence[str]) -> str:
        return shlex.join(["mcpy", "kes", "key", "rm", "--yes", *some, *also])

    check_askable(app, question, yes=yes, hint=again(names))
    if access.alias:
        options = replace(options, impact_on=(access.alias, *options.impact_on))
    asked = [] if options.without_impact else names
    absent = {name for name in asked if not _is_there(client, name, if_exists=if_exists)}
    if there := [name for name in asked if name not in absent]:
        require_impact(app, there, options, kes_server=resolve(app, access).server, again=again)
    confirm(app, question, yes=yes, hint=again(names))

    def act(name: str) -> KeyChange:
        # one that was made since went through no gate
        return _missing(name) if name in absent else _delete(client, name, if_exists=if_exists)

    for_each(app, names, act)


def _missing(name: str) -> KeyChange:
    return KeyChange(name, "missing")


def _done_unless(said: str, act: Callable[[str], None], name: str) -> bool:
    """Call ``act``; False when KES refuses with the words ``said``: ``""`` lets none be."""
    try:
        act(name)
    except KesError as e:
        if said and e.server_message == said:
            return False
        raise
    return True


def _is_there(client: Kes, name: str, *, if_exists: bool) -> bool:
    """Tell whether there is such a key; one that nobody may look at counts as there.

    Raises:
        KesError: there is none, and that is an error.
    """
    from mcpy.api.kes import KEY_MISSING

    with named(name):
        return _done_unless(KEY_MISSING if if_exists else "", partial(verify, client), name)


def _create(client: Kes, name: str, *, if_missing: bool) -> KeyChange:
    from mcpy.api.kes import KEY_EXISTS

    with named(name):
        if not _done_unless(KEY_EXISTS if if_missing else "", client.create_key, name):
            return KeyChange(name, "exists")
        verify(client, name)
    return KeyChange(name, "created")


def verify(client: Kes, name: str) -> None:
    """See that the key is there; who may create need not be allowed to look."""
    try:
        client.describe_key(name)
    except KesError as e:
        if e.status != 403:
            raise


def _delete(client: Kes, name: str, *, if_exists: bool) -> KeyChange:
    from mcpy.api.kes import KEY_MISSING

    with named(name):
        if not _done_unless(KEY_MISSING if if_exists else "", client.delete_key, name):
            return _missing(name)
        _see_gone(client, name)
    return KeyChange(name, "deleted")


def _see_gone(client: Kes, name: str) -> None:
    """See that the key is gone; who may delete need not be allowed to look."""
    try:
        client.describe_key(name)
    except KesError as e:
        if e.status not in {403, 404}:
            raise
        return
    raise McpyError(f"KES took the deletion of `{name}`, and still has the key")
