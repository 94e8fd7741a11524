"""AWS Secrets Manager: entries, locks by stages, refusals; against a small server of its API."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mcpy.errors import ConfigError, UnreachableError
from mcpy.kesconf.stores import AwsStore
from mcpy.keystores.aws import LOCKED_STAGE, SecretsManager
from mcpy.keystores.base import (
    KeyExistsError,
    KeyLockedError,
    KeyMissingError,
    KeystoreDeniedError,
    KeystoreError,
)
from mcpy.keystores.check import check
from mcpy.keystores.web import WebOptions
from tests.keystores.entries import VALUE
from tests.keystores.http_server import Answer, Call
from tests.keystores.http_server import serving as serving_http
from tests.keystores.secrets_manager_server import SecretsManagerServer, serving
from tests.running import Mcpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("botocore", reason="the extra `aws` is not installed")

_ROLE = """
<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAOFTHEROLE</AccessKeyId>
<SecretAccessKey>throw-away-secret</SecretAccessKey><SessionToken>throw-away</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>
"""
OPTIONS = WebOptions(retries=0, timeout_s=5)
CONFIG = AwsStore("", "eu-west-1", "alias/throw-away", "AKIATHROWAWAY", "throw-away-secret")


@pytest.fixture
def server() -> SecretsManagerServer:
    return SecretsManagerServer()


@pytest.fixture
def store(server: SecretsManagerServer, loopback: None) -> Iterator[SecretsManager]:  # noqa: ARG001 - allows sockets
    """A keystore with the key ``k``."""
    with serving(server) as url:
        made = SecretsManager(replace(CONFIG, endpoint=url), OPTIONS)
        made.create("k", VALUE)
        yield made
        made.close()


def test_an_entry_is_a_secret_of_its_name_and_nothing_more(
    store: SecretsManager, server: SecretsManagerServer
) -> None:
    action, body = server.calls[0]
    assert (action, body.pop("ClientRequestToken") != "") == ("CreateSecret", True)
    assert body == {"Name": "k", "SecretString": VALUE.decode(), "KmsKeyId": "alias/throw-away"}
    assert store.read("k") == VALUE


def test_an_entry_that_is_there_is_not_replaced(store: SecretsManager) -> None:
    with pytest.raises(KeyExistsError):
        store.create("k", b"other")
    assert store.read("k") == VALUE


def test_all_pages_are_listed(store: SecretsManager, server: SecretsManagerServer) -> None:
    for i in range(250):
        server.answer("CreateSecret", {"Name": f"b{i}", "SecretString": "x"})
    assert len(set(store.list())) == 251


def test_a_lock_keeps_the_keys_version_by_a_stage(
    store: SecretsManager, server: SecretsManagerServer
) -> None:
    stages = server.secrets["k"].stages
    before = stages["AWSCURRENT"]
    store.lock("k")
    store.lock("k")
    assert (stages[LOCKED_STAGE], stages["AWSPREVIOUS"]) == (before, before)
    assert stages["AWSCURRENT"] != before
    with pytest.raises(KeyLockedError):
        store.read("k")
    with pytest.raises(KeyExistsError):
        store.create("k", VALUE)
    assert (store.state("k"), list(store.list())) == ("locked", ["k"])
    assert "DeleteSecret" not in {action for action, _ in server.calls}


def test_unlocking_makes_the_same_version_current_again(
    store: SecretsManager, server: SecretsManagerServer
) -> None:
    before = server.secrets["k"].stages["AWSCURRENT"]
    store.lock("k")
    store.unlock("k")
    store.unlock("k")
    stages = server.secrets["k"].stages
    assert (stages["AWSCURRENT"], LOCKED_STAGE in stages) == (before, False)
    assert (store.read("k"), store.state("k")) == (VALUE, "enabled")


def test_a_lock_that_was_cut_off_is_unlocked_by_the_former_version(
    store: SecretsManager, server: SecretsManagerServer
) -> None:
    server.denied.add("UpdateSecretVersionStage")
    told = "`k` is locked, and kept only until a version is added: "
    with pytest.raises(KeystoreDeniedError, match=told) as caught:
        store.lock("k")
    assert caught.value.hint == "add no version; lock it again once that is allowed"
    assert store.state("k") == "locked"
    server.denied.clear()
    store.unlock("k")
    assert store.read("k") == VALUE


def test_a_lock_that_was_cut_off_is_finished_by_locking_again(
    store: SecretsManager, server: SecretsManagerServer
) -> None:
    stages = server.secrets["k"].stages
    before = stages["AWSCURRENT"]
    server.denied.add("UpdateSecretVersionStage")
    with pytest.raises(KeystoreDeniedError):
        store.lock("k")
    assert LOCKED_STAGE not in stages
    server.denied.clear()
    store.lock("k")
    assert stages[LOCKED_STAGE] == before
    store.unlock("k")
    assert store.read("k") == VALUE


def test_a_lock_without_the_keys_version_is_not_called_finished(
    store: SecretsManager, server: SecretsManagerServer
) -> None:
    store.lock("k")
    stages = server.secrets["k"].stages
    del stages[LOCKED_STAGE]
    stages["AWSPREVIOUS"] = stages["AWSCURRENT"]
    with pytest.raises(KeystoreError, match="is a mark too, and no key"):
        store.lock("k")
    assert LOCKED_STAGE not in stages


def test_a_binary_secret_is_read_too(store: SecretsManager, server: SecretsManagerServer) -> None:
    import base64

    secret = {"Name": "b", "SecretBinary": base64.b64encode(VALUE).decode()}
    server.answer("CreateSecret", secret)
    assert store.read("b") == VALUE


def test_what_was_bytes_is_bytes_again_where_a_plain_read_does_not_follow_the_stage(
    store: SecretsManager, server: SecretsManagerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As moto answers: what was put last, whatever is staged AWSCURRENT."""
    import base64

    content = {"SecretBinary": base64.b64encode(VALUE).decode()}
    server.answer("CreateSecret", {"Name": "b", **content})
    asked = server._GetSecretValue

    def last(body: dict[str, Any]) -> dict[str, Any]:
        version = body.get("VersionId") or list(server.secrets[body["SecretId"]].values)[-1]
        return asked(body | {"VersionId": version})

    monkeypatch.setattr(server, "_GetSecretValue", last)
    store.lock("b")
    store.unlock("b")
    now = list(server.secrets["b"].values.values())[-1]
    assert {k: v for k, v in now.items() if k != "SecretId"} == content
    assert store.read("b") == VALUE


