"""``mcpy keystore check`` and ``ls``: does the provider let KES work, and what does it hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.keystore_access import open_keystore
from mcpy.errors import FindingError

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.keystores.base import KeyStore, Step

CONFIG = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The KES server's config file.",
)


@dataclass(frozen=True)
class Checked:
    """One thing that was tried at the provider."""

    provider: str
    step: Step

    def data(self) -> dict[str, Any]:
        """Return provider, step, whether it was tried and ok, and the provider's words."""
        step = self.step
        found = {"step": step.name, "ok": step.ok, "tried": step.tried, "message": step.words}
        return {"status": "success", "provider": self.provider, **found}

    def text(self) -> str:
        """Return one line."""
        state = "ok" if self.step.ok else "FAILED" if self.step.tried else "not tried"
        return f"{self.step.name}\t{state}" + (f"\t{self.step.words}" if self.step.words else "")


@dataclass(frozen=True)
class Listed:
    """One entry: enabled, locked, destroyed, empty, missing, deleted, not a key, or unreadable.

    ``state`` is empty text where nobody asked. ``key`` is whether it may be one: by its name, and
    by its content where the state was asked for.
    """

    name: str
    state: str
    key: bool

    def data(self) -> dict[str, Any]:
        """Return name, state, and whether it may be a key of KES."""
        return {"status": "success", **asdict(self)}

    def text(self) -> str:
        """Return the name, and what is unusual about it."""
        about = [] if self.state in {"", "enabled"} else [self.state]
        about += [] if self.key or self.state else ["not a key name"]
        return "\t".join([self.name, *about])


@click.command("check", cls=Command)
@CONFIG
@click.option("--no-locking", is_flag=True, help="Try only what KES itself needs.")
@pass_app
def check_(app: App, config: Path, *, no_locking: bool) -> None:
    """Sign in, and prove each permission with an entry that is removed again."""
    from mcpy.keystores.check import check

    store, _ = open_keystore(app, config)
    failed = []
    for step in check(store, locking=not no_locking):
        app.out.emit(Checked(store.provider, step))
        failed += [] if step.ok or not step.tried else [step.name]
    if failed:
        raise FindingError(f"{store.where}: {', '.join(failed)} failed")
    app.out.note(f"{store.where}: everything works")


@click.command("ls", cls=Command)
@click.argument("pattern", default="*")
@CONFIG
@click.option(
    "--state", "states", is_flag=True, help="Read each, to tell its state and what is not a key."
)
@pass_app
def ls(app: App, pattern: str, config: Path, *, states: bool) -> None:
    """List the entries whose names match PATTERN, all of them, locked ones too.

    With --state also those that are deleted and can be restored.
    """
    from mcpy.keystores.base import KEY_NAME

    store, _ = open_keystore(app, config)
    number = 0
    for name in store.list():
        number += 1
        if fnmatchcase(name, pattern):
            is_key = bool(KEY_NAME.fullmatch(name))
            state = _state(store, name) if states and is_key else ""
            app.out.emit(Listed(name, state, is_key and state != "not a key"))
    if not number:
        see_sound(store)
        app.out.note(f"{store.where} lists nothing")
    if states:
        _emit_deleted(app, store, pattern)


def _emit_deleted(app: App, store: KeyStore, pattern: str) -> None:
    from mcpy.keystores.base import KEY_NAME, KeystoreDeniedError

    try:
        for name in store.deleted():
            if fnmatchcase(name, pattern):
                app.out.emit(Listed(name, "deleted", bool(KEY_NAME.fullmatch(name))))
    except KeystoreDeniedError as e:
        app.out.warn(f"whether any are deleted and can be restored is not seen: {e.message}")


def see_sound(store: KeyStore) -> None:
    """See that the keystore is what the config says, such as the version of an engine.

    Raises:
        KeystoreError: it is not, and would look as if it held nothing.
    """
    from mcpy.keystores.base import KeystoreError

    for step in store.inspect():
        if not step.ok:
            raise KeystoreError(f"{store.where}: {step.name}: {step.words}")


def _state(store: KeyStore, name: str) -> str:
    """Return the state of an entry; one that cannot be told does not end the listing."""
    from mcpy.keystores.base import KeyMissingError, KeystoreError
    from mcpy.keystores.strangers import state_of

    try:
        return state_of(store, name)
    except KeyMissingError:
        return "missing"  # it went since it was listed
    except KeystoreError as e:
        return f"unreadable: {e.message}"
