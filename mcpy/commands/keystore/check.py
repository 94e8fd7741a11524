"""``mcpy keystore check`` and ``ls``: does the provider let KES work, and what does it hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
        """Return provider, step, ok and the provider's words."""
        step = self.step
        found = {"step": step.name, "ok": step.ok, "message": step.words}
        return {"status": "success", "provider": self.provider, **found}

    def text(self) -> str:
        """Return one line."""
        state = "ok" if self.step.ok else "FAILED"
        return f"{self.step.name}\t{state}" + (f"\t{self.step.words}" if self.step.words else "")


@dataclass(frozen=True)
class Listed:
    """One entry: enabled, locked, destroyed, empty, missing, or unreadable and why.

    ``state`` is empty text where nobody asked.
    """

    name: str
    state: str
    key: bool

    def data(self) -> dict[str, Any]:
        """Return name, state, and whether KES can address it."""
        return {"status": "success", **asdict(self)}

    def text(self) -> str:
        """Return the name, and what is unusual about it."""
        about = [] if self.state in {"", "enabled"} else [self.state]
        about += [] if self.key else ["not a key name"]
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
        failed += [] if step.ok else [step.name]
    if failed:
        raise FindingError(f"{store.where}: {', '.join(failed)} failed")
    app.out.note(f"{store.where}: everything works")


@click.command("ls", cls=Command)
@click.argument("pattern", default="*")
@CONFIG
@click.option("--state", "states", is_flag=True, help="Ask for the state of each: one call each.")
@pass_app
def ls(app: App, pattern: str, config: Path, *, states: bool) -> None:
    """List the entries whose names match PATTERN, all of them, locked ones too."""
    from fnmatch import fnmatchcase

    from mcpy.keystores.base import KEY_NAME

    store, _ = open_keystore(app, config)
    for name in store.list():
        if fnmatchcase(name, pattern):
            is_key = bool(KEY_NAME.fullmatch(name))
            state = _state(store, name) if states and is_key else ""
            app.out.emit(Listed(name, state, is_key))


def _state(store: KeyStore, name: str) -> str:
    """Return the state of an entry; one that cannot be told does not end the listing."""
    from mcpy.keystores.base import KeyMissingError, KeystoreError

    try:
        return store.state(name)
    except KeyMissingError:
        return "missing"  # it went since it was listed
    except KeystoreError as e:
        return f"unreadable: {e.message}"
