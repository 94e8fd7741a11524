"""Certificates of the sandbox: an authority, server certificates, client identities.

A KES identity is the hash of a certificate's public key; nothing else in a client certificate
counts, so every client certificate here is self-signed.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder

_VALIDITY = timedelta(days=3652)
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_AUTHORITY = "mcpy sandbox CA"
_API_KEY_PREFIX = "kes:v1:"


@dataclass(frozen=True)
class KeyPair:
    """A private key and its certificate, both PEM."""

    key_pem: bytes = field(repr=False)
    cert_pem: bytes

    def save(self, key: Path, cert: Path) -> None:
        """Write both; the key's file is 0600 from its first byte."""
        write_private(key, self.key_pem)
        cert.write_bytes(self.cert_pem)

    @property
    def identity(self) -> str:
        """The KES identity of the certificate."""
        return identity_of_pem(self.cert_pem)


class Authority:
    """A certificate authority that lives as long as this object; only its certificate is kept."""

    def __init__(self, *, now: datetime | None = None) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self._now = now or datetime.now(UTC)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._authority()

    @property
    def cert_pem(self) -> bytes:
        """The authority's certificate."""
        return _pem(self._certificate)

    def server(self, names: tuple[str, ...] = LOCAL_NAMES) -> KeyPair:
        """Return a server certificate for DNS names and IP addresses."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.x509.oid import ExtendedKeyUsageOID

        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(names[0], self._certificate.subject, key, self._now)
        certificate = (
            _leaf(builder, ExtendedKeyUsageOID.SERVER_AUTH)
            .add_extension(x509.SubjectAlternativeName([_san(n) for n in names]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, SHA256())
        )
        return KeyPair(_private_pem(key), _pem(certificate))

    def _authority(self) -> Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives.hashes import SHA256

        usage = _key_usage(digital_signature=True, key_cert_sign=True, crl_sign=True)
        public = self._key.public_key()
        return (
            _builder(_AUTHORITY, None, self._key, self._now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, SHA256())
        )


def is_short_of(cert_pem: bytes, names: tuple[str, ...]) -> bool:
    """Tell whether a certificate that was made here, and by nobody else, lacks some names."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(cert_pem)
    if certificate.issuer != _named(_AUTHORITY):
        return False
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return not all(_san(name) in found.value for name in names)


def client(
    name: str, seed: bytes | None = None, *, now: datetime | None = None
) -> tuple[KeyPair, str]:
    """Return a client's key pair and the API key that stands for the same identity.

    ``seed`` is the 32-byte ed25519 private key; without it a new one is made.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.x509.oid import ExtendedKeyUsageOID

    if seed is None:
        key = Ed25519PrivateKey.generate()
    else:
        key = Ed25519PrivateKey.from_private_bytes(seed)
    builder = _builder(name, None, key, now or datetime.now(UTC))
    certificate = _leaf(builder, ExtendedKeyUsageOID.CLIENT_AUTH).sign(key, None)
    api_key = _API_KEY_PREFIX + base64.b64encode(b"\0" + key.private_bytes_raw()).decode()
    return KeyPair(_private_pem(key), _pem(certificate)), api_key


def api_key_of(key_pem: bytes) -> str:
    """Return the API key that stands for an ed25519 private key in PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(key_pem, None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("an API key is an ed25519 key")  # noqa: TRY004 - wrong data, not a bug
    return _API_KEY_PREFIX + base64.b64encode(b"\0" + key.private_bytes_raw()).decode()


def identity_of(der: bytes) -> str:
    """Return the KES identity of a certificate: SHA-256 of its public key, 64 hex digits.

    Raises:
        ValueError: ``der`` is not a certificate.
    """
    return hashlib.sha256(_public_key_info(der)).hexdigest()


def identity_of_pem(pem: bytes) -> str:
    """Return the KES identity of the first certificate in ``pem``."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return identity_of(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER))


@functools.lru_cache(maxsize=256)
def client_certificate_identity(der: bytes) -> str | None:
    """Return the identity of a client's certificate, or None when it is an authority's."""
    from cryptography import x509

    with contextlib.suppress(x509.ExtensionNotFound, ValueError):
        constraints = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(
            x509.BasicConstraints
        )
        if constraints.value.ca:
            return None
    return identity_of(der)


def write_private(path: Path, data: bytes) -> None:
    """Write a file nobody else can read, whole or not at all."""
    new = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    new.replace(path)


def _builder(
    name: str,
    issuer: object,
    key: EllipticCurvePrivateKey | Ed25519PrivateKey,
    now: datetime,
) -> CertificateBuilder:
    from cryptography import x509

    subject = _named(name)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer if isinstance(issuer, x509.Name) else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _VALIDITY)
    )


def _named(name: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _leaf(builder: CertificateBuilder, purpose: object) -> CertificateBuilder:
    from cryptography import x509

    usages = [purpose] if isinstance(purpose, x509.ObjectIdentifier) else []
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    )


def _key_usage(**on: bool) -> KeyUsage:
    from cryptography import x509

    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: on.get(name, False) for name in names})


if TYPE_CHECKING:
    from cryptography.x509 import GeneralName, KeyUsage, Name


def _san(name: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _private_pem(key: EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    return key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())


def _public_key_info(der: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo as it stands in the certificate.

    Cut out rather than parsed and encoded again: the identity is a hash of these very bytes.
    """
    try:
        _, at, _ = _element(der, 0)
        _, at, _ = _element(der, at)
        # version (optional), serial, signature, issuer, validity, subject, then the key
        skip = 6 if der[at] == 0xA0 else 5
        for _ in range(skip):
            _, _, at = _element(der, at)
        start, _, end = _element(der, at)
    except IndexError as e:
        raise ValueError("not a certificate") from e
    return der[start:end]


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Return where a DER element starts, where its content starts, and where it ends."""
    size, content = der[at + 1], at + 2
    if size & 0x80:
        width = size & 0x7F
        size = int.from_bytes(der[content : content + width], "big")
        content += width
    if content + size > len(der):
        raise IndexError
    return at, content, content + size