def test_what_waits_for_its_deletion_is_told_and_not_listed(
    store: SecretsManager, server: SecretsManagerServer
) -> None:
    server.answer("DeleteSecret", {"SecretId": "k"})
    assert (list(store.list()), list(store.deleted())) == ([], ["k"])


@pytest.mark.usefixtures("loopback")
def test_a_server_that_is_silent_is_waited_for_once_and_not_with_each_repeat() -> None:
    import socket
    import time

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = SecretsManager(replace(CONFIG, endpoint=url), WebOptions(retries=3, timeout_s=0.3))
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="--timeout"):
            store.read("k")
        assert time.monotonic() - began < 1.9  # four attempts would take longer than that
        store.close()


@pytest.mark.parametrize("act", ["read", "delete", "state", "lock", "unlock"])
def test_what_is_not_there_is_missing(store: SecretsManager, act: str) -> None:
    with pytest.raises(KeyMissingError):
        getattr(store, act)("none")


def test_erasing_leaves_no_recovery_window(
    store: SecretsManager, server: SecretsManagerServer
) -> None:
    store.lock("k")
    store.delete("k")
    assert server.calls[-1] == (
        "DeleteSecret",
        {"SecretId": "k", "ForceDeleteWithoutRecovery": True},
    )
    assert list(store.list()) == []


def test_with_what_is_granted_to_kes_alone_keys_are_made_read_and_erased(
    store: SecretsManager, server: SecretsManagerServer
) -> None:
    server.denied |= {"DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage"}
    store.create("k2", VALUE)
    assert store.read("k2") == VALUE
    store.delete("k2")
    with pytest.raises(KeyMissingError):
        store.delete("k2")
    assert list(store.list()) == ["k"]


