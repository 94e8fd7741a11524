"""The server: reachable, its certificate, its clock, S3, the admin API, its nodes and settings."""

from __future__ import annotations

from datetime import timedelta
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from mcpy.api.call import Call
from mcpy.api.proxy import proxy_for
from mcpy.errors import (
    ApiError,
    DeadlineError,
    ExitCode,
    NotReachedError,
    ProtocolError,
    S3Error,
    UnreachableError,
)
from mcpy.fleet.doctor.step import SOON_DAYS, Patient, Step, days_left, failed, in_days

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from mcpy.api.peer import PeerCertificate

PATIENCE_S = 5.0
_ALIVE = "/minio/health/live"
# a server that is no MinIO says that there is no bucket `minio`, in one way or another
_ANSWERS = (200, 301, 307, 403, 404, 405, 500, 501, 503)
_SKEW = timedelta(seconds=60)
_TOO_SKEWED = timedelta(minutes=15)
_SETTINGS = (
    "MINIO_KMS_KES_ENDPOINT",
    "MINIO_KMS_KES_KEY_NAME",
    "MINIO_KMS_KES_KEY_FILE",
    "MINIO_KMS_KES_CERT_FILE",
    "MINIO_KMS_KES_KEY_PASSWORD",
    "MINIO_KMS_KES_CAPATH",
    "MINIO_KMS_KES_API_KEY",
    "MINIO_KMS_KES_ENCLAVE",
    "MINIO_KMS_SECRET_KEY",
    "MINIO_KMS_SECRET_KEY_FILE",
    "MINIO_KMS_AUTO_ENCRYPTION",
    "MINIO_KMS_REPLICATE_KEYID",
    "MINIO_KMS_SERVER",
    "MINIO_KMS_SSE_KEY",
    "MINIO_KMS_API_KEY",
    "MINIO_KMS_ENCLAVE",
)
# paths differ from host to host, and so do the identities of nodes
_OWN = {name for name in _SETTINGS if name.endswith(("_FILE", "_CAPATH", "_PASSWORD", "_API_KEY"))}


def alias(patient: Patient) -> Iterator[Step]:
    """Where the alias comes from, and whether it has credentials."""
    found = patient.alias
    where = f"{found.url}, from {found.source or 'the command line'}"
    if found.anonymous:
        hint = f"mcpy alias set {found.name} {found.url} ACCESSKEY"
        yield Step("alias", "warning", f"{where}, without credentials", hint)
        return
    yield Step("alias", "ok", f"{where}, as `{found.access_key}`")


def server(patient: Patient) -> Iterator[Step]:
    """Whether anybody answers, the certificate, and the clock."""
    url = patient.alias.url
    if url.startswith("https:"):
        if patient.options.transport or proxy_for(url):
            yield Step("tls", "unchecked", "there is a proxy in between")
        else:
            from mcpy.api.peer import look

            yield from certificate("tls", look(url, patient.options), patient.now())
    with patient.s3.http.patience(PATIENCE_S):
        try:
            answer = patient.s3.http.request(Call("GET", _ALIVE, replies=_ANSWERS))
        except NotReachedError as e:
            hint = f"see that it runs there; for another URL: mcpy alias set {patient.name} URL"
            yield failed("server", e, hint=e.hint or hint)
            return
    yield Step("server", "ok", f"{patient.s3.http.where} answers")
    yield _clock(answer.headers.get("date", ""), patient.now())


def certificate(link: str, found: PeerCertificate, now: datetime) -> Iterator[Step]:
    """Judge the certificate of a server."""
    names = ", ".join(found.names) or "no name at all"
    what = f"the certificate `{found.subject}` by `{found.issuer}`, for {names}"
    left = days_left(found.not_after, now)
    until = f"{found.not_after:%Y-%m-%d}"
    if found.problem:
        hint = "--ca FILE, with the certificate of who issued it"
        if "expired" in found.problem:
            hint = "renew the server's certificate"
        elif "mismatch" in found.problem.lower() or "doesn't match" in found.problem.lower():
            hint = "use one of these names in the URL, or issue it for the name in use"
        elif found.self_signed:
            hint = "--ca FILE, with this very certificate: it is its own issuer"
        text = f"{what}, is not trusted: {found.problem}"
        yield Step(link, "failed", text, hint, ExitCode.UNREACHABLE)
    elif not found.judged:
        text = f"{what}, lasts until {until}, and was not judged"
        yield Step(link, "warning", text, "leave out --insecure, and give --ca FILE")
    elif left < SOON_DAYS:
        text = f"{what}, ends {in_days(left)}, on {until}"
        yield Step(link, "warning", text, "renew the server's certificate")
    else:
        yield Step(link, "ok", f"{what}, is trusted and lasts until {until}")


def _clock(date: str, now: datetime) -> Step:
    try:
        skew = now - parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return Step("clock", "unchecked", "the server does not tell its time")
    ahead = f"{abs(skew.total_seconds()):.0f} s {'ahead of' if skew > timedelta() else 'behind'}"
    text = f"this machine's clock is {ahead} the server's"
    hint = "set both clocks, by NTP"
    if abs(skew) >= _TOO_SKEWED:
        return Step("clock", "failed", f"{text}: no signature holds", hint, ExitCode.DENIED)
    if abs(skew) >= _SKEW:
        return Step("clock", "warning", text, hint)
    return Step("clock", "ok", "this machine's clock and the server's agree")


