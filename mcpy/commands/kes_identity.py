"""``mcpy kes identity``: what a certificate or API key is called by KES."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Group
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


@click.group(cls=Group)
def identity() -> None:
    """Compute identities."""


@identity.command("of")
@click.argument("source", metavar="CERTIFICATE|API-KEY")
@pass_app
def of(app: App, source: str) -> None:
    """Show the identity of a certificate file or an API key; `-` reads an API key from stdin."""
    if source == "-":
        source = app.stdin.readline().strip()
    app.out.hide(source if source.startswith("kes:v1:") else "")
    app.out.emit(Identity(_identity_of(source)))


def _identity_of(source: str) -> str:
    path = Path(source)
    if source.startswith("kes:v1:") or not path.exists():
        return _of_api_key(source)
    return _of_certificate(path)


def _of_api_key(source: str) -> str:
    from cryptography.hazmat.primitives import serialization

    from mcpy.api.tls import identity_of_public_key, private_key_from_api_key

    if not source.startswith("kes:v1:") and len(source) != 44:
        # not repeated: it may be a mistyped API key
        raise ConfigError("the argument is neither a certificate file nor an API key")
    public = private_key_from_api_key(source).public_key()
    return identity_of_public_key(
        public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _of_certificate(path: Path) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    from mcpy.api.tls import identity_of_public_key

    try:
        public = x509.load_pem_x509_certificate(path.read_bytes()).public_key()
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}") from e
    except ValueError as e:
        raise ConfigError(f"{path} is not a certificate in PEM") from e
    return identity_of_public_key(
        public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
