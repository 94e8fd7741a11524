"""KV engines of Vault: entries, locks, permissions, wrong engines; with a real KES on request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mcpy.errors import ConfigError, UnreachableError
from mcpy.kesconf.stores import VaultLogin, VaultStore
from mcpy.keystores.base import (
    KeyExistsError,
    KeyLockedError,
    KeyMissingError,
    KeystoreDeniedError,
    KeystoreError,
)
from mcpy.keystores.check import check
from mcpy.keystores.vault import VaultKv
from mcpy.keystores.web import WebOptions
from tests.keystores.entries import VALUE
from tests.keystores.real_kes import real_kes
from tests.keystores.vault_server import DENIED, Reply, Vault, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import Mcpy

LOGIN = VaultLogin("approle", "approle", "", "role", "throw-away-secret-id")
OPTIONS = WebOptions(retries=0, timeout_s=5)


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def url(vault: Vault, loopback: None) -> Iterator[str]:  # noqa: ARG001 - allows sockets
    with serving(vault) as found:
        yield found


@pytest.fixture(params=["v1", "v2"])
def store(request: pytest.FixtureRequest, url: str) -> Iterator[VaultKv]:
    """A keystore of each version of the engine, with the key ``k``."""
    made = VaultKv(config(url, request.param), {}, OPTIONS)
    made.create("k", VALUE)
    yield made
    made.close()


def config(url: str, version: str = "v2", engine: str = "") -> VaultStore:
    engine = engine or {"v1": "kv", "v2": "kv2"}[version]
    return VaultStore(url, engine, version, "", "team/a", LOGIN)


def test_entries_stand_where_kes_looks_for_them(store: VaultKv, vault: Vault) -> None:
    found = vault.entries.get("kv/team/a/k") or vault.entries["kv2/team/a/k"][0]["data"]
    assert found == {"k": VALUE.decode()}
    assert (store.read("k"), list(store.list())) == (VALUE, ["k"])


def test_an_entry_that_is_there_is_not_replaced(store: VaultKv) -> None:
    with pytest.raises(KeyExistsError):
        store.create("k", b"other")
    assert store.read("k") == VALUE


def test_a_locked_entry_is_listed_and_neither_read_nor_created(store: VaultKv) -> None:
    store.lock("k")
    store.lock("k")
    with pytest.raises(KeyLockedError):
        store.read("k")
    with pytest.raises(KeyExistsError):
        store.create("k", VALUE)
    assert (store.state("k"), list(store.list())) == ("locked", ["k"])
    store.unlock("k")
    store.unlock("k")
    assert (store.read("k"), store.state("k")) == (VALUE, "enabled")


def test_a_locked_entry_can_be_erased(store: VaultKv) -> None:
    store.lock("k")
    store.delete("k")
    assert list(store.list()) == []
    with pytest.raises(KeyMissingError):
        store.state("k")


@pytest.mark.parametrize("act", ["read", "delete", "state", "lock", "unlock"])
def test_what_is_not_there_is_missing(store: VaultKv, act: str) -> None:
    with pytest.raises(KeyMissingError):
        getattr(store, act)("none")


def test_a_check_tries_everything_and_leaves_nothing(store: VaultKv, vault: Vault) -> None:
    names = ["sign in", "engine", "list", "create", "read", "lock", "unlock", "delete"]
    assert [(s.name, s.ok) for s in check(store)] == [(name, True) for name in names]
    assert len(vault.entries) == 1


def test_the_lock_holds_for_version_1_when_there_is_another(url: str, vault: Vault) -> None:
    store = VaultKv(config(url), {}, OPTIONS)
    store.create("k", VALUE)
    vault.entries["kv2/team/a/k"].append(
        {"data": {"k": "other"}, "deletion_time": "", "destroyed": False}
    )
    assert store.read("k") == VALUE
    store.lock("k")
    assert [bool(v["deletion_time"]) for v in vault.entries["kv2/team/a/k"]] == [True, False]
    assert store.state("k") == "locked"
    store.close()


def test_what_is_destroyed_is_not_unlocked(url: str, vault: Vault) -> None:
    store = VaultKv(config(url), {}, OPTIONS)
    store.create("k", VALUE)
    vault.answer("PUT", "/v1/kv2/destroy/team/a/k", "operator-token", {"versions": [1]})
    assert store.state("k") == "destroyed"
    with pytest.raises(KeystoreError, match="nothing brings it back"):
        store.unlock("k")
    store.close()


@pytest.mark.parametrize(("version", "engine"), [("v2", "kv"), ("v1", "kv2")])
def test_the_wrong_version_of_the_engine_is_found(url: str, version: str, engine: str) -> None:
    store = VaultKv(config(url, version, engine), {}, OPTIONS)
    words = [step.words for step in store.inspect() if not step.ok]
    other = {"v1": "v2", "v2": "v1"}[version]
    assert words == [
        f"is {other}, and the config says {version}: deletions then answer success and do nothing"
    ]
    store.close()


def test_a_missing_permission_is_named_in_vaults_words(url: str, vault: Vault) -> None:
    store = VaultKv(config(url), {"MCPY_VAULT_TOKEN": "operator-token"}, OPTIONS)
    vault.denied.add(("GET", "kv2/metadata/team/a"))
    steps = {s.name: s for s in check(store)}
    assert [n for n, s in steps.items() if not s.ok] == ["list"]
    assert steps["list"].words == (
        "Vault: permission denied (`list` on `kv2/metadata/team/a` is needed)"
    )
    assert vault.logins == 0
    store.close()


class Denying(Vault):
    """Denies one method wherever the path begins like this: names of probes are made by chance."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__()
        self.refuses = (method, path)

    def answer(self, method: str, target: str, token: str, body: dict[str, Any]) -> Reply:
        if method == self.refuses[0] and target.startswith(self.refuses[1]):
            return 403, DENIED
        return super().answer(method, target, token, body)


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize(
    ("method", "path", "failed", "needed"),
    [
        ("PUT", "/v1/kv2/data/", ["create"], "`create` on `kv2/data/team/a/mcpy-probe-"),
        ("GET", "/v1/kv2/data/", ["create"], "`read` on `kv2/data/team/a/mcpy-probe-"),
        ("DELETE", "/v1/kv2/data/", ["lock"], "`delete` on `kv2/data/team/a/mcpy-probe-"),
        ("PUT", "/v1/kv2/undelete/", ["unlock"], "`update` on `kv2/undelete/team/a/mcpy-pr"),
        ("DELETE", "/v1/kv2/metadata/", ["delete"], "`delete` on `kv2/metadata/team/a/mcpy"),
    ],
)
def test_each_capability_that_is_missing_is_named_with_its_path(
    method: str, path: str, failed: list[str], needed: str
) -> None:
    vault = Denying(method, path)
    with serving(vault) as url:
        store = VaultKv(config(url), {}, OPTIONS)
        steps = list(check(store))
        store.close()
    assert [s.name for s in steps if s.tried and not s.ok] == failed
    assert needed in next(s.words for s in steps if not s.ok)
    tried_not = [s.name for s in steps if not s.tried]
    assert tried_not == (["unlock"] if failed == ["lock"] else [])
    if tried_not:
        assert not any("undelete" in call for call in vault.calls)


