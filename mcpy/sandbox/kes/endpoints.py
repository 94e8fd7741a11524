"""What the endpoints for the server itself, its policies, identities and logs do."""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import TYPE_CHECKING, Any

from mcpy import __version__
from mcpy.errors import McpyError, UnreachableError
from mcpy.sandbox.kes import errors, metrics
from mcpy.sandbox.kes.ask import answer, done
from mcpy.sandbox.kes.log import WARN
from mcpy.sandbox.kes.policy import valid_name
from mcpy.sandbox.kes.wire import format_time
from mcpy.sandbox.message import Response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcpy.sandbox.kes.ask import Ask

VERSION = f"mcpy-{__version__}"
COMMIT = "sandbox"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def version(_: Ask) -> Response:
    """``GET /version``."""
    return answer({"version": VERSION, "commit": COMMIT})


def ready(ask: Ask) -> Response:
    """``GET /v1/ready``: does the keystore answer?"""
    try:
        ask.state.store.ping()
    except UnreachableError as e:
        ask.state.errors.error(str(e), ask.call, level=WARN)
        raise errors.keystore_unreachable() from e
    except McpyError as e:
        ask.state.errors.error(str(e), ask.call, level=WARN)
        raise errors.keystore_unavailable() from e
    return done()


def status(ask: Ask) -> Response:
    """``GET /v1/status``.

    A real server says only ``keystore_unreachable``, which its own client refuses to read;
    ``keystore_unavailable`` beside it makes both understand.
    """
    data: dict[str, Any] = {
        "version": VERSION,
        "os": sys.platform,
        "arch": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "uptime": int(ask.state.metrics.uptime_s()),
        "num_cpu": os.cpu_count() or 1,
        "num_cpu_used": metrics.usable_cpus(),
        "mem_heap_used": metrics.memory_used(),
        "mem_stack_used": metrics.stack_used(),
    }
    try:
        data["keystore_latency"] = _latency_ms(ask)
    except McpyError as e:
        data["keystore_unavailable"] = True
        if isinstance(e, UnreachableError):
            data["keystore_unreachable"] = True
    return answer(data)


def _latency_ms(ask: Ask) -> int:
    """Return how long the keystore takes to answer, 1 at least."""
    started = time.perf_counter()
    ask.state.store.ping()
    return max(1, round((time.perf_counter() - started) * 1000))


def prometheus(ask: Ask) -> Response:
    """``GET /v1/metrics``, always as text."""
    state = ask.state
    text = state.metrics.text(audit_events=state.audit.events, error_events=state.errors.events)
    return Response(200, [("Content-Type", metrics.CONTENT_TYPE)], text.encode())


def apis(ask: Ask) -> Response:
    """``GET /v1/api``: every route, verb, body limit in bytes and timeout in seconds."""
    return answer(
        [
            {
                "method": route.method,
                "path": route.path,
                "max_body": route.max_body,
                "timeout": int(route.timeout_s),
            }
            for route in ask.state.routes.values()
        ]
    )


def describe_policy(ask: Ask) -> Response:
    """``GET /v1/policy/describe/NAME``."""
    return answer(_policy(ask) | _origin(ask))


def read_policy(ask: Ask) -> Response:
    """``GET /v1/policy/read/NAME``; empty lists are left out."""
    data = _policy(ask)
    policy = ask.state.policies[ask.resource]
    for field_, patterns in (("allow", policy.allow), ("deny", policy.deny)):
        if patterns:
            data[field_] = {pattern: {} for pattern in sorted(patterns)}
    return answer(data | _origin(ask))


def list_policies(ask: Ask) -> Response:
    """``GET /v1/policy/list/PATTERN``."""
    return answer({"names": _selected(ask, ask.state.policies), "continue_at": ""})


def describe_identity(ask: Ask) -> Response:
    """``GET /v1/identity/describe/IDENTITY``."""
    if not valid_name(ask.resource):
        raise errors.bad_name("identity", ask.resource)
    if ask.resource == ask.state.admin:
        return answer({"admin": True, "created_at": _origin(ask)["created_at"]})
    policy = ask.state.identities.get(ask.resource)
    if policy is None:
        raise errors.missing("identity")
    return answer({"policy": policy.name} | _origin(ask))


def list_identities(ask: Ask) -> Response:
    """``GET /v1/identity/list/PATTERN``; the admin is one of them."""
    known = [ask.state.admin, *ask.state.identities]
    return answer({"identities": _selected(ask, known), "continue_at": ""})


def describe_self(ask: Ask) -> Response:
    """``GET /v1/identity/self/describe``; as a real server, it finds only the admin."""
    if ask.call.identity != ask.state.admin:
        raise errors.missing("identity")
    created = _origin(ask)["created_at"]
    return answer({"identity": ask.state.admin, "admin": True, "created_at": created})


def error_log(ask: Ask) -> Response:
    """``GET /v1/log/error``: errors as they happen."""
    return _stream(ask.state.errors.stream())


def audit_log(ask: Ask) -> Response:
    """``GET /v1/log/audit``: changes as they happen."""
    return _stream(ask.state.audit.stream())


def _stream(events: Iterable[bytes]) -> Response:
    return Response(200, [("Content-Type", "application/x-ndjson")], events)


def _selected(ask: Ask, names: Iterable[str]) -> list[str]:
    prefix = ask.pattern().removesuffix("*")
    return sorted(name for name in names if name.startswith(prefix))


def _policy(ask: Ask) -> dict[str, Any]:
    if not valid_name(ask.resource):
        raise errors.bad_name("policy name", ask.resource)
    if ask.resource not in ask.state.policies:
        raise errors.missing("policy")
    return {"name": ask.resource}


def _origin(ask: Ask) -> dict[str, str]:
    """Policies and identities are as old as the server and the admin's."""
    return {"created_at": format_time(ask.state.started_ns), "created_by": ask.state.admin}
