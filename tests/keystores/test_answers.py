"""Answers of providers whose fields are of another kind than they have to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcpy.errors import ProtocolError
from mcpy.kesconf.stores import AzureStore, CipherTrustStore, GcpStore, VaultLogin, VaultStore
from mcpy.keystores.answers import listed, mapping, mappings, number
from mcpy.keystores.azure import KeyVault
from mcpy.keystores.ciphertrust import CipherTrust
from mcpy.keystores.gcp import SecretManager
from mcpy.keystores.tokens import Token
from mcpy.keystores.vault import VaultKv
from mcpy.keystores.web import WebOptions
from tests.keystores.http_server import Answer, Call, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.keystores.base import KeyStore

OPTIONS = WebOptions(retries=0, timeout_s=5)
LOGIN = VaultLogin("approle", "approle", "", "role", "throw-away-secret-id")


def vault(url: str) -> KeyStore:
    store = VaultStore(url, "kv", "v2", "", "", None)
    return VaultKv(store, {"MCPY_VAULT_TOKEN": "throw-away"}, OPTIONS)


def signing_in(url: str) -> KeyStore:
    return VaultKv(VaultStore(url, "kv", "v2", "", "", LOGIN), {}, OPTIONS)


def google(url: str) -> KeyStore:
    return SecretManager(GcpStore("p", url), OPTIONS, sign_in=lambda: Token("t", 9e9))


def azure(url: str) -> KeyStore:
    return KeyVault(AzureStore(url), OPTIONS, sign_in=lambda _: Token("t", 9e9))


def ciphertrust(url: str) -> KeyStore:
    return CipherTrust(CipherTrustStore(url, "throw-away"), OPTIONS)


def names(store: KeyStore) -> object:
    return list(store.list())


def steps(store: KeyStore) -> object:
    return list(store.inspect())


def content(store: KeyStore) -> object:
    return store.read("k")


def locked(store: KeyStore) -> None:
    store.lock("k")


VERSION = {"id": "secrets/k/1", "attributes": {"created": 1}}
BAD = [
    (vault, names, {"data": {"keys": 5}}, "`keys` that is no list"),
    (vault, steps, {"data": {"type": "kv", "options": "x"}}, "`options` that is no object"),
    (vault, locked, {"data": {"data": {"k": "v"}, "metadata": "x"}}, "`metadata` that is no"),
    (signing_in, content, {"auth": "x"}, "`auth` that is no object"),
    (google, names, {"secrets": {"name": "a"}}, "`secrets` that is no list"),
    (google, names, {"secrets": ["a"]}, "`secrets` that are no objects"),
    (google, names, {"totalSize": "many"}, "`totalSize` that is no number"),
    (google, content, {"payload": "x"}, "`payload` that is no object"),
    (azure, names, {"value": ["a"]}, "`value` that are no objects"),
    (azure, content, {"value": [VERSION | {"attributes": ["x"]}]}, "`attributes` that is no"),
    (azure, content, {"value": [VERSION | {"attributes": {"nbf": "x"}}]}, "`nbf` that is no"),
    (ciphertrust, content, {"token_type": "Bearer", "jwt": "j", "duration": "x"}, "`duration`"),
]


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize(("made", "act", "body", "message"), BAD)
def test_an_answer_of_an_unexpected_shape_is_said(
    made: Callable[[str], KeyStore],
    act: Callable[[KeyStore], object],
    body: dict[str, Any],
    message: str,
) -> None:
    challenge = 'Bearer authorization="https://login.test/t", resource="https://vault.azure.net"'
    with serving(lambda _: Answer(200, body, {"WWW-Authenticate": challenge})) as port:
        store = made(f"http://127.0.0.1:{port}")
        try:
            with pytest.raises(ProtocolError, match=message):
                act(store)
        finally:
            store.close()


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize("total", ["1", True])
def test_a_number_of_secrets_that_is_none_is_said(total: object) -> None:
    def answer(call: Call) -> Answer:
        if call.path.endswith("/tokens"):
            return Answer(200, {"token_type": "Bearer", "jwt": "j", "duration": 300})
        return Answer(200, {"resources": [{"name": "a"}], "total": total})

    with serving(answer) as port:
        store = ciphertrust(f"http://127.0.0.1:{port}")
        with pytest.raises(ProtocolError, match="`total` that is no number"):
            list(store.list())
        store.close()


@pytest.mark.usefixtures("loopback")
def test_a_listing_without_names_is_empty() -> None:
    with serving(lambda _: Answer(200, {"data": {"keys": None}})) as port:
        store = vault(f"http://127.0.0.1:{port}")
        assert list(store.list()) == []
        store.close()


@pytest.mark.parametrize("value", [None, 0])
def test_a_field_that_is_not_there_is_empty(value: object) -> None:
    found: dict[str, Any] = {} if value is None else {"f": None}
    assert (mapping(found, "f"), number(found, "f")) == ({}, 0)
    assert (list(listed(found, "f")), list(mappings(found, "f"))) == ([], [])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, "1", True, [1]])
def test_what_no_number_is_is_refused(value: object) -> None:
    with pytest.raises(ProtocolError, match="`n` that is no number"):
        number({"n": value}, "n")
