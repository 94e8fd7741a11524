"""``mcpy cat``: objects to stdout, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.enc import enc_c_option, enc_rules
from mcpy.cli.params import MOMENT, OBJECT
from mcpy.errors import InputError, S3Error, UnsupportedError

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.fleet.transfer import Place
    from mcpy.models import Target


@click.command("cat", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=OBJECT, metavar="TARGET...")
@click.option("--version-id", "--vid", default="", help="This version.")
@click.option("--rewind", type=MOMENT, help="The version that was the latest then.")
@click.option("--offset", type=click.IntRange(0), default=0, metavar="N", help="From here on.")
@click.option("--tail", type=click.IntRange(0), default=0, metavar="N", help="The last N bytes.")
@click.option("--part-number", type=click.IntRange(0, 10_000), default=0, help="This part.")
@click.option("--zip", "in_zip", is_flag=True, hidden=True, help="Refused: mc's option.")
@enc_c_option
@pass_app
def cat(app: App, /, targets: tuple[Target, ...], **options: Any) -> None:  # noqa: ANN401 - click's
    """Write objects to stdout. An object that breaks off is an error."""
    from mcpy.cli.versions import version_of
    from mcpy.fleet.transfer import Place

    if options["in_zip"]:
        raise UnsupportedError("cat does not look into zip archives")
    if bool(options["offset"]) + bool(options["tail"]) + bool(options["part_number"]) > 1:
        raise InputError("--offset, --tail and --part-number exclude each other")
    app.bulk()
    rules = enc_rules(app, options)
    for target in targets:
        client = app.s3(target.alias)
        version = version_of(client, target, options["version_id"], options["rewind"])
        _write(app, Place(client, target, version, rules.key(target)), options)


def _write(app: App, place: Place, options: dict[str, Any]) -> None:
    from mcpy.fleet.transfer import Span, pour

    start = options["offset"]
    if options["tail"]:
        start = max(0, place.head().size - options["tail"])
    try:
        pour(place, app.out.raw, span=Span(start), part_number=options["part_number"])
    except S3Error as e:
        if e.status == 416:
            raise InputError(f"`{place.target}` is not that long: {start} bytes") from e
        raise
