"""The KES as the alias sees it: both certificates, its state, and what its policies lack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcpy import kespolicy
from mcpy.api.proxy import proxy_for
from mcpy.errors import ExitCode, KesError, UnreachableError
from mcpy.fleet.doctor.server import PATIENCE_S, certificate
from mcpy.fleet.doctor.step import SOON_DAYS, Patient, Step, days_left, failed, in_days
from mcpy.fleet.kes_trial import evaluate, try_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.fleet.doctor.step import KesAccess

_MINIO_DOES = {"generate", "decrypt"}
_OLD = re.compile(r"v0\.(\d{1,9})(?!\d)", flags=re.ASCII)


def kes(patient: Patient) -> Iterator[Step]:
    """Walk the way to KES with the identity of the alias."""
    if patient.kes is None:
        hint = (
            f"mcpy alias set {patient.name} {patient.alias.url} ... "
            "--kes-server URL --kes-cert FILE --kes-key FILE"
        )
        yield Step("kes", "unchecked", "neither the alias nor the environment names a KES", hint)
        return
    access = patient.kes()
    yield from _own_certificate(access, patient)
    try:
        yield from _walk(access, patient)
    except UnreachableError as e:
        named = "the alias" if patient.alias.kes else "KES_SERVER"
        where = ", ".join(urlsplit(url).netloc for url in access.servers)
        hint = f"see that KES runs at {where}; if it is elsewhere, correct {named}"
        yield failed("kes", e, hint=e.hint or hint)


def _walk(access: KesAccess, patient: Patient) -> Iterator[Step]:
    yield from _server_certificate(access, patient)
    with access.client.patience(PATIENCE_S):
        yield from _state(access)
    yield from _same_kes(access, patient)
    with access.client.patience(PATIENCE_S):
        yield from _policies(access)


def _own_certificate(access: KesAccess, patient: Patient) -> Iterator[Step]:
    who = f"identity {access.identity[:16]}..." if access.identity else "identity unknown"
    if access.expires is None:
        yield Step("kes-identity", "ok", f"{who}, by an API key, which does not expire")
        return
    left, until = days_left(access.expires, patient.now()), f"{access.expires:%Y-%m-%d}"
    hint = "mcpy kes identity new --expiry 8760h, and its identity into the policy"
    if left < 0:
        text = f"{who}: our certificate for KES ended on {until}"
        yield Step("kes-identity", "failed", text, hint, ExitCode.DENIED)
    elif left < SOON_DAYS:
        text = f"{who}: our certificate for KES ends {in_days(left)}, on {until}"
        yield Step("kes-identity", "warning", text, hint)
    else:
        yield Step("kes-identity", "ok", f"{who}, by a certificate that lasts until {until}")


def _server_certificate(access: KesAccess, patient: Patient) -> Iterator[Step]:
    from mcpy.api.peer import look

    for url in access.servers:
        if access.options.transport or proxy_for(url):
            yield Step("kes-tls", "unchecked", "there is a proxy in between")
            continue
        try:
            found = look(url, access.options, access.certificate)
        except UnreachableError as e:
            if len(access.servers) == 1:
                raise
            yield Step("kes-tls", "warning", e.message, "the other servers are asked instead")
            continue
        yield from certificate("kes-tls", found, patient.now())


def _state(access: KesAccess) -> Iterator[Step]:
    client = access.client
    version = client.version().version
    found = _OLD.match(version)
    old = found is not None and int(found[1]) < 17
    try:
        client.ready()
    except KesError as e:
        if e.status != 403:
            hint = "see the keystore behind KES: mcpy keystore check --config KES.yml"
            text = f"KES {version} answers, and does not reach its keystore: {e.message}"
            yield Step("kes", "failed", text, hint, ExitCode.UNREACHABLE)
            return
    if old:
        text = f"KES {version} is known to have mixed up keys of a Vault (fixed in v0.17.0)"
        yield Step("kes", "warning", text, "bring KES to a later version")
    else:
        yield Step("kes", "ok", f"KES {version} at {client.where} is ready, keystore included")


def _same_kes(access: KesAccess, patient: Patient) -> Iterator[Step]:
    """See that the server uses the KES that the alias names."""
    used = {urlsplit(url).netloc for url in (patient.kms.endpoints if patient.kms else ())}
    ours = {urlsplit(url).netloc for url in access.servers}
    if used and not used & ours:
        text = f"the server uses KES at {', '.join(sorted(used))}; the alias names another"
        hint = "if they are not one KES by two names, correct the alias"
        yield Step("kes-server", "warning", text, hint)


def _policies(access: KesAccess) -> Iterator[Step]:
    """Judge every policy that lets somebody encrypt or read, or try out our own."""
    try:
        names = access.client.list_policies()
    except KesError as e:
        if e.status != 403:
            raise
        yield _own_policy(access)
        return
    lacking = [line for name in names if (line := _lacking(access, name))]
    if lacking:
        text = f"of the policies that could be MinIO's, {'; '.join(lacking)}"
        yield Step("kes-policy", "warning", text, "mcpy kes policy check POLICY")
    elif names:
        yield Step("kes-policy", "ok", f"no policy of {len(names)} lacks what MinIO needs")
    else:
        text = "KES has no policy, so MinIO's identity may do nothing, unless it is the admin"
        yield Step("kes-policy", "warning", text, "mcpy kes config new, for a policy to copy")


def _own_policy(access: KesAccess) -> Step:
    found = try_out(access.client, kespolicy.ANY_KEY, any_key=True)
    denied = [f.path for f in found if f.allowed is False]
    if denied:
        text = f"the policy of our identity does not allow {', '.join(denied)}"
        return Step("kes-policy", "warning", text, "mcpy kes policy check")
    return Step("kes-policy", "ok", "the policy of our identity lets it do what MinIO does")


def _lacking(access: KesAccess, name: str) -> str:
    """Return what a policy lacks that MinIO needs; ``""`` for one that is not for a MinIO."""
    rules = access.client.read_policy(name)
    found = evaluate(kespolicy.Policy(rules.allow, rules.deny))
    if not any(f.allowed for f in found if f.need.name in _MINIO_DOES):
        return ""
    wanted = [f for f in found if f.need.required or f.need.name == "list"]
    missing = [f.path for f in wanted if not f.allowed]
    return f"`{name}` lacks {' and '.join(missing)}" if missing else ""
