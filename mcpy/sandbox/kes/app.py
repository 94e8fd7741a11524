"""The KES server as one callable: routing, the order of checks, errors.

Route, then verb, then identity and policy, then name, then body, then key: a wrong verb is told
to strangers, a missing key only to those who may use it.
"""

from __future__ import annotations

import posixpath
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from mcpy.keystores.base import KeyExistsError
from mcpy.sandbox.certs import client_certificate_identity
from mcpy.sandbox.kes import errors
from mcpy.sandbox.kes.ask import Ask
from mcpy.sandbox.kes.keyfile import KeyRecord
from mcpy.sandbox.kes.log import DEBUG, Call, EventLog
from mcpy.sandbox.kes.routes import ENDPOINTS, routes
from mcpy.sandbox.kes.state import State
from mcpy.sandbox.message import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mcpy.keystores.base import KeyStore
    from mcpy.sandbox.kes.config import KesConfig
    from mcpy.sandbox.kes.state import Route
    from mcpy.sandbox.message import Request


class KesApp:
    """A KES server without its sockets.

    ``store`` is opened by the caller; ``sink`` gets the log lines. Keys the configuration
    names are created here when they are missing.
    """

    def __init__(self, config: KesConfig, store: KeyStore, *, sink: Callable[[str], None]) -> None:
        self.state = State(
            admin=config.admin,
            policies=config.policies,
            identities=config.identities(),
            store=store,
            routes=routes(config.api),
            audit=EventLog(config.audit_level, sink),
            errors=EventLog(config.error_level, sink),
            started_ns=time.time_ns(),
        )
        self._create_keys(config)

    def reload(self, config: KesConfig) -> None:
        """Take a changed configuration over; the keystore stays."""
        self.state = replace(
            self.state,
            admin=config.admin,
            policies=config.policies,
            identities=config.identities(),
            routes=routes(config.api),
        )
        self._create_keys(config)

    def close(self) -> None:
        """End the log streams, and the connections to the keystore."""
        self.state.audit.close()
        self.state.errors.close()
        self.state.store.close()

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        received = time.monotonic()
        state = self.state
        route, redirect = _find(state.routes, request)
        if redirect is not None:
            return _redirect(request, redirect)
        if route is None:
            return _not_found()
        try:
            return self._serve(state, route, request, received)
        except errors.KesProblem as problem:
            return problem.response()

    def _serve(self, state: State, route: Route, request: Request, received: float) -> Response:
        if request.method != route.method and (request.method, route.method) != ("POST", "PUT"):
            raise errors.wrong_method(request.method, route.method)
        path = unquote(request.raw_path, errors="surrogateescape")
        call = Call(request.method, path, request.remote, "", received)
        call = replace(call, identity=_authenticate(state, route, request, call))
        if not route.counted:
            return ENDPOINTS[route.path](_ask(state, route, request, call))
        began, status = state.metrics.begin(), 500
        try:
            response = ENDPOINTS[route.path](_ask(state, route, request, call))
            status = response.status
        except errors.KesProblem as problem:
            status = problem.status
            raise
        finally:
            state.metrics.end(began, status)
        return response

    def _create_keys(self, config: KesConfig) -> None:
        from mcpy.sandbox.kes.key_endpoints import new_secret

        for name in config.keys:
            record = KeyRecord.new(
                new_secret(), created_ns=time.time_ns(), created_by=config.admin
            )
            try:
                self.state.store.create(name, record.encode())
            except KeyExistsError:
                continue


def _ask(state: State, route: Route, request: Request, call: Call) -> Ask:
    resource = call.path.removeprefix(route.path)
    has_body = request.length is None and "transfer-encoding" in request.headers
    has_body = has_body or bool(request.length)
    body = b""
    if has_body and route.max_body:
        body = b"".join(_at_most(route.max_body, request))
    return Ask(state, call, resource, body, has_body)


def _at_most(limit: int, request: Request) -> Iterator[bytes]:
    """Yield the body until ``limit`` bytes; a JSON value cut there is no JSON value."""
    while limit > 0:
        try:
            part = request.body.read(min(limit, 65_536))
        except ValueError:  # chunks that are none
            return
        if not part:
            return
        limit -= len(part)
        yield part


def _authenticate(state: State, route: Route, request: Request, call: Call) -> str:
    """Return the caller's identity, empty where the route does not ask for one."""
    if route.auth == "none":
        return ""
    try:
        identity = _identity(request)
    except errors.KesProblem as problem:
        if route.auth == "identity":
            return ""
        state.errors.error(problem.message, call, level=DEBUG)
        raise
    if route.auth == "identity" or identity == state.admin:
        return identity
    policy = state.identities.get(identity)
    if policy is not None and policy.permits(call.path):
        return identity
    why = "identity not found" if policy is None else f"rejected by policy '{policy.name}'"
    state.errors.error(f"access denied: {why}", replace(call, identity=identity), level=DEBUG)
    raise errors.denied()


def _identity(request: Request) -> str:
    """Return the identity of the one certificate that is not a CA."""
    if not request.secure:
        raise errors.insecure()
    found = [i for der in request.peer_certs if (i := client_certificate_identity(der))]
    if len(found) > 1:
        raise errors.many_certificates()
    if not found:
        raise errors.no_certificate()
    return found[0]


def _find(table: Mapping[str, Route], request: Request) -> tuple[Route | None, str | None]:
    """Return the route for a request, or the path it is to be sent to instead."""
    raw = request.raw_path
    clean = raw if request.method == "CONNECT" else _clean(raw)
    parts = clean
    if "%" in clean:
        # an escaped slash is no separator: it must not complete a route
        parts = "/".join(unquote(part).replace("/", "%2F") for part in clean.split("/"))
    if parts + "/" in table and request.method != "CONNECT":
        return None, clean + "/"
    return (_matching(table, parts), None) if clean == raw else (None, clean)


def _matching(table: Mapping[str, Route], path: str) -> Route | None:
    """Return the route of exactly this path, or of a prefix of it that ends with a slash."""
    found, end = table.get(path), 0
    while found is None and (end := path.find("/", end) + 1):
        found = table.get(path[:end])
    return found


def _clean(raw: str) -> str:
    clean = posixpath.normpath("/" + raw.lstrip("/"))
    return clean + "/" if raw.endswith("/") and clean != "/" else clean


def _redirect(request: Request, path: str) -> Response:
    target = quote(path, safe="/%!$&'()*+,;=:@~") + (
        f"?{request.raw_query}" if request.raw_query else ""
    )
    headers = [("Location", target)]
    if request.method not in {"GET", "HEAD"}:
        return Response(307, headers)
    headers.insert(0, ("Content-Type", "text/html; charset=utf-8"))
    shown = target.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = shown.replace('"', "&#34;").replace("'", "&#39;")
    return Response(307, headers, f'<a href="{shown}">Temporary Redirect</a>.\n\n'.encode())


def _not_found() -> Response:
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return Response(404, headers, b"404 page not found\n")
