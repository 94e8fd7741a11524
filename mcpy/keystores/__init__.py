"""What KES keeps its keys in: one interface, an implementation for each provider.

Entries are byte for byte what a KES stores and reads. A lock makes KES fail on the key (502) and
never miss it (404): a KES that misses a key lets it be created anew, and MinIO does that when it
starts, which loses everything under the old key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.kesconf.stores import AwsStore, FsStore, VaultStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.kesconf.stores import KeystoreFile
    from mcpy.keystores.base import KeyStore
    from mcpy.keystores.web import WebOptions


def open_store(file: KeystoreFile, env: Mapping[str, str], options: WebOptions) -> KeyStore:
    """Return the keystore a KES configuration names; providers are asked at the first call.

    Raises:
        UnsupportedError: mcpy has no client for this provider.
        ConfigError: a package for it is not installed.
    """
    from mcpy.errors import UnsupportedError

    store = file.store
    if isinstance(store, FsStore):
        from pathlib import Path

        from mcpy.keystores.fs import FolderStore

        return FolderStore(Path(store.path))
    if isinstance(store, VaultStore):
        from mcpy.keystores.vault import VaultKv

        return VaultKv(store, env, options)
    if isinstance(store, AwsStore):
        from mcpy.keystores.aws import SecretsManager

        return SecretsManager(store, options)
    raise UnsupportedError(
        f"keystores of the provider `{file.provider}` are not supported yet: nothing was done"
    )
