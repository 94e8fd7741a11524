"""Google Secret Manager: entries, locks by version 1, ghosts, refusals; on a stand-in."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from mcpy.errors import ConfigError, ProtocolError, UnreachableError
from mcpy.kesconf.stores import GcpStore
from mcpy.keystores.base import (
    KeyExistsError,
    KeyLockedError,
    KeyMissingError,
    KeystoreDeniedError,
    KeystoreError,
)
from mcpy.keystores.check import check
from mcpy.keystores.gcp import SecretManager
from mcpy.keystores.gcp_login import sign_in
from mcpy.keystores.tokens import Token
from mcpy.keystores.web import WebOptions
from tests.keystores.entries import VALUE
from tests.keystores.gcp_server import PROJECT, Google, serving_google
from tests.keystores.http_server import Answer, Call, serving
from tests.keystores.providers import exchange, federated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPTIONS = WebOptions(retries=2, timeout_s=5, sleep=lambda _: None)
SECRET = f"/v1/projects/{PROJECT}/secrets/k"


@pytest.fixture
def google() -> Google:
    return Google()


@pytest.fixture
def store(google: Google, loopback: None) -> Iterator[SecretManager]:  # noqa: ARG001 - allows sockets
    """A keystore with the key ``k``."""
    with serving_google(google) as url:
        made = SecretManager(
            GcpStore(PROJECT, url), OPTIONS, sign_in=lambda: Token("token-1", time.time() + 600)
        )
        made.create("k", VALUE)
        yield made
        made.close()


def test_an_entry_is_version_1_of_a_secret_of_its_name(
    store: SecretManager, google: Google
) -> None:
    assert google.secrets == {"k": [["ENABLED", base64.b64encode(VALUE).decode()]]}
    assert (store.read("k"), list(store.list())) == (VALUE, ["k"])
    assert google.calls[:2] == [
        f"POST /v1/projects/{PROJECT}/secrets?secretId=k",
        f"POST {SECRET}:addVersion",
    ]


def test_an_entry_that_is_there_is_not_replaced(store: SecretManager, google: Google) -> None:
    with pytest.raises(KeyExistsError):
        store.create("k", b"other")
    assert (store.read("k"), len(google.secrets["k"])) == (VALUE, 1)


def test_all_pages_are_listed(store: SecretManager, google: Google) -> None:
    google.page = 100
    google.secrets |= {f"s{i}": [] for i in range(1100)}
    assert len(set(store.list())) == 1101


def test_a_lock_disables_version_1_and_nothing_else(store: SecretManager, google: Google) -> None:
    google.secrets["k"].append(["ENABLED", "b3RoZXI="])
    store.lock("k")
    store.lock("k")
    assert [state for state, _ in google.secrets["k"]] == ["DISABLED", "ENABLED"]
    assert sum(":disable" in call for call in google.calls) == 1
    with pytest.raises(KeyLockedError):
        store.read("k")
    with pytest.raises(KeyExistsError):
        store.create("k", VALUE)
    assert (store.state("k"), list(store.list())) == ("locked", ["k"])
    store.unlock("k")
    store.unlock("k")
    assert (store.read("k"), store.state("k")) == (VALUE, "enabled")


def test_with_what_is_granted_to_kes_alone_keys_are_made_read_and_erased(
    store: SecretManager, google: Google
) -> None:
    google.denied |= {"versions.get", "versions.list", "versions.enable", "versions.disable"}
    google.secrets["ghost"] = []
    store.create("ghost", VALUE)
    with pytest.raises(KeyExistsError):
        store.create("ghost", VALUE)
    assert store.read("ghost") == VALUE
    store.delete("ghost")
    with pytest.raises(KeyMissingError):
        store.read("ghost")


def test_a_lock_is_known_without_the_permission_to_ask_for_states(
    store: SecretManager, google: Google
) -> None:
    store.lock("k")
    google.denied.add("versions.get")
    with pytest.raises(KeyLockedError):
        store.read("k")


def test_a_locked_entry_can_be_erased(store: SecretManager) -> None:
    store.lock("k")
    store.delete("k")
    assert list(store.list()) == []


@pytest.mark.parametrize("act", ["read", "delete", "state", "lock", "unlock"])
def test_what_is_not_there_is_missing(store: SecretManager, act: str) -> None:
    with pytest.raises(KeyMissingError):
        getattr(store, act)("none")


def test_what_is_destroyed_is_said_and_not_unlocked(store: SecretManager, google: Google) -> None:
    google.secrets["k"][0][0] = "DESTROYED"
    assert store.state("k") == "destroyed"
    with pytest.raises(KeystoreError, match="nothing brings it back"):
        store.read("k")
    with pytest.raises(KeystoreError, match="version 1 of `k` is destroyed"):
        store.unlock("k")


def test_a_secret_without_a_version_is_finished_by_creating(
    store: SecretManager, google: Google
) -> None:
    google.secrets["ghost"] = []
    assert store.state("ghost") == "empty"
    with pytest.raises(KeyMissingError):
        store.read("ghost")
    with pytest.raises(KeystoreError, match="version 1 of `ghost` is not there"):
        store.lock("ghost")
    store.create("ghost", VALUE)
    assert store.read("ghost") == VALUE


def test_whoever_finishes_a_secret_second_leaves_the_first_one_alone(
    store: SecretManager, google: Google
) -> None:
    google.secrets["ghost"] = []
    has_no_version = store._has_no_version

    def overtaken(name: str) -> bool:
        found = has_no_version(name)
        google.secrets["ghost"].append(["ENABLED", base64.b64encode(b"theirs").decode()])
        return found

    store._has_no_version = overtaken  # type: ignore[method-assign]
    with pytest.raises(KeyExistsError):
        store.create("ghost", VALUE)
    assert store.read("ghost") == b"theirs"
    assert google.secrets["ghost"][1][0] == "DESTROYED"


def test_a_busy_google_is_asked_again(store: SecretManager, google: Google) -> None:
    google.busy = 2
    assert store.read("k") == VALUE
    google.busy = 9
    with pytest.raises(KeystoreError, match="Google: Quota exceeded"):
        store.read("k")


def test_a_token_that_ended_is_replaced_once(google: Google, loopback: None) -> None:  # noqa: ARG001
    given = iter(["old", "token-1", "bad", "bad"])
    with serving_google(google) as url:
        store = SecretManager(
            GcpStore(PROJECT, url), OPTIONS, sign_in=lambda: Token(next(given), time.time() + 600)
        )
        store.create("k", VALUE)
        google.tokens.clear()
        with pytest.raises(KeystoreDeniedError, match="invalid authentication credentials"):
            store.read("k")
        store.close()


def test_a_check_tries_everything_and_leaves_nothing(store: SecretManager, google: Google) -> None:
    names = ["sign in", "list", "create", "read", "lock", "unlock", "delete"]
    assert [(s.name, s.ok) for s in check(store)] == [(name, True) for name in names]
    assert list(google.secrets) == ["k"]


@pytest.mark.parametrize(
    ("permission", "step"),
    [
        ("secrets.list", "list"),
        ("secrets.create", "create"),
        ("versions.add", "create"),
        ("versions.access", "read"),
        ("versions.disable", "lock"),
        ("versions.enable", "unlock"),
        ("secrets.delete", "delete"),
    ],
)
def test_a_missing_permission_is_named_in_googles_words(
    store: SecretManager, google: Google, permission: str, step: str
) -> None:
    google.denied.add(permission)
    found = next(s for s in check(store) if not s.ok)
    assert (found.name, found.words.split(" denied")[0]) == (
        step, f"Google: Permission 'secretmanager.{permission}'"
    )  # fmt: skip


def test_a_probe_whose_version_is_refused_does_not_stay(
    store: SecretManager, google: Google
) -> None:
    google.denied.add("versions.add")
    list(check(store))
    assert list(google.secrets) == ["k"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({}, "lists `b` twice, and may leave others out"),
        ({"totalSize": 9}, "lists 2 of 9 secrets"),
    ],
)
def test_a_listing_that_may_leave_names_out_is_no_listing(
    extra: dict[str, int],
    message: str,
    loopback: None,  # noqa: ARG001 - allows sockets
) -> None:
    """As an emulator's, whose pages are each in an order of their own."""
    pages = [["a", "b"], ["b"]] if not extra else [["a", "b"]]

    def answer(call: Call) -> Answer:
        at = int(call.query.get("pageToken", "0"))
        more = {"nextPageToken": str(at + 1)} if at + 1 < len(pages) else {}
        secrets = [{"name": f"projects/1/secrets/{name}"} for name in pages[at]]
        return Answer(200, {"secrets": secrets, **more, **extra})

    with serving(answer) as port:
        url = f"http://127.0.0.1:{port}"
        store = SecretManager(GcpStore(PROJECT, url), OPTIONS, sign_in=lambda: Token("t", 9e9))
        with pytest.raises(ProtocolError, match=message):
            list(store.list())
        store.close()