def test_a_secret_to_be_deleted_is_a_failure_that_says_how_to_get_it_back(
    store: SecretsManager, server: SecretsManagerServer
) -> None:
    server.answer("DeleteSecret", {"SecretId": "k", "RecoveryWindowInDays": 7})
    with pytest.raises(KeystoreError, match="`k` is scheduled for deletion at AWS") as caught:
        store.read("k")
    assert caught.value.hint == (
        "before it is gone: aws secretsmanager restore-secret --secret-id k"
    )
    with pytest.raises(KeystoreError, match="scheduled for deletion"):
        store.create("k", VALUE)


def test_a_check_tries_everything_and_leaves_nothing(store: SecretsManager) -> None:
    names = ["list", "create", "read", "lock", "unlock", "delete"]
    assert [(s.name, s.ok) for s in check(store)] == [(name, True) for name in names]
    assert list(store.list()) == ["k"]


def test_a_missing_permission_is_named_in_awss_words(
    store: SecretsManager, server: SecretsManagerServer
) -> None:
    server.denied.add("PutSecretValue")
    steps = {s.name: s for s in check(store)}
    words = "AWS: AccessDeniedException: User is not authorized to perform: secretsmanager:"
    assert (steps["lock"].ok, steps["lock"].words) == (False, f"{words}PutSecretValue")
    assert steps["delete"].ok


def test_the_role_of_a_service_account_is_had_from_sts_and_not_from_the_keystore(
    server: SecretsManagerServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loopback: None,  # noqa: ARG001 - allows sockets
) -> None:
    """As a KES cannot: it asks the keystore's endpoint for the role."""
    asked: list[Call] = []

    def sts(call: Call) -> Answer:
        asked.append(call)
        return Answer(200, _ROLE, {"Content-Type": "text/xml"})

    (tmp_path / "token").write_text("throw-away-web-identity")
    with serving(server) as url, serving_http(sts) as port:
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/kes")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        store = SecretsManager(AwsStore(url, "eu-west-1"), OPTIONS)
        store.create("k", VALUE)
        assert store.read("k") == VALUE
        store.close()
    assert b"WebIdentityToken=throw-away-web-identity" in asked[0].body
    assert server.signed_by == "ASIAOFTHEROLE"


def test_without_any_credentials_that_is_said(
    server: SecretsManagerServer,
    monkeypatch: pytest.MonkeyPatch,
    loopback: None,  # noqa: ARG001 - allows sockets
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with serving(server) as url:
        store = SecretsManager(AwsStore(url, "eu-west-1"), OPTIONS)
        with pytest.raises(ConfigError, match="no credentials for AWS"):
            store.read("k")
        store.close()


@pytest.mark.usefixtures("loopback")
def test_nobody_there_is_unreachable() -> None:
    store = SecretsManager(replace(CONFIG, endpoint="http://127.0.0.1:1"), OPTIONS)
    with pytest.raises(UnreachableError, match="Could not connect"):
        store.read("k")
    store.close()


class _ClosedAfterwards(SecretsManagerServer):
    """Denies everything once it was told to delete."""

    def answer(self, action: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        found = super().answer(action, body)
        if action == "DeleteSecret":
            self.denied |= {"GetSecretValue", "DescribeSecret", "ListSecretVersionIds"}
        return found


def test_an_erasure_that_nobody_may_look_at_is_not_called_done(
    loopback: None,  # noqa: ARG001 - allows sockets
    tmp_path: Path,
) -> None:
    server = _ClosedAfterwards()
    server.answer("CreateSecret", {"Name": "k", "SecretString": VALUE.decode()})
    mcpy = Mcpy(tmp_path / "config", None, env={"HOME": str(tmp_path)})
    config = tmp_path / "kes.yml"
    with serving(server) as url:
        section = (
            f"endpoint: '{url}', region: eu-west-1, credentials: {{accesskey: a, secretkey: b}}"
        )
        config.write_text(f"keystore: {{aws: {{secretsmanager: {{{section}}}}}}}\n")
        line = ("keystore", "erase", "k", "--config", str(config), "--yes", "--confirm", "k")
        result = mcpy(*line, "--without-impact")
    assert result.exit_code == 8
    assert result.stdout.startswith("`k` being erased at aws")
    assert "whether `k` is gone cannot be seen yet" in result.stderr
