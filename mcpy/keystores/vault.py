"""The KV engine of HashiCorp Vault and OpenBao, v1 and v2, as KES uses it.

v2: KES reads version 1 for ever, so a lock is the soft deletion of version 1. v1 has none: there
the field is renamed. A field has the name of its key; `prefix` is part of the path only.

Source: https://openbao.org/api-docs/secret/kv/kv-v2/
"""

from __future__ import annotations

import base64
import binascii
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mcpy.errors import ConfigError, UnreachableError
from mcpy.kesconf.stores import OWN_TOKEN
from mcpy.keystores.answers import listed, mapping, refused
from mcpy.keystores.base import (
    Capabilities,
    KeyExistsError,
    KeyLockedError,
    KeyMissingError,
    KeystoreDeniedError,
    KeystoreError,
    NotAKeyError,
    State,
    Step,
    finds,
)
from mcpy.keystores.vault_login import login_body
from mcpy.keystores.vault_words import data_of, wanted, words
from mcpy.keystores.web import Web

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mcpy.kesconf.stores import VaultStore
    from mcpy.keystores.web import Reply, WebOptions

# whoever locks keys is not who KES is: a token in the first goes before the file's sign-in
VAULT_TOKEN = "VAULT_TOKEN"  # noqa: S105 - a name
_LOCKED_FIELD = ".locked"
# KES takes no other version of a transit key
_TRANSIT_PREFIX = "vault:v1:"
_VERSION_1 = {"versions": [1]}


