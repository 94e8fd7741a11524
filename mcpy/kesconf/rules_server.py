"""Rules for the server's own part: version, address, admin, TLS, cache, log, API, keys."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import TYPE_CHECKING

from mcpy.kesconf.document import seconds
from mcpy.kesconf.findings import error, info, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cryptography.x509 import Certificate

    from mcpy.kesconf.document import Node
    from mcpy.kesconf.findings import Finding, Subject

EXPIRES_SOON = timedelta(days=14)
IDENTITY = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"(?!-)(?!.*-$)(?!_$)[0-9A-Za-z_-]{1,80}", re.DOTALL)
_LEVEL = re.compile(
    r"(on|off|(debug|info|warn|error)(\+\d+)?|[+-]?\d+)?", re.IGNORECASE | re.ASCII
)
_OFFLINE_PROBE_S = 10.0


def _version(subject: Subject) -> Iterator[Finding]:
    node = subject.root.at("version")
    if node.kind == "scalar" and node.text not in {"", "v1"}:
        yield error(node, "KES does not start: the only version is v1", "version: v1")


def _address(subject: Subject) -> Iterator[Finding]:
    node = subject.root.at("address")
    text = subject.of(node)
    if not text:
        return
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        yield error(node, "KES does not start: not IP:PORT", "address: 0.0.0.0:7373")
        return
    try:
        if host:
            ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        yield error(node, "KES does not start: a host name, and only an IP address will do")


def _admin(subject: Subject) -> Iterator[Finding]:
    node = subject.root.at("admin.identity")
    text = subject.of(node)
    if text == "":
        fix = "identity: disabled, or what `mcpy kes identity of FILE` prints"
        yield error(node, "KES does not start: no admin identity", fix)
    elif text and not IDENTITY.fullmatch(text):
        if text.lower() != text and IDENTITY.fullmatch(text.lower()):
            yield error(
                node, "identities are lower-case: nobody is this admin", f"write {text.lower()}"
            )
        elif text not in {"disabled", "_"}:
            yield warning(
                node,
                "not the 64 hex digits of an identity: the server has no admin",
                "write `disabled` when that is meant",
            )


def _tls(subject: Subject) -> Iterator[Finding]:
    tls = subject.root.at("tls")
    for name in ("key", "cert"):
        if subject.text(f"tls.{name}") == "":
            yield error(tls.at(name), f"KES does not start: no tls.{name}")
    auth = subject.text("tls.auth")
    if auth and auth.lower() not in {"on", "off"}:
        yield error(tls.at("auth"), "KES does not start: tls.auth is on or off")
    if auth and auth.lower() == "on":
        yield info(tls.at("auth"), "clients need certificates of an authority: API keys fail")
    if tls.at("proxy"):
        yield warning(tls.at("proxy"), "parsed by KES, and then not used", "remove it")
    if (ca := subject.file("tls.ca")) and not ca.exists():
        yield error(tls.at("ca"), f"KES does not start: {ca} is not there")


def _certificate(subject: Subject) -> Iterator[Finding]:
    node = subject.root.at("tls.cert")
    path = subject.file("tls.cert")
    if path is None:
        return
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as e:
        yield error(node, f"KES does not start: cannot read {path}: {e.strerror}")
        return
    except ValueError:
        yield error(node, f"KES does not start: {path} is not a PEM certificate")
        return
    yield from _dates(subject, node, found[0])
    if not _has_names(found[0]):
        yield error(node, "KES does not start: the certificate names no DNS name or IP (no SAN)")
    yield from _key(subject, found[0])


def _dates(subject: Subject, node: Node, certificate: Certificate) -> Iterator[Finding]:
    end = certificate.not_valid_after_utc
    fix = "put a new certificate in place; KES reads it within 15 minutes"
    if end <= subject.now:
        yield error(node, f"the certificate expired on {end:%Y-%m-%d}: no client connects", fix)
    elif end - subject.now < EXPIRES_SOON:
        yield warning(node, f"the certificate expires on {end:%Y-%m-%d}", fix)
    if certificate.not_valid_before_utc > subject.now:
        start = certificate.not_valid_before_utc
        yield error(node, f"the certificate is valid from {start:%Y-%m-%d} on only")


def _has_names(certificate: Certificate) -> bool:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return any(isinstance(name, x509.DNSName | x509.IPAddress) for name in names)


def _key(subject: Subject, certificate: Certificate) -> Iterator[Finding]:
    from cryptography.hazmat.primitives import serialization as form

    node = subject.root.at("tls.key")
    path = subject.file("tls.key")
    if path is None:
        return
    password = subject.text("tls.password")
    try:
        key = form.load_pem_private_key(path.read_bytes(), password.encode() if password else None)
    except OSError as e:
        yield error(node, f"KES does not start: cannot read {path}: {e.strerror}")
        return
    except TypeError:
        if not password:
            yield error(node, f"KES does not start: {path} is encrypted", "see tls.password")
            return
        yield warning(node, f"{path} is not encrypted: tls.password is not needed")
        key = form.load_pem_private_key(path.read_bytes(), None)
    except ValueError:
        yield error(node, f"KES does not start: {path} is not a PEM key, or its password is wrong")
        return
    spki = (form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*spki) != certificate.public_key().public_bytes(*spki):
        yield error(node, "KES does not start: the key does not belong to the certificate")
    if path.stat().st_mode & 0o077:
        yield warning(node, f"others than its owner may use {path}", f"chmod 600 {path}")


def _cache(subject: Subject) -> Iterator[Finding]:
    expiry = subject.root.at("cache.expiry")
    values: dict[str, float] = {}
    for name in ("any", "unused", "offline"):
        node = expiry.at(name)
        try:
            values[name] = seconds(subject.of(node) or "")
        except ValueError as e:
            yield error(node, f"KES does not start: {e}")
            return
        if values[name] < 0:
            yield error(node, "KES does not start: a negative duration")
    if values["any"] and not values["unused"]:
        yield error(
            expiry.at("any"),
            "without cache.expiry.unused KES sets `any` to 30s, whatever stands here",
            "add `unused: 20s`",
        )
    if values["offline"] and (values["any"] or 30) < _OFFLINE_PROBE_S:
        yield error(
            expiry.at("offline"),
            "never comes to bear: the cache empties before KES notices, after 10s, that the "
            "keystore is away",
            "any: 5m0s",
        )


def _log(subject: Subject) -> Iterator[Finding]:
    for name in ("error", "audit"):
        node = subject.root.at(f"log.{name}")
        text = subject.of(node)
        if text and not _LEVEL.fullmatch(text.strip()):
            yield error(node, "KES does not start: not a log level", "on, off, or WARN")
        elif name == "audit" and text and text.strip().lower() == "off":
            yield info(node, "who created and deleted keys is written nowhere")


def _keys(subject: Subject) -> Iterator[Finding]:
    seen: set[str] = set()
    for item in subject.root.at("keys").items:
        node = item.at("name")
        text = subject.of(node)
        if item.kind != "mapping" or text == "":
            yield error(item, "must be `- name: KEY`")
            continue
        for name in item.fields.keys() - {"name"}:
            yield error(item.fields[name], "unknown field: KES ignores it", "remove it")
        if text is not None:
            yield from _key_name(node, text, seen)


def _key_name(node: Node, name: str, seen: set[str]) -> Iterator[Finding]:
    if name in seen:
        yield error(node, f"KES does not start: the key `{name}` stands twice")
    seen.add(name)
    if not NAME.fullmatch(name):
        yield error(node, f"`{name}` is no key name: KES may make it, and nobody can use it")


RULES: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    _version,
    _address,
    _admin,
    _tls,
    _certificate,
    _cache,
    _log,
    _keys,
)
