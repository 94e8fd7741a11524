"""A small Vault: KV v1 and v2, AppRole, Kubernetes, transit, policies by path; HTTP on loopback.

Answers follow the recordings of OpenBao 2.6.2 (shapes, statuses, texts); it shares nothing with
the client under test. In memory, and only what a keystore needs.
"""

from __future__ import annotations

import base64
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.keystores.http_server import Answer, Call
from tests.keystores.http_server import serving as http

if TYPE_CHECKING:
    from collections.abc import Iterator

DENIED = {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
SEALED = {"errors": ["Vault is sealed"]}
Reply = tuple[int, Any]


@dataclass
class Vault:
    """The state of the server; ``engines`` maps a mount to 1 or 2."""

    engines: dict[str, int] = field(default_factory=lambda: {"kv": 1, "kv2": 2})
    secret_id: str = "throw-away-secret-id"
    jwt: str = "throw-away-jwt"
    denied: set[tuple[str, str]] = field(default_factory=set)
    sealed: bool = False
    transit_version: int = 1
    tokens: set[str] = field(default_factory=lambda: {"operator-token"})
    entries: dict[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    logins: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, target: str, token: str, body: dict[str, Any]) -> Reply:
        """Return status and JSON for a request."""
        parts = urlsplit(target)
        path = unquote(parts.path).removeprefix("/v1/")
        query = parse_qs(parts.query)
        with self.lock:
            self.calls.append(f"{method} {target}")
            method = "PUT" if method == "POST" else method
            if path == "sys/health":
                return 503 if self.sealed else 200, {"sealed": self.sealed, "initialized": True}
            if self.sealed:
                return 503, SEALED
            if path.startswith("auth/"):
                return self._auth(path, token, body)
            if token not in self.tokens or (method, path) in self.denied:
                return 403, DENIED
            return self._engine(method, path, query, body)

    def _auth(self, path: str, token: str, body: dict[str, Any]) -> Reply:
        good = {
            "auth/approle/login": body.get("secret_id") == self.secret_id,
            "auth/kubernetes/login": body.get("jwt") == self.jwt,
            "auth/token/renew-self": token in self.tokens,
        }
        if not good.get(path):
            return 400, {"errors": ["invalid role or secret ID"]}
        self.logins += 1
        issued = f"token-{self.logins}"
        self.tokens.add(issued)
        return 200, {"auth": {"client_token": issued, "lease_duration": 1200, "renewable": True}}

    def _engine(
        self, method: str, path: str, query: dict[str, Any], body: dict[str, Any]
    ) -> Reply:
        if path.startswith("sys/internal/ui/mounts/"):
            version = self.engines.get(path.rsplit("/", 1)[1])
            if version is None:
                return 403, {"errors": ["preflight capability check returned 403"]}
            options = {"version": "2"} if version == 2 else None
            return 200, {"data": {"type": "kv", "options": options}}
        engine, _, rest = path.partition("/")
        if engine == "transit":
            return self._transit(rest, body)
        if engine not in self.engines:
            return 404, {"errors": [f'no handler for route "{path}"']}
        if self.engines[engine] == 1:
            return self._v1(method, path, "list" in query, body)
        kind, _, name = rest.partition("/")
        return self._v2(method, kind, f"{engine}/{name}", query, body)

    def _transit(self, rest: str, body: dict[str, Any]) -> Reply:
        if rest.startswith("encrypt/"):
            turned = base64.b64encode(base64.b64decode(body["plaintext"])[::-1]).decode()
            return 200, {"data": {"ciphertext": f"vault:v{self.transit_version}:{turned}"}}
        turned = body["ciphertext"].split(":")[2]
        plain = base64.b64encode(base64.b64decode(turned)[::-1]).decode()
        return 200, {"data": {"plaintext": plain}}

    def _names(self, folder: str) -> Reply:
        folder = folder.rstrip("/") + "/"
        rests = [p.removeprefix(folder) for p in self.entries if p.startswith(folder)]
        names = sorted({r if "/" not in r else r.split("/")[0] + "/" for r in rests})
        return (200, {"data": {"keys": names}}) if names else (404, {"errors": []})

    def _v1(self, method: str, path: str, listing: bool, body: dict[str, Any]) -> Reply:
        if listing:
            return self._names(path)
        if method == "PUT":
            self.entries[path] = body
        elif method == "DELETE":
            self.entries.pop(path, None)
        elif path in self.entries:
            return 200, {"data": self.entries[path]}
        else:
            return 404, {"errors": []}
        return 204, None

    def _v2(
        self, method: str, kind: str, path: str, query: dict[str, Any], body: dict[str, Any]
    ) -> Reply:
        if kind == "metadata":
            if method == "GET":
                return self._names(path)
            self.entries.pop(path, None)
            return 204, None
        versions: list[dict[str, Any]] = self.entries.get(path, [])
        if kind == "data" and method == "GET":
            return self._read(versions, int(query.get("version", ["0"])[0]))
        if kind == "data" and method == "PUT":
            return self._write(path, versions, body)
        if kind not in {"data", "delete", "undelete", "destroy"}:
            return 404, {"errors": []}  # what stands where v1 has its entries
        numbers = [len(versions)] if kind == "data" else body["versions"]
        for number in numbers:
            self._mark(versions[number - 1], "delete" if kind == "data" else kind)
        return 204, None

    def _mark(self, version: dict[str, Any], act: str) -> None:
        if act == "destroy":
            version |= {"data": None, "destroyed": True}
        version["deletion_time"] = "2026-11-23T13:54:51Z" if act == "delete" else ""

    def _write(self, path: str, versions: list[dict[str, Any]], body: dict[str, Any]) -> Reply:
        cas = body.get("options", {}).get("cas")
        if cas is not None and cas != len(versions):
            words = "check-and-set parameter did not match the current version"
            return 400, {"errors": [words]}
        new = {"data": body["data"], "deletion_time": "", "destroyed": False}
        self.entries[path] = [*versions, new]
        return 200, {"data": {"version": len(versions) + 1}}

    def _read(self, versions: list[dict[str, Any]], number: int) -> Reply:
        number = number or len(versions)
        if not 0 < number <= len(versions):
            return 404, {"errors": []}
        found = versions[number - 1]
        gone = found["destroyed"] or found["deletion_time"]
        metadata = {k: found[k] for k in ("deletion_time", "destroyed")} | {"version": number}
        data = {"data": None if gone else found["data"], "metadata": metadata}
        return 404 if gone else 200, {"data": data}


@contextmanager
def serving(vault: Vault) -> Iterator[str]:
    """Serve on a free port of loopback, and give the URL."""

    def answer(call: Call) -> Answer:
        token = call.headers.get("x-vault-token", "")
        status, body = vault.answer(call.method, call.target, token, call.json)
        return Answer(status, body)

    with http(answer) as port:
        yield f"http://127.0.0.1:{port}"
