"""New configurations: read back as they were meant, judged as good, with what to grant beside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcpy.kesconf.document import parse
from mcpy.kesconf.findings import Subject
from mcpy.kesconf.grants import grants
from mcpy.kesconf.lint import lint
from mcpy.kesconf.reading import read_keystore
from mcpy.kesconf.stores import (
    AwsStore,
    AzureStore,
    CacheExpiry,
    CipherTrustStore,
    FsStore,
    GcpStore,
    StoreConfig,
    VaultLogin,
    VaultStore,
)
from mcpy.kesconf.template import NewConfig, render, variables

APPROLE = VaultLogin("approle", "approle", "", "v", "v")
KUBERNETES = VaultLogin(
    "kubernetes", "kubernetes", "", "kes", "/var/run/secrets/kubernetes.io/serviceaccount/token"
)
CASES: list[tuple[str, dict[str, str], StoreConfig]] = [
    ("fs", {"path": "/keys"}, FsStore("/keys")),
    ("vault", {"endpoint": "https://v"}, VaultStore("https://v", "kv", "v2", "", "kes", APPROLE)),
    (
        "vault",
        {"endpoint": "https://v", "engine": "e", "engine_version": "v1", "prefix": "p",
         "namespace": "n", "kubernetes_role": "kes", "transit_key": "t", "keystore_ca": "/ca"},
        VaultStore("https://v", "e", "v1", "n", "p", KUBERNETES, "transit", "t", ca="/ca"),
    ),
    (
        "aws",
        {"region": "eu-west-1", "kms_key": "alias/k"},
        AwsStore("secretsmanager.eu-west-1.amazonaws.com", "eu-west-1", "alias/k", "v", "v"),
    ),
    (
        "aws",
        {"region": "r", "endpoint": "https://e", "ambient": "yes"},
        AwsStore("https://e", "r"),
    ),
    ("gcp", {"project": "p"}, GcpStore("p", "", (), "v", "v", "v", "v")),
    ("gcp", {"project": "p", "ambient": "yes"}, GcpStore("p")),
    ("azure", {"endpoint": "https://v"}, AzureStore("https://v", "v", "v", "v")),
    ("azure", {"endpoint": "https://v", "ambient": "yes"}, AzureStore("https://v")),
    (
        "azure",
        {"endpoint": "https://v", "managed_identity": "m"},
        AzureStore("https://v", managed_identity="m"),
    ),
    (
        "ciphertrust",
        {"endpoint": "https://c", "domain": "d", "keystore_ca": "/ca"},
        CipherTrustStore("https://c", "v", "d", "/ca"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "settings", "store"), CASES)
def test_a_new_configuration_is_read_as_it_was_meant_and_has_no_errors(
    provider: str, settings: dict[str, str], store: StoreConfig
) -> None:
    text = render(NewConfig(provider, settings, create=("my-key",)))
    env = dict.fromkeys(variables(text), "v")
    root = parse(text)
    found = read_keystore(root, Path("kes.yml"), env)
    assert (found.provider, found.store) == (provider, store)
    assert found.cache == CacheExpiry(any_s=300, unused_s=20)
    assert [f for f in lint(Subject(root, {}, elsewhere=True)) if f.severity == "error"] == []


@pytest.mark.parametrize(("provider", "settings", "store"), CASES)
def test_secrets_are_named_and_never_shown(
    provider: str, settings: dict[str, str], store: StoreConfig
) -> None:
    text = render(NewConfig(provider, settings))
    env = {name: f"throw-away-{name}-value" for name in variables(text)}
    found = read_keystore(parse(text), Path("kes.yml"), env).store
    shown = repr(found)
    for name, value in env.items():
        if any(word in name for word in ("SECRET", "TOKEN", "PRIVATE_KEY")) and "_ID" not in name:
            assert value not in shown
    assert type(found) is type(store)


@pytest.mark.parametrize(("provider", "settings", "_store"), CASES)
def test_what_is_granted_to_kes_is_less_than_its_operator_has(
    provider: str, settings: dict[str, str], _store: StoreConfig
) -> None:
    found = grants(provider, settings)
    assert found.kes
    assert found.operator != found.kes
    if provider == "aws":
        kes, operator = (
            {action for s in json.loads(text)["Statement"] for action in s["Action"]}
            for text in (found.kes, found.operator)
        )
        assert operator - kes == {
            "secretsmanager:DescribeSecret",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
        }
        assert ("kms:Decrypt" in kes) is ("kms_key" in settings)


def test_vaults_policies_name_each_path_once_and_no_more_than_is_needed() -> None:
    found = grants("vault", {"endpoint": "https://v", "engine": "kv2", "transit_key": "t"})
    assert found.kes.splitlines()[1:] == [
        'path "kv2/data/kes/*" { capabilities = ["create", "read"] }',
        'path "kv2/metadata/kes/*" { capabilities = ["list", "delete"] }',
        'path "kv2/metadata/kes" { capabilities = ["list"] }',
        'path "transit/encrypt/t" { capabilities = ["update"] }',
        'path "transit/decrypt/t" { capabilities = ["update"] }',
    ]
    paths = [line.split('"')[1] for line in found.operator.splitlines()[1:]]
    assert len(paths) == len(set(paths)) == 7


def test_googles_role_is_a_file_its_own_tool_takes() -> None:
    text = parse(grants("gcp", {"project": "p"}).operator)
    permissions = [item.text for item in text.at("includedPermissions").items]
    assert "secretmanager.versions.disable" in permissions
    assert len(permissions) == len(set(permissions)) == 9


def test_azures_permissions_are_shown_for_both_of_its_models() -> None:
    text = grants("azure", {"endpoint": "https://lab.vault.azure.net"}).kes
    assert 'az keyvault set-policy --name lab --spn "$KES_AZURE_CLIENT_ID"' in text
    assert "--secret-permissions get list set delete purge\n" in text
    assert '--role "Key Vault Secrets Officer"' in text
