"""``mcpy keystore erase``: the end of a key at its provider."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.impact_gate import GateOptions, as_typed, gate_options, require_impact
from mcpy.cli.kes_access import KesCommand, KesOptions, named_server
from mcpy.cli.keystore_access import hints_name, open_keystore
from mcpy.cli.keystore_acts import KeyActed, acting, report
from mcpy.cli.keystore_proof import Proof
from mcpy.cli.many import check_askable, confirm
from mcpy.cli.params import KEY
from mcpy.commands.keystore.check import CONFIG
from mcpy.commands.keystore.lock import PROVE, YES, see_key, warn_after
from mcpy.errors import DeclinedError, InputError, McpyError, PartialError

if TYPE_CHECKING:
    from pathlib import Path

    from mcpy.cli.app import App
    from mcpy.keystores.base import KeyStore, State

_RESTART = "a MinIO whose default key this is does not start without it"


@click.command("erase", cls=KesCommand)
@click.argument("key", type=KEY)
@CONFIG
@YES
@PROVE
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
    given = GateOptions(**impact)
    hint = shlex.join([*_line(key, config), *(["--prove"] if prove else []), *access.words()])
    whole_hint = " ".join([hint, *as_typed(given), *_where_to_look(access, given)])
    _check_repeated(key, yes=yes, repeated=repeated, hint=whole_hint)
    store, file = open_keystore(app, config, whole=yes and given.without_impact)
    proof = Proof(app, access, store, file.cache, key) if prove else None
    with hints_name(config):
        state = store.state(key)  # a key that is not there is an error before anybody is asked
        question = f"Erase {key} for ever?"
        check_askable(app, question, yes=yes, hint=whole_hint)
        _see_erasable(app, store, key, state, proof)
        server = named_server(app, access, default=prove)
        require_impact(
            app, [key], _impact_options(access, given), kes_server=server, again=lambda _: hint
        )
        app.out.warn(f"every object under `{key}` is lost with it")
        app.out.warn(f"at {store.where}: {store.capabilities.erasure}")
        app.out.warn(_RESTART)
        _ask_twice(app, key, question, yes=yes, repeated=repeated)
        with acting(key):
            store.delete(key)
        change = "erased" if _see_gone(app, store, key, config) else "being erased"
        warn_after(app, key, file.cache)
        acted = KeyActed(key, change, store.provider, file.cache.any_s)
        wait = proof.gone if proof else None
        report(app, acted, wait, f"KES must not find it: mcpy kes key info {key}")
        if change != "erased" and not proof:
            hint = shlex.join(["mcpy", "keystore", "ls", key, "--state", "--config", str(config)])
            raise PartialError(f"`{key}` is not seen to be gone yet", hint=hint)


def _see_erasable(app: App, store: KeyStore, key: str, state: State, proof: Proof | None) -> None:
    """See that it is a key, as far as that can be seen, and that KES has it.

    Raises:
        NotAKeyError: it is a secret of somebody else.
        McpyError: as ``Proof.before``.
    """
    if state == "enabled":
        see_key(store, key, proof)
        return
    app.out.warn(f"`{key}` is {state} at {store.where}: whether it is a key of KES is not seen")
    if proof:
        proof.before(None)


def _impact_options(access: KesOptions, options: GateOptions) -> GateOptions:
    if access.alias:
        return replace(options, impact_on=(access.alias, *options.impact_on))
    return options


def _where_to_look(access: KesOptions, given: GateOptions) -> list[str]:
    """Return what is missing on the line for the impact to be looked for."""
    if given.without_impact:
        return ["--without-impact"]
    said = access.alias or given.impact_on or given.impact_report
    return [] if said else ["--impact-on", "ALIAS"]


def _line(key: str, config: Path) -> list[str]:
    return ["mcpy", "keystore", "erase", key, "--config", str(config), "--yes", "--confirm", key]


def _check_repeated(key: str, *, yes: bool, repeated: str | None, hint: str) -> None:
    if yes and repeated is None:
        raise InputError("--yes alone erases nothing: repeat the name with --confirm", hint=hint)
    if repeated is not None and repeated != key:
        raise InputError(f"--confirm says `{repeated}`, and the key is `{key}`")


def _ask_twice(app: App, key: str, question: str, *, yes: bool, repeated: str | None) -> None:
    confirm(app, question, yes=yes, hint="")
    if repeated is None:
        typed = click.prompt("Type its name to erase it", err=True, default="", show_default=False)
        if typed != key:
            raise DeclinedError


def _see_gone(app: App, store: KeyStore, key: str, config: Path) -> bool:
    """Return whether the key is seen to be gone; False where nobody can tell yet.

    Raises:
        McpyError: it is there still.
    """
    from mcpy.keystores.base import KeyMissingError, KeystoreError

    try:
        store.state(key)
    except KeyMissingError:
        return True
    except KeystoreError as e:  # such as a deletion that is still going on
        app.out.warn(f"whether `{key}` is gone cannot be seen yet: {e}")
        return False
    raise McpyError(
        f"{store.where} says it erased `{key}`, and has it still",
        hint=shlex.join(["mcpy", "keystore", "check", "--config", str(config)]),
    )
