"""Configuration over the admin API; what may hold a secret travels sealed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from mcpy.sandbox.admin.call import TEXT, answer_json
from mcpy.sandbox.admin.config import defaults
from mcpy.sandbox.admin.sealed import SealError, seal, unseal
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3.errors import S3Problem, go_json

if TYPE_CHECKING:
    from mcpy.sandbox.admin.call import AdminCall


def get_config(call: AdminCall) -> Response:
    """Answer one sub-system."""
    return _answer_sealed(call, call.services.config.get(call.param("key")).encode())


def export_config(call: AdminCall) -> Response:
    """Answer all of them."""
    return _answer_sealed(call, call.services.config.export().encode())


def set_config(call: AdminCall) -> Response:
    """Change keys of a sub-system."""
    return _applied(dynamic=call.services.config.set(_sealed_body(call), call.services.now()))


def import_config(call: AdminCall) -> Response:
    """Replace the whole configuration."""
    call.services.config.replace(_sealed_body(call), call.services.now())
    return Response(200)


def reset_config(call: AdminCall) -> Response:
    """Put a sub-system back to its defaults."""
    return _applied(dynamic=call.services.config.reset(_sealed_body(call)))


def help_config(call: AdminCall) -> Response:
    """Answer which keys there are, and their defaults; the sandbox has no prose for them."""
    name, key = call.param("subSys"), call.param("key")
    if name and name not in defaults():
        raise S3Problem.of("XMinioConfigError", f"unknown sub-system {name}")
    texts = (
        {n: f"(default: '{value}')" for n, value in defaults()[name].values.items()}
        if name
        else {n: "" for n in defaults() if n != "region"}
    )
    entries = [
        {"key": n, "type": "", "description": text, "optional": True, "multipleTargets": False}
        for n, text in texts.items()
        if key in {"", n}
    ]
    if not entries:
        raise S3Problem.of("XMinioConfigError", f"unknown key {key} for sub-system {name}")
    answer = {"subSys": name, "description": "", "multipleTargets": False, "keysHelp": entries}
    return answer_json(answer, kind=TEXT)


def history(call: AdminCall) -> Response:
    """Answer the last changes, oldest first; all of them when 0 are asked for."""
    if not call.param("count").isdigit():
        raise S3Problem.of("XMinioAdminVersionMismatch")  # the real server's route wants digits
    count = int(call.param("count"))
    kept = call.services.config.history
    entries = [asdict(change) for change in (kept[-count:] if count else kept)]
    return _answer_sealed(call, go_json(entries or None))


def restore_history(call: AdminCall) -> Response:
    """Set the lines of an entry of the history."""
    if not call.param("restoreId"):
        raise S3Problem.of("InvalidRequest")
    call.services.config.restore(call.param("restoreId"))
    return Response(200)


def clear_history(call: AdminCall) -> Response:
    """Forget entries of the history."""
    if not call.param("restoreId"):
        raise S3Problem.of("InvalidRequest")
    call.services.config.clear_history(call.param("restoreId"))
    return Response(200)


def _sealed_body(call: AdminCall) -> str:
    try:
        return unseal(call.body(), call.caller.secret_key).decode()
    except (SealError, UnicodeDecodeError) as e:
        raise S3Problem.of("XMinioAdminConfigBadJSON") from e


def _answer_sealed(call: AdminCall, data: bytes) -> Response:
    # the real server calls it JSON, too
    headers = [("Content-Type", "application/json")]
    return Response(200, headers, seal(data, call.caller.secret_key))


def _applied(*, dynamic: bool) -> Response:
    return Response(200, [("X-Minio-Config-Applied", "true")] if dynamic else [])
