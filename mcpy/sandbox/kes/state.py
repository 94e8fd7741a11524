"""What a running server knows: its configuration, its keystore, its counters and its routes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.sandbox.kes import endpoints, key_endpoints
from mcpy.sandbox.kes.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.keystores.base import KeyStore
    from mcpy.sandbox.kes.ask import Ask
    from mcpy.sandbox.kes.config import ApiOption
    from mcpy.sandbox.kes.log import EventLog
    from mcpy.sandbox.kes.policy import Policy
    from mcpy.sandbox.message import Response

MAX_BODY = 1_000_000
"""Bytes of a request body, where an endpoint takes one."""


@dataclass(frozen=True)
class Route:
    """One endpoint.

    Attributes:
        method: the verb; ``POST`` will do for ``PUT``.
        path: exact, or a prefix when it ends with ``/``.
        endpoint: what answers.
        max_body: in bytes.
        timeout_s: 0 for streams.
        auth: ``policy``, ``identity`` (known but not checked) or ``none``.
        counted: whether the HTTP metrics count it.
    """

    method: str
    path: str
    endpoint: Callable[[Ask], Response] = field(repr=False)
    max_body: int = 0
    timeout_s: float = 15
    auth: str = "policy"
    counted: bool = True


@dataclass(frozen=True)
class State:
    """The server as configured now; a reload makes another one.

    Attributes:
        admin: identity that passes every policy.
        policies: by name.
        identities: each with its policy.
        started_ns: nanoseconds since 1970.
    """

    admin: str
    policies: Mapping[str, Policy]
    identities: Mapping[str, Policy]
    store: KeyStore
    routes: Mapping[str, Route]
    audit: EventLog
    errors: EventLog
    started_ns: int
    metrics: Metrics = field(default_factory=Metrics)


_ROUTES = (
    Route("GET", "/version", endpoints.version, timeout_s=10, auth="none", counted=False),
    Route("GET", "/v1/ready", endpoints.ready, counted=False),
    Route("GET", "/v1/status", endpoints.status, counted=False),
    Route("GET", "/v1/metrics", endpoints.prometheus, counted=False),
    Route("GET", "/v1/api", endpoints.apis, timeout_s=10, counted=False),
    Route("PUT", "/v1/key/create/", key_endpoints.create_key),
    Route("PUT", "/v1/key/import/", key_endpoints.import_key, max_body=MAX_BODY),
    Route("GET", "/v1/key/describe/", key_endpoints.describe_key),
    Route("GET", "/v1/key/list/", key_endpoints.list_keys),
    Route("DELETE", "/v1/key/delete/", key_endpoints.delete_key),
    Route("PUT", "/v1/key/encrypt/", key_endpoints.encrypt, max_body=MAX_BODY),
    Route("PUT", "/v1/key/decrypt/", key_endpoints.decrypt, max_body=MAX_BODY),
    Route("PUT", "/v1/key/generate/", key_endpoints.generate, max_body=MAX_BODY),
    Route("PUT", "/v1/key/hmac/", key_endpoints.mac, max_body=MAX_BODY),
    Route("GET", "/v1/policy/describe/", endpoints.describe_policy),
    Route("GET", "/v1/policy/read/", endpoints.read_policy),
    Route("GET", "/v1/policy/list/", endpoints.list_policies),
    Route("GET", "/v1/identity/describe/", endpoints.describe_identity),
    Route("GET", "/v1/identity/list/", endpoints.list_identities),
    Route("GET", "/v1/identity/self/describe", endpoints.describe_self, auth="identity"),
    Route("GET", "/v1/log/error", endpoints.error_log, timeout_s=0, counted=False),
    Route("GET", "/v1/log/audit", endpoints.audit_log, timeout_s=0, counted=False),
)


def routes(options: Mapping[str, ApiOption]) -> dict[str, Route]:
    """Return all routes by path; ``options`` of paths there are none of are ignored."""
    from dataclasses import replace

    table = {}
    for route in _ROUTES:
        option = options.get(route.path)
        table[route.path] = route
        if option is not None:
            table[route.path] = replace(
                route,
                timeout_s=option.timeout_s or route.timeout_s,
                auth="identity" if option.skip_auth else route.auth,
            )
    return table
