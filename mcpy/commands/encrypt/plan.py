"""``mcpy encrypt plan``: how keys and buckets differ from a file, or a file of what is there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from mcpy.cli import documents
from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import buckets_of, jobs_option
from mcpy.cli.params import TARGETS
from mcpy.commands.encrypt.desired import (
    ItemShown,
    Summary,
    compared,
    hint_for,
    looked,
    no_objects_option,
    raise_outcome,
    site,
    tell_failure,
    tell_summary,
    unnamed,
    width_of,
)
from mcpy.errors import InputError

if TYPE_CHECKING:
    from mcpy.cli.app import App


@click.command("plan", cls=Command)
@click.argument("arguments", nargs=-1, required=True, metavar="FILE")
@click.option("--export", is_flag=True, help="Write the file for TARGET... to stdout instead.")
@click.option(
    "--user-policy", is_flag=True, help="Print a policy for users that refuses the same."
)
@click.option("--all", "all_", is_flag=True, help="Show what is as wanted too.")
@no_objects_option
@jobs_option
@pass_app
def plan(app: App, /, arguments: tuple[str, ...], *, jobs: int, **options: bool) -> None:
    """Show how keys and buckets differ from FILE; exit 3 when anything does.

    Nothing is changed. FILE is TOML, - is stdin; --export TARGET... writes one from what is there,
    with every field explained. The fingerprint at the end is for `apply --expect`.
    """
    if options["export"]:
        _export(app, arguments)
        return
    if len(arguments) > 1:
        raise InputError("one FILE at a time", hint=f"mcpy encrypt plan {arguments[0]}")
    file = arguments[0]
    if options["user_policy"]:
        _print_user_policy(app, file)
        return
    _plan(app, file, everything=options["all_"], objects=not options["no_objects"], jobs=jobs)


def _plan(app: App, file: str, *, everything: bool, objects: bool, jobs: int) -> None:
    from mcpy.fleet.plan.item import fingerprint

    items, sites = compared(app, file, jobs=jobs)
    if objects:
        items = list(looked(app, items, sites, jobs=jobs))
    shown = [item for item in items if everything or app.out.json or item.state != "same"]
    width = width_of(app, shown)
    for item in shown:
        app.out.emit(ItemShown("plan", item, width))
        if len(items) > 1:  # a failure alone is the error the command ends with
            tell_failure(app, item)
    tell_summary(app, Summary("plan", items, fingerprint(items), unnamed(items, sites)))
    raise_outcome(items, file, tried=len(items), hint=hint_for("apply", file))


def _export(app: App, arguments: tuple[str, ...]) -> None:
    from mcpy.fleet.plan.export import read, write

    app.bulk()
    context = click.get_current_context()
    targets = [TARGETS.convert(argument, None, context) for argument in arguments]
    parts = []
    for alias in dict.fromkeys(target.alias for target in targets):
        own = [target for target in targets if target.alias == alias]
        for target in own:
            if target.key.strip("/"):
                raise InputError(f"`{target}` is no bucket: an encryption is a bucket's")
        whole = any(not target.bucket for target in own)
        names = (
            [bucket.name for bucket in app.s3(alias).list_buckets()]
            if whole
            else [target.bucket for target in buckets_of(app, own)]
        )
        parts.append(read(site(app, alias), names, everything=whole))
    app.out.lines(write(parts).rstrip("\n"))


def _print_user_policy(app: App, file: str) -> None:
    """Print statements for a policy of users: the form that MinIO keeps to."""
    from mcpy.fleet.plan import document, uploads

    desired = document.read(documents.read_text(app, file), documents.name_of(file))
    found = []
    for entry in desired.buckets:
        made = uploads.statements(
            entry.bucket, entry.encryption or document.NONE, entry.uploads or "any"
        )
        found += [{k: v for k, v in s.items() if k not in {"Principal", "Sid"}} for s in made]
    if not found:
        raise InputError(f"{file} refuses no uploads: no table says `uploads`")
    app.out.lines(json.dumps({"Version": "2012-10-17", "Statement": found}, indent=2))
