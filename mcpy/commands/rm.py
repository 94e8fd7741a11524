"""``mcpy rm``: remove objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import for_each
from mcpy.cli.output import printable
from mcpy.cli.params import OBJECT
from mcpy.errors import NotFoundError

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.models import Target


@dataclass(frozen=True)
class Removed:
    """An object, or one version of it, that is gone."""

    target: Target
    version_id: str
    missing: bool = False

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {
            "status": "success",
            "key": str(self.target),
            "deleteMarker": False,
            "versionID": self.version_id,
            "modTime": None,
            "dryRun": False,
        }

    def text(self) -> str:
        """Return one line."""
        if self.missing:
            return printable(f"`{self.target}` was not there: nothing changed.")
        version = f" ({self.version_id})" if self.version_id else ""
        return printable(f"Removed `{self.target}`{version}.")


@click.command("rm", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=OBJECT, metavar="TARGET...")
@click.option("--version-id", "--vid", default="", help="This version, for ever.")
@click.option("--force", is_flag=True, help="An object that is missing is no error.")
@pass_app
def rm(app: App, targets: tuple[Target, ...], *, version_id: str, force: bool) -> None:
    """Remove objects; in a versioned bucket the versions stay below a delete marker."""
    for_each(app, targets, lambda target: _remove(app, target, version_id, force=force))


def _remove(app: App, target: Target, version_id: str, *, force: bool) -> Removed:
    from mcpy.fleet.transfer import Place, existing

    client = app.s3(target.alias)
    if not version_id:
        try:
            existing(Place(client, target))
        except NotFoundError:
            if force:
                return Removed(target, "", missing=True)
            raise
    client.delete_object(target.bucket, target.key, version_id=version_id)
    return Removed(target, version_id)
