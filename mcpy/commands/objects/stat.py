"""``mcpy stat``: what a server says of an object or a bucket, its encryption above all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.enc import enc_c_option, enc_rules
from mcpy.cli.many import JOBS, Failures, buckets_of, for_each
from mcpy.cli.params import MOMENT, ParsedTarget, parse_targets
from mcpy.commands.objects.stat_bucket import bucket_stat
from mcpy.commands.objects.stat_object import FolderStat, ObjectStat
from mcpy.errors import InputError, McpyError, NotFoundError, S3Error
from mcpy.models import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.api.s3 import S3, ObjectInfo
    from mcpy.api.s3listing import Entry
    from mcpy.cli.app import App
    from mcpy.cli.enc import EncRules
    from mcpy.cli.output import Result


@dataclass(frozen=True)
class _Contents(Target):
    """What lies in a bucket, and not the bucket itself: it was written ``ALIAS/BUCKET/``."""


def _parse(text: str) -> Target:
    target = parse_targets(text)
    if text.endswith("/") and target.bucket and not target.key:
        return _Contents(target.alias, target.bucket)
    return target


@click.command("stat", cls=Command)
@click.argument(
    "targets",
    nargs=-1,
    required=True,
    type=ParsedTarget("TARGET", _parse),
    metavar="TARGET...",
)
@click.option("--recursive", "-r", is_flag=True, help="All that is below TARGET.")
@click.option("--versions", is_flag=True, help="Every version.")
@click.option("--version-id", "--vid", default="", help="This version.")
@click.option("--rewind", type=MOMENT, help="The version that was the latest then.")
@click.option("--no-list", is_flag=True, help="Ask for objects alone, never for listings.")
@click.option("--verbose", "-v", is_flag=True, help="Of an alias, all about its buckets.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=JOBS, metavar="N", help="At a time. [4]"
)
@enc_c_option
@pass_app
def stat(app: App, /, targets: tuple[Target, ...], **options: Any) -> None:  # noqa: ANN401 - click's
    """Show metadata and encryption. Of objects size and date too, of buckets the settings."""
    rules = enc_rules(app, options)
    if options["version_id"] and (options["versions"] or options["recursive"]):
        raise InputError("--version-id names a version of one object")
    # what ends with a slash is asked for what is in it, as mc does
    inside = any(map(_is_contents, targets)) and not options["no_list"]
    deep = options["recursive"] or options["versions"] or inside
    if deep:
        app.bulk()
    everything = options["verbose"] or deep
    named = list(_named(app, buckets_of(app, targets), verbose=everything))
    if deep:
        _many(app, named, rules, options)
        return
    for_each(
        app,
        named,
        lambda target: _stat(app, target, rules, options),
        data=True,
        jobs=options["jobs"],
    )


def _is_contents(target: Target) -> bool:
    return isinstance(target, _Contents) or target.key.endswith("/")


def _named(app: App, targets: list[Target], *, verbose: bool) -> Iterator[Target | FolderStat]:
    """Put the buckets of an alias in its place."""
    for target in targets:
        if target.bucket:
            yield target
            continue
        for bucket in app.s3(target.alias).list_buckets():
            below = Target(target.alias, bucket.name)
            yield below if verbose else FolderStat(bucket.name + "/")


def _stat(
    app: App, target: Target | FolderStat, rules: EncRules, options: dict[str, Any]
) -> Result:
    if isinstance(target, FolderStat):
        return target
    client = app.s3(target.alias)
    if not target.key:
        if options["no_list"]:
            return _bucket_alone(client, target)
        return bucket_stat(client, app.admin(target.alias), target)
    from mcpy.cli.versions import version_of

    version = version_of(client, target, options["version_id"], options["rewind"])
    try:
        return ObjectStat(_head(client, target, version, rules))
    except S3Error as e:
        if e.status != 404:
            raise
        if not (version or options["no_list"]) and _is_folder(client, target):
            return FolderStat(target.key.rstrip("/").rpartition("/")[2] + "/")
        hint = f"mcpy ls {target.alias}/{target.bucket}"
        raise NotFoundError(f"`{target}` is not there", hint=hint) from e


def _bucket_alone(client: S3, target: Target) -> FolderStat:
    if not client.bucket_exists(target.bucket):
        raise NotFoundError(f"`{target}` is not there", hint=f"mcpy ls {target.alias}")
    return FolderStat(target.bucket + "/")


def _head(client: S3, target: Target, version_id: str, rules: EncRules) -> ObjectInfo:
    from mcpy.fleet.transfer import Place

    return Place(client, target, version_id, rules.key(target)).head(checksums=True)


def _is_folder(client: S3, target: Target) -> bool:
    folder = target.key.rstrip("/") + "/"
    return next(iter(client.list_objects(target.bucket, folder, delimiter="/")), None) is not None


def _many(
    app: App, targets: list[Target | FolderStat], rules: EncRules, options: dict[str, Any]
) -> None:
    """Ask for every object below the targets, some at a time, however many they are."""
    from mcpy.fleet.parallel import Stop, each

    failures = Failures()
    count = 0

    def report(_: object, outcome: Result | McpyError) -> None:
        nonlocal count
        count += 1
        if isinstance(outcome, McpyError):
            app.out.error(outcome, kind="error")
            failures.add(outcome)
        else:
            app.out.emit(outcome)

    each(
        _below(app, targets, options),
        lambda one: _one(app, one, rules) if isinstance(one, _Wanted) else one,
        report,
        jobs=options["jobs"],
        stop=Stop(),
        cut=app.cut,
    )
    if failures.count:
        raise failures.sum_of(count)


@dataclass(frozen=True)
class _Wanted:
    """An object to ask for, under the name to show."""

    target: Target
    version_id: str
    name: str


def _one(app: App, wanted: _Wanted, rules: EncRules) -> ObjectStat:
    info = _head(app.s3(wanted.target.alias), wanted.target, wanted.version_id, rules)
    # of a bucket without versions a HEAD names none, and a list `null`
    return ObjectStat(replace(info, version_id=info.version_id or wanted.version_id), wanted.name)


def _below(
    app: App, targets: list[Target | FolderStat], options: dict[str, Any]
) -> Iterator[_Wanted | Result]:
    for target in targets:
        if isinstance(target, FolderStat):
            yield target
            continue
        if not (target.key or options["recursive"] or _is_contents(target)):
            yield bucket_stat(app.s3(target.alias), app.admin(target.alias), target)
            continue
        empty = True
        for entry in _listed(app.s3(target.alias), target, options):
            empty = False
            yield _named_entry(target, entry)
        if empty and target.key:
            raise NotFoundError(f"`{target}` is not there")


def _listed(client: S3, target: Target, options: dict[str, Any]) -> Iterator[Entry]:
    from mcpy.fleet.transfer.walk import as_of, is_below

    if options["versions"]:
        listed = client.list_versions(target.bucket, target.key)
    elif options["rewind"]:
        listed = as_of(client.list_versions(target.bucket, target.key), options["rewind"])
    else:
        delimiter = "" if options["recursive"] else "/"
        listed = client.list_objects(target.bucket, target.key, delimiter=delimiter)
    inside = options["recursive"] or _is_contents(target)
    for entry in listed:
        if entry.key == target.key or (inside and is_below(entry.key, target.key)):
            yield entry


def _named_entry(target: Target, entry: Entry) -> _Wanted | FolderStat:
    from mcpy.fleet.transfer.walk import relative_name

    name = relative_name(target, entry.key, contents=_is_contents(target))
    if entry.is_prefix:
        return FolderStat(name)
    if entry.is_delete_marker:
        return FolderStat(name, entry)
    return _Wanted(Target(target.alias, target.bucket, entry.key), entry.version_id, name)
