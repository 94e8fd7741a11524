"""CipherTrust Manager's tokens and secrets as a real KES was recorded to use them; in memory.

The requests are those of a real KES; the answers are invented, in the shapes that KES takes: no
CipherTrust Manager was at hand. Strict about what is sent.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.keystores.http_server import Answer, Call, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REFRESH = "throw-away-refresh-token"
NOT_FOUND = Answer(404, {"code": 13, "codeDesc": "NCERRNotFound: Resource not found"})
CONFLICT = Answer(409, {"code": 26, "codeDesc": "NCERRConflict: Conflict"})
DENIED = Answer(403, {"code": 39, "codeDesc": "NCERRForbidden: insufficient permissions"})
_SECRETS = "/api/v1/vault/secrets"


@dataclass
class Manager:
    """One domain.

    Attributes:
        lost: answers 502 once to the next creation, after carrying it out.
        then: what happens at the manager once, after a page of a listing.
        hidden: operations that answer as if the secret were missing, as the real one denies them.
    """

    secrets: dict[str, str] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    lost: bool = False
    then: Callable[[], object] | None = None
    logins: int = 0
    calls: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, call: Call) -> Answer:
        with self.lock:
            self.calls.append(f"{call.method} {call.target}")
            if call.path == "/":
                return Answer(404, {})
            if call.path == "/api/v1/auth/tokens":
                return self._sign_in(call)
            if call.token not in self.tokens:
                return Answer(401, {"code": 9, "codeDesc": "NCERRInvalidToken: expired"})
            if call.path == _SECRETS:
                return self._list(call) if call.method == "GET" else self._create(call)
            return self._one(call)

    def _sign_in(self, call: Call) -> Answer:
        want = {"grant_type": "refresh_token", "refresh_token": REFRESH, "domain": "root"}
        if call.json != want:
            return Answer(401, {"code": 10, "codeDesc": "NCERRInvalidCredentials"})
        self.logins += 1
        self.tokens.add(f"jwt-{self.logins}")
        return Answer(200, {"token_type": "Bearer", "jwt": f"jwt-{self.logins}", "duration": 300})

    def _list(self, call: Call) -> Answer:
        if "list" in self.denied:
            return DENIED
        skip, limit = int(call.query["skip"]), int(call.query["limit"])
        names = sorted(self.secrets)
        found: list[dict[str, Any]] = [{"name": n} for n in names[skip : skip + limit]]
        page = {"skip": skip, "limit": limit, "total": len(names), "resources": found}
        if then := self.then:
            self.then = None
            then()
        return Answer(200, page)

    def _create(self, call: Call) -> Answer:
        body = call.json
        if set(body) != {"dataType", "name", "material"} or body["dataType"] != "seed":
            return Answer(400, {"code": 3, "codeDesc": "NCERRBadRequest"})
        if "create" in self.denied:
            return DENIED
        if body["name"] in self.secrets:
            return CONFLICT
        self.secrets[body["name"]] = body["material"]
        if self.lost:
            self.lost = False
            return Answer(503, {"codeDesc": "NCERRUnavailable"})
        return Answer(201, {"name": body["name"], "id": "1"})

    def _one(self, call: Call) -> Answer:
        name, _, act = call.path.removeprefix(f"{_SECRETS}/").partition("/")
        want = {"export": "POST", "": "DELETE"}
        if call.query != {"type": "name"} or want.get(act) != call.method:
            return Answer(400, {"code": 3, "codeDesc": "NCERRBadRequest"})
        if name not in self.secrets or (act or "delete") in self.hidden:
            return NOT_FOUND
        if (act or "delete") in self.denied:
            return DENIED
        if act == "export":
            return Answer(200, {"name": name, "material": self.secrets[name]})
        del self.secrets[name]
        return Answer(204)


@contextmanager
def serving_manager(manager: Manager) -> Iterator[str]:
    """Serve on loopback, and give the URL."""
    with serving(manager.answer) as port:
        yield f"http://127.0.0.1:{port}"
