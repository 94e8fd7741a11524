"""The address of a keystore: what KES does not start with, and a password in it."""

from __future__ import annotations

import pytest

from mcpy.kesconf.document import parse
from mcpy.kesconf.findings import Finding, Subject
from mcpy.kesconf.lint import lint

SECTIONS = {
    "vault": "vault: {endpoint: 'AT', version: v2, prefix: p, approle: {id: a, secret: '${S}'}}",
    "aws.secretsmanager": "aws: {secretsmanager: {endpoint: 'AT', region: r}}",
    "azure.keyvault": "azure: {keyvault: {endpoint: 'AT'}}",
    "gemalto.keysecure": "gemalto: {keysecure: {endpoint: 'AT', credentials: {token: '${S}'}}}",
    "fortanix.sdkms": "fortanix: {sdkms: {endpoint: 'AT', credentials: {key: '${S}'}}}",
    "entrust.keycontrol": "entrust: {keycontrol: {endpoint: 'AT', vault_id: v, box_id: b, "
    "credentials: {username: u, password: '${S}'}}}",
}
BARE = set(SECTIONS) - {"aws.secretsmanager", "azure.keyvault"}


def found(section: str, endpoint: str, env: dict[str, str] | None = None) -> list[Finding]:
    text = SECTIONS[section].replace("AT", endpoint)
    root = parse(f"admin: {{identity: disabled}}\ntls: {{key: k, cert: c}}\nkeystore: {{{text}}}")
    path = f"keystore.{section}.endpoint"
    return [one for one in lint(Subject(root, env or {}, elsewhere=True)) if one.path == path]


def errors(section: str, endpoint: str) -> list[str]:
    return [one.message for one in found(section, endpoint) if one.severity == "error"]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_password_in_an_address_is_an_error_and_is_not_repeated(section: str) -> None:
    (one,) = [
        finding
        for finding in found(section, "https://user:hunter22@kms.test:1")
        if finding.severity == "error"
    ]
    assert one.message == "must not hold a user: credentials stand apart"
    assert "hunter22" not in f"{one}"


@pytest.mark.parametrize("section", SECTIONS)
def test_a_password_in_the_variable_of_an_address_is_found_too(section: str) -> None:
    env = {"KMS": "https://user:hunter22@kms.test"}
    text = SECTIONS[section].replace("AT", "${KMS}")
    root = parse(f"admin: {{identity: disabled}}\ntls: {{key: k, cert: c}}\nkeystore: {{{text}}}")
    messages = [one.message for one in lint(Subject(root, env | {"S": "s"}))]
    assert "must not hold a user: credentials stand apart" in messages


@pytest.mark.parametrize("section", SECTIONS)
def test_no_scheme_but_https_works_everywhere(section: str) -> None:
    assert not errors(section, "https://kms.test:1")
    (message,) = errors(section, "ftp://kms.test:1")
    azure = "Azure gives no token for it: https:// is missing"
    assert message == (
        azure if section == "azure.keyvault" else "KES does not start: it does not speak `ftp`"
    )


@pytest.mark.parametrize("section", sorted(BARE))
@pytest.mark.parametrize("endpoint", ["kms.test:8200", "kms.test"])
def test_an_address_without_a_scheme_keeps_kes_from_starting(section: str, endpoint: str) -> None:
    (one,) = found(section, endpoint)
    assert (one.severity, one.message) == ("error", "KES does not start: no https:// in front")
    assert one.fix == f"https://{endpoint}"


def test_of_aws_a_bare_host_is_one_with_tls() -> None:
    assert not errors("aws.secretsmanager", "secretsmanager.r.amazonaws.com")


@pytest.mark.parametrize("section", sorted(set(SECTIONS) - {"azure.keyvault"}))
def test_keys_in_the_clear_are_an_error_but_on_loopback(section: str) -> None:
    assert errors(section, "http://kms.test") == [
        "without TLS: keys and tokens cross the network in the clear"
    ]
    for loopback in ("http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"):
        assert not errors(section, loopback)
        assert "without TLS, on loopback" in {one.message for one in found(section, loopback)}


def test_what_is_no_address_at_all() -> None:
    assert errors("vault", "https://[::1") == ["is no URL"]