@pytest.mark.parametrize(("version", "engine"), [("v2", "kv"), ("v1", "kv2")])
def test_a_check_writes_nothing_into_an_engine_of_the_wrong_version(
    url: str, vault: Vault, version: str, engine: str
) -> None:
    store = VaultKv(config(url, version, engine), {}, OPTIONS)
    assert [(s.name, s.ok) for s in check(store)] == [
        ("sign in", True),
        ("engine", False),
        ("list", True),
    ]
    assert not [call for call in vault.calls if call.startswith("PUT /v1/kv")]
    store.close()


def test_a_token_that_ended_is_replaced(url: str, vault: Vault) -> None:
    store = VaultKv(config(url), {}, OPTIONS)
    store.create("k", VALUE)
    vault.tokens.clear()
    assert (store.read("k"), vault.logins) == (VALUE, 2)
    store.close()


def test_many_at_once_sign_in_once_with_a_secret_id_that_may_be_good_for_one(
    url: str, vault: Vault
) -> None:
    store = VaultKv(config(url), {}, OPTIONS)
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda i: store.create(f"k{i}", VALUE), range(16)):
            pass
    assert (vault.logins, len(list(store.list()))) == (1, 16)
    vault.tokens.clear()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(store.read, [f"k{i}" for i in range(16)])) == {VALUE}
    assert vault.logins == 2
    store.close()


