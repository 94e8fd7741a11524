"""Google Secret Manager as KES uses it: one secret for each key, read at version 1 for ever.

A lock disables version 1. Creating takes two calls; whoever is cut off between them leaves a
secret without a version, which KES neither finds nor creates: here creating finishes it.

Source: https://cloud.google.com/secret-manager/docs/reference/rest
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from mcpy.errors import ConfigError, McpyError, ProtocolError
from mcpy.keystores.answers import mapping, mappings, number, spoken
from mcpy.keystores.base import (
    Capabilities,
    KeyExistsError,
    KeyLockedError,
    KeystoreDeniedError,
    KeystoreError,
    State,
)
from mcpy.keystores.tokens import SignedStore, Tokens
from mcpy.keystores.web import Web
from mcpy.models import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.kesconf.stores import GcpStore
    from mcpy.keystores.tokens import Token
    from mcpy.keystores.web import Reply, WebOptions

_HOST = "https://secretmanager.googleapis.com"
_PAGE = 25_000  # the most Google gives at once
_FIRST = "versions/1"
_STATES: dict[object, State] = {
    "ENABLED": "enabled",
    "DISABLED": "locked",
    "DESTROYED": "destroyed",
}


class SecretManager(SignedStore):
    """The secrets of one project; nothing is sent before the first call.

    Args:
        sign_in: gets an access token; without it the config's or the ambient credentials count.
    """

    provider = "gcp"
    speaker = "Google"
    capabilities = Capabilities(
        lock="version 1 of the secret is disabled",
        erasure="the secret is deleted at once with all versions: nothing restores it",
        name=re.compile(r"(?!-)(?!.*-$)(?!_$)[0-9A-Za-z_-]{1,80}"),
    )

    def __init__(
        self, store: GcpStore, options: WebOptions, *, sign_in: Callable[[], Token] | None = None
    ) -> None:
        self._project = store.project
        self._web = Web(_url(store.endpoint), options)
        self._tokens = Tokens(sign_in or (lambda: _signed_in(store, options)))

    @property
    def where(self) -> str:
        """The project, and the endpoint where it is another one."""
        at = "" if self._web.base_url == _HOST else f" at {self._web.where}"
        return f"Google project {self._project}{at}"

    def list(self) -> Iterator[str]:
        """Yield the names of all secrets, foreign ones too, page by page.

        Pages that name a secret twice were not cut from one listing, and others may be lacking:
        an emulator was seen to answer like that.
        """
        token, seen = "", set[str]()
        while True:
            query = f"?pageSize={_PAGE}" + (f"&pageToken={quote(token, safe='')}" if token else "")
            page = self._good(self._call("GET", f"secrets{query}")).body
            for secret in mappings(page, "secrets"):
                name = str(secret.get("name", "")).rpartition("/")[2]
                if name in seen:
                    raise ProtocolError(
                        f"{self._web.where} lists `{name}` twice, and may leave others out"
                    )
                seen.add(name)
                yield name
            last, token = token, str(page.get("nextPageToken") or "")
            if not token:
                break
            if token == last:
                raise ProtocolError(f"{self._web.where}: a listing that goes round in circles")
        if len(seen) < (total := int(number(page, "totalSize"))):
            raise ProtocolError(f"{self._web.where} lists {len(seen)} of {total} secrets")

    def read(self, name: str) -> bytes:
        """Return the content of version 1."""
        reply = self._call("GET", f"{_secret(name)}/{_FIRST}:access")
        if reply.succeeded:
            return _payload(reply, name)
        if _is(reply, "FAILED_PRECONDITION"):
            state = self._unreadable(name, reply)
            if state == "destroyed":
                raise KeystoreError(f"version 1 of `{name}` is destroyed: nothing brings it back")
            raise KeyLockedError(name)
        raise self._failure(reply, name)

    def create(self, name: str, value: bytes) -> None:
        """Make a secret and its version 1, or finish one that has no version."""
        made = self._call(
            "POST",
            f"secrets?secretId={quote(name, safe='')}",
            {"replication": {"automatic": {}}},
        )
        taken = _is(made, "ALREADY_EXISTS")
        if not made.succeeded and not (taken and self._has_no_version(name)):
            raise self._failure(made, name)
        body = {"payload": {"data": base64.b64encode(value).decode()}}
        added = self._call("POST", f"{_secret(name)}:addVersion", body)
        if not added.succeeded:
            self._drop_empty(name)
            raise self._failure(added, name)
        version = str(added.body.get("name", "")).rpartition("/")[2]
        if version != "1" and self.read(name) != value:
            # somebody finished the same secret first, and KES reads theirs
            with suppress(KeystoreError):
                self._good(self._call("POST", f"{_secret(name)}/versions/{version}:destroy", {}))
            raise KeyExistsError(name)

    @staticmethod
    def words(reply: Reply) -> str:
        """Return its words, its code in front where it has one."""
        return spoken(reply, _error(reply).get("message"))

    def _drop_empty(self, name: str) -> None:
        """Take away a secret that got no version: KES would neither find nor create it."""
        with suppress(McpyError):
            if self._has_no_version(name):
                self._call("DELETE", _secret(name))

    def _has_no_version(self, name: str) -> bool:
        """Whether a secret that is there lacks version 1; asked as KES itself may ask."""
        return self._call("GET", f"{_secret(name)}/{_FIRST}:access").status == 404

    def delete(self, name: str) -> None:
        """Delete the secret."""
        self._good(self._call("DELETE", _secret(name)), name)

    withdraw = delete

    def state(self, name: str) -> State:
        """Return the state of version 1; ``empty`` where there is none."""
        reply = self._call("GET", f"{_secret(name)}/{_FIRST}")
        if reply.succeeded:
            found = reply.body.get("state")
            if found not in _STATES:
                raise ProtocolError(f"version 1 of `{name}` is in the unknown state `{found}`")
            return _STATES[found]
        if reply.status != 404:
            raise self._failure(reply, name)
        # a missing version and a missing secret are told apart by asking for the versions
        self._good(self._call("GET", f"{_secret(name)}/versions?pageSize=1"), name)
        return "empty"

    def lock(self, name: str) -> None:
        """Disable version 1."""
        self._turn(name, "enabled", "disable")

    def unlock(self, name: str) -> None:
        """Enable version 1."""
        self._turn(name, "locked", "enable")

    def _turn(self, name: str, wanted: State, act: str) -> None:
        state = self.state(name)
        if state in {"destroyed", "empty"}:
            reason = "destroyed" if state == "destroyed" else "not there"
            raise KeystoreError(f"version 1 of `{name}` is {reason}")
        if state == wanted:
            self._good(self._call("POST", f"{_secret(name)}/{_FIRST}:{act}", {}), name)

    def _unreadable(self, name: str, refused: Reply) -> State:
        """Return why version 1 gives no content: by its state, or by the words of the refusal."""
        try:
            return self.state(name)
        except KeystoreDeniedError:
            return "destroyed" if "DESTROYED" in self.words(refused) else "locked"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        path = f"/v1/projects/{quote(self._project, safe=':')}/{path}"
        return self._send(method, path, body)


def _secret(name: str) -> str:
    return f"secrets/{quote(name, safe='')}"


def _url(endpoint: str) -> str:
    """Return the URL of a config's endpoint: an emulator on loopback may do without TLS."""
    if not endpoint:
        return _HOST
    url = endpoint if "://" in endpoint else f"https://{endpoint}"
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ConfigError(f"`{endpoint}`: Google's tokens and keys go over https only")
    return url


def _signed_in(store: GcpStore, options: WebOptions) -> Token:
    from mcpy.keystores.gcp_login import sign_in

    return sign_in(store, options)


def _payload(reply: Reply, name: str) -> bytes:
    data = mapping(reply.body, "payload").get("data")
    try:
        return base64.b64decode(str(data or ""), validate=True)
    except binascii.Error as e:
        raise ProtocolError(f"the content of `{name}` is no base64") from e


def _error(reply: Reply) -> dict[str, Any]:
    error = reply.body.get("error")
    return error if isinstance(error, dict) else {"message": error} if error else {}


def _is(reply: Reply, status: str) -> bool:
    by_number = {"FAILED_PRECONDITION": 400, "ALREADY_EXISTS": 409}
    given = _error(reply).get("status")
    return bool(given == status if given else reply.status == by_number[status])
