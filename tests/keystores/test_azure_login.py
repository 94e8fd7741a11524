"""Signing in to Azure by a secret, a managed identity or what is around; over real sockets."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from mcpy.errors import ConfigError
from mcpy.kesconf.stores import AzureStore
from mcpy.keystores.azure_login import sign_in
from mcpy.keystores.base import KeystoreDeniedError
from mcpy.keystores.web import WebOptions
from tests.keystores.clouds import clouds
from tests.keystores.entra import SECRET, TENANT, Entra
from tests.keystores.http_server import Answer, Call, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("azure.identity", reason="the extra `azure` is not installed")

VAULT = "https://vault.azure.net/.default"
LOGIN_HOST = "login.microsoftonline.com"
OPTIONS = WebOptions(retries=0, timeout_s=5)
CLIENT = AzureStore("https://v.vault.azure.net", TENANT, "kes", SECRET)


@pytest.fixture
def calls() -> list[Call]:
    """What Entra was asked."""
    return []


@pytest.fixture
def entra(
    calls: list[Call],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loopback: None,  # noqa: ARG001 - allows sockets
) -> Iterator[None]:
    """Azure's own host, through a proxy to a stand-in."""
    tenant = Entra()

    def answer(call: Call) -> Answer:
        calls.append(call)
        return tenant.answer(call)

    with (
        serving(answer) as port,
        clouds(tmp_path, {LOGIN_HOST: {"http/1.1": port}}) as environ,
    ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.mark.usefixtures("entra")
def test_a_client_signs_in_with_its_secret(calls: list[Call]) -> None:
    token = sign_in(CLIENT, VAULT, OPTIONS)
    assert token.value.count(".") == 2
    assert 3500 < token.ends_at - time.time() < 3700
    assert calls[-1].path == f"/{TENANT}/oauth2/v2.0/token"
    assert b"scope=https%3A%2F%2Fvault.azure.net%2F.default" in calls[-1].body


@pytest.mark.usefixtures("entra")
def test_a_wrong_secret_is_denied_in_azures_words() -> None:
    wrong = AzureStore(CLIENT.endpoint, TENANT, "kes", "not-the-secret")
    with pytest.raises(KeystoreDeniedError) as failure:
        sign_in(wrong, VAULT, OPTIONS)
    assert failure.value.message.startswith("Azure refused to sign in: ")
    assert "AADSTS7000215" in failure.value.message
    assert "not-the-secret" not in failure.value.message


@pytest.mark.usefixtures("entra")
def test_without_a_section_the_variables_of_azure_sign_in(
    monkeypatch: pytest.MonkeyPatch, calls: list[Call]
) -> None:
    named = {"TENANT_ID": TENANT, "CLIENT_ID": "kes", "CLIENT_SECRET": SECRET}
    for name, value in named.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    assert sign_in(AzureStore(CLIENT.endpoint), VAULT, OPTIONS).value
    assert b"client_id=kes" in calls[-1].body


@pytest.mark.usefixtures("entra")
def test_a_wrong_secret_of_the_environment_is_denied_and_not_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = {"TENANT_ID": TENANT, "CLIENT_ID": "kes", "CLIENT_SECRET": "wrong"}
    for name, value in named.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    with pytest.raises(KeystoreDeniedError, match=r"Azure refused to sign in: .*AADSTS7000215"):
        sign_in(AzureStore(CLIENT.endpoint), VAULT, OPTIONS)


@pytest.mark.usefixtures("loopback")
def test_a_managed_identity_asks_the_machine_it_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Call] = []

    def answer(call: Call) -> Answer:
        calls.append(call)
        ends = int(time.time()) + 600
        body = {"access_token": "of-the-machine", "expires_on": str(ends), "resource": "v"}
        return Answer(200, body | {"token_type": "Bearer"})

    with serving(answer) as port:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{port}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "throw-away")
        store = AzureStore(CLIENT.endpoint, managed_identity="kes-identity")
        token = sign_in(store, VAULT, OPTIONS)
    assert token.value == "of-the-machine"
    (call,) = calls
    assert call.headers["x-identity-header"] == "throw-away"
    assert call.query["client_id"] == "kes-identity"
    assert call.query["resource"] == "https://vault.azure.net"


@pytest.mark.usefixtures("loopback")
def test_a_managed_identity_where_there_is_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda _: Answer(404, {"error": "not here"})) as port:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{port}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "throw-away")
        store = AzureStore(CLIENT.endpoint, managed_identity="kes-identity")
        with pytest.raises(ConfigError, match="no managed identity of Azure here: "):
            sign_in(store, VAULT, OPTIONS)


@pytest.mark.usefixtures("loopback")
def test_a_host_that_cannot_be_reached_gives_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clouds(tmp_path, {"elsewhere.test": {}}) as environ:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(KeystoreDeniedError, match=r"Azure .*Unable to connect to proxy"):
            sign_in(CLIENT, VAULT, OPTIONS)


def test_a_tenant_that_cannot_be_one_is_said() -> None:
    with pytest.raises(ConfigError, match="Azure cannot be signed in to: Invalid tenant ID"):
        sign_in(AzureStore(CLIENT.endpoint, "a tenant", "kes", SECRET), VAULT, OPTIONS)


def test_the_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(ConfigError, match="needs azure-identity") as failure:
        sign_in(CLIENT, VAULT, OPTIONS)
    assert failure.value.hint == "install mcpy-admin with the extra `azure`"
