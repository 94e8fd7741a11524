"""``mcpy keystore copy``: keys from one keystore to another."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.kes_access import KesCommand, KesOptions, connect
from mcpy.cli.keystore_access import open_keystore
from mcpy.config import default_dir
from mcpy.errors import ConfigError, InputError, IntegrityError, PartialError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcpy.cli.app import App
    from mcpy.keystores.base import KeyStore, Source
    from mcpy.keystores.copy import Copied, Journal, Prove

_FILE = click.Path(path_type=Path)
_STATIC = "MINIO_KMS_SECRET_KEY"


@dataclass(frozen=True)
class CopyReport:
    """What became of all keys together."""

    source: str
    target: str
    total: int
    copied: int
    present: int
    failed: int

    def data(self) -> dict[str, Any]:
        """Return the counts."""
        return {"status": "success", **asdict(self)}

    def text(self) -> str:
        """Return one line."""
        line = f"{self.copied} keys copied, {self.present} there already, {self.failed} failed"
        return f"{line}, of {self.total}: {self.source} -> {self.target}"


@dataclass(frozen=True)
class CopyFailed:
    """A key that was not copied, and why."""

    name: str
    reason: str

    def data(self) -> dict[str, Any]:
        """Return name and reason."""
        return {"status": "error", "name": self.name, "message": self.reason}

    def text(self) -> str:
        """Return one line."""
        return f"{self.name}\tFAILED\t{self.reason}"


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
    from mcpy.keystores.copy import Journal, copy, select

    source = _source(app, options["source"], static=options["from_static"])
    target, _ = open_keystore(app, options["target"])
    names, strangers = select(source, options["only"])
    if strangers:
        shown = ", ".join(strangers[:3])
        app.out.warn(f"{len(strangers)} entries are no keys of KES and stay behind: {shown}")
    _refuse_misfits(target, names)
    if options["dry_run"]:
        app.out.emit(CopyReport(source.where, target.where, len(names), 0, 0, 0))
        return
    prove = _prover(app, access) if options["prove"] else None
    title = f"{source.where} -> {target.where}"
    folder = (app.settings.config_dir or default_dir()) / "copies"
    journal = Journal(folder / f"{hashlib.sha256(title.encode()).hexdigest()[:16]}.jsonl", title)
    results: list[Copied] = []
    try:
        with app.out.spinner("copying keys") as say:
            for result in copy(source, target, names, journal, prove=prove):
                results.append(result)
                say(f"{len(results)} of {len(names)} keys")
                if result.outcome == "failed":
                    app.out.emit(CopyFailed(result.name, result.reason))
    finally:
        journal.close(complete=_complete(results, names))
    _report(app, source, target, results, journal)


def _source(app: App, file: Path | None, *, static: bool) -> Source:
    from mcpy.keystores.copy import StaticKey

    if (file is None) != static:
        raise InputError("say where from: --from FILE, or --from-static")
    if file is not None:
        return open_keystore(app, file)[0]
    text = app.environ.get(_STATIC, "")
    if not text and (path := app.environ.get(f"{_STATIC}_FILE")):
        from mcpy.cli.documents import read_text

        text = read_text(app, path)
    if not text:
        raise ConfigError(f"{_STATIC} is not set", hint=f"export {_STATIC}=NAME:BASE64")
    app.out.hide(text.strip(), text.strip().partition(":")[2])
    return StaticKey(text)


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

    def prove(name: str, message: bytes, ciphertext: bytes) -> None:
        if kes.decrypt(name, ciphertext, name.encode()) != message:
            raise IntegrityError(f"KES decrypts `{name}` to something else")

    return prove


def _complete(results: Sequence[Copied], names: Sequence[str]) -> bool:
    return len(results) == len(names) and all(r.outcome != "failed" for r in results)


def _report(
    app: App, source: Source, target: KeyStore, results: Sequence[Copied], journal: Journal
) -> None:
    count = {o: sum(r.outcome == o for r in results) for o in ("copied", "present", "failed")}
    before = len(results) - sum(count.values())
    app.out.done(
        CopyReport(
            source.where,
            target.where,
            len(results),
            count["copied"],
            count["present"] + before,
            count["failed"],
        )
    )
    if count["failed"]:
        raise PartialError(
            f"{count['failed']} of {len(results)} keys were not copied",
            hint=f"repeat the command: it goes on from {journal.path}",
        )
