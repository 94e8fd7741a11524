"""CipherTrust Manager: entries, pages, refusals, and no lock; on a stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.errors import ProtocolError, UnreachableError, UnsupportedError
from mcpy.kesconf.stores import CipherTrustStore
from mcpy.keystores.base import (
    KeyExistsError,
    KeyMissingError,
    KeystoreDeniedError,
    KeystoreError,
)
from mcpy.keystores.check import check
from mcpy.keystores.ciphertrust import CipherTrust
from mcpy.keystores.web import WebOptions
from tests.keystores.ciphertrust_server import REFRESH, Manager, serving_manager
from tests.keystores.entries import VALUE
from tests.keystores.http_server import Answer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = WebOptions(retries=2, timeout_s=5, sleep=lambda _: None)


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
def store(manager: Manager, loopback: None) -> Iterator[CipherTrust]:  # noqa: ARG001 - allows sockets
    """A keystore with the key ``k``."""
    with serving_manager(manager) as url:
        made = CipherTrust(CipherTrustStore(url, REFRESH, "root"), OPTIONS)
        made.create("k", VALUE)
        yield made
        made.close()


def test_an_entry_is_a_seed_of_its_name(store: CipherTrust, manager: Manager) -> None:
    assert manager.secrets == {"k": VALUE.decode()}
    assert (store.read("k"), list(store.list()), store.state("k")) == (VALUE, ["k"], "enabled")
    assert manager.logins == 1


def test_an_entry_that_is_there_is_not_replaced(store: CipherTrust) -> None:
    with pytest.raises(KeyExistsError):
        store.create("k", b"other")
    assert store.read("k") == VALUE


def test_a_creation_whose_answer_was_lost_is_no_clash(
    store: CipherTrust, manager: Manager
) -> None:
    manager.lost = True
    store.create("k2", VALUE)
    assert [c.split("?")[0] for c in manager.calls[-3:]] == [
        "POST /api/v1/vault/secrets",
        "POST /api/v1/vault/secrets",
        "POST /api/v1/vault/secrets/k2/export",
    ]


def test_all_pages_are_listed(store: CipherTrust, manager: Manager) -> None:
    manager.secrets |= {f"s{i}": "x" for i in range(1100)}
    assert len(set(store.list())) == 1101


@pytest.mark.parametrize("goes", [True, False])
def test_a_secret_that_comes_or_goes_meanwhile_hides_no_other(
    store: CipherTrust, manager: Manager, goes: bool
) -> None:
    manager.secrets |= {f"s{i}": "x" for i in range(500)}
    if goes:
        manager.then = lambda: manager.secrets.pop("k")
    else:
        manager.then = lambda: manager.secrets.update({"a-new-one": "x"})
    names = list(store.list())
    assert sorted(names) == sorted(manager.secrets)


def test_a_listing_that_never_holds_still_is_no_listing(
    store: CipherTrust, manager: Manager
) -> None:
    manager.secrets |= {f"s{i}": "x" for i in range(500)}

    def another() -> None:
        manager.secrets[f"n{len(manager.secrets)}"] = "x"
        manager.then = another

    manager.then = another
    with pytest.raises(KeystoreError, match="come and go while they are listed"):
        list(store.list())


def test_there_is_no_lock_and_nothing_is_done(store: CipherTrust, manager: Manager) -> None:
    calls = len(manager.calls)
    for act in (store.lock, store.unlock):
        with pytest.raises(UnsupportedError, match="no lock known to be safe"):
            act("k")
    assert (len(manager.calls), store.capabilities.lock) == (calls, "")


@pytest.mark.parametrize("act", ["read", "delete", "state"])
def test_what_is_not_there_is_missing(store: CipherTrust, act: str) -> None:
    with pytest.raises(KeyMissingError):
        getattr(store, act)("none")


def test_a_deletion_that_is_denied_as_if_nothing_were_there_is_seen(
    store: CipherTrust, manager: Manager
) -> None:
    manager.hidden.add("delete")
    with pytest.raises(KeystoreDeniedError, match="the permission to delete it is missing"):
        store.delete("k")
    assert store.read("k") == VALUE


def test_a_check_tries_everything_and_leaves_nothing(store: CipherTrust, manager: Manager) -> None:
    names = ["sign in", "list", "create", "read", "delete"]
    assert [(s.name, s.ok) for s in check(store)] == [(name, True) for name in names]
    assert list(manager.secrets) == ["k"]


@pytest.mark.parametrize(
    ("permission", "step"),
    [("list", "list"), ("create", "create"), ("export", "read"), ("delete", "delete")],
)
def test_a_missing_permission_is_named_in_its_words(
    store: CipherTrust, manager: Manager, permission: str, step: str
) -> None:
    manager.denied.add(permission)
    found = next(s for s in check(store) if not s.ok)
    words = "CipherTrust: NCERRForbidden: insufficient permissions"
    assert (found.name, found.words.split("; ")[0]) == (step, words)


def test_a_token_that_ended_is_replaced(store: CipherTrust, manager: Manager) -> None:
    manager.tokens.clear()
    assert (store.read("k"), manager.logins) == (VALUE, 2)


def test_a_wrong_refresh_token_is_a_denial_that_does_not_repeat_it(
    manager: Manager,
    loopback: None,  # noqa: ARG001
) -> None:
    with serving_manager(manager) as url:
        store = CipherTrust(CipherTrustStore(url, "wrong-throw-away", "root"), OPTIONS)
        with pytest.raises(KeystoreDeniedError) as caught:
            store.read("k")
        store.close()
    assert str(caught.value) == "CipherTrust refused to sign in: NCERRInvalidCredentials"


@pytest.mark.parametrize("body", [{"jwt": "j", "duration": 4}, {"token_type": "Bearer"}])
def test_a_token_kes_would_not_take_is_refused(body: object, loopback: None) -> None:  # noqa: ARG001
    with serving(lambda _: Answer(200, body)) as port:
        store = CipherTrust(CipherTrustStore(f"http://127.0.0.1:{port}", REFRESH), OPTIONS)
        with pytest.raises(ProtocolError, match="without a token that KES would take"):
            store.read("k")
        store.close()


@pytest.mark.usefixtures("loopback")
def test_nobody_there_is_unreachable() -> None:
    store = CipherTrust(CipherTrustStore("http://127.0.0.1:1", REFRESH), OPTIONS)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1: "):
        store.ping()
    store.close()
