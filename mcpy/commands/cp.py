"""``mcpy cp``: between files and objects, and from object to object."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import for_each
from mcpy.cli.output import printable
from mcpy.cli.sizes import human_size
from mcpy.errors import ConfigError, InputError, NoAliasError, UnsupportedError
from mcpy.models import ObjectEncryption, Target, check_key_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.api.s3 import ObjectInfo
    from mcpy.cli.app import App
    from mcpy.fleet.transfer import Place

End = Target | Path


@dataclass(frozen=True)
class Job:
    """One thing to copy."""

    source: End
    target: End
    encryption: ObjectEncryption | None = None


@dataclass(frozen=True)
class Copied:
    """One thing that was copied and looked at again."""

    job: Job
    info: ObjectInfo
    taken_s: float

    def data(self) -> dict[str, Any]:
        """Return mc's fields, and how the copy is encrypted."""
        size = self.info.size
        return {
            "status": "success",
            "source": str(self.job.source),
            "target": str(self.job.target),
            "size": size,
            "totalCount": 1,
            "totalSize": size,
            "encryption": self.info.encryption.scheme,
            "duration": int(self.taken_s * 1e9),
        }

    def text(self) -> str:
        """Return one line."""
        scheme = f", {self.info.encryption.scheme}" if self.info.encryption.scheme else ""
        size = human_size(self.info.size)
        return printable(f"`{self.job.source}` -> `{self.job.target}` ({size}{scheme})")


@click.command("cp", cls=Command)
@click.argument("paths", nargs=-1, required=True, metavar="SOURCE... TARGET")
@click.option("--enc-s3", multiple=True, metavar="PREFIX", help="SSE-S3 for targets below.")
@click.option("--enc-kms", multiple=True, metavar="PREFIX=KEY", help="SSE-KMS with this key.")
@click.option("--version-id", "--vid", default="", help="This version of the source.")
@pass_app
def cp(app: App, /, paths: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401 - click's options
    """Copy files to objects, objects to files, and objects to objects.

    A PREFIX is ALIAS/BUCKET or more, and covers what lies below it. What was stored is looked at
    again: an object that is not encrypted as asked is an error. A copy from object to object is
    encrypted as its source is, unless --enc-s3 or --enc-kms says otherwise.
    """
    if len(paths) < 2:
        raise InputError("cp needs a source and a target", hint="mcpy cp SOURCE... TARGET")
    jobs = _plan(app, paths, _encryption_rules(options))
    for_each(app, jobs, lambda job: _run(app, job, options["version_id"]))


def _plan(app: App, paths: tuple[str, ...], rules: dict[str, ObjectEncryption]) -> list[Job]:
    from mcpy.fleet.transfer import covers, unmatched

    *sources, last = (_end(app, path) for path in paths)
    jobs = []
    for source in sources:
        target = _into(last, source, several=len(sources) > 1)
        names = [rule for rule in rules if covers(rule, str(target))]
        encryption = rules[max(names, key=len)] if names else None
        if encryption and isinstance(target, Path):
            raise InputError("a file on this machine cannot be encrypted by a server")
        jobs.append(Job(source, target, encryption))
    useless = unmatched(rules, [str(job.target) for job in jobs])
    if useless:
        raise InputError(
            f"`{useless[0]}` covers none of the targets, which would be stored as they come",
            hint=f"give the whole bucket or folder: {_bucket_of(jobs[0].target)}",
        )
    return jobs


def _bucket_of(end: End) -> str:
    return f"{end.alias}/{end.bucket}" if isinstance(end, Target) else "ALIAS/BUCKET"


def _end(app: App, text: str) -> End:
    """Tell a file from an object: what begins with an alias is an object.

    Nothing is guessed: a path with a slash whose folder is not there names an alias that is not.
    """
    name, slash, _ = text.partition("/")
    if name in {"", ".", "..", "~"} or text in {".", ".."}:
        return Path(text).expanduser()
    try:
        app.store.get(name)
    except NoAliasError:
        path = Path(text)
        if not slash or path.exists() or path.parent.is_dir():
            return path
        raise
    return Target.parse(text)


def _into(target: End, source: End, *, several: bool) -> End:
    """Name the target after the source where it is a folder or a bucket."""
    name = source.name if isinstance(source, Path) else source.key.rpartition("/")[2]
    if isinstance(target, Path):
        return target / name if target.is_dir() else _one(target, several=several)
    if not target.bucket:
        raise InputError(f"`{target}` names no bucket", hint=f"{target}/BUCKET/{name}")
    if not target.key or target.key.endswith("/"):
        return Target(target.alias, target.bucket, target.key + name)
    return _one(target, several=several)


def _one(target: End, *, several: bool) -> End:
    if several:
        raise InputError(f"several sources do not fit into `{target}`", hint=f"{target}/")
    return target


def _encryption_rules(options: dict[str, Any]) -> dict[str, ObjectEncryption]:
    rules: dict[str, ObjectEncryption] = {}
    found = [(prefix, ObjectEncryption("AES256")) for prefix in options["enc_s3"]]
    for text in options["enc_kms"]:
        prefix, equals, key = text.rpartition("=")
        if not equals:
            raise InputError(f"`{text}` is not PREFIX=KEY", hint=f"--enc-kms {text}=KEY")
        found.append((prefix, ObjectEncryption("aws:kms", check_key_name(key))))
    for prefix, encryption in found:
        if not Target.parse(prefix).bucket:
            raise InputError(f"`{prefix}` names no bucket", hint=f"{prefix.rstrip('/')}/BUCKET")
        if prefix in rules:
            raise InputError(f"`{prefix}` was given two encryptions")
        rules[prefix] = encryption
    return rules


def _run(app: App, job: Job, version_id: str) -> Copied:
    started = time.monotonic()
    info = _copier(app, job, version_id)()
    return Copied(job, info, time.monotonic() - started)


def _copier(app: App, job: Job, version_id: str) -> Callable[[], ObjectInfo]:
    from mcpy.fleet import transfer

    source, target, encryption = job.source, job.target, job.encryption
    if isinstance(source, Path):
        if isinstance(target, Path):
            raise InputError("both ends are files on this machine", hint="cp")
        place = _place(app, target)
        return lambda: _upload(app, source, place, encryption)
    if not source.key:
        raise UnsupportedError(f"`{source}` is not an object, and cp copies single objects")
    place = _place(app, source)
    if isinstance(target, Path):
        return lambda: _download(app, place, target, version_id)
    there = transfer.Place(
        place.s3 if target.alias == source.alias else app.s3(target.alias), target
    )
    return lambda: transfer.copy(place, there, encryption, version_id=version_id)


def _place(app: App, target: Target) -> Place:
    from mcpy.fleet.transfer import Place

    return Place(app.s3(target.alias), target)


def _upload(
    app: App, source: Path, place: Place, encryption: ObjectEncryption | None
) -> ObjectInfo:
    from mcpy.fleet.transfer import upload

    if not source.is_file():
        what = "is a folder" if source.is_dir() else "is not there"
        raise ConfigError(f"the file {source} {what}")
    with app.out.progress(source.name, total=source.stat().st_size) as advance:
        return upload(source, place, encryption, advance)


def _download(app: App, place: Place, target: Path, version_id: str) -> ObjectInfo:
    from mcpy.fleet.transfer import download

    with app.out.progress(target.name) as advance:
        return download(place, target, version_id=version_id, advance=advance)
