"""``mcpy keystore lock|unlock|erase``: acts at the provider, and when a KES comes to feel them."""

from __future__ import annotations

import shlex
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.impact_gate import GateOptions, gate_options, require_impact
from mcpy.cli.kes_access import KesCommand, KesOptions, connect
from mcpy.cli.keystore_access import open_keystore
from mcpy.cli.many import check_askable, confirm
from mcpy.cli.params import KEY
from mcpy.commands.keystore.check import CONFIG
from mcpy.errors import DeclinedError, InputError, KesError, McpyError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcpy.api.kes import Kes
    from mcpy.cli.app import App
    from mcpy.kesconf.stores import CacheExpiry
    from mcpy.keystores.base import KeyStore

_SLACK_S = 20.0
_PROVE = click.option(
    "--prove", is_flag=True, help="Wait until KES feels it, and see that it does."
)
_YES = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
_RESTART = (
    "a MinIO whose default key this is answers 500 to health checks meanwhile, and does not start"
)


@dataclass(frozen=True)
class KeyActed:
    """What was done to a key at its provider; ``proven`` through a KES, when that was asked."""

    name: str
    change: str
    provider: str
    effective_within_s: float
    proven: bool

    def data(self) -> dict[str, Any]:
        """Return all of it."""
        return {"status": "success", **asdict(self)}

    def text(self) -> str:
        """Return one line."""
        if self.change in {"locked already", "unlocked already"}:
            return f"`{self.name}` is {self.change}: nothing changed."
        how = "proven through KES" if self.proven else "not proven through KES: see --prove"
        return f"`{self.name}` {self.change} at {self.provider} ({how})."


@click.command("lock", cls=KesCommand)
@click.argument("key", type=KEY)
@CONFIG
@_YES
@_PROVE
@pass_app
def lock(app: App, key: str, config: Path, *, yes: bool, prove: bool, access: KesOptions) -> None:
    """Make a key unusable until it is unlocked. What is encrypted under it stays as it is.

    KES answers 502 then. It keeps using the key for as long as its cache has it; a SIGHUP to
    every KES empties the caches at once.
    """
    store, file = open_keystore(app, config)
    _can_lock(store)
    kes = connect(app, access, endless=True) if prove else None
    if store.state(key) == "locked":
        store.lock(key)  # what a lock that was cut off left undone
        app.out.done(KeyActed(key, "locked already", store.provider, 0, proven=False))
        return
    also = [*(["--prove"] if prove else []), *access.words()]
    hint = shlex.join(["mcpy", "keystore", "lock", key, "--config", str(config), "--yes", *also])
    _warn(app, key, file.cache)
    app.out.warn(f"what it encrypted: mcpy encrypt impact {key} ALIAS")
    confirm(app, f"Lock {key}? What it encrypted cannot be read until unlock.", yes=yes, hint=hint)
    store.lock(key)
    if store.state(key) != "locked":
        raise McpyError(f"`{key}` is not locked at {store.where} after all")
    if kes:
        _until(app, file.cache, lambda: _fails(kes, key, config))
    within = file.cache.any_s
    app.out.done(KeyActed(key, "locked", store.provider, within, proven=prove))


@click.command("unlock", cls=KesCommand)
@click.argument("key", type=KEY)
@CONFIG
@_PROVE
@pass_app
def unlock(app: App, key: str, config: Path, *, prove: bool, access: KesOptions) -> None:
    """Make a locked key usable again. KES feels it at once."""
    store, file = open_keystore(app, config)
    _can_lock(store)
    kes = connect(app, access, endless=True) if prove else None
    state = store.state(key)
    if state == "destroyed":
        raise McpyError(f"`{key}` is destroyed at {store.where}: nothing brings it back")
    if state == "enabled":
        app.out.done(KeyActed(key, "unlocked already", store.provider, 0, proven=False))
        return
    store.unlock(key)
    store.read(key)  # raises when it is locked still
    if kes:
        _until(app, file.cache, lambda: _works(kes, key))
    app.out.done(KeyActed(key, "unlocked", store.provider, 0, proven=prove))