def s3(patient: Patient) -> Iterator[Step]:
    """Whether S3 answers a signed call; a frozen server does not, and says nothing."""
    try:
        with patient.s3.http.patience(PATIENCE_S):
            found = patient.s3.list_buckets()
    except DeadlineError as e:
        text = (
            f"S3 gives no answer within {PATIENCE_S:g} s, and the server is alive: is it frozen?"
        )
        yield failed("s3", e, text=text, hint=f"mcpy admin service unfreeze {patient.name}")
        return
    except S3Error as e:
        if e.api_code != "AccessDenied":
            raise
        hint = "s3:ListAllMyBuckets in the policy of the user"
        yield Step("s3", "warning", "S3 answers, and shows these credentials no buckets", hint)
        return
    patient.buckets = [bucket.name for bucket in found]
    count = len(found)
    yield Step("s3", "ok", f"S3 answers: {count} bucket{'' if count == 1 else 's'}")


def admin(patient: Patient) -> Iterator[Step]:
    """Whether there is MinIO's admin API, and what the nodes say of themselves."""
    try:
        with patient.admin.http.patience(PATIENCE_S * 2):
            patient.info = patient.admin.info()
    except ProtocolError:
        yield Step("admin", "unchecked", "no admin API of MinIO: another S3 server")
        return
    except ApiError as e:
        if e.status in {404, 405, 501}:
            yield Step("admin", "unchecked", "no admin API of MinIO: another S3 server")
            return
        if e.status != 403:
            raise
        hint = "admin:ServerInfo in the policy of the user, or an administrator's credentials"
        yield Step("admin", "unchecked", "these credentials may not administer", hint)
        return
    mode = str(patient.info["mode"])
    if mode != "online":
        error = UnreachableError(f"the deployment is {mode}", hint=f"mcpy ready {patient.name}")
        yield failed("admin", error)
        return
    yield Step("admin", "ok", "the admin API answers, the deployment is online")
    yield from _nodes(patient.info.get("servers") or [])
    yield from _settings(patient.name, patient.info.get("servers") or [])


def _nodes(servers: list[dict[str, Any]]) -> Iterator[Step]:
    offline = [str(s.get("endpoint", "?")) for s in servers if s.get("state") != "online"]
    versions = sorted({str(s["version"]) for s in servers if s.get("version")})
    if offline:
        hint = "see the logs of these hosts"
        yield Step("nodes", "warning", f"not online: {', '.join(offline)}", hint)
    elif len(versions) > 1:
        text = f"the nodes run different versions: {', '.join(versions)}"
        yield Step("nodes", "warning", text, "bring all nodes to one version")
    else:
        count = len(servers)
        yield Step("nodes", "ok", f"{count} node{'' if count == 1 else 's'}, all online")


def _settings(alias_name: str, servers: list[dict[str, Any]]) -> Iterator[Step]:
    """Look for variables that are spelled wrong, contradict each other, or differ by node."""
    by_node = {
        str(server.get("endpoint", "?")): {
            name: str(value)
            for name, value in (server.get("minio_env_vars") or {}).items()
            if name.startswith("MINIO_KMS_")
        }
        for server in servers
        if server.get("state") == "online"
    }
    problems = [p for node, found in by_node.items() for p in _misspelled(node, found)]
    problems += [p for node, found in by_node.items() for p in _rivals(node, found)]
    yield from problems
    difference = _difference(by_node)
    if difference:
        yield Step(
            "settings",
            "failed",
            difference,
            f"the same MINIO_KMS_* on every host, then mcpy admin service restart {alias_name}",
        )
    elif not problems:
        count = len({name for found in by_node.values() for name in found})
        same = " on every node" if len(by_node) > 1 else ""
        text = f"{count} MINIO_KMS_* variables are set{same}" if count else "no MINIO_KMS_* is set"
        yield Step("settings", "ok", text)


def _misspelled(node: str, found: Mapping[str, str]) -> Iterator[Step]:
    for name in sorted(found.keys() - set(_SETTINGS)):
        near = get_close_matches(name, _SETTINGS, n=1, cutoff=0.8)
        hint = f"{near[0]} is meant" if near else "remove it"
        yield Step("settings", "warning", f"{node} has {name}, which MinIO does not read", hint)


def _rivals(node: str, found: Mapping[str, str]) -> Iterator[Step]:
    if "MINIO_KMS_KES_ENDPOINT" in found and not found.get("MINIO_KMS_KES_KEY_NAME"):
        hint = "set MINIO_KMS_KES_KEY_NAME, and restart"
        yield Step("settings", "warning", f"{node} names a KES and no default key", hint)


def _difference(by_node: Mapping[str, Mapping[str, str]]) -> str:
    """Return how the nodes differ; ``""`` when they do not, as far as it matters."""
    nodes = list(by_node)
    for other in nodes[1:]:
        one = by_node[nodes[0]]
        for name in _SETTINGS:
            mine, its = one.get(name), by_node[other].get(name)
            if (mine is None) != (its is None):
                lacking = nodes[0] if mine is None else other
                return f"{lacking} has no {name}, and other nodes have"
            if mine != its and name == "MINIO_KMS_SECRET_KEY":
                return f"{other} has another {name} than {nodes[0]}"  # a secret: not shown
            if mine != its and name not in _OWN:
                return f"{nodes[0]} has {name}={mine}, and {other} has {its}"
    return ""
