"""Who a client is to KES: key pairs, API keys, certificates, and the identity of each.

An identity is the SHA-256 of a public key. An API key is the seed of an Ed25519 key pair, so it
and a private key file say the same.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mcpy.api.tls import API_KEY_PREFIX, identity_of_public_key
from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from ipaddress import IPv4Address, IPv6Address

_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n(.*?)-----END \1-----", re.DOTALL)
_DEK_INFO = re.compile(rb"DEK-Info: *AES-256-CBC,([0-9A-Fa-f]{32})\r?\n")


@dataclass(frozen=True)
class Subject:
    """What a certificate says beside its key."""

    name: str = ""
    ips: tuple[IPv4Address | IPv6Address, ...] = ()
    dns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Certified:
    """The identity a certificate shows, and whether KES would look at it."""

    identity: str
    is_ca: bool
    not_after: datetime = field(compare=False)


def new_key() -> Ed25519PrivateKey:
    """Return a new key pair."""
    return Ed25519PrivateKey.generate()


def api_key(key: Ed25519PrivateKey) -> str:
    """Return the API key of a key pair: ``kes:v1:`` and base64 of a zero byte and the seed."""
    return API_KEY_PREFIX + base64.b64encode(b"\0" + key.private_bytes_raw()).decode()


def identity(key: Ed25519PrivateKey) -> str:
    """Return the identity of a key pair."""
    return identity_of_public_key(
        key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def certificate(
    key: Ed25519PrivateKey, subject: Subject, *, start: datetime, end: datetime
) -> bytes:
    """Return a self-signed certificate in PEM for a client or server; its name is the identity."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject.name or identity(key))])
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        # KES passes over certificates of authorities
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_digital_signature(), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    )
    others = [*map(x509.DNSName, subject.dns), *map(x509.IPAddress, subject.ips)]
    if others:
        builder = builder.add_extension(x509.SubjectAlternativeName(others), critical=False)
    return builder.sign(key, None).public_bytes(serialization.Encoding.PEM)


def _digital_signature() -> x509.KeyUsage:
    names = (
        "content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(digital_signature=True, **dict.fromkeys(names.split(), False))


def private_key_pem(key: Ed25519PrivateKey, password: str = "", *, iv: bytes = b"") -> bytes:
    """Return the private key in PEM; with a password, in the form KES and MinIO can open.

    Args:
        key: the key pair.
        password: encrypts the file.
        iv: 16 random bytes, with a password.

    That form is the one of RFC 1421: AES-256-CBC under an MD5 of the password. It keeps a stolen
    backup from being used at once, no more.
    """
    clear = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    if not password:
        return _pem(clear)
    padder = padding.PKCS7(128).padder()
    padded = padder.update(clear) + padder.finalize()
    encryptor = Cipher(algorithms.AES256(_legacy_key(password, iv)), modes.CBC(iv)).encryptor()
    headers = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,{iv.hex()}\n\n"
    return _pem(encryptor.update(padded) + encryptor.finalize(), headers)


def _pem(content: bytes, headers: str = "") -> bytes:
    text = base64.b64encode(content).decode()
    lines = "".join(text[i : i + 64] + "\n" for i in range(0, len(text), 64))
    return f"-----BEGIN PRIVATE KEY-----\n{headers}{lines}-----END PRIVATE KEY-----\n".encode()


def _legacy_key(password: str, iv: bytes) -> bytes:
    """Derive 32 bytes as OpenSSL does for encrypted PEM: MD5 chained over password and salt."""
    import hashlib

    made = last = b""
    while len(made) < 32:
        last = hashlib.md5(last + password.encode() + iv[:8], usedforsecurity=False).digest()
        made += last
    return made[:32]


def of_certificate(pem: bytes, where: str) -> Certified:
    """Return what the first certificate of a PEM file shows.

    Raises:
        ConfigError: it holds something else.
    """
    try:
        found = x509.load_pem_x509_certificate(pem)
        public = found.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    except (ValueError, UnsupportedAlgorithm) as e:
        raise ConfigError(f"{where} is not a certificate in PEM") from e
    try:
        is_ca = found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        is_ca = False
    return Certified(identity_of_public_key(public), is_ca, found.not_valid_after_utc)


def of_private_key(pem: bytes, where: str, password: Callable[[], str]) -> Ed25519PrivateKey:
    """Return the key pair of a PEM file, asking for its password when it is encrypted.

    Raises:
        ConfigError: it is no private key, not Ed25519, or the password does not open it.
    """
    block = next((b for b in _PEM_BLOCK.finditer(pem) if b[1].endswith(b"PRIVATE KEY")), None)
    if block is None:
        raise ConfigError(f"{where} holds no certificate and no private key in PEM")
    encrypted = b"ENCRYPTED" in block[1] + block[2]
    try:
        key = _load(block, password() if encrypted else "")
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        wrong = f"the password does not open the private key {where}"
        raise ConfigError(wrong if encrypted else f"{where} is not a private key in PEM") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"the private key {where} is not Ed25519: it has no API key")
    return key


def _load(block: re.Match[bytes], password: str) -> object:
    info = _DEK_INFO.search(block[2])
    if info is None:
        return serialization.load_pem_private_key(block[0], password.encode() or None)
    iv = bytes.fromhex(info[1].decode())
    sealed = base64.b64decode(block[2][info.end() :])
    decryptor = Cipher(algorithms.AES256(_legacy_key(password, iv)), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    padded = decryptor.update(sealed) + decryptor.finalize()
    return serialization.load_der_private_key(unpadder.update(padded) + unpadder.finalize(), None)
