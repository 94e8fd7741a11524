"""Every endpoint: how it is reached, and what answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mcpy.sandbox.kes import endpoints, key_endpoints
from mcpy.sandbox.kes.state import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.sandbox.kes.ask import Ask
    from mcpy.sandbox.kes.config import ApiOption
    from mcpy.sandbox.message import Response

MAX_BODY = 1_000_000
"""Bytes of a request body, where an endpoint takes one."""

_ROUTES: tuple[tuple[Route, Callable[[Ask], Response]], ...] = (
    (Route("GET", "/version", timeout_s=10, auth="none", counted=False), endpoints.version),
    (Route("GET", "/v1/ready", counted=False), endpoints.ready),
    (Route("GET", "/v1/status", counted=False), endpoints.status),
    (Route("GET", "/v1/metrics", counted=False), endpoints.prometheus),
    (Route("GET", "/v1/api", timeout_s=10, counted=False), endpoints.apis),
    (Route("PUT", "/v1/key/create/"), key_endpoints.create_key),
    (Route("PUT", "/v1/key/import/", max_body=MAX_BODY), key_endpoints.import_key),
    (Route("GET", "/v1/key/describe/"), key_endpoints.describe_key),
    (Route("GET", "/v1/key/list/"), key_endpoints.list_keys),
    (Route("DELETE", "/v1/key/delete/"), key_endpoints.delete_key),
    (Route("PUT", "/v1/key/encrypt/", max_body=MAX_BODY), key_endpoints.encrypt),
    (Route("PUT", "/v1/key/decrypt/", max_body=MAX_BODY), key_endpoints.decrypt),
    (Route("PUT", "/v1/key/generate/", max_body=MAX_BODY), key_endpoints.generate),
    (Route("PUT", "/v1/key/hmac/", max_body=MAX_BODY), key_endpoints.mac),
    (Route("GET", "/v1/policy/describe/"), endpoints.describe_policy),
    (Route("GET", "/v1/policy/read/"), endpoints.read_policy),
    (Route("GET", "/v1/policy/list/"), endpoints.list_policies),
    (Route("GET", "/v1/identity/describe/"), endpoints.describe_identity),
    (Route("GET", "/v1/identity/list/"), endpoints.list_identities),
    (Route("GET", "/v1/identity/self/describe", auth="identity"), endpoints.describe_self),
    (Route("GET", "/v1/log/error", timeout_s=0, counted=False), endpoints.error_log),
    (Route("GET", "/v1/log/audit", timeout_s=0, counted=False), endpoints.audit_log),
)
ENDPOINTS = {route.path: endpoint for route, endpoint in _ROUTES}
"""What answers, by the route's path."""


def routes(options: Mapping[str, ApiOption]) -> dict[str, Route]:
    """Return all routes by path; ``options`` of paths there are none of are ignored."""
    table = {}
    for route, _ in _ROUTES:
        option = options.get(route.path)
        table[route.path] = route
        if option is not None:
            table[route.path] = replace(
                route,
                timeout_s=option.timeout_s or route.timeout_s,
                auth="identity" if option.skip_auth else route.auth,
            )
    return table