@click.command("erase", cls=KesCommand)
@click.argument("key", type=KEY)
@CONFIG
@_YES
@_PROVE
@click.option("--confirm", "repeated", metavar="KEY", help="With --yes: the name once more.")
@gate_options
@pass_app
def erase(  # noqa: PLR0913 - options
    app: App,
    /,
    key: str,
    config: Path,
    *,
    yes: bool,
    prove: bool,
    repeated: str | None,
    access: KesOptions,
    **impact: Any,  # noqa: ANN401 - click's
) -> None:
    """Destroy a key for ever. Whatever it encrypted can never be read again, by anybody.

    Asks twice. What depends on the key is looked for first, on the aliases of --impact-on.
    """
    _check_repeated(key, yes=yes, repeated=repeated, config=config)
    store, file = open_keystore(app, config)
    kes = connect(app, access, endless=True) if prove else None
    store.state(key)  # a key that is not there is an error before anybody is asked
    given = GateOptions(**impact)
    also = [*(["--prove"] if prove else []), *access.words()]
    hint = shlex.join([*shlex.split(_erase_hint(key, config)), *also])
    check_askable(app, f"Erase {key} for ever?", yes=yes, hint=hint)
    of_alias = app.alias(access.alias).kes if access.alias else None
    server = of_alias.server if of_alias else ""
    require_impact(
        app, [key], _impact_options(access, given), kes_server=server, again=lambda _: hint
    )
    app.out.warn(f"every object under `{key}` is lost with it")
    app.out.warn(f"at {store.where}: {store.capabilities.erasure}")
    _warn(app, key, file.cache)
    _ask_twice(app, key, yes=yes, repeated=repeated, config=config)
    store.delete(key)
    _see_gone(app, store, key, config)
    if kes:
        _until(app, file.cache, lambda: _is_gone(kes, key))
    app.out.done(KeyActed(key, "erased", store.provider, file.cache.any_s, proven=prove))


def _impact_options(access: KesOptions, options: GateOptions) -> GateOptions:
    if access.alias:
        return replace(options, impact_on=(access.alias, *options.impact_on))
    return options


def _erase_hint(key: str, config: Path) -> str:
    line = ["mcpy", "keystore", "erase", key, "--config", str(config), "--yes", "--confirm", key]
    return shlex.join(line)


def _check_repeated(key: str, *, yes: bool, repeated: str | None, config: Path) -> None:
    if yes and repeated is None:
        raise InputError(
            "--yes alone erases nothing: repeat the name with --confirm",
            hint=_erase_hint(key, config),
        )
    if repeated is not None and repeated != key:
        raise InputError(f"--confirm says `{repeated}`, and the key is `{key}`")


def _ask_twice(app: App, key: str, *, yes: bool, repeated: str | None, config: Path) -> None:
    confirm(app, f"Erase {key} for ever?", yes=yes, hint=_erase_hint(key, config))
    if repeated is None:
        typed = click.prompt("Type its name to erase it", err=True, default="", show_default=False)
        if typed != key:
            raise DeclinedError


def _see_gone(app: App, store: KeyStore, key: str, config: Path) -> None:
    from mcpy.keystores.base import KeyMissingError, KeystoreError

    try:
        store.state(key)
    except KeyMissingError:
        return
    except KeystoreError as e:  # such as a deletion that is still going on
        app.out.warn(f"whether `{key}` is gone cannot be seen yet: {e}")
        return
    raise McpyError(
        f"{store.where} says it erased `{key}`, and has it still",
        hint=f"mcpy keystore check --config {config}",
    )


def _can_lock(store: KeyStore) -> None:
    if not store.capabilities.lock:
        raise UnsupportedError(
            f"{store.provider} has no lock that is known to be safe: nothing was done"
        )


def _warn(app: App, key: str, cache: CacheExpiry) -> None:
    app.out.warn(
        f"every KES may use `{key}` for {cache.any_s:g} s yet, from its cache; "
        "a SIGHUP to it empties the cache at once"
    )
    app.out.warn(_RESTART)


def _until(app: App, cache: CacheExpiry, seen: Callable[[], bool]) -> None:
    """Wait until KES shows what is expected, asking seldom enough to let the key go unused."""
    pause_s = cache.unused_s + 1 if cache.unused_s else 1.0
    limit_s = app.settings.timeout_s or cache.any_s + _SLACK_S
    give_up = time.monotonic() + limit_s
    with app.out.spinner("waiting for KES to feel it"):
        while not seen():
            if time.monotonic() + min(1.0, pause_s) > give_up:
                raise McpyError(
                    f"KES shows no change after {limit_s:g} s",
                    hint="is it this KES that uses the keystore? A SIGHUP empties its cache",
                )
            time.sleep(min(pause_s, max(0.0, give_up - time.monotonic())))


def _answer(kes: Kes, key: str, *expected: int) -> int:
    """Use the key and return KES's status: 200, or one of ``expected``.

    Raises:
        KesError: it refuses by another one.
    """
    try:
        kes.generate_key(key)
    except KesError as e:
        if e.status not in expected:
            raise
        return e.status
    return 200


def _works(kes: Kes, key: str) -> bool:
    return _answer(kes, key, 502) == 200


def _fails(kes: Kes, key: str, config: Path) -> bool:
    """Whether KES fails on the key; that it misses it is the one thing that must not happen."""
    status = _answer(kes, key, 404, 502)
    if status == 404:
        raise McpyError(
            f"KES does not find `{key}` instead of failing on it: do not restart any MinIO",
            hint=shlex.join(["mcpy", "keystore", "unlock", key, "--config", str(config)]),
        )
    return status == 502


def _is_gone(kes: Kes, key: str) -> bool:
    return _answer(kes, key, 404) == 404
