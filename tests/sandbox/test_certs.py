"""Certificates, identities and API keys."""

from __future__ import annotations

import hashlib
import json
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from mcpy.sandbox import certs

VECTORS = json.loads((Path(__file__).parent.parent / "data/kes/vectors.json").read_text())
USER = VECTORS["identity"]


@pytest.mark.parametrize("name", ["identity", "identity_root"])
def test_the_identity_is_the_real_ones(name: str) -> None:
    assert certs.identity_of_pem(VECTORS[name]["cert_pem"].encode()) == VECTORS[name]["identity"]


def test_api_key_and_private_key_are_the_same_thing() -> None:
    pair, api_key = certs.client("user", bytes.fromhex(USER["seed_hex"]))
    assert (api_key, pair.identity) == (USER["api_key"], USER["identity"])
    assert pair.key_pem.decode() == USER["key_pem"]
    assert certs.api_key_of(USER["key_pem"].encode()) == USER["api_key"]


def test_the_identity_of_any_kind_of_key_is_the_hash_of_its_public_key() -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([])
    now = datetime.now(UTC)
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now).sign(
        key, SHA256()
    )
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    der = certificate.public_bytes(Encoding.DER)
    assert certs.identity_of(der) == hashlib.sha256(spki).hexdigest()


@pytest.mark.parametrize("der", [b"", b"0", b"nonsense", b"\x30\x84\xff\xff\xff\xff"])
def test_what_is_no_certificate_has_no_identity(der: bytes) -> None:
    with pytest.raises(ValueError, match="not a certificate"):
        certs.identity_of(der)


def test_an_authority_is_nobody() -> None:
    authority = x509.load_pem_x509_certificate(certs.Authority().cert_pem)
    assert certs.client_certificate_identity(authority.public_bytes(Encoding.DER)) is None


def test_a_client_certificate_says_what_kes_wants_to_read() -> None:
    pair, _ = certs.client("root", now=datetime(2026, 1, 1, tzinfo=UTC))
    certificate = x509.load_pem_x509_certificate(pair.cert_pem)
    extensions = certificate.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificate.not_valid_after_utc.year == 2036


def test_private_keys_are_their_owners_alone_and_not_in_a_repr(tmp_path: Path) -> None:
    pair, _ = certs.client("root")
    pair.save(tmp_path / "key", tmp_path / "cert")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert "PRIVATE" not in repr(pair)


def test_a_server_certificate_is_trusted_by_its_authority(tmp_path: Path) -> None:
    authority = certs.Authority()
    authority.server(("localhost", "127.0.0.1")).save(tmp_path / "key", tmp_path / "cert")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    client = ssl.create_default_context(cadata=authority.cert_pem.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on

    for name in ("localhost", "127.0.0.1"):
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = client.wrap_bio(to_client, to_server, server_hostname=name)
        far = server.wrap_bio(to_server, to_client, server_side=True)
        for side in (near, far, near, far):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        assert near.version() == "TLSv1.3"
