"""``mcpy kes identity``: who a certificate, key or API key is to KES."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command, Group
from mcpy.cli.kes_access import key_password
from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from mcpy.cli.app import App


@dataclass(frozen=True)
class Identity:
    """A KES identity: 64 hex digits."""

    identity: str

    def data(self) -> dict[str, Any]:
        """Return the identity."""
        return {"identity": self.identity}

    def text(self) -> str:
        """Return the bare identity."""
        return self.identity


@dataclass(frozen=True)
class ApiKey:
    """An API key, shown because it was asked for, and the identity it has."""

    api_key: str = field(repr=False)
    identity: str

    def data(self) -> dict[str, Any]:
        """Return both."""
        return {"api_key": self.api_key, "identity": self.identity}

    def text(self) -> str:
        """Return the bare API key."""
        return self.api_key


class _IdentityGroup(Group):
    """A group whose unknown words are what ``kes identity`` takes: an API key, or a file."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command named, or the one for a bare argument."""
        if (args[0].startswith("-") and args[0] != "-") or self.get_command(ctx, args[0]):
            return super().resolve_command(ctx, args)
        return _show.name, _show, args


@click.group(
    cls=_IdentityGroup,
    invoke_without_command=True,
    subcommand_metavar="[COMMAND | API-KEY | FILE]",
    lazy={
        "new": ("mcpy.commands.kes.identity_new", "new", "Make a new identity."),
        "info": ("mcpy.commands.kes.identity_info", "info", "Show role and policy."),
        "ls": ("mcpy.commands.kes.identity_info", "ls", "List the identities KES knows."),
    },
)
@click.pass_context
def identity(ctx: click.Context) -> None:
    """Make, compute and look up identities.

    Without a command: a new API key; the identity of an API key or certificate; the API key of a
    private key file.
    """
    if ctx.invoked_subcommand is None:
        from mcpy.api import kes_identity

        key = kes_identity.new_key()
        ctx.obj.out.emit(ApiKey(kes_identity.api_key(key), kes_identity.identity(key)))


@identity.command("of")
@click.argument("source", metavar="CERTIFICATE|API-KEY")
@pass_app
def of(app: App, source: str) -> None:
    """Show the identity of a certificate file or an API key; `-` reads an API key from stdin."""
    app.out.emit(Identity(_identity_of(app, _given(app, source))))


@click.command("API-KEY|FILE", cls=Command, hidden=True)
@click.argument("source", metavar="API-KEY|FILE")
@pass_app
def _show(app: App, source: str) -> None:
    """Show the identity of an API key or certificate, or the API key of a private key file."""
    from mcpy.api import kes_identity

    source = _given(app, source)
    pem = _read(Path(source)) if os.path.isfile(source) else b""  # noqa: PTH113 - see _identity_of
    if b"PRIVATE KEY-----" not in pem or b"-----BEGIN CERTIFICATE-----" in pem:
        app.out.emit(Identity(_identity_of(app, source)))
        return
    key = kes_identity.of_private_key(pem, source, lambda: key_password(app))
    app.out.emit(ApiKey(kes_identity.api_key(key), kes_identity.identity(key)))


def _given(app: App, source: str) -> str:
    if source == "-":
        source = app.stdin.readline().strip()
    app.out.hide(source if source.startswith("kes:v1:") else "")
    return source


def _identity_of(app: App, source: str) -> str:
    from mcpy.api import kes_identity
    from mcpy.api.tls import private_key_from_api_key

    path = Path(source)
    # unlike Path.exists it is False, and no error, for what is too long to be a name
    if not source.startswith("kes:v1:") and os.path.exists(source):  # noqa: PTH110
        found = kes_identity.of_certificate(_read(path), source)
        if found.is_ca:
            app.out.warn(f"{path} is the certificate of an authority: KES takes it from no client")
        return found.identity
    if not source.startswith("kes:v1:") and len(source) != 44:
        if "." in source or (len(source) < 16 and ":" not in source):
            raise ConfigError(f"there is no certificate file {source}")
        # not repeated: it may be a mistyped API key
        raise ConfigError("the argument is neither a certificate file nor an API key")
    return kes_identity.identity(private_key_from_api_key(source))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}") from e
