"""``mcpy keystore copy``: keys from one keystore to another."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.kes_access import KesCommand, KesOptions, connect, named_server
from mcpy.cli.keystore_access import open_keystore
from mcpy.cli.keystore_copies import KeyCopied, counted, failure
from mcpy.commands.keystore.check import see_sound
from mcpy.config import default_dir
from mcpy.errors import ConfigError, InputError, IntegrityError, Interrupted, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcpy.cli.app import App
    from mcpy.kesconf.stores import KeystoreFile
    from mcpy.keystores.base import KeyStore
    from mcpy.keystores.copy import Copied, Journal, Prove
    from mcpy.keystores.static_key import StaticKey

    Side = KeyStore | StaticKey
    Files = tuple[Path | None, Path]

_FILE = click.Path(path_type=Path)
_STATIC = "MINIO_KMS_SECRET_KEY"


@click.command("copy", cls=KesCommand)
@click.option("--from", "source", type=_FILE, metavar="FILE", help="KES config of the source.")
@click.option("--from-static", is_flag=True, help=f"The one key in {_STATIC}[_FILE].")
@click.option(
    "--to",
    "target",
    type=_FILE,
    required=True,
    metavar="FILE",
    help="The KES config of the target.",
)
@click.option("--only", default="*", show_default=True, metavar="PATTERN", help="Names to copy.")
@click.option("--prove", is_flag=True, help="Have the target's KES decrypt under each key.")
@click.option("--dry-run", is_flag=True, help="Say what would be copied.")
@pass_app
def copy_(app: App, /, access: KesOptions, **options: Any) -> None:  # noqa: ANN401 - click's options
    """Copy keys to another keystore. Each is read back and must decrypt what the source sealed.

    The source keeps all. A copy that was cut off goes on where it was. Stop whatever creates keys
    at the source meanwhile; locked keys are reported and not copied.
    """
    source, target = _opened(app, options)
    names = _names(app, source, options["only"], options["source"])
    _refuse_misfits(target, names)
    _see_ready(target)
    files = (options["source"], options["target"])
    if options["dry_run"]:
        _foresee(app, source, target, names, files)
        return
    title, prove = f"{source.where} -> {target.where}", None
    if options["prove"]:
        prove = _prover(app, access)
        # a key that was copied without this proof is not done
        title += f", proven by {named_server(app, access, default=True)}"
    _copy(app, (source, target), names, files, prove, _journal(app, title))


def _opened(app: App, options: dict[str, Any]) -> tuple[Side, KeyStore]:
    """Return both sides.

    Raises:
        InputError: they are one.
    """
    from mcpy.keystores.places import same_place

    source, of_source = _source(app, options["source"], static=options["from_static"])
    target, of_target = open_keystore(app, options["target"])
    if of_source and same_place(of_source.store, of_target.store):
        raise InputError(
            f"source and target are one keystore, {target.where}: nothing would be copied"
        )
    return source, target


def _names(app: App, source: Side, pattern: str, file: Path | None) -> list[str]:
    """Return the names to copy.

    Raises:
        NotFoundError: none, which a backup must not take for success.
    """
    from mcpy.keystores.copy import select
    from mcpy.keystores.static_key import StaticKey

    names, strangers = select(source, pattern)
    if strangers:
        shown = ", ".join(strangers[:3])
        app.out.warn(f"{len(strangers)} entries are no keys of KES and stay behind: {shown}")
    if not names:
        if not isinstance(source, StaticKey):
            see_sound(source)
        matching = "" if pattern == "*" else f" that matches `{pattern}`"
        raise NotFoundError(
            f"{source.where} has no key{matching}: nothing to copy",
            hint=f"mcpy keystore ls --config {file}" if file else None,
        )
    return names


def _see_ready(target: KeyStore) -> None:
    """Sign in and look before the first key: what is wrong with all of them is said once."""
    see_sound(target)
    next(iter(target.list()), None)


def _foresee(app: App, source: Side, target: KeyStore, names: Sequence[str], files: Files) -> None:
    from mcpy.keystores.copy import foresee

    results: list[Copied] = []
    try:
        for result in foresee(source, target, names):
            results.append(result)
            app.out.emit(KeyCopied(result, dry_run=True))
    finally:
        app.out.done(counted((source.where, target.where), results, len(names), dry_run=True))
    if error := failure(results, "", files):
        raise error


def _copy(
    app: App,
    sides: tuple[Side, KeyStore],
    names: Sequence[str],
    files: Files,
    prove: Prove | None,
    journal: Journal,
) -> None:
    from mcpy.keystores.copy import GaveUpError, copy

    source, target = sides
    again = f"repeat the command: it goes on from {journal.path}"
    results: list[Copied] = []
    try:
        with app.out.spinner("copying keys") as say:
            for result in copy(source, target, names, journal, prove=prove):
                results.append(result)
                say(f"{len(results)} of {len(names)} keys")
                if result.error:
                    app.out.emit(KeyCopied(result))
    except (GaveUpError, Interrupted) as e:
        e.hint = again
        raise
    except KeyboardInterrupt as e:
        raise Interrupted("interrupted", hint=again) from e
    finally:
        complete = len(results) == len(names) and not any(r.error for r in results)
        journal.close(complete=complete)
        app.out.done(counted((source.where, target.where), results, len(names)))
    if error := failure(results, again, files):
        raise error


def _journal(app: App, title: str) -> Journal:
    from mcpy.keystores.copy import Journal

    folder = (app.settings.config_dir or default_dir()) / "copies"
    return Journal(folder / f"{hashlib.sha256(title.encode()).hexdigest()[:16]}.jsonl", title)


def _source(app: App, file: Path | None, *, static: bool) -> tuple[Side, KeystoreFile | None]:
    from mcpy.keystores.static_key import StaticKey

    if (file is None) != static:
        raise InputError("say where from: --from FILE, or --from-static")
    if file is not None:
        return open_keystore(app, file)
    text = app.environ.get(_STATIC, "")
    if not text and (path := app.environ.get(f"{_STATIC}_FILE")):
        from mcpy.cli.documents import read_text

        text = read_text(app, path)
    if not text:
        raise ConfigError(f"{_STATIC} is not set", hint=f"export {_STATIC}=NAME:BASE64")
    app.out.hide(text.strip(), text.strip().partition(":")[2])
    return StaticKey(text), None


def _refuse_misfits(target: KeyStore, names: Sequence[str]) -> None:
    from mcpy.keystores.base import misfits

    found = misfits(target.capabilities, names)
    if found:
        listed = "; ".join(f"`{name}` {reason}" for name, reason in sorted(found.items())[:5])
        raise InputError(
            f"{target.provider} cannot hold {len(found)} of {len(names)} names: {listed}",
            hint="--only PATTERN copies the others; nothing was copied",
        )


def _prover(app: App, access: KesOptions) -> Prove:
    """Return a proof by the target's KES: it opens what was sealed under the source's key."""
    app.bulk()
    kes = connect(app, access)
    kes.version()  # whoever is away is so before the first key, too

    def prove(name: str, message: bytes, ciphertext: bytes) -> None:
        if kes.decrypt(name, ciphertext, name.encode()) != message:
            raise IntegrityError(f"KES decrypts `{name}` to something else")

    return prove
