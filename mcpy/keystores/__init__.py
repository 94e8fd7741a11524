"""What KES keeps its keys in: one interface, an implementation for each provider.

Entries are byte for byte what a KES stores and reads. A lock makes KES fail on the key (502) and
never miss it (404): a KES that misses a key lets it be created anew, and MinIO does that when it
starts, which loses everything under the old key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.kesconf.stores import AwsStore, AzureStore, FsStore, GcpStore, VaultStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.kesconf.stores import CipherTrustStore, StoreConfig
    from mcpy.keystores.base import KeyStore
    from mcpy.keystores.web import WebOptions


def open_store(store: StoreConfig, env: Mapping[str, str], options: WebOptions) -> KeyStore:
    """Return the keystore a KES configuration names; providers are asked at the first call.

    A package that is missing raises ConfigError then.
    """
    if isinstance(store, FsStore):
        from pathlib import Path

        from mcpy.keystores.fs import FolderStore

        return FolderStore(Path(store.path))
    if isinstance(store, VaultStore):
        from mcpy.keystores.vault import VaultKv

        return VaultKv(store, env, options)
    return _cloud(store, options)


def _cloud(
    store: AwsStore | GcpStore | AzureStore | CipherTrustStore, options: WebOptions
) -> KeyStore:
    if isinstance(store, AwsStore):
        from mcpy.keystores.aws import SecretsManager

        return SecretsManager(store, options)
    if isinstance(store, GcpStore):
        from mcpy.keystores.gcp import SecretManager

        return SecretManager(store, options)
    if isinstance(store, AzureStore):
        from mcpy.keystores.azure import KeyVault

        return KeyVault(store, options)
    from mcpy.keystores.ciphertrust import CipherTrust

    return CipherTrust(store, options)
