"""Azure Key Vault as KES uses it: one secret for each key, read at its oldest version for ever.

A lock disables that version. Soft deletion is no lock: a KES that creates a key over a deleted one
purges it. So nothing here is created over a deleted name, and nothing is deleted that the vault's
purge protection would keep, for then KES might miss the key for as long.

Source: https://learn.microsoft.com/rest/api/keyvault/secrets
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mcpy.errors import ConfigError, ProtocolError
from mcpy.keystores.answers import mapping, mappings, number, spoken
from mcpy.keystores.azure_challenge import scope_of
from mcpy.keystores.base import (
    Capabilities,
    KeyExistsError,
    KeyLockedError,
    KeyMissingError,
    KeystoreError,
    State,
)
from mcpy.keystores.tokens import SignedStore, Tokens
from mcpy.keystores.web import Web
from mcpy.models import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mcpy.errors import McpyError
    from mcpy.kesconf.stores import AzureStore
    from mcpy.keystores.tokens import Token
    from mcpy.keystores.web import Reply, WebOptions

_VERSION = "api-version=7.5"
# what KES waits for a deletion that is still going on: 10 times 0.2 s to 1 s
_PURGE_TRIES, _PURGE_PAUSE_S = 20, 0.5
_AGAIN = {"ObjectIsBeingDeleted", "ObjectIsBeingRecovered"}


class KeyVault(SignedStore):
    """The secrets of one vault; nothing is sent before the first call.

    Args:
        sign_in: gets a token for a scope, else the config's or the ambient credentials do.
        now: seconds since 1970.
    """

    provider = "azure"
    speaker = "Azure"
    capabilities = Capabilities(
        lock="the oldest version of the secret is disabled",
        erasure="the secret is deleted and then purged: nothing restores it",
        name=re.compile(r"(?!-)(?!.*-$)[0-9A-Za-z-]{1,80}"),
        name_rule="holds a `_`, and Azure Key Vault takes none",
        case_matters=False,
    )

    def __init__(
        self,
        store: AzureStore,
        options: WebOptions,
        *,
        sign_in: Callable[[str], Token] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._web = Web(_url(store.endpoint), options)
        self._now = now
        self._sleep = options.sleep
        self._scope = ""
        login = sign_in or (lambda scope: _signed_in(store, scope, options))
        self._tokens = Tokens(lambda: login(self._scope or self._asked_scope()), now=now)

    @property
    def where(self) -> str:
        """The vault's address."""
        return self._web.base_url

    def list(self) -> Iterator[str]:
        """Yield the names of all secrets, foreign ones too, page by page."""
        for secret in self._pages("/secrets"):
            yield _last(secret)

    def deleted(self) -> Iterator[str]:
        """Yield the names of secrets that are deleted, and neither purged nor recovered yet."""
        for secret in self._pages("/deletedsecrets"):
            yield _last(secret)

    def read(self, name: str) -> bytes:
        """Return the oldest version, as KES picks it."""
        version = self._oldest(name)
        if not version["attributes"].get("enabled", True):
            raise KeyLockedError(name)
        self._refuse_dates(name, version["attributes"])
        reply = self._good(self._call("GET", f"/secrets/{name}/{_last(version)}"), name)
        return str(reply.body.get("value", "")).encode()

    def create(self, name: str, value: bytes) -> None:
        """Make a secret where there is none, not even a deleted one."""
        if self._versions(name):
            raise KeyExistsError(name)
        reply = self._call("PUT", f"/secrets/{name}", {"value": value.decode()})
        if reply.status == 409:
            raise self._deleted(name) or self._failure(reply, name)
        made = self._good(reply, name)
        # KES reads the oldest version: that of whoever made the same name at the same time
        oldest = min(self._versions(name), key=_created, default=made.body)
        if _last(oldest) != _last(made.body) and self.read(name) != value:
            raise KeyExistsError(name)

    def delete(self, name: str) -> None:
        """Delete the secret and purge it, where the vault lets both be done."""
        level = str(self._oldest(name)["attributes"].get("recoveryLevel", "Purgeable"))
        if "Purgeable" not in level:
            raise KeystoreError(
                f"the vault's purge protection keeps `{name}` after a deletion: nothing was done, "
                "since KES may miss a deleted key and create another of its name",
                hint=f"mcpy keystore lock {name} --config FILE",
            )
        self._good(self._call("DELETE", f"/secrets/{name}"), name)
        self._purge(name)

    def withdraw(self, name: str) -> None:
        """Delete the secret, and purge it unless the vault's purge protection keeps it."""
        level = str(self._oldest(name)["attributes"].get("recoveryLevel", "Purgeable"))
        self._good(self._call("DELETE", f"/secrets/{name}"), name)
        if "Purgeable" in level:
            self._purge(name)

    def state(self, name: str) -> State:
        """Return whether the oldest version is enabled."""
        return "enabled" if self._oldest(name)["attributes"].get("enabled", True) else "locked"

    def lock(self, name: str) -> None:
        """Disable the oldest version."""
        self._enable(name, False)

    def unlock(self, name: str) -> None:
        """Enable the oldest version."""
        self._enable(name, True)

    @staticmethod
    def words(reply: Reply) -> str:
        """Return its words, its code in front where it has one."""
        error = _error(reply)
        code = _code(reply) or str(error.get("code") or "")
        return spoken(reply, error.get("message"), code=code)

    def _enable(self, name: str, enabled: bool) -> None:
        version = self._oldest(name)
        if version["attributes"].get("enabled", True) is not enabled:
            body = {"attributes": {"enabled": enabled}}
            self._good(self._call("PATCH", f"/secrets/{name}/{_last(version)}", body), name)

    def _purge(self, name: str) -> None:
        """Purge a deleted secret, as soon as its deletion is through."""
        path = f"/deletedsecrets/{name}"
        for _ in range(_PURGE_TRIES):
            # a purge before the deletion is through may be answered as of something missing
            if self._call("GET", path).status == 200:
                reply = self._call("DELETE", path)
                if reply.status == 204:
                    return
                if _code(reply) not in _AGAIN:
                    raise self._failure(reply, name)
            self._sleep(_PURGE_PAUSE_S)
        raise KeystoreError(
            f"the deletion of `{name}` is not through yet, so it is not purged",
            hint=f"az keyvault secret purge --vault-name {self._vault} --name {name}",
        )

    def _oldest(self, name: str) -> Mapping[str, Any]:
        versions = self._versions(name)
        if not versions:
            raise self._deleted(name) or KeyMissingError(name)
        oldest: Mapping[str, Any] = min(versions, key=_created)
        return {**oldest, "attributes": mapping(oldest, "attributes")}

    def _versions(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Return the versions KES looks at: one page, and it fails when there are more."""
        reply = self._call("GET", f"/secrets/{name}/versions")
        if reply.status == 404:
            return ()
        page = self._good(reply, name).body
        if page.get("nextLink"):
            raise KeystoreError(f"`{name}` has so many versions that KES does not read it")
        return mappings(page, "value")

    def _deleted(self, name: str) -> KeystoreError | None:
        """Return the error for a secret that is deleted and can be recovered, if it is one."""
        reply = self._call("GET", f"/deletedsecrets/{name}")
        if reply.status != 200:
            return None
        return KeystoreError(
            f"`{name}` is deleted and can be recovered; a KES asked to create it purges it",
            hint=f"az keyvault secret recover --vault-name {self._vault} --name {name}",
        )

    def _refuse_dates(self, name: str, attributes: Mapping[str, Any]) -> None:
        begins, ends = number(attributes, "nbf"), number(attributes, "exp")
        if begins and self._now() < begins:
            raise KeystoreError(f"`{name}` must not be used yet: its `nbf` lies in the future")
        if ends and self._now() >= ends:
            raise KeystoreError(f"`{name}` is expired: its `exp` lies in the past")

    def _pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Yield what a listing holds; its links may lead to this vault only."""
        while path:
            page = self._good(self._call("GET", path)).body
            yield from mappings(page, "value")
            link = str(page.get("nextLink") or "")
            parts = urlsplit(link)
            if link and parts.netloc != urlsplit(self._web.base_url).netloc:
                raise ProtocolError(f"{self._web.where}: a listing that goes on at another host")
            path = f"{parts.path}?{parts.query}" if link else ""

    @property
    def _vault(self) -> str:
        return self._web.where.partition(".")[0]

    def _asked_scope(self) -> str:
        """Return what to ask a token for, as the vault says to whoever comes without."""
        reply = self._web.send("GET", f"/secrets?{_VERSION}")
        self._scope = scope_of(reply.headers.get("www-authenticate", ""), self._web.base_url)
        return self._scope

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        path = path if "?" in path else f"{path}?{_VERSION}"
        return self._send(method, path, body)

    def _failure(self, reply: Reply, name: str) -> McpyError:
        # 409 stands for more than a name that is taken
        return super()._failure(reply, name if reply.status == 404 else "")


def _signed_in(store: AzureStore, scope: str, options: WebOptions) -> Token:
    from mcpy.keystores.azure_login import sign_in

    return sign_in(store, scope, options)


def _url(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ConfigError(f"`{endpoint}`: Azure's tokens and keys go over https only")
    return endpoint


def _last(item: Mapping[str, Any]) -> str:
    return str(item.get("id", "")).rpartition("/")[2]


def _created(version: Mapping[str, Any]) -> float:
    return number(mapping(version, "attributes"), "created")


def _error(reply: Reply) -> Mapping[str, Any]:
    error = reply.body.get("error")
    return error if isinstance(error, dict) else {}


def _code(reply: Reply) -> str:
    inner = _error(reply).get("innererror")
    return str(inner.get("code", "")) if isinstance(inner, dict) else ""
