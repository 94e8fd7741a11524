"""One keystore under two names is found out; two of one address are told apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mcpy.kesconf.stores import (
    AwsStore,
    AzureStore,
    CipherTrustStore,
    FsStore,
    GcpStore,
    VaultStore,
)
from mcpy.keystores.places import same_place

if TYPE_CHECKING:
    from pathlib import Path

VAULT = VaultStore("https://v:8200", "kv", "v2", "", "kes", None)
AWS = AwsStore("secretsmanager.eu-west-1.amazonaws.com", "eu-west-1")
GCP = GcpStore("p")
AZURE = AzureStore("https://v.vault.azure.net")
CIPHERTRUST = CipherTrustStore("https://c", token="throw-away")


def test_a_place_is_itself_however_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert same_place(FsStore(str(tmp_path)), FsStore(str(tmp_path / "link")))
    assert same_place(VAULT, replace(VAULT, endpoint="https://V:8200/", prefix="kes/"))
    assert same_place(AWS, replace(AWS, endpoint=f"https://{AWS.endpoint}", secret_key="x"))
    assert same_place(GCP, replace(GCP, client_email="other"))
    assert same_place(AZURE, replace(AZURE, endpoint="https://V.vault.azure.net/"))
    assert same_place(CIPHERTRUST, replace(CIPHERTRUST, domain="root", token="other"))


def test_places_of_one_address_are_told_apart(tmp_path: Path) -> None:
    assert not same_place(FsStore(str(tmp_path)), FsStore(str(tmp_path / "none")))
    assert not same_place(VAULT, replace(VAULT, engine="other"))
    assert not same_place(VAULT, replace(VAULT, prefix="other"))
    assert not same_place(VAULT, replace(VAULT, namespace="other"))
    # the same address has the secrets of every account
    assert not same_place(replace(AWS, access_key="A"), replace(AWS, access_key="B"))
    assert not same_place(GCP, GcpStore("other"))
    assert not same_place(CIPHERTRUST, replace(CIPHERTRUST, domain="other"))
    assert not same_place(GCP, AZURE)
