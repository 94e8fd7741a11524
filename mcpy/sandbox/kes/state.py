"""What a running server knows: its configuration, its keystore, its counters, its routes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.sandbox.kes.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.keystores.base import KeyStore
    from mcpy.sandbox.kes.log import EventLog
    from mcpy.sandbox.kes.policy import Policy


@dataclass(frozen=True)
class Route:
    """How one endpoint is reached.

    Attributes:
        method: the verb; ``POST`` will do for ``PUT``.
        path: exact, or a prefix when it ends with ``/``.
        max_body: in bytes.
        timeout_s: 0 for streams.
        auth: ``policy``, ``identity`` (known but not checked) or ``none``.
        counted: whether the HTTP metrics count it.
    """

    method: str
    path: str
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
