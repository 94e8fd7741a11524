"""``mcpy mb`` and ``mcpy rb``: make and remove buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import buckets_of, confirm, for_each, jobs_option
from mcpy.cli.params import BUCKET, TARGETS
from mcpy.errors import InputError, McpyError, S3Error
from mcpy.models import Target

if TYPE_CHECKING:
    from mcpy.api.s3 import S3
    from mcpy.cli.app import App


@dataclass(frozen=True)
class BucketMade:
    """A bucket that is there now."""

    target: Target
    region: str
    created: bool
    versioned: bool = False

    def data(self) -> dict[str, Any]:
        """Return mc's fields, and whether the versioning of a bucket was switched on."""
        found = {
            "status": "success",
            "bucket": str(self.target),
            "region": self.region,
            "created": self.created,
        }
        return found | ({"versioning": "Enabled"} if self.versioned else {})

    def text(self) -> str:
        """Return one line."""
        if self.created:
            return f"Made bucket `{self.target}`."
        if self.versioned:
            return f"Bucket `{self.target}` was there already: switched its versioning on."
        return f"Bucket `{self.target}` was there already: nothing changed."


@dataclass(frozen=True)
class BucketRemoved:
    """A bucket that is gone."""

    target: Target

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {"status": "success", "bucket": str(self.target)}

    def text(self) -> str:
        """Return one line."""
        return f"Removed bucket `{self.target}`."


@click.command("mb", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=BUCKET, metavar="TARGET...")
@click.option("--ignore-existing", "-p", is_flag=True, help="A bucket of yours is no error.")
@click.option("--with-lock", "-l", is_flag=True, help="With object lock.")
@click.option("--with-versioning", is_flag=True, help="With versioning.")
@click.option("--region", default="", help="Where. [us-east-1]")
@jobs_option
@pass_app
def mb(app: App, /, targets: tuple[Target, ...], **options: Any) -> None:  # noqa: ANN401
    """Make buckets."""
    for target in targets:
        _refuse_key(target, "mb")
    for_each(app, targets, lambda target: _make(app, target, options), jobs=options["jobs"])


@click.command("rb", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=TARGETS, metavar="TARGET...")
@click.option("--force", is_flag=True, help="Remove everything in it first, all versions.")
@click.option("--dangerous", is_flag=True, help="Let TARGET be a whole ALIAS.")
@click.option("--yes", "-y", is_flag=True, hidden=True, help="Do not ask.")
@jobs_option
@pass_app
def rb(app: App, /, targets: tuple[Target, ...], **options: Any) -> None:  # noqa: ANN401 - click's
    """Remove buckets. They must be empty, or --force removes all that is in them too."""
    app.bulk()
    force = options["force"]
    for target in targets:
        _refuse_key(target, "rb")
        if not target.bucket and not (force and options["dangerous"]):
            raise InputError(
                f"`{target}` is a whole server: every bucket on it would go",
                hint=f"mcpy rb --force --dangerous {target}",
            )
    buckets = _named(app, targets)
    if force and app.stdin.isatty():
        names = ", ".join(str(target) for target in buckets)
        hint = f"mcpy rb --force --yes {' '.join(str(target) for target in buckets)}"
        confirm(app, f"Remove {names} and all that is in it?", yes=options["yes"], hint=hint)
    for_each(app, buckets, lambda target: _remove(app, target, force=force), jobs=options["jobs"])


def _named(app: App, targets: tuple[Target, ...]) -> list[Target]:
    """Put all buckets of a server in the place of its alias."""
    every = (target if target.bucket else Target(target.alias, "*") for target in targets)
    return buckets_of(app, every)


def _refuse_key(target: Target, command: str) -> None:
    if target.key.strip("/"):
        bucket = f"{target.alias}/{target.bucket}"
        raise InputError(f"`{target}` is more than a bucket", hint=f"mcpy {command} {bucket}")


def _make(app: App, target: Target, options: dict[str, Any]) -> BucketMade:
    client = app.s3(target.alias)
    created = True
    try:
        client.make_bucket(target.bucket, region=options["region"], with_lock=options["with_lock"])
    except S3Error as e:
        if e.api_code != "BucketAlreadyOwnedByYou":
            raise
        if not options["ignore_existing"]:
            e.hint = f"mcpy mb --ignore-existing {target}"
            raise
        created = False
    if not client.bucket_exists(target.bucket):
        raise McpyError(f"the server took `{target}` and does not have it")
    if options["with_lock"] and client.object_lock(target.bucket).enabled != "Enabled":
        raise McpyError(f"`{target}` is there and has no object lock")
    versioned = options["with_versioning"] and _versioned(client, target)
    return BucketMade(target, options["region"], created, versioned)


def _versioned(client: S3, target: Target) -> bool:
    """Switch versioning on and look whether it is; False when it was before."""
    if client.versioning(target.bucket)[0] == "Enabled":
        return False
    client.set_versioning(target.bucket, status="Enabled")
    if client.versioning(target.bucket)[0] != "Enabled":
        raise McpyError(f"the server took versioning for `{target}` and does not have it on")
    return True


def _remove(app: App, target: Target, *, force: bool) -> BucketRemoved:
    from mcpy.fleet.transfer import remove_bucket_contents

    client = app.s3(target.alias)
    if force:
        remove_bucket_contents(client, target.bucket, lambda _: None)
    try:
        client.remove_bucket(target.bucket)
    except S3Error as e:
        if e.api_code == "BucketNotEmpty":
            hint = f"mcpy rb --force {target}"
            raise McpyError(f"`{target}` is not empty", hint=hint) from e
        raise
    return BucketRemoved(target)