def test_a_wrong_secret_is_a_denial_that_does_not_repeat_it(url: str) -> None:
    login = replace(LOGIN, secret="wrong-throw-away")
    store = VaultKv(replace(config(url), login=login), {}, OPTIONS)
    with pytest.raises(KeystoreDeniedError) as caught:
        store.read("k")
    assert str(caught.value) == ("Vault refused to sign in by approle: invalid role or secret ID")
    store.close()


@pytest.mark.parametrize("by_file", [True, False])
def test_kubernetes_signs_in_by_a_token_or_its_file(
    url: str, vault: Vault, tmp_path: Path, by_file: bool
) -> None:
    (tmp_path / "jwt").write_text(f"{vault.jwt}\n")
    jwt = str(tmp_path / "jwt") if by_file else vault.jwt
    login = VaultLogin("kubernetes", "kubernetes", "", "kes", jwt)
    store = VaultKv(replace(config(url), login=login), {}, OPTIONS)
    store.create("k", VALUE)
    assert store.read("k") == VALUE
    store.close()


def test_without_a_way_to_sign_in_the_environments_token_counts(url: str) -> None:
    nobody = replace(config(url), login=None)
    with pytest.raises(ConfigError, match="no way to sign in"):
        VaultKv(nobody, {}, OPTIONS).read("k")
    store = VaultKv(nobody, {"VAULT_TOKEN": "operator-token"}, OPTIONS)
    with pytest.raises(KeyMissingError):
        store.read("k")
    store.close()


def test_transit_encrypts_what_is_stored(url: str, vault: Vault) -> None:
    store = VaultKv(replace(config(url), transit_engine="transit", transit_key="t"), {}, OPTIONS)
    store.create("k", VALUE)
    stored = vault.entries["kv2/team/a/k"][0]["data"]["k"]
    assert stored.startswith("vault:v1:")
    assert store.read("k") == VALUE
    vault.transit_version = 2
    with pytest.raises(KeystoreError, match="was rotated"):
        store.create("k2", VALUE)
    assert list(store.list()) == ["k"]
    store.close()


def test_a_sealed_vault_is_a_failure_in_its_words(url: str, vault: Vault) -> None:
    store = VaultKv(config(url), {}, OPTIONS)
    store.create("k", VALUE)
    vault.sealed = True
    with pytest.raises(KeystoreError, match="Vault is sealed"):
        store.read("k")
    store.close()


@pytest.mark.usefixtures("loopback")
def test_nobody_there_is_unreachable() -> None:
    store = VaultKv(config("http://127.0.0.1:1"), {}, OPTIONS)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1: "):
        store.read("k")


@pytest.fixture
def kes_on_vault(url: str, tmp_path: Path, mcpy: Mcpy) -> Iterator[Path]:
    """A real KES whose keystore is KV v2; gives its config file."""
    mcpy.env |= {
        "KES_VAULT_APPROLE_ID": "role",
        "KES_VAULT_APPROLE_SECRET": "throw-away-secret-id",
    }
    with real_kes(mcpy, tmp_path, "vault", "--endpoint", url, "--engine", "kv2") as file:
        yield file


@pytest.mark.peers
def test_a_real_kes_and_mcpy_share_keys_locks_and_erasures(
    kes_on_vault: Path, mcpy: Mcpy, url: str
) -> None:
    config_ = ("--config", str(kes_on_vault))
    assert mcpy("kes", "key", "create", "by-kes").exit_code == 0
    ours = VaultKv(replace(config(url), prefix="kes"), {}, OPTIONS)
    ours.create("by-mcpy", VALUE)
    ours.close()
    listed = mcpy("keystore", "ls", *config_).stdout.split()
    assert listed == mcpy("kes", "key", "ls").stdout.split() == ["by-kes", "by-mcpy"]
    assert mcpy("kes", "key", "dek", "by-mcpy", reveals=True).exit_code == 0
    for act, more in (
        ("lock", ["--yes"]),
        ("unlock", []),
        ("erase", ["--without-impact", "--yes", "--confirm"]),
    ):
        args = [*more, "by-kes"] if act == "erase" else more
        result = mcpy("keystore", act, "by-kes", *config_, "--prove", *args)
        assert (result.exit_code, result.stdout[-26:]) == (
            0,
            "vault (proven through KES).\n"[-26:],
        )
    assert mcpy("kes", "key", "ls").stdout.split() == ["by-mcpy"]
