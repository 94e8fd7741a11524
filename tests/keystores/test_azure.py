"""Azure Key Vault: entries, locks, soft deletion and purge protection, refusals; on a stand-in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from mcpy.errors import ConfigError, ProtocolError, UnreachableError
from mcpy.kesconf.stores import AzureStore
from mcpy.keystores.azure import KeyVault
from mcpy.keystores.azure_challenge import scope_of
from mcpy.keystores.azure_login import sign_in
from mcpy.keystores.base import (
    KeyExistsError,
    KeyLockedError,
    KeyMissingError,
    KeystoreDeniedError,
    KeystoreError,
    misfits,
)
from mcpy.keystores.check import check
from mcpy.keystores.tokens import Token
from mcpy.keystores.web import WebOptions
from tests.keystores.azure_server import Vault, serving_vault
from tests.keystores.entries import VALUE

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = WebOptions(retries=0, timeout_s=5, sleep=lambda _: None)
RECOVER = "az keyvault secret recover --vault-name 127 --name k"


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def scopes() -> list[str]:
    """What tokens were asked for."""
    return []


@pytest.fixture
def store(vault: Vault, scopes: list[str], loopback: None) -> Iterator[KeyVault]:  # noqa: ARG001 - allows sockets
    """A keystore with the key ``k``."""

    def signed_in(scope: str) -> Token:
        scopes.append(scope)
        return Token("token-1", time.time() + 600)

    with serving_vault(vault) as url:
        made = KeyVault(AzureStore(url), OPTIONS, sign_in=signed_in)
        made.create("k", VALUE)
        yield made
        made.close()


def test_an_entry_is_a_secret_of_its_name_and_nothing_more(
    store: KeyVault, vault: Vault, scopes: list[str]
) -> None:
    assert [v["value"] for v in vault.secrets["k"]] == [VALUE.decode()]
    assert (store.read("k"), list(store.list())) == (VALUE, ["k"])
    assert scopes == ["https://vault.azure.net/.default"]


def test_an_entry_that_is_there_is_not_replaced(store: KeyVault, vault: Vault) -> None:
    with pytest.raises(KeyExistsError):
        store.create("K", b"other")
    assert (store.read("k"), len(vault.secrets["k"])) == (VALUE, 1)


def test_the_oldest_version_counts_wherever_it_stands(store: KeyVault, vault: Vault) -> None:
    vault.secrets["k"].insert(
        0,
        {
            "id": f"{vault.url}/secrets/k/newer",
            "value": "other",
            "attributes": {"enabled": True, "created": vault.clock + 99},
        },
    )
    assert store.read("k") == VALUE
    store.lock("k")
    assert [v["attributes"]["enabled"] for v in vault.secrets["k"]] == [True, False]


def test_all_pages_are_listed(store: KeyVault, vault: Vault) -> None:
    for i in range(1100):
        vault.secrets[f"s{i}"] = [{"id": f"{vault.url}/secrets/s{i}/1", "attributes": {}}]
    assert len(set(store.list())) == 1101


def test_a_listing_is_not_followed_to_another_host(store: KeyVault, vault: Vault) -> None:
    vault.page, vault.url = 0, "https://elsewhere.example.net"
    with pytest.raises(ProtocolError, match="goes on at another host"):
        list(store.list())


def test_a_locked_entry_is_listed_and_neither_read_nor_created(
    store: KeyVault, vault: Vault
) -> None:
    store.lock("k")
    store.lock("k")
    assert vault.calls.count(f"PATCH /secrets/k/{1:032x}") == 1
    with pytest.raises(KeyLockedError):
        store.read("k")
    with pytest.raises(KeyExistsError):
        store.create("k", VALUE)
    assert (store.state("k"), list(store.list())) == ("locked", ["k"])
    store.unlock("k")
    store.unlock("k")
    assert (store.read("k"), store.state("k")) == (VALUE, "enabled")


@pytest.mark.parametrize("act", ["read", "delete", "state", "lock", "unlock"])
def test_what_is_not_there_is_missing(store: KeyVault, act: str) -> None:
    with pytest.raises(KeyMissingError):
        getattr(store, act)("none")


def test_erasing_purges_as_soon_as_the_deletion_is_through(store: KeyVault, vault: Vault) -> None:
    store.lock("k")
    vault.slow = 3
    store.delete("k")
    assert (vault.secrets, vault.deleted) == ({}, {})
    assert vault.calls.count("DELETE /deletedsecrets/k") == 1


def test_a_deletion_that_is_never_through_is_said(store: KeyVault, vault: Vault) -> None:
    vault.slow = 99
    with pytest.raises(KeystoreError, match="is not through yet") as caught:
        store.delete("k")
    assert caught.value.hint == "az keyvault secret purge --vault-name 127 --name k"


def test_nothing_is_created_over_a_deleted_name(store: KeyVault, vault: Vault) -> None:
    vault.deleted["k"] = vault.secrets.pop("k")
    for act in (lambda: store.create("k", VALUE), lambda: store.read("k")):
        with pytest.raises(KeystoreError, match="deleted and can be recovered") as caught:
            act()
        assert caught.value.hint == RECOVER
    assert list(vault.deleted) == ["k"]
    assert "DELETE /deletedsecrets/k" not in vault.calls


def test_purge_protection_refuses_an_erasure_before_anything_is_done(
    store: KeyVault, vault: Vault
) -> None:
    vault.secrets["k"][0]["attributes"]["recoveryLevel"] = "Recoverable"
    with pytest.raises(KeystoreError, match="purge protection keeps `k`") as caught:
        store.delete("k")
    assert caught.value.hint == "mcpy keystore lock k --config FILE"
    assert (store.read("k"), vault.deleted) == (VALUE, {})


def test_a_check_leaves_no_key_even_under_purge_protection(store: KeyVault, vault: Vault) -> None:
    vault.purgeable = False
    assert all(step.ok for step in check(store)) is False
    vault.deleted.clear()
    steps = {s.name: s for s in check(store)}
    assert [name for name, step in steps.items() if not step.ok] == ["delete"]
    assert "can be recovered" in steps["delete"].words
    assert list(vault.secrets) == ["k"]


def test_who_comes_second_at_the_same_time_is_told(store: KeyVault, vault: Vault) -> None:
    kept = vault.secrets.pop("k")
    versions = store._versions
    first = True

    def overtaken(name: str) -> Any:  # noqa: ANN401
        nonlocal first
        found = versions(name)
        if first:
            vault.secrets["k"], first = kept, False
        return found

    store._versions = overtaken  # type: ignore[method-assign]
    with pytest.raises(KeyExistsError):
        store.create("k", b"other")
    assert store.read("k") == VALUE


def test_a_key_outside_its_dates_is_not_read_as_kes_would_not(
    store: KeyVault, vault: Vault
) -> None:
    vault.secrets["k"][0]["attributes"]["nbf"] = time.time() + 60
    with pytest.raises(KeystoreError, match="must not be used yet"):
        store.read("k")
    vault.secrets["k"][0]["attributes"] |= {"nbf": 1, "exp": time.time() - 60}
    with pytest.raises(KeystoreError, match="is expired"):
        store.read("k")


def test_a_key_with_more_versions_than_kes_reads_is_said(store: KeyVault, vault: Vault) -> None:
    vault.secrets["k"] *= 30
    with pytest.raises(KeystoreError, match="so many versions that KES does not read it"):
        store.read("k")


def test_a_check_tries_everything_and_leaves_nothing(store: KeyVault, vault: Vault) -> None:
    names = ["sign in", "list", "create", "read", "lock", "unlock", "delete"]
    assert [(s.name, s.ok) for s in check(store)] == [(name, True) for name in names]
    assert (list(vault.secrets), vault.deleted) == (["k"], {})


@pytest.mark.parametrize(
    ("permission", "step"),
    [("list", "list"), ("set", "create"), ("delete", "delete"), ("purge", "delete")],
)
def test_a_missing_permission_is_named_in_azures_words(
    store: KeyVault, vault: Vault, permission: str, step: str
) -> None:
    vault.denied.add(permission)
    found = next(s for s in check(store) if not s.ok)
    assert found.name == step
    assert found.words.startswith("Azure: AccessDenied: The user, group or application")
    assert f"does not have secrets {permission} permission" in found.words


def test_names_that_azure_cannot_hold_are_known_beforehand() -> None:
    found = misfits(KeyVault.capabilities, ["a_b", "A", "a", "fine-1"])
    assert found == {
        "a_b": "holds a `_`, and Azure Key Vault takes none",
        "a": "is the same name as `A` there: case does not count",
    }


@pytest.mark.usefixtures("loopback")
def test_nobody_there_is_unreachable() -> None:
    store = KeyVault(AzureStore("http://127.0.0.1:1"), OPTIONS, sign_in=lambda _: Token("t", 9e9))
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1: "):
        store.ping()
    store.close()


@pytest.mark.parametrize(
    ("challenge", "vault", "scope"),
    [
        ('Bearer authorization="https://login/x", resource="https://vault.azure.net"',
         "https://lab.vault.azure.net", "https://vault.azure.net/.default"),
        ('Bearer authorization="https://login/x", scope="https://vault.azure.cn/.default"',
         "https://lab.vault.azure.cn", "https://vault.azure.cn/.default"),
        ('Bearer resource="https://vault.azure.net"', "https://127.0.0.1:8443",
         "https://vault.azure.net/.default"),
    ],
)  # fmt: skip
def test_the_vault_says_what_to_sign_in_to(challenge: str, vault: str, scope: str) -> None:
    assert scope_of(challenge, vault) == scope


def test_a_token_for_another_service_is_not_given_away() -> None:
    challenge = 'Bearer resource="https://management.azure.com"'
    with pytest.raises(KeystoreDeniedError, match=r"asks for a token of management\.azure\.com"):
        scope_of(challenge, "https://lab.vault.azure.net.example.org")
    with pytest.raises(ProtocolError, match="is it a Key Vault"):
        scope_of("", "https://lab.vault.azure.net")


def test_without_any_credentials_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
    loopback: None,  # noqa: ARG001
) -> None:
    pytest.importorskip("azure.identity", reason="the extra `azure` is not installed")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    with pytest.raises(ConfigError, match="no credentials for Azure"):
        sign_in(
            AzureStore("https://v.vault.azure.net"), "https://vault.azure.net/.default", OPTIONS
        )


def test_what_is_deleted_and_not_purged_is_told_and_not_listed(
    store: KeyVault, vault: Vault
) -> None:
    vault.deleted["k"] = vault.secrets.pop("k")
    assert (list(store.list()), list(store.deleted())) == ([], ["k"])
