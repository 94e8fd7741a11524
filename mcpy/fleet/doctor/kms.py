"""The KMS as the server sees it: is there one, its endpoints, the default key, what KES denies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcpy.errors import ApiError, ExitCode, McpyError, ProtocolError, S3Error
from mcpy.fleet.doctor.server import PATIENCE_S
from mcpy.fleet.doctor.step import Patient, Step, failed
from mcpy.models import bare_key_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.api.madmin_types import KeyStatus

_REACH = "see that KES runs and the server's host reaches it; from here: mcpy kes status"
DENIED_BY_KES = "insufficient permissions"
_UNREAD = "failed to read key"  # KES's words for whatever its keystore does not give
_DOWN = re.compile(
    r"connection refused|connection error|no such host|i/o timeout|deadline exceeded|unreachable",
    re.IGNORECASE,
)
_TLS = re.compile(r"x509|tls:|certificate", re.IGNORECASE)
_KEY_VARIABLES = ("MINIO_KMS_KES_KEY_NAME", "MINIO_KMS_SSE_KEY")


def kms(patient: Patient) -> Iterator[Step]:
    """Whether the server has a KMS, and whether it reaches each endpoint."""
    try:
        with patient.admin.http.patience(PATIENCE_S * 2):
            found = patient.kms = patient.admin.kms_status()
    except ProtocolError:
        yield Step("kms", "unchecked", "no KMS API of MinIO: another S3 server")
        return
    except S3Error as e:
        yield _without_status(e)
        return
    default = found.default_key or _default_of_settings(patient)
    text = f"{found.name or 'a KMS'}, default key `{default}`"
    states = dict(found.endpoints)
    offline = sorted(endpoint for endpoint, state in states.items() if state != "online")
    if offline and len(offline) == len(states):
        yield _unreached(patient, ", ".join(offline))
    elif offline:
        yield Step("kms", "warning", f"{text}; not reached: {', '.join(offline)}", _REACH)
    else:
        yield Step("kms", "ok", f"{text}, at {', '.join(sorted(states)) or 'no endpoint'}")


def _unreached(patient: Patient, endpoints: str) -> Step:
    """Return why no endpoint is reached; the trial of a key tells, the state does not."""
    text = f"the server does not reach its KMS at {endpoints}"
    try:
        with patient.admin.http.patience(PATIENCE_S * 2):
            tried = judged(patient.admin.key_status(), "kms", patient)
    except McpyError:
        return Step("kms", "failed", text, _REACH, ExitCode.UNREACHABLE)
    if tried.level == "ok":
        return Step("kms", "warning", f"{text}, it says, and yet {tried.text}", _REACH)
    return tried


def _without_status(error: S3Error) -> Step:
    if DENIED_BY_KES in error.server_message:
        text = "KES does not let the server ask for its state (/v1/status), or for anything"
        return Step("kms", "warning", text, _add("/v1/status"))
    if error.status == 403:
        text = "these credentials may not ask for the state of the KMS"
        return Step("kms", "warning", text, "kms:Status in the policy of the user")
    return failed("kms", error)


def key(patient: Patient) -> Iterator[Step]:
    """Whether the default key encrypts and decrypts, from the server's side."""
    try:
        with patient.admin.http.patience(PATIENCE_S * 2):
            status = patient.admin.key_status()
    except S3Error as e:
        if e.status != 403:
            raise
        text = "these credentials may not try a key"
        yield Step("key", "unchecked", text, "kms:KeyStatus in the policy of the user")
        return
    yield judged(status, "key", patient)


def judged(status: KeyStatus, link: str, patient: Patient) -> Step:
    """Return what the trial of a key shows, and the next thing to do about it."""
    name = bare_key_id(status.key_id)
    if status.works:
        return Step(link, "ok", f"the server encrypts and decrypts by the key `{name}`")
    if not name:
        hint = "set MINIO_KMS_KES_KEY_NAME, and restart"
        return Step(link, "failed", "the server has no default key", hint)
    if status.missing:
        text = f"the key `{name}` is gone: nothing can be encrypted by it, nor read"
        hint = f"mcpy kes key import {name} @BACKUP: a new key of its name reads nothing old"
        return Step(link, "failed", text, hint, ExitCode.NOT_FOUND)
    text, hint, code = _broken(name, status, patient)
    return Step(link, "failed", text, hint, code)


def _broken(name: str, status: KeyStatus, patient: Patient) -> tuple[str, str, ExitCode]:
    """Return text, hint and exit code for a key that is there, or may be, and does not work."""
    problem = status.problem.rstrip(".")
    if DENIED_BY_KES in problem:
        path = f"/v1/key/{'generate' if status.encryption_error else 'decrypt'}/*"
        text = f"KES does not let the server use the key `{name}`: {path} is not in its policy"
        return text, _add(path), ExitCode.DENIED
    if _TLS.search(problem):
        hint = "MINIO_KMS_KES_CAPATH has to name who issued KES's certificate"
        text = f"the server and KES do not trust each other: {problem}"
        return text, hint, ExitCode.UNREACHABLE
    if _DOWN.search(problem):
        return f"the server does not reach its KMS: {problem}", _REACH, ExitCode.UNREACHABLE
    if _UNREAD in problem:
        text = f"KES cannot read the key `{name}` at its keystore: it is locked there, or damaged"
        hint = f"where KES runs: mcpy keystore ls {name} --state --config KES-CONFIG"
        return text, hint, ExitCode.UNREACHABLE
    hint = f"mcpy admin kms key status {patient.name} {name}"
    return f"the key `{name}` does not work: {problem}", hint, ExitCode.FAILED


def permissions(patient: Patient) -> Iterator[Step]:
    """What KES denies the server, beyond what it needs to encrypt and to read."""
    if patient.kms is not None and not patient.kms.name.endswith("KES"):
        return  # a built-in key has no policy
    lacking = []
    for path, purpose, ask in (
        ("/v1/key/list/*", "lists keys", "key/list"),
        ("/v1/api", "shows what the KMS can do", "apis"),
    ):
        right = {"key/list": "kms:ListKeys", "apis": "kms:API"}[ask]
        try:
            with patient.admin.http.patience(PATIENCE_S):
                patient.admin.ask_kms(ask)
        except ApiError as e:
            if DENIED_BY_KES in e.server_message:
                lacking.append(f"{path} ({purpose})")
            elif e.status == 403:
                text = f"these credentials may not try what the server may do: {ask}"
                hint = f"{right} in the policy of the user"
                yield Step("permissions", "unchecked", text, hint)
                return
    if lacking:
        text = f"KES does not let the server use {' and '.join(lacking)}"
        yield Step("permissions", "warning", text, _add(*(p.split()[0] for p in lacking)))
    else:
        yield Step("permissions", "ok", "KES lets the server list keys and show its state")


def _add(*paths: str) -> str:
    return f"add {' and '.join(paths)} to the policy of MinIO's identity in the config of KES"


def _default_of_settings(patient: Patient) -> str:
    for server in patient.info.get("servers") or []:
        for name in _KEY_VARIABLES:
            if value := (server.get("minio_env_vars") or {}).get(name):
                return str(value)
    return ""
