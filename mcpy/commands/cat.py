"""``mcpy cat``: objects to stdout, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.params import OBJECT

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.models import Target


@click.command("cat", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=OBJECT, metavar="TARGET...")
@click.option("--version-id", "--vid", default="", help="This version.")
@pass_app
def cat(app: App, targets: tuple[Target, ...], *, version_id: str) -> None:
    """Write objects to stdout; an object that breaks off is an error."""
    from mcpy.fleet.transfer import Place, pour

    for target in targets:
        pour(Place(app.s3(target.alias), target), app.out.raw, version_id=version_id)