def test_a_listing_that_goes_round_in_circles_ends(store: SecretManager, google: Google) -> None:
    google.page = 0
    with pytest.raises(ProtocolError, match="round in circles"):
        list(store.list())


@pytest.mark.usefixtures("loopback")
def test_nobody_there_is_unreachable() -> None:
    store = SecretManager(
        GcpStore(PROJECT, "http://127.0.0.1:1"), OPTIONS, sign_in=lambda: Token("t", 9e9)
    )
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1: "):
        store.ping()
    store.close()


def test_tokens_go_over_tls_to_anywhere_but_loopback() -> None:
    with pytest.raises(ConfigError, match="https only"):
        SecretManager(GcpStore(PROJECT, "http://secrets.example.net"), OPTIONS)
    plain = SecretManager(GcpStore(PROJECT, "secretmanager.europe.example.net:443"), OPTIONS)
    assert plain.where == (f"Google project {PROJECT} at secretmanager.europe.example.net:443")


def test_the_configs_service_account_signs_its_token_itself() -> None:
    """As KES does: no request is sent, and this test may send none."""
    pytest.importorskip("google.auth", reason="the extra `gcp` is not installed")
    token = sign_in(account(), OPTIONS)
    head, claims = (json.loads(_unpadded(part)) for part in token.value.split(".")[:2])
    assert (head["alg"], head["kid"]) == ("RS256", "key-1")
    assert claims["iss"] == "kes@throw-away.iam.gserviceaccount.com"
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert token.ends_at > time.time()


