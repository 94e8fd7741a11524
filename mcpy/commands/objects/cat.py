"""``mcpy cat``: objects to stdout, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.enc import enc_c_option, enc_rules
from mcpy.cli.many import Failures, buckets_of
from mcpy.cli.params import MOMENT, OBJECTS
from mcpy.errors import InputError, Interrupted, McpyError, S3Error, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.cli.app import App
    from mcpy.cli.enc import EncRules
    from mcpy.fleet.transfer import Place
    from mcpy.models import Target


@click.command("cat", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=OBJECTS, metavar="TARGET...")
@click.option("--version-id", "--vid", default="", help="This version.")
@click.option("--rewind", type=MOMENT, help="The version that was the latest then.")
@click.option("--offset", type=click.IntRange(0), default=0, metavar="N", help="From here on.")
@click.option("--tail", type=click.IntRange(0), default=0, metavar="N", help="The last N bytes.")
@click.option("--part-number", type=click.IntRange(0, 10_000), default=0, help="This part.")
@click.option("--zip", "in_zip", is_flag=True, hidden=True, help="Refused: mc's option.")
@enc_c_option
@pass_app
def cat(app: App, /, targets: tuple[Target, ...], **options: Any) -> None:  # noqa: ANN401 - click's
    """Write objects to stdout, in the order given. An object that breaks off ends it all."""
    if options["in_zip"]:
        raise UnsupportedError("cat does not look into zip archives")
    if bool(options["offset"]) + bool(options["tail"]) + bool(options["part_number"]) > 1:
        raise InputError("--offset, --tail and --part-number exclude each other")
    app.bulk()
    rules = enc_rules(app, options)
    named, failures = buckets_of(app, targets), Failures()
    for target in named:
        written = _Written(app)
        try:
            _write(_place(app, target, rules, options), options, written)
        except McpyError as e:
            # after a part of an object another one would hide where it broke off
            if len(named) == 1 or written.any or isinstance(e, Interrupted):
                raise
            app.out.error(e, kind="error")
            failures.add(e)
        if app.out.reader_left:
            return
    if failures.count:
        raise failures.sum_of(len(named))


@dataclass
class _Written:
    """Writes an object to stdout, and knows whether it did."""

    app: App
    any: bool = False

    def __call__(self, chunk: bytes) -> None:
        self.any = True
        self.app.out.raw(chunk)


def _place(app: App, target: Target, rules: EncRules, options: dict[str, Any]) -> Place:
    from mcpy.cli.versions import version_of
    from mcpy.fleet.transfer import Place

    client = app.s3(target.alias)
    version = version_of(client, target, options["version_id"], options["rewind"])
    return Place(client, target, version, rules.key(target))


def _write(place: Place, options: dict[str, Any], write: Callable[[bytes], None]) -> None:
    from mcpy.fleet.transfer import Span, pour

    start = options["offset"]
    if options["tail"]:
        start = max(0, place.head().size - options["tail"])
    try:
        pour(place, write, span=Span(start), part_number=options["part_number"])
    except S3Error as e:
        if e.status == 416:
            raise InputError(f"`{place.target}` is not that long: {start} bytes") from e
        raise
