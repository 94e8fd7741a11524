"""Azure Key Vault's secrets, and the token endpoint before it; in memory, strict.

Follows the recordings of a real KES against an emulator, with the inner error codes Microsoft
documents; nothing is shared with the client under test. Names ignore case, deletions are soft.

Source: https://learn.microsoft.com/rest/api/keyvault/secrets
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.keystores.http_server import Answer, Call, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

TENANT = "11111111-2222-3333-4444-555555555555"
_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")


def error(status: int, code: str, message: str, inner: str = "") -> Answer:
    body: dict[str, Any] = {"code": code, "message": message}
    if inner:
        body["innererror"] = {"code": inner}
    return Answer(status, {"error": body})


def missing(name: str) -> Answer:
    words = f"A secret with (name/id) {name} was not found in this key vault."
    return error(404, "SecretNotFound", words)


@dataclass
class Vault:
    """One vault; secrets by lower-case name, each a list of versions, the oldest first.

    Attributes:
        deleted: what is softly deleted.
        slow: how many looks at a deletion find it still going on.
        purgeable: whether purge protection is off.
    """

    url: str = "https://lab.vault.azure.net"
    resource: str = "https://vault.azure.net"
    secrets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    deleted: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=lambda: {"token-1"})
    denied: set[str] = field(default_factory=set)
    purgeable: bool = True
    slow: int = 0
    page: int = 25
    clock: int = 1_795_442_218
    made: int = 0
    calls: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, call: Call) -> Answer:
        with self.lock:
            self.calls.append(f"{call.method} {call.path}")
            if call.token not in self.tokens:
                challenge = (
                    f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", '
                    f'resource="{self.resource}"'
                )
                words = "AKV10000: Request is missing a Bearer or PoP token."
                body = {"error": {"code": "Unauthorized", "message": words}}
                return Answer(401, body, {"WWW-Authenticate": challenge})
            if call.query.get("api-version") != "7.5":
                return error(400, "BadParameter", "The specified version is not supported.")
            kind, _, rest = call.path.strip("/").partition("/")
            name, _, version = rest.strip("/").partition("/")
            if rest and not _NAME.fullmatch(name):
                return error(400, "BadParameter", f"The request URI contains {name}.")
            if kind == "deletedsecrets":
                return self._deleted(call, name)
            return self._act(call, name, version) if kind == "secrets" else Answer(404, {})

    def _may(self, permission: str) -> Answer | None:
        if permission not in self.denied:
            return None
        words = (
            f"The user, group or application 'appid=throw-away' does not have secrets "
            f"{permission} permission on key vault 'lab;location=westeurope'."
        )
        return error(403, "Forbidden", words, "AccessDenied")

    def _act(self, call: Call, name: str, version: str) -> Answer:
        needs = {"PUT": "set", "PATCH": "set", "DELETE": "delete"}.get(call.method, "get")
        listing = not name or version == "versions"
        if refused := self._may("list" if listing else needs):
            return refused
        if call.method == "PUT":
            return self._set(call, name)
        if listing:
            return self._page(call, name)
        found = self._find(name, version)
        if found is None:
            return missing(name)
        return self._one(call, name, found)

    def _one(self, call: Call, name: str, found: dict[str, Any]) -> Answer:
        if call.method == "PATCH":
            found["attributes"] |= call.json["attributes"]
            return Answer(200, {k: v for k, v in found.items() if k != "value"})
        if call.method == "DELETE":
            self.deleted[name.lower()] = self.secrets.pop(name.lower())
            return Answer(200, found)
        if not found["attributes"]["enabled"]:
            words = "Operation get is not allowed on a disabled secret."
            return error(403, "Forbidden", words, "SecretDisabled")
        return Answer(200, found)

    def _find(self, name: str, version: str) -> dict[str, Any] | None:
        versions = self.secrets.get(name.lower(), [])
        if not version:
            return versions[-1] if versions else None
        return next((v for v in versions if v["id"].endswith(f"/{version}")), None)

    def _set(self, call: Call, name: str) -> Answer:
        if name.lower() in self.deleted:
            words = f"Secret {name} is currently in a deleted but recoverable state."
            return error(409, "Conflict", words, "ObjectIsDeletedButRecoverable")
        self.made += 1
        level = "Recoverable+Purgeable" if self.purgeable else "Recoverable"
        times = {"created": self.clock + self.made, "updated": self.clock + self.made}
        version = {
            "id": f"{self.url}/secrets/{name}/{self.made:032x}",
            "value": call.json["value"],
            "attributes": {"enabled": True, "recoveryLevel": level} | times,
        }
        self.secrets.setdefault(name.lower(), []).append(version)
        return Answer(200, version)

    def _page(self, call: Call, name: str) -> Answer:
        if name:
            found = self.secrets.get(name.lower(), [])
        else:
            found = [versions[-1] for _, versions in sorted(self.secrets.items())]
        begin = int(call.query.get("$skiptoken", "0"))
        items = [{k: v for k, v in f.items() if k != "value"} for f in found]
        if not name:
            items = [i | {"id": i["id"].rpartition("/")[0]} for i in items]
        link = None
        if begin + self.page < len(items):
            link = f"{self.url}{call.path}?api-version=7.5&$skiptoken={begin + self.page}"
        return Answer(200, {"value": items[begin : begin + self.page], "nextLink": link})

    def _deleted(self, call: Call, name: str) -> Answer:
        needs = "purge" if call.method == "DELETE" else "get" if name else "list"
        if refused := self._may(needs):
            return refused
        if not name:
            ids = [versions[-1]["id"].rpartition("/")[0] for versions in self.deleted.values()]
            return Answer(200, {"value": [{"id": one} for one in ids], "nextLink": None})
        if name.lower() not in self.deleted:
            return missing(name)
        return self._not_yet(call, name) if self.slow else self._deleted_one(call, name)

    def _deleted_one(self, call: Call, name: str) -> Answer:
        if call.method == "GET":
            return Answer(200, self.deleted[name.lower()][-1])
        if not self.purgeable:
            words = 'Operation "purge" is not allowed because purge protection is enabled.'
            return error(403, "Forbidden", words, "ForbiddenByPolicy")
        del self.deleted[name.lower()]
        return Answer(204)

    def _not_yet(self, call: Call, name: str) -> Answer:
        self.slow -= 1
        if call.method == "GET":
            return missing(name)
        words = f"Secret {name} is currently being deleted."
        return error(409, "Conflict", words, "ObjectIsBeingDeleted")

    def token(self, call: Call) -> Answer:
        """Answer for login.microsoftonline.com: discovery, then a token for a client's secret."""
        at = f"https://login.microsoftonline.com/{TENANT}"
        if "discovery/instance" in call.path:
            hosts = {"preferred_network": "login.microsoftonline.com",
                     "preferred_cache": "login.windows.net",
                     "aliases": ["login.microsoftonline.com"]}  # fmt: skip
            return Answer(
                200,
                {
                    "tenant_discovery_endpoint": f"{at}/v2.0/.well-known/openid-configuration",
                    "metadata": [hosts],
                },
            )
        if call.path.endswith("openid-configuration"):
            ends = {"token_endpoint": "token", "authorization_endpoint": "authorize"}
            urls = {name: f"{at}/oauth2/v2.0/{end}" for name, end in ends.items()}
            return Answer(200, urls | {"issuer": f"{at}/v2.0"})
        if b"client_secret=throw-away-client-secret" not in call.body:
            words = "AADSTS7000215: Invalid client secret provided."
            return Answer(401, {"error": "invalid_client", "error_description": words})
        return Answer(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": "token-1"})


@contextmanager
def serving_vault(vault: Vault) -> Iterator[str]:
    """Serve the vault on loopback, and give the URL."""
    with serving(vault.answer) as port:
        vault.url = f"http://127.0.0.1:{port}"
        yield vault.url