def test_a_private_key_that_is_none_is_refused_without_repeating_it() -> None:
    pytest.importorskip("google.auth", reason="the extra `gcp` is not installed")
    broken = GcpStore(PROJECT, "", (), "a@b", "1", "2", "throw-away-no-key")
    with pytest.raises(ConfigError) as caught:
        sign_in(broken, OPTIONS)
    assert str(caught.value) == "the credentials for Google cannot be used"


def test_workload_identity_is_found_in_the_environment(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loopback: None,  # noqa: ARG001 - allows sockets
) -> None:
    pytest.importorskip("google.auth", reason="the extra `gcp` is not installed")
    with serving(exchange) as port:
        file = federated(tmp_path, f"http://127.0.0.1:{port}/token")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
        assert sign_in(GcpStore(PROJECT), OPTIONS).value == "token-1"
        (tmp_path / "subject").write_text("of another workload")
        with pytest.raises(KeystoreDeniedError, match=r"refused to sign in: .*unknown workload"):
            sign_in(GcpStore(PROJECT), OPTIONS)


@pytest.mark.usefixtures("loopback")
def test_the_account_of_the_machine_is_had_from_its_metadata_server() -> None:
    """In a process of its own: google-auth reads the server's address when it is loaded."""
    pytest.importorskip("google.auth", reason="the extra `gcp` is not installed")

    def metadata(call: Call) -> Answer:
        if call.headers.get("metadata-flavor") != "Google":
            return Answer(403, {})
        token = {"access_token": "token-1", "expires_in": 3600, "token_type": "Bearer"}
        account = {"email": "default", "scopes": [], "aliases": []}
        body = token if call.path.endswith("/token") else account
        return Answer(200, body, {"Metadata-Flavor": "Google"})

    code = (
        "from mcpy.kesconf.stores import GcpStore\n"
        "from mcpy.keystores.gcp_login import sign_in\n"
        "from mcpy.keystores.web import WebOptions\n"
        "print(sign_in(GcpStore('p'), WebOptions()).value)"
    )
    with serving(metadata) as port:
        host = f"127.0.0.1:{port}"
        env = {"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host, "GOOGLE_CLOUD_PROJECT": "p"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.stdout, done.returncode) == ("token-1\n", 0), done.stderr


def test_without_any_credentials_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
    loopback: None,  # noqa: ARG001
) -> None:
    pytest.importorskip("google.auth", reason="the extra `gcp` is not installed")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(ConfigError, match="no credentials for Google"):
        sign_in(GcpStore(PROJECT), OPTIONS)


def account() -> GcpStore:
    """Return a service account with a key made up for it, its newlines as in a variable."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    key = generate_private_key(65537, 2048).private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    )
    email = f"kes@{PROJECT}.iam.gserviceaccount.com"
    return GcpStore(PROJECT, "", (), email, "1", "key-1", key.decode())


def _unpadded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
