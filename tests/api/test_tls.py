"""Identities and API keys against known answers of KES, and what becomes of bad files."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mcpy.api import tls
from mcpy.api.tls import ClientCertificate
from mcpy.errors import ConfigError
from tests.recordings import kes_vectors

if TYPE_CHECKING:
    from pathlib import Path

VECTOR = kes_vectors()["identity"]


@pytest.fixture
def pair(tmp_path: Path) -> ClientCertificate:
    cert, key = tmp_path / "client.crt", tmp_path / "client.key"
    cert.write_text(VECTOR["cert_pem"])
    key.write_text(VECTOR["key_pem"])
    return ClientCertificate(cert, key)


@pytest.mark.parametrize("prefix", ["", "kes:v1:"])
def test_an_api_key_holds_the_seed_kes_reads_from_it(prefix: str) -> None:
    bare = VECTOR["api_key"].removeprefix("kes:v1:")
    assert tls.api_key_seed(prefix + bare).hex() == VECTOR["seed_hex"]


def test_an_api_key_is_the_private_key_kes_makes_of_it() -> None:
    key = tls.private_key_from_api_key(VECTOR["api_key"])
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption())
    assert pem.decode() == VECTOR["key_pem"]


@pytest.mark.parametrize("name", ["identity", "identity_root"])
def test_an_identity_is_the_hash_of_the_public_key(name: str) -> None:
    vector = kes_vectors()[name]
    public = x509.load_pem_x509_certificate(vector["cert_pem"].encode()).public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert tls.identity_of_public_key(der) == vector["identity"]


def test_the_certificate_of_an_api_key_is_one_kes_takes() -> None:
    cert_pem, key_pem = tls.certificate_from_api_key(VECTOR["api_key"])
    cert = x509.load_pem_x509_certificate(cert_pem)
    assert key_pem.decode() == VECTOR["key_pem"]
    assert cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == VECTOR["identity"]
    assert cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usage = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


@pytest.mark.parametrize(
    ("api_key", "reason"),
    [
        ("kes:v1:not base64!", "not valid base64"),
        ("kes:v1:AAAA", "not of the form"),
        ("kes:v1:AQ" + VECTOR["api_key"][9:], "not of the form"),
        ("kes:v1:ü", "not valid base64"),
    ],
)
def test_a_malformed_api_key_is_named_and_not_repeated(api_key: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        tls.api_key_seed(api_key)
    assert api_key not in str(caught.value)


def test_a_context_checks_names_and_speaks_no_old_tls() -> None:
    made = tls.context()
    assert made.check_hostname
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.minimum_version is ssl.TLSVersion.TLSv1_2


def test_insecure_trusts_anyone() -> None:
    made = tls.context(insecure=True)
    assert not made.check_hostname
    assert made.verify_mode is ssl.CERT_NONE


def test_a_ca_file_is_trusted_alone(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(VECTOR["cert_pem"])
    assert tls.context(ca=file).cert_store_stats()["x509"] == 1


def test_every_file_of_a_ca_folder_is_trusted(tmp_path: Path) -> None:
    for name in ("identity", "identity_root"):
        (tmp_path / f"{name}.pem").write_text(kes_vectors()[name]["cert_pem"])
    (tmp_path / "more").mkdir()
    (tmp_path / "README").write_text("whom we trust")
    assert tls.context(ca=tmp_path).cert_store_stats()["x509"] == 2


def test_a_ca_folder_without_a_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("whom we trust")
    with pytest.raises(ConfigError, match="holds no PEM certificates to trust"):
        tls.context(ca=tmp_path)


@pytest.mark.parametrize(("name", "public"), [("CAs", True), ("own", False)])
def test_mcs_folder_of_authorities_is_trusted_beside_the_systems_roots(
    tmp_path: Path, name: str, public: bool
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "own.pem").write_text(VECTOR["cert_pem"])
    roots = tls.context().cert_store_stats()["x509"]
    trusted = tls.context(ca=folder).cert_store_stats()["x509"]
    assert trusted == (roots + 1 if public else 1)


def test_a_ca_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the CA file .*nope: No such file"):
        tls.context(ca=tmp_path / "nope")


def test_a_ca_file_without_a_certificate_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"ca\.pem holds no PEM certificates to trust"):
        tls.context(ca=file)


def test_a_client_certificate_and_its_key_are_loaded(pair: ClientCertificate) -> None:
    assert isinstance(tls.context(client=pair), ssl.SSLContext)


def test_an_api_key_is_loaded_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = tls.context(client=ClientCertificate(api_key=VECTOR["api_key"]))
    assert isinstance(made, ssl.SSLContext)
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path, pair: ClientCertificate) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the client certificate .*nope: No such"):
        tls.context(client=ClientCertificate(tmp_path / "nope", pair.key))


def test_a_key_that_is_not_there_is_named(tmp_path: Path, pair: ClientCertificate) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the client private key .*nope: No such"):
        tls.context(client=ClientCertificate(pair.cert, tmp_path / "nope"))


@pytest.mark.parametrize(("which", "what"), [("cert", "private key"), ("key", "certificate")])
def test_half_a_pair_is_refused(pair: ClientCertificate, which: str, what: str) -> None:
    half = ClientCertificate(**{which: getattr(pair, which)})
    with pytest.raises(ConfigError, match=f"the client has no {what}"):
        tls.context(client=half)


def test_a_key_of_another_certificate_is_refused(pair: ClientCertificate) -> None:
    assert pair.cert
    pair.cert.write_text(kes_vectors()["identity_root"]["cert_pem"])
    with pytest.raises(ConfigError, match="does not belong to the certificate"):
        tls.context(client=pair)


def test_files_that_are_not_pem_are_refused(pair: ClientCertificate) -> None:
    assert pair.cert
    pair.cert.write_text("nonsense")
    with pytest.raises(ConfigError, match="are not a PEM certificate and its private key"):
        tls.context(client=pair)


@pytest.fixture
def encrypted(pair: ClientCertificate) -> ClientCertificate:
    assert pair.key
    key = tls.private_key_from_api_key(VECTOR["api_key"])
    pair.key.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open me"))
    )
    return pair


def test_an_encrypted_key_opens_with_its_password(encrypted: ClientCertificate) -> None:
    client = ClientCertificate(encrypted.cert, encrypted.key, password=lambda: "open me")
    assert isinstance(tls.context(client=client), ssl.SSLContext)


def test_an_encrypted_key_without_a_password_says_where_to_put_it(
    encrypted: ClientCertificate,
) -> None:
    with pytest.raises(ConfigError, match="the client private key is encrypted") as caught:
        tls.context(client=encrypted)
    assert caught.value.hint == "export MCPY_KES_KEY_PASSWORD=..."


def test_a_wrong_password_is_an_error_without_the_password(encrypted: ClientCertificate) -> None:
    client = ClientCertificate(encrypted.cert, encrypted.key, password=lambda: "wrong-one")
    with pytest.raises(ConfigError) as caught:
        tls.context(client=client)
    assert "wrong-one" not in str(caught.value)


def test_no_secret_stands_in_the_repr_of_a_client_certificate() -> None:
    assert VECTOR["api_key"] not in repr(ClientCertificate(api_key=VECTOR["api_key"]))
