"""``mcpy keystore lock`` and ``unlock``: acts at the provider, and proof that KES feels them."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mcpy.cli.app import pass_app
from mcpy.cli.impact_gate import IMPACT_ON, aliases_of
from mcpy.cli.kes_access import KesCommand, KesOptions, named_server
from mcpy.cli.keystore_access import hints_name, open_keystore
from mcpy.cli.keystore_acts import KeyActed, acting, report
from mcpy.cli.keystore_proof import Proof
from mcpy.cli.many import check_askable, confirm
from mcpy.cli.params import KEY
from mcpy.commands.keystore.check import CONFIG
from mcpy.errors import Interrupted, McpyError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcpy.cli.app import App
    from mcpy.kesconf.stores import CacheExpiry
    from mcpy.keystores.base import KeyStore

PROVE = click.option(
    "--prove",
    is_flag=True,
    help="See that KES has the key, wait until it feels it, as long as its cache lasts.",
)
YES = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
_RESTART = (
    "a MinIO whose default key this is answers 500 to health checks meanwhile, and does not start"
)


@click.command("lock", cls=KesCommand)
@click.argument("key", type=KEY)
@CONFIG
@YES
@PROVE
@IMPACT_ON
@pass_app
def lock(  # noqa: PLR0913 - options
    app: App,
    /,
    key: str,
    config: Path,
    *,
    yes: bool,
    prove: bool,
    impact_on: tuple[str, ...],
    access: KesOptions,
) -> None:
    """Make a key unusable until it is unlocked. What is encrypted under it stays as it is.

    KES answers 502 then. It keeps using the key for as long as its cache has it; a SIGHUP to
    every KES empties the caches at once. What becomes unreadable is said first, where --impact-on
    or --alias says where to look, or an alias has the KES of --prove.
    """
    alone = yes and not (prove or impact_on or access.alias)
    store, file = open_keystore(app, config, whole=alone)
    can_lock(store)
    proof = Proof(app, access, store, file.cache, key) if prove else None
    again = ["mcpy", "keystore", "lock", key, "--config", str(config), "--yes"]
    again += [word for alias in impact_on for word in ("--impact-on", alias)]
    again = [*again, *(["--prove"] if prove else []), *access.words()]
    wait = proof.locked if proof else None
    with hints_name(config):
        acted = KeyActed(key, "locked already", store.provider, file.cache.any_s)
        if store.state(key) == "locked":
            store.lock(key)  # what a lock that was cut off left undone
        else:
            acted = replace(acted, change="locked")
            question = f"Lock {key}? What it encrypted cannot be read until unlock."
            check_askable(app, question, yes=yes, hint=shlex.join(again))
            see_key(store, key, proof)
            look = _where_to_look(app, access, impact_on, prove=prove)
            acted = replace(acted, impact=_tell_impact(app, key, look, asked=bool(impact_on)))
            warned = not yes
            if warned:
                app.out.warn(_RESTART)
            confirm(app, question, yes=yes, hint=shlex.join(again))
            _lock(store, key)
            warn_after(app, key, file.cache, *([] if warned else [_RESTART]))
        report(app, acted, wait, shlex.join(again))


def _lock(store: KeyStore, key: str) -> None:
    with acting(key):
        store.lock(key)
    if store.state(key) != "locked":
        raise McpyError(f"`{key}` is not locked at {store.where} after all")


@click.command("unlock", cls=KesCommand)
@click.argument("key", type=KEY)
@CONFIG
@PROVE
@pass_app
def unlock(app: App, key: str, config: Path, *, prove: bool, access: KesOptions) -> None:
    """Make a locked key usable again. KES feels it at once."""
    store, file = open_keystore(app, config, whole=True)
    can_lock(store)
    proof = Proof(app, access, store, file.cache, key) if prove else None
    again = ["mcpy", "keystore", "unlock", key, "--config", str(config), "--prove"]
    with hints_name(config):
        acted = KeyActed(key, _unlock(store, key, proof), store.provider, 0)
        wait = _works(store, key, proof) if proof else None
        report(app, acted, wait, shlex.join([*again, *access.words()]))


def _unlock(store: KeyStore, key: str, proof: Proof | None) -> str:
    """Unlock the key unless it is, and return what that was."""
    state = store.state(key)
    if state == "destroyed":
        raise McpyError(f"`{key}` is destroyed at {store.where}: nothing brings it back")
    if state == "enabled":
        return "unlocked already"
    if proof:
        proof.before(None)
    with acting(key):
        store.unlock(key)
    store.read(key)  # raises when it is locked still
    return "unlocked"


def _works(store: KeyStore, key: str, proof: Proof) -> Callable[[], None]:
    from mcpy.keystores.strangers import key_of

    return lambda: proof.works(key_of(store, key))


def can_lock(store: KeyStore) -> None:
    """Raise UnsupportedError for a provider without a lock."""
    if not store.capabilities.lock:
        raise UnsupportedError(
            f"{store.provider} has no lock that is known to be safe: nothing was done"
        )


def see_key(store: KeyStore, key: str, proof: Proof | None) -> None:
    """See that the entry is a key of KES, and that the KES of the proof has it.

    Raises:
        NotAKeyError: it is something else, and somebody's.
        McpyError: as ``Proof.before``.
    """
    from mcpy.keystores.base import NotAKeyError
    from mcpy.keystores.strangers import key_of

    try:
        entry = key_of(store, key)
    except NotAKeyError as e:
        e.message = f"{e.message}: nothing was done"
        raise
    if proof:
        proof.before(entry)


def warn_after(app: App, key: str, cache: CacheExpiry, *more: str) -> None:
    """Say how long what was done is not felt, and what else it brings."""
    app.out.warn(
        f"every KES may use `{key}` for {cache.any_s:g} s yet, from its cache; "
        "a SIGHUP to it empties the cache at once"
    )
    for line in more:
        app.out.warn(line)


def _where_to_look(
    app: App, access: KesOptions, impact_on: tuple[str, ...], *, prove: bool
) -> list[str]:
    """Return the aliases that were named, and those that use the KES that was named."""
    named = [*impact_on, *([access.alias] if access.alias else [])]
    server = named_server(app, access, default=prove)
    return list(dict.fromkeys([*named, *(aliases_of(app, server) if server else [])]))


def _tell_impact(
    app: App, key: str, aliases: list[str], *, asked: bool
) -> tuple[dict[str, object], ...]:
    """Say what becomes unreadable, as far as anybody said where to look; return the reports.

    Raises:
        McpyError: it cannot be told on an alias that was named for it.
    """
    from mcpy.cli.impact import ImpactReport, measured

    if not aliases:
        app.out.warn("what it encrypted was not looked for: --impact-on ALIAS shows it first")
        return ()
    try:
        reports = [ImpactReport(impact) for impact in measured(app, [key], aliases)]
    except Interrupted:
        raise
    except McpyError as e:
        e.message = f"what it encrypted could not be looked for: {e.message}"
        if asked:
            raise
        app.out.warn(e.message)
        return ()
    for line in (line for one in reports for line in one.text().splitlines()):
        app.out.warn(line)
    return tuple(one.data() for one in reports)
