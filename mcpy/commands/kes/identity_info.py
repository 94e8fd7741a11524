"""``mcpy kes identity info`` and ``ls``: the identities a KES knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.kes_access import KesCommand, KesOptions, connect, own_identity
from mcpy.commands.kes.ls import identities, show
from mcpy.errors import KesError

if TYPE_CHECKING:
    from mcpy.api.kes import IdentityInfo, Kes
    from mcpy.cli.app import App


@dataclass(frozen=True)
class IdentityShown:
    """The role and policy of an identity."""

    info: IdentityInfo

    def data(self) -> dict[str, Any]:
        """Return the fields of KES's API."""
        info = self.info
        found: dict[str, Any] = {"identity": info.identity}
        found |= {"admin": True} if info.admin else {"policy": info.policy}
        found |= {"created_at": info.created_at, "created_by": info.created_by}
        return {name: value for name, value in found.items() if value}

    def text(self) -> str:
        """Return one field a line, as kes names them."""
        info = self.info
        rows = [
            ("Identity", info.identity),
            ("Policy", info.policy),
            ("Created At", info.created_at),
            ("Role", "Admin" if info.admin else "User"),
            ("Created By", info.created_by),
        ]
        return "\n".join(f"{name:<12}{value}" for name, value in rows if value)


@click.command("info", cls=KesCommand)
@click.argument("identity", required=False, metavar="[IDENTITY]")
@pass_app
def info(app: App, identity: str | None, *, access: KesOptions) -> None:
    """Show role and policy. Of an identity, or of the one that asks."""
    client = connect(app, access)
    if identity is None:
        app.out.emit(IdentityShown(_own(app, client, access)))
        return
    try:
        app.out.emit(IdentityShown(client.describe_identity(identity)))
    except KesError as e:
        raise _named(e, identity) from e


@click.command("ls", cls=KesCommand)
@click.argument("pattern", default="*", metavar="[PATTERN]")
@pass_app
def ls(app: App, pattern: str, *, access: KesOptions) -> None:
    """List the identities KES knows. The admin's, and those with a policy."""
    show(app, "Identity", identities(connect(app, access), pattern))


def _own(app: App, client: Kes, access: KesOptions) -> IdentityInfo:
    try:
        return client.describe_self()
    except KesError as e:
        if e.status != 404:
            raise
    # a KES tells only the admin who it is: whoever else asks is looked up by name
    identity = own_identity(app, access)
    try:
        return client.describe_identity(identity)
    except KesError as e:
        if e.status == 403:
            raise KesError(
                e.status,
                f"you are {identity}, and your policy does not let you see more",
                hint=f"allow it /v1/identity/describe/{identity}",
            ) from e
        raise _named(e, identity) from e


def _named(error: KesError, identity: str) -> KesError:
    hint = "mcpy kes identity ls" if error.status == 404 else error.hint
    return KesError(error.status, f"identity `{identity}`: {error.server_message}", hint=hint)
