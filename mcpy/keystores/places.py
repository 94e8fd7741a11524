"""Whether two configurations name one keystore, which a copy would find to be complete."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.kesconf.stores import (
    AwsStore,
    AzureStore,
    CipherTrustStore,
    FsStore,
    GcpStore,
    VaultStore,
)

if TYPE_CHECKING:
    from mcpy.kesconf.stores import StoreConfig


def same_place(one: StoreConfig, other: StoreConfig) -> bool:
    """Whether both name one place; addresses are compared as text, folders by what they are."""
    if isinstance(one, FsStore) and isinstance(other, FsStore):
        with suppress(OSError):
            return Path(one.path).samefile(other.path)
        return False
    return type(one) is type(other) and _place(one) == _place(other)


def _place(store: StoreConfig) -> tuple[str, ...]:
    if isinstance(store, VaultStore):
        where = (store.namespace.strip("/"), store.engine.strip("/"), store.prefix.strip("/"))
        return (_address(store.endpoint), *where)
    if isinstance(store, AwsStore):
        # an endpoint and region has the secrets of many accounts
        return (_address(store.endpoint), store.region, store.access_key)
    if isinstance(store, GcpStore):
        return (_address(store.endpoint), store.project)
    if isinstance(store, AzureStore):
        return (_address(store.endpoint),)
    if isinstance(store, CipherTrustStore):
        return (_address(store.endpoint), store.domain or "root")
    return (str(store),)


def _address(endpoint: str) -> str:
    return endpoint.partition("://")[2].rstrip("/").lower() or endpoint.lower()
