"""``mcpy admin kms status``: which KMS a server uses, and whether each endpoint answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import for_each, jobs_option
from mcpy.cli.output import printable
from mcpy.cli.params import ALIAS
from mcpy.errors import PartialError, UnreachableError

if TYPE_CHECKING:
    from mcpy.api.madmin_types import KmsStatus
    from mcpy.cli.app import App

_ONLINE = "online"


@dataclass(frozen=True)
class KmsShown:
    """The KMS of a server; ``several`` says that it is not the only one that is shown."""

    alias: str
    kms: KmsStatus
    several: bool = False

    def data(self) -> dict[str, Any]:
        """Return the KMS with a list of its endpoints."""
        return {
            "status": "error" if self.offline else "success",
            "target": self.alias,
            "name": self.kms.name,
            "defaultKeyId": self.kms.default_key,
            "endpoints": [
                {"endpoint": endpoint, "status": status}
                for endpoint, status in sorted(self.kms.endpoints.items())
            ],
        }

    def text(self) -> str:
        """Return the KMS, its default key, and a line for each endpoint."""
        of = f" of `{self.alias}`" if self.several else ""
        rows = [f"KMS{of}: {self.kms.name}", f"Default key: {self.kms.default_key or '(none)'}"]
        rows += [f"  {e}  {s}" for e, s in sorted(self.kms.endpoints.items())]
        return printable("\n".join(rows))

    @property
    def offline(self) -> list[str]:
        """The endpoints that do not answer."""
        return sorted(e for e, status in self.kms.endpoints.items() if status != _ONLINE)


@click.command("status", cls=Command)
@click.argument("aliases", type=ALIAS, nargs=-1, required=True, metavar="ALIAS...")
@jobs_option
@pass_app
def status(app: App, aliases: tuple[str, ...], *, jobs: int) -> None:
    """Show the KMS, its default key and endpoints; fails when an endpoint does not answer."""

    def ask(alias: str) -> KmsShown:
        return KmsShown(alias, app.admin(alias).kms_status(), len(aliases) > 1)

    for_each(app, aliases, ask, data=True, jobs=jobs, then=_check)


def _check(alias: str, shown: KmsShown) -> None:
    if not shown.offline:
        return
    message = f"{', '.join(shown.offline)} does not answer `{alias}`"
    hint = f"mcpy admin kms key status {alias}"
    if len(shown.offline) < len(shown.kms.endpoints):
        raise PartialError(message, hint=hint)
    raise UnreachableError(message, hint=hint)
