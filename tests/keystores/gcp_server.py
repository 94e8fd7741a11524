"""Google Secret Manager's REST API, as far as a keystore goes; in memory, strict.

Written from Google's reference, texts from reports of real answers; nothing is shared with the
client under test.

Source: https://cloud.google.com/secret-manager/docs/reference/rest
"""

from __future__ import annotations

import base64
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.keystores.http_server import Answer, Call, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = "throw-away"
_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED",
           404: "NOT_FOUND", 409: "ALREADY_EXISTS", 429: "RESOURCE_EXHAUSTED"}  # fmt: skip
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_ACTS = {"enable": "ENABLED", "disable": "DISABLED", "destroy": "DESTROYED"}
_MAX_PAGE = 25_000


def error(code: int, message: str, status: str = "") -> Answer:
    body = {"code": code, "message": message, "status": status or _STATUS[code]}
    return Answer(code, {"error": body})


def _missing(name: str) -> Answer:
    return error(404, f"Secret [projects/17/secrets/{name}] not found.")


@dataclass
class Google:
    """One project; ``secrets`` maps a name to its versions, each a state and a content."""

    secrets: dict[str, list[list[str]]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=lambda: {"token-1"})
    denied: set[str] = field(default_factory=set)
    busy: int = 0
    page: int = _MAX_PAGE
    calls: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, call: Call) -> Answer:
        with self.lock:
            self.calls.append(f"{call.method} {call.target}")
            if call.token not in self.tokens:
                return error(401, "Request had invalid authentication credentials.")
            if self.busy:
                self.busy -= 1
                return error(429, "Quota exceeded for quota metric.")
            base = f"/v1/projects/{PROJECT}/secrets"
            if call.path == base:
                return self._list(call) if call.method == "GET" else self._create(call)
            name, _, rest = call.path.removeprefix(f"{base}/").partition("/")
            if call.path.startswith(f"{base}/"):
                return self._secret(call, name, rest)
            return error(403, f"Permission denied on resource project {call.path}.")

    def _may(self, permission: str, name: str = "") -> Answer | None:
        if permission not in self.denied:
            return None
        resource = f"projects/{PROJECT}" + (f"/secrets/{name}" if name else "")
        return error(
            403,
            f"Permission 'secretmanager.{permission}' denied for resource '{resource}' "
            "(or it may not exist).",
        )

    def _list(self, call: Call) -> Answer:
        if refused := self._may("secrets.list"):
            return refused
        begin = int(call.query.get("pageToken", "0"))
        end = begin + min(int(call.query.get("pageSize", "25")), self.page)
        names = sorted(self.secrets)
        body: dict[str, Any] = {"totalSize": len(names)}
        if names[begin:end]:
            body["secrets"] = [{"name": f"projects/17/secrets/{n}"} for n in names[begin:end]]
        if end < len(names):
            body["nextPageToken"] = str(end)
        return Answer(200, body)

    def _create(self, call: Call) -> Answer:
        name = call.query.get("secretId", "")
        if refused := self._may("secrets.create"):
            return refused
        if not _ID.fullmatch(name) or call.json != {"replication": {"automatic": {}}}:
            return error(400, "The provided Secret ID or replication is invalid.")
        if name in self.secrets:
            return error(409, f"Secret [projects/17/secrets/{name}] already exists.")
        self.secrets[name] = []
        return Answer(200, {"name": f"projects/17/secrets/{name}"})

    def _secret(self, call: Call, name: str, rest: str) -> Answer:
        name, _, act = name.partition(":")
        versions = self.secrets.get(name)
        kind = {"": {"DELETE": "secrets.delete", "GET": "secrets.get"}.get(call.method, ""),
                "addVersion": "versions.add"}[act]  # fmt: skip
        if rest:
            return self._version(call, name, rest)
        if refused := self._may(kind, name):
            return refused
        if versions is None:
            return _missing(name)
        if act == "addVersion" and call.method == "POST":
            content = call.json["payload"]["data"]
            base64.b64decode(content, validate=True)
            versions.append(["ENABLED", content])
            return self._shown(name, len(versions))
        if call.method == "DELETE":
            del self.secrets[name]
        return Answer(200, {})

    def _version(self, call: Call, name: str, rest: str) -> Answer:
        number, _, act = rest.removeprefix("versions").lstrip("/").partition(":")
        kind = act or ("get" if number else "list")
        if refused := self._may(f"versions.{kind}", name):
            return refused
        if name not in self.secrets:
            return _missing(name)
        versions = self.secrets[name]
        if not number:
            return Answer(200, {"versions": [{"name": "v"}] * len(versions)} if versions else {})
        where = f"projects/17/secrets/{name}/versions/{number}"
        if not 0 < int(number) <= len(versions):
            return error(404, f"Secret Version [{where}] not found.")
        return self._turn(call, where, versions[int(number) - 1], act)

    def _turn(self, call: Call, where: str, found: list[str], act: str) -> Answer:
        final = found[0] == "DESTROYED" and act
        if final or (found[0] == "DISABLED" and act == "access"):
            text = f"Secret Version [{where}] is in {found[0]} state."
            return error(400, text, "FAILED_PRECONDITION")
        if act == "access":
            return Answer(200, {"name": where, "payload": {"data": found[1]}})
        if act in _ACTS and call.method == "POST":
            found[0] = _ACTS[act]
        return Answer(200, {"name": where, "state": found[0]})

    def _shown(self, name: str, number: int) -> Answer:
        state = self.secrets[name][number - 1][0]
        return Answer(
            200, {"name": f"projects/17/secrets/{name}/versions/{number}", "state": state}
        )


@contextmanager
def serving_google(google: Google) -> Iterator[str]:
    """Serve on loopback, and give the URL."""
    with serving(google.answer) as port:
        yield f"http://127.0.0.1:{port}"
