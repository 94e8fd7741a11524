"""The keystore a KES configuration names, as values; secrets never show in a ``repr``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mcpy.kesconf.document import Node

# where in the file each provider stands; KES names CipherTrust by its former name
SECTIONS = {
    "fs": "fs",
    "vault": "vault",
    "aws": "aws.secretsmanager",
    "gcp": "gcp.secretmanager",
    "azure": "azure.keyvault",
    "ciphertrust": "gemalto.keysecure",
    "entrust": "entrust.keycontrol",
    "fortanix": "fortanix.sdkms",
}
# of whoever runs mcpy; goes before the sign-in of the file
OWN_TOKEN = "MCPY_VAULT_TOKEN"  # noqa: S105 - a name
# what KES does without a cache section, measured: 30 s and not the 5 min of its documentation
DEFAULT_ANY_S = 30.0


@dataclass(frozen=True)
class FsStore:
    """A folder with one file for each key."""

    path: str


@dataclass(frozen=True)
class VaultLogin:
    """How to sign in to Vault: ``approle`` (name, secret) or ``kubernetes`` (role, JWT)."""

    method: str
    engine: str
    namespace: str
    name: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class VaultStore:
    """A KV engine of Vault or OpenBao; ``version`` is ``v1`` or ``v2``."""

    endpoint: str
    engine: str
    version: str
    namespace: str
    prefix: str
    login: VaultLogin | None
    transit_engine: str = ""
    transit_key: str = ""
    client_cert: str = ""
    client_key: str = ""
    ca: str = ""


@dataclass(frozen=True)
class AwsStore:
    """AWS Secrets Manager; without an access key the ambient credentials count."""

    endpoint: str
    region: str
    kms_key: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True)
class GcpStore:
    """Google Secret Manager; without a client e-mail the ambient credentials count."""

    project: str
    endpoint: str = ""
    scopes: tuple[str, ...] = ()
    client_email: str = ""
    client_id: str = ""
    private_key_id: str = ""
    private_key: str = field(default="", repr=False)


@dataclass(frozen=True)
class AzureStore:
    """Azure Key Vault; without credentials the ambient ones count."""

    endpoint: str
    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    managed_identity: str = ""


@dataclass(frozen=True)
class CipherTrustStore:
    """Thales CipherTrust Manager, formerly Gemalto KeySecure."""

    endpoint: str
    token: str = field(repr=False)
    domain: str = ""
    ca: str = ""


StoreConfig = FsStore | VaultStore | AwsStore | GcpStore | AzureStore | CipherTrustStore


@dataclass(frozen=True)
class CacheExpiry:
    """How long a KES goes on with a key it has read, in seconds; 0 is off."""

    any_s: float = DEFAULT_ANY_S
    unused_s: float = 0.0
    offline_s: float = 0.0


@dataclass(frozen=True)
class KeystoreFile:
    """What a KES configuration says of its keystore."""

    path: Path
    provider: str
    store: StoreConfig
    cache: CacheExpiry


def present(root: Node) -> list[str]:
    """Return the providers a file names; a mapping that is empty counts as KES counts it."""
    return [name for name, path in SECTIONS.items() if root.at(f"keystore.{path}")]
