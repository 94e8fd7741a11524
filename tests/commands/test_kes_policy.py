"""Policies of a KES: shown as they are, and weighed against what MinIO does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy import kespolicy
from mcpy.errors import ConfigError
from tests.recordings import kes_vectors
from tests.stub import kes_error

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server

pytestmark = pytest.mark.usefixtures("kes_env")

ME = kes_vectors()["identity"]["identity"]
MADE = {"created_at": "2026-11-23T12:39:43.026016482Z", "created_by": "3e" * 32}
RULES: dict[str, dict[str, dict[str, str]]] = {
    "allow": {"/v1/key/generate/my-*": {}, "/v1/key/decrypt/my-*": {}},
    "deny": {"/v1/key/generate/my-secret*": {}},
}
CONFIG = f"""
version: v1
admin:
  identity: {"ad" * 32}
policy:
  my-app:
    allow:
    - /v1/key/generate/my-*
    - /v1/key/decrypt/my-*
    deny: [ /v1/key/generate/my-secret* ]
    identities: [ {ME} ]
  idle:
"""


def denied() -> httpx.Response:
    return kes_error(403, "not authorized: insufficient permissions")


def policy(name: str) -> httpx.Response:
    return httpx.Response(200, json={"name": name, **RULES, **MADE})


def test_a_policy_is_described_with_the_fields_of_kes(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"name": "my-app", **MADE})]
    assert mcpy("kes", "policy", "info", "my-app", "--json").objects == [
        {"name": "my-app", **MADE}
    ]
    assert server.calls == ["GET /v1/policy/describe/my-app"]


def test_the_rules_of_a_policy_are_json_in_a_pipe_as_in_kes(mcpy: Mcpy, server: Server) -> None:
    server.replies = [policy("my-app")]
    code, stdout, stderr = mcpy("kes", "policy", "show", "my-app")
    assert (code, stderr) == (0, "")
    assert json.loads(stdout) == {"name": "my-app", **RULES, **MADE}
    assert server.calls == ["GET /v1/policy/read/my-app"]


def test_a_policy_without_rules_says_so_by_their_absence(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json=MADE)]
    assert mcpy("kes", "policy", "show", "idle", "--json").objects == [{"name": "idle", **MADE}]


def test_a_policy_that_is_not_there_is_named(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kes_error(404, "policy does not exist")]
    assert mcpy("kes", "policy", "show", "nope") == (
        5,
        "",
        "mcpy: error: policy `nope`: policy does not exist\nmcpy: hint: mcpy kes policy ls\n",
    )


def test_policies_are_listed_by_name(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"names": ["my-ops", "my-app"], "continue_at": ""})]
    assert mcpy("kes", "policy", "ls", "my-") == (0, "my-app\nmy-ops\n", "")
    assert server.calls == ["GET /v1/policy/list/my*"]


@pytest.mark.parametrize(
    ("path", "allowed", "rule"),
    [
        ("/v1/key/generate/my-key", True, "/v1/key/generate/my-*"),
        ("/v1/key/generate/my-", True, "/v1/key/generate/my-*"),
        ("/v1/key/generate/my-secret1", False, "/v1/key/generate/my-secret*"),
        ("/v1/key/generate/other", False, ""),
        ("/v1/status", True, "/v1/status"),
        ("/v1/status/", False, ""),
        ("/v1/a*b", True, "/v1/a*b"),
        ("/v1/axb", False, ""),
    ],
)
def test_a_path_is_decided_as_kes_decides(path: str, allowed: bool, rule: str) -> None:
    rules = kespolicy.Policy(
        allow=("/v1/key/generate/my-*", "/v1/status", "/v1/a*b"),
        deny=("/v1/key/generate/my-secret*",),
    )
    assert kespolicy.decide(rules, path) == kespolicy.Decision(allowed, rule)


def test_a_config_is_checked_without_a_server(mcpy: Mcpy, tmp_path: Path) -> None:
    (tmp_path / "kes.yml").write_text(CONFIG)
    args = ("--file", f"{tmp_path}/kes.yml", "--identity", ME, "--for-key", "my-key")
    code, stdout, stderr = mcpy("kes", "policy", "check", "--json", *args)
    assert (code, stderr) == (0, "")
    found = json.loads(stdout)
    assert (found["status"], found["source"], found["policy"]) == ("success", "file", "my-app")
    assert {api["api"]: api["allowed"] for api in found["apis"]} == {
        "generate": True,
        "decrypt": True,
        "create": False,
        "describe": False,
        "list": False,
        "status": False,
        "api": False,
        "metrics": False,
        "hmac": False,
    }


def test_what_minio_cannot_do_without_is_a_finding(mcpy: Mcpy, tmp_path: Path) -> None:
    (tmp_path / "kes.yml").write_text(CONFIG)
    file = ("--file", f"{tmp_path}/kes.yml")
    code, stdout, stderr = mcpy(
        "kes", "policy", "check", "my-app", *file, "--for-key", "my-secret"
    )
    assert code == 3
    assert stdout.splitlines()[:2] == [
        "denied\t/v1/key/generate/my-secret\tencrypts new objects (required)\t"
        "/v1/key/generate/my-secret*",
        "allowed\t/v1/key/decrypt/my-secret\treads encrypted objects (required)\t"
        "/v1/key/decrypt/my-*",
    ]
    assert stderr.startswith("mcpy: error: MinIO cannot work without /v1/key/generate/my-secret\n")


def test_a_policy_from_stdin_is_checked_for_keys_of_any_name(mcpy: Mcpy) -> None:
    document = json.dumps({"allow": {"/v1/key/*": {}}})
    result = mcpy("kes", "policy", "check", "--file", "-", "--json", stdin=document)
    assert result.exit_code == 0
    wide = json.dumps({"allow": ["/v1/key/generate/my-*"]})
    result = mcpy("kes", "policy", "check", "--file", "-", "--json", stdin=wide)
    assert (result.exit_code, result.objects[0]["status"]) == (3, "error")


def test_the_admin_may_do_everything(mcpy: Mcpy, tmp_path: Path) -> None:
    (tmp_path / "kes.yml").write_text(CONFIG)
    args = ("--file", f"{tmp_path}/kes.yml", "--identity", "ad" * 32, "--json")
    result = mcpy("kes", "policy", "check", *args)
    assert result.exit_code == 0
    assert all(api["allowed"] for api in result.objects[0]["apis"])


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ([], 2, "kes.yml has several policies: idle, my-app"),
        (["nope"], 5, "no policy `nope` (there is: idle, my-app)"),
        (["--identity", "ff"], 5, "no policy names the identity `ff`"),
        (["my-app", "--identity", "ff"], 2, "give a policy or an identity, not both"),
    ],
)
def test_a_check_of_nothing_says_what_there_is(
    mcpy: Mcpy, tmp_path: Path, args: list[str], code: int, words: str
) -> None:
    (tmp_path / "kes.yml").write_text(CONFIG)
    result = mcpy("kes", "policy", "check", "--file", f"{tmp_path}/kes.yml", *args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr


@pytest.mark.parametrize(
    "text", ["[", "hello", "policy: {p: [x]}", "allow: 3", "policy: {p: {allow: [1]}}", "{}"]
)
def test_a_file_that_holds_no_policy_is_refused(mcpy: Mcpy, text: str) -> None:
    result = mcpy("kes", "policy", "check", "--file", "-", stdin=text)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("mcpy: error: stdin")


def test_a_policy_document_has_no_other_form() -> None:
    with pytest.raises(ConfigError, match="neither a KES config with policies nor a policy"):
        kespolicy.parse({"version": "v1"}, "x")


def test_the_policy_of_an_identity_is_read_from_the_server(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"policy": "my-app", **MADE}), policy("my-app")]
    args = ("--identity", ME, "--for-key", "my-key", "--json")
    result = mcpy("kes", "policy", "check", *args)
    assert (result.exit_code, result.objects[0]["policy"]) == (0, "my-app")
    assert server.calls == [f"GET /v1/identity/describe/{ME}", "GET /v1/policy/read/my-app"]


def test_the_own_identity_is_tried_out_by_calls_that_change_nothing(
    mcpy: Mcpy, server: Server
) -> None:
    missing = kes_error(404, "key does not exist")
    server.replies = [
        missing,
        missing,
        denied(),
        httpx.Response(200, json={"names": []}),
        denied(),
        denied(),
        denied(),
        denied(),
        kes_error(400, "key name is empty, too long or contains invalid characters"),
    ]
    result = mcpy("kes", "policy", "check", "--json")
    (found,) = result.objects
    assert (result.exit_code, found["source"], found["identity"]) == (0, "live", ME)
    assert [api["api"] for api in found["apis"] if api["allowed"]] == [
        "generate",
        "decrypt",
        "create",
        "list",
    ]
    assert server.calls[-1] == "PUT /v1/key/create/a-key-of-any-name."


def test_a_key_that_is_there_may_be_asked_for_again(mcpy: Mcpy, server: Server) -> None:
    there = kes_error(400, "decryption failed: ciphertext is not authentic")
    server.replies = [httpx.Response(200, json={}), there, *(denied() for _ in range(6)), denied()]
    result = mcpy("kes", "policy", "check", "--for-key", "k", "--json")
    assert result.exit_code == 0
    assert server.calls[-1] == "PUT /v1/key/create/k"


def test_what_cannot_be_tried_without_harm_is_unknown(mcpy: Mcpy, server: Server) -> None:
    server.replies = [denied() for _ in range(9)]
    result = mcpy("kes", "policy", "check", "--for-key", "k")
    assert result.exit_code == 3
    assert "unknown\t/v1/key/create/k\t" in result.stdout
    assert server.calls[-1] == "PUT /v1/key/create/k."
