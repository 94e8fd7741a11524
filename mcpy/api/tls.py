"""TLS contexts: whom we trust, and who we are."""

from __future__ import annotations

import base64
import binascii
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from mcpy.models import KesProfile

API_KEY_PREFIX = "kes:v1:"
MCS_FOLDER = "CAs"


@dataclass(frozen=True)
class ClientCertificate:
    """A certificate and its private key, as PEM files, or both made from a KES API key."""

    cert: Path | None = None
    key: Path | None = None
    api_key: str = field(default="", repr=False)
    password: Callable[[], str] | None = field(default=None, repr=False)


def certificate_of(
    profile: KesProfile, *, password: Callable[[], str] | None = None
) -> ClientCertificate:
    """Return the certificate a profile names, or the one that its API key makes.

    Raises:
        ConfigError, InputError: it names none, half of one, or two.
    """
    if profile.api_key and (profile.client_cert or profile.client_key):
        raise InputError(
            "an API key and a client certificate are two identities: keep one",
            hint="unset KES_API_KEY, or unset KES_CLIENT_KEY and KES_CLIENT_CERT",
        )
    if profile.api_key:
        return ClientCertificate(api_key=profile.api_key)
    if not (profile.client_cert or profile.client_key):
        raise ConfigError(
            "KES needs to know who is asking: no client certificate and no API key is set",
            hint="export KES_CLIENT_KEY=FILE KES_CLIENT_CERT=FILE, or KES_API_KEY=kes:v1:...",
        )
    if not profile.client_cert:
        raise ConfigError("no client certificate is set", hint="export KES_CLIENT_CERT=FILE")
    if not profile.client_key:
        raise ConfigError("no client private key is set", hint="export KES_CLIENT_KEY=FILE")
    return ClientCertificate(
        Path(profile.client_cert), Path(profile.client_key), password=password
    )


def context(
    *, ca: Path | None = None, insecure: bool = False, client: ClientCertificate | None = None
) -> ssl.SSLContext:
    """Build a client context for TLS 1.2 or later.

    Trusted are the system's roots, or ``ca`` alone: a file, or a folder of them. Both are trusted
    where it is mc's folder, ``CAs``: aliases imported from mc name that, and trust what mc trusts.

    Raises:
        ConfigError: a file cannot be read, is not PEM, or key and certificate do not match.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif ca:
        _load_ca(made, ca)
    else:
        _load_system_roots(made)
    if client:
        _load_client(made, client)
    return made


def _load_ca(made: ssl.SSLContext, ca: Path) -> None:
    try:
        if ca.is_dir():
            _load_folder(made, ca)
        else:
            made.load_verify_locations(cafile=ca)
    except ssl.SSLError as e:
        raise ConfigError(f"{ca} holds no PEM certificates to trust") from e
    except OSError as e:
        raise ConfigError(f"cannot read the CA file {ca}: {e.strerror}") from e


def _load_folder(made: ssl.SSLContext, ca: Path) -> None:
    """Trust every certificate in a folder; in mc's own, ``CAs``, beside the system's roots."""
    broken: ssl.SSLError | None = None
    found = 0
    for file in sorted(path for path in ca.iterdir() if path.is_file()):
        try:
            made.load_verify_locations(cafile=file)
            found += 1
        except ssl.SSLError as e:  # a README lies there too
            broken = e
    if broken and not found:
        raise broken
    if ca.name == MCS_FOLDER:
        _load_system_roots(made)


def _load_system_roots(made: ssl.SSLContext) -> None:
    made.load_default_certs()
    if not made.cert_store_stats()["x509_ca"] and not ssl.get_default_verify_paths().capath:
        # an image without a trust store; httpx brings one
        import certifi

        made.load_verify_locations(cafile=certifi.where())


def _load_client(made: ssl.SSLContext, client: ClientCertificate) -> None:
    if client.api_key:
        _load_pem(made, *certificate_from_api_key(client.api_key))
        return
    for path, what in ((client.cert, "certificate"), (client.key, "private key")):
        if path is None:
            raise ConfigError(f"the client has no {what}")
        try:
            path.open("rb").close()
        except OSError as e:
            raise ConfigError(f"cannot read the client {what} {path}: {e.strerror}") from e
    asked: list[str] = []

    def password() -> str:
        asked.append((client.password or _none)())
        return asked[0]

    try:
        made.load_cert_chain(str(client.cert), str(client.key), password=password)
    except ssl.SSLError as e:
        if asked:
            raise ConfigError(f"the password does not open the private key {client.key}") from e
        raise ConfigError(_pair_problem(client, e)) from e


def _none() -> str:
    raise ConfigError(
        "the client private key is encrypted", hint="export MCPY_KES_KEY_PASSWORD=..."
    )


def _pair_problem(client: ClientCertificate, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the private key {client.key} does not belong to the certificate {client.cert}"
    return f"{client.cert} and {client.key} are not a PEM certificate and its private key"


def _load_pem(made: ssl.SSLContext, cert: bytes, key: bytes) -> None:
    """Load PEM from memory; ssl reads files only, so they live 0600 for a moment."""
    with tempfile.TemporaryDirectory(prefix="mcpy-") as folder:  # 0700
        path = Path(folder, "client.pem")
        path.touch(mode=0o600)
        path.write_bytes(cert + key)
        made.load_cert_chain(path)


def api_key_seed(api_key: str) -> bytes:
    """Return the 32-byte Ed25519 seed of a KES API key; the prefix ``kes:v1:`` is optional.

    Raises:
        ConfigError: it is not base64 of a zero byte and 32 bytes.
    """
    try:
        raw = base64.b64decode(api_key.removeprefix(API_KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError) as e:
        raise ConfigError("the KES API key is not valid base64") from e
    if len(raw) != 33 or raw[0] != 0:
        raise ConfigError("the KES API key is not of the form kes:v1:<44 base64 characters>")
    return raw[1:]


def private_key_from_api_key(api_key: str) -> Ed25519PrivateKey:
    """Return the key pair behind a KES API key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(api_key_seed(api_key))


def certificate_from_api_key(api_key: str) -> tuple[bytes, bytes]:
    """Make the short-lived client certificate KES expects; return certificate and key as PEM."""
    from cryptography.hazmat.primitives import serialization

    key = private_key_from_api_key(api_key)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return self_signed(key), pem


def self_signed(key: Ed25519PrivateKey, *, days: int = 90) -> bytes:
    """Return a client certificate in PEM whose common name is the key's KES identity."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identity_of_public_key(public))])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # a server's clock may be behind
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    return builder.sign(key, None).public_bytes(serialization.Encoding.PEM)


def identity_of_public_key(public_key_der: bytes) -> str:
    """Return the KES identity: hex SHA-256 of the DER SubjectPublicKeyInfo, 64 characters."""
    import hashlib

    return hashlib.sha256(public_key_der).hexdigest()