class VaultKv:
    """The keys in one KV engine; nothing is sent before the first call."""

    provider = "vault"

    def __init__(self, store: VaultStore, env: Mapping[str, str], options: WebOptions) -> None:
        client = (store.client_cert, store.client_key) if store.client_cert else None
        self._web = Web(store.endpoint, options, ca=store.ca, client=client)
        self._store = store
        self._v2 = store.version == "v2"
        self._given = env.get(OWN_TOKEN) or ("" if store.login else env.get(VAULT_TOKEN, ""))
        self._token = self._given
        self._signing_in = threading.Lock()
        self.capabilities = Capabilities(
            lock="soft deletion of version 1" if self._v2 else f"the field `KEY{_LOCKED_FIELD}`",
            erasure="all versions and the metadata are removed: only a backup of Vault has them",
        )

    @property
    def where(self) -> str:
        """Address, engine and prefix."""
        path = "/".join(filter(None, (self._store.engine, self._store.prefix)))
        return f"{self._store.endpoint} {path}"

    def list(self) -> Iterator[str]:
        """Yield all names under the prefix; those of folders end in a slash."""
        reply = self._call("GET", f"{self._path('metadata', '').rstrip('/')}?list=true")
        if reply.status == 404:  # an engine without entries
            return
        yield from (str(name) for name in listed(data_of(self._good(reply)), "keys"))

    def read(self, name: str) -> bytes:
        """Return version 1 of the entry, decrypted by transit where that is configured."""
        fields = self._fields(name)
        if name not in fields and name + _LOCKED_FIELD in fields:
            raise KeyLockedError(name)
        text = fields.get(name)
        if not isinstance(text, str) or not text:
            raise NotAKeyError(name, self.where)  # there is no field of that name
        return self._decrypted(text)

    def create(self, name: str, value: bytes) -> None:
        """Store the entry unless there is one; v1 cannot exclude a second writer."""
        if finds(self.state, name):
            raise KeyExistsError(name)
        body: dict[str, Any] = {name: self._encrypted(value)}
        if self._v2:
            body = {"data": body, "options": {"cas": 0}}
        reply = self._call("PUT", self._path("data", name), body, needs="create")
        if reply.status == 400 and "check-and-set" in words(reply):
            raise KeyExistsError(name)
        self._good(reply)

    def delete(self, name: str) -> None:
        """Remove all versions; raises when the entry is there still, as on the wrong engine."""
        if not finds(self.state, name):
            raise KeyMissingError(name)
        self._good(self._call("DELETE", self._path("metadata", name)))
        if finds(self.state, name):
            raise KeystoreError(
                f"Vault says it removed `{name}`, and has it still: is the engine v1?"
            )

    withdraw = delete

    def state(self, name: str) -> State:
        """Return whether version 1 can be read, was deleted or was destroyed."""
        try:
            fields = self._fields(name)
        except KeyLockedError:
            return "locked"
        except _DestroyedError:
            return "destroyed"
        return "locked" if name not in fields and name + _LOCKED_FIELD in fields else "enabled"

    def lock(self, name: str) -> None:
        """Delete version 1 softly, or rename the field."""
        if self.state(name) != "enabled":
            return
        if not self._v2:
            self._rename(name, name, name + _LOCKED_FIELD)
            return
        latest = self._call("GET", self._path("data", name))
        if mapping(data_of(latest), "metadata").get("version") == 1:
            # needs `delete` on the entry alone; the other call has a path of its own to grant
            self._good(self._call("DELETE", self._path("data", name)))
        else:
            self._good(self._call("PUT", self._path("delete", name), _VERSION_1))

    def unlock(self, name: str) -> None:
        """Undelete version 1, or rename the field back."""
        state = self.state(name)
        if state == "enabled":
            return
        if state == "destroyed":
            raise KeystoreError(f"`{name}` is destroyed: nothing brings it back")
        if self._v2:
            self._good(self._call("PUT", self._path("undelete", name), _VERSION_1))
        else:
            self._rename(name, name + _LOCKED_FIELD, name)

    def ping(self) -> None:
        """Ask for the server's health, which takes no token and stands in no namespace."""
        headers = {"X-Vault-Request": "true"}
        reply = self._web.send("GET", "/v1/sys/health?standbyok=true", headers=headers)
        if reply.body.get("sealed"):
            raise UnreachableError(f"{self._web.where}: Vault is sealed")

    def inspect(self) -> Iterator[Step]:
        """Yield whether signing in works and the engine has the version KES is told."""
        self._token_but("")
        yield Step("sign in", True)
        try:
            path = f"/v1/sys/internal/ui/mounts/{quote(self._store.engine)}"
            reply = self._good(self._call("GET", path))
        except KeystoreError as e:
            yield Step("engine", False, f"{self._store.engine}: {e.message}")
            return
        found = data_of(reply)
        version = f"v{mapping(found, 'options').get('version', '1')}"
        if found.get("type") not in {"kv", "generic"}:
            yield Step("engine", False, f"is of the type {found.get('type')}, not kv")
        elif version != self._store.version:
            words = f"is {version}, and the config says {self._store.version}"
            yield Step("engine", False, f"{words}: deletions then answer success and do nothing")
        else:
            yield Step("engine", True)

    def deleted(self) -> Iterator[str]:
        """Yield nothing: what is deleted softly is listed, as locked."""
        yield from ()

    def close(self) -> None:
        """Close the connections; the token ends by itself."""
        self._web.close()

    def _fields(self, name: str) -> Mapping[str, Any]:
        version = "?version=1" if self._v2 else ""
        reply = self._call("GET", self._path("data", name) + version)
        data = data_of(reply)
        if reply.status == 404:
            metadata = mapping(data, "metadata")
            if metadata.get("destroyed"):
                raise _DestroyedError(f"`{name}` is destroyed")
            if metadata.get("deletion_time"):
                raise KeyLockedError(name)
            raise KeyMissingError(name)
        self._good(reply)
        fields = data.get("data") if self._v2 else data
        return fields if isinstance(fields, dict) else {}

    def _rename(self, name: str, old: str, new: str) -> None:
        fields = dict(self._fields(name))
        fields[new] = fields.pop(old)
        self._good(self._call("PUT", self._path("data", name), fields))

    def _path(self, kind: str, name: str) -> str:
        parts = (self._store.engine, kind if self._v2 else "", self._store.prefix, name)
        return "/v1/" + quote("/".join(part for part in parts if part))

    def _encrypted(self, value: bytes) -> str:
        if not self._store.transit_key:
            return value.decode()
        path = f"/v1/{self._store.transit_engine}/encrypt/{quote(self._store.transit_key)}"
        body = {"plaintext": base64.b64encode(value).decode()}
        text = str(data_of(self._good(self._call("PUT", path, body))).get("ciphertext"))
        if not text.startswith(_TRANSIT_PREFIX):
            raise KeystoreError(
                f"the transit key `{self._store.transit_key}` was rotated: KES reads "
                f"`{_TRANSIT_PREFIX}` only"
            )
        return text

    def _decrypted(self, text: str) -> bytes:
        if not self._store.transit_key:
            return text.encode()
        path = f"/v1/{self._store.transit_engine}/decrypt/{quote(self._store.transit_key)}"
        data = data_of(self._good(self._call("PUT", path, {"ciphertext": text})))
        try:
            return base64.b64decode(str(data["plaintext"]), validate=True)
        except (KeyError, binascii.Error) as e:
            raise KeystoreError("Vault's transit engine gave no plaintext") from e

    def _call(
        self,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401 - JSON
        *,
        needs: str = "",
    ) -> Reply:
        """Return the answer, whatever its status but a denial.

        Raises:
            KeystoreDeniedError: it names the capability and the path to grant.
        """
        token = self._token_but("")
        # a second write with cas 0 would report a false clash
        again = method == "GET"
        headers = self._headers(token)
        reply = self._web.send(method, path, json=body, headers=headers, repeatable=again)
        if reply.status == 403 and not self._given and method == "GET":
            # a token that ended looks like one that may not
            headers = self._headers(self._token_but(token))
            reply = self._web.send(method, path, json=body, headers=headers)
        if reply.status == 403:
            raise KeystoreDeniedError(f"Vault: {words(reply)}{wanted(method, path, needs)}")
        return reply

    def _token_but(self, ended: str) -> str:
        """Return a token, another one than ``ended``; many ask at once, and one signs in.

        A secret id may be good for one sign-in only.
        """
        with self._signing_in:
            if self._token == ended:
                self._token = self._signed_in()
            return self._token

    def _headers(self, token: str) -> dict[str, str]:
        headers = {"X-Vault-Request": "true", "X-Vault-Token": token}
        namespace = self._store.namespace
        return headers | ({"X-Vault-Namespace": namespace} if namespace else {})

    def _signed_in(self) -> str:
        login = self._store.login
        if login is None:
            raise ConfigError(
                "the config names no way to sign in to Vault", hint=f"export {VAULT_TOKEN}=..."
            )
        namespace = login.namespace or self._store.namespace
        headers = {"X-Vault-Request": "true"}
        if namespace.strip("/"):  # `/` is the root namespace
            headers["X-Vault-Namespace"] = namespace
        path = f"/v1/auth/{quote(login.engine)}/login"
        reply = self._web.send("PUT", path, json=login_body(login), headers=headers)
        token = mapping(reply.body, "auth").get("client_token")
        if reply.status != 200 or not token:
            raise KeystoreDeniedError(
                f"Vault refused to sign in by {login.method}: {words(reply)}"
            )
        return str(token)

    def _good(self, reply: Reply) -> Reply:
        if not reply.succeeded:
            raise refused(reply, "", f"Vault: {words(reply)}")
        return reply


class _DestroyedError(KeystoreError):
    """Version 1 is gone for ever, its metadata is there."""
