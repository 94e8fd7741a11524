"""Rules of the linter for keystores, one case for each; and what is good to know of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.kesconf.document import parse
from mcpy.kesconf.findings import Finding, Subject
from mcpy.kesconf.lint import lint

if TYPE_CHECKING:
    from pathlib import Path

BASE = "admin: {identity: disabled}\ntls: {key: k, cert: c}\n"
APPROLE = "approle: {id: a, secret: '${S}'}"


def findings(keystore: str, severity: str) -> list[Finding]:
    subject = Subject(parse(f"{BASE}keystore: {{{keystore}}}"), {}, elsewhere=True)
    return [f for f in lint(subject) if f.severity == severity]


@pytest.mark.parametrize(
    ("keystore", "path", "message"),
    [
        (f"vault: {{endpoint: 'https://v', version: v2, {APPROLE}, transit: {{engine: t}}}}",
         "vault.transit.key", "KES does not start: no transit key"),
        (f"vault: {{endpoint: 'https://v', version: v2, {APPROLE}, status: {{ping: soon}}}}",
         "vault.status.ping", "KES does not start: `soon`"),
        (f"vault: {{endpoint: 'https://v', version: v2, {APPROLE}, tls: {{key: k}}}}",
         "vault.tls.cert", "KES does not start: no keystore.vault.tls.cert"),
        (f"vault: {{endpoint: 'https://v', version: v2, {APPROLE}, tls: {{cert: k}}}}",
         "vault.tls.key", "KES does not start: no keystore.vault.tls.key"),
        ("vault: {endpoint: 'https://v', version: v2, approle: {id: a}}",
         "vault.approle.secret", "KES does not start: no approle secret"),
        ("vault: {endpoint: 'https://v', version: v2, kubernetes: {role: r}}",
         "vault.kubernetes.jwt", "KES does not start: no kubernetes jwt"),
        ("vault: {endpoint: 'https://v', version: v2, kubernetes: {jwt: j}}",
         "vault.kubernetes.role", "no role"),
        (f"vault: {{endpoint: 'https://v', version: v2, {APPROLE}, kubernetes: {{jwt: j}}}}",
         "vault", "KES does not start: both approle and kubernetes"),
        ("aws: {secretsmanager: {endpoint: e, region: r, credentials: {secretkey: '${S}'}}}",
         "aws.secretsmanager.credentials.accesskey", "half of a pair"),
        ("aws: {secretsmanager: {endpoint: e, region: r, credentials: {accesskey: a}}}",
         "aws.secretsmanager.credentials.secretkey", "half of a pair"),
        ("aws: {secretsmanager: {endpoint: 'http://aws.example.net', region: r, "
         "credentials: {accesskey: a, secretkey: '${S}'}}}",
         "aws.secretsmanager.endpoint", "without TLS"),
        ("azure: {keyvault: {endpoint: 'https://v', managed_identity: {client_id: m}, "
         "credentials: {tenant_id: t, client_id: c, client_secret: '${S}'}}}",
         "azure.keyvault.managed_identity", "KES does not start: both credentials"),
        ("azure: {keyvault: {endpoint: 'https://v', credentials: {tenant_id: t}}}",
         "azure.keyvault.credentials.client_secret", "KES does not start: no client_secret"),
        ("gemalto: {keysecure: {endpoint: 'http://[2001:db8::1]:1', credentials: "
         "{token: '${S}'}}}", "gemalto.keysecure.endpoint", "without TLS"),
        ("gemalto: {keysecure: {endpoint: 'https://c'}}",
         "gemalto.keysecure.credentials.token", "KES does not start: no credentials.token"),
        ("fortanix: {sdkms: {endpoint: e}}", "fortanix.sdkms.credentials.key",
         "KES does not start: no credentials.key"),
    ],
)  # fmt: skip
def test_an_error_is_found_where_it_stands(keystore: str, path: str, message: str) -> None:
    found = [f for f in findings(keystore, "error") if f.path == f"keystore.{path}"]
    assert [f.message.startswith(message) for f in found] == [True], findings(keystore, "error")


@pytest.mark.parametrize(
    ("keystore", "message"),
    [
        (f"vault: {{endpoint: 'https://v', version: v2, prefix: p, {APPROLE}}}",
         "on a v1 engine this seems to work, and deleting answers success and keeps the key"),
        (f"vault: {{endpoint: 'https://v', version: v2, {APPROLE}}}",
         "without a prefix every entry of the engine shows as a key"),
        (f"vault: {{endpoint: 'http://127.0.0.1', version: v2, prefix: p, {APPROLE}}}",
         "without TLS, on loopback"),
        (f"vault: {{endpoint: 'https://v', version: v2, prefix: p, {APPROLE}, "
         "transit: {key: t}}", "never rotate this transit key"),
        ("aws: {secretsmanager: {endpoint: e, region: r}}",
         "every secret of this account and region shows as a key"),
        ("aws: {secretsmanager: {endpoint: e, region: r}}", "KES reads no profiles"),
        ("gcp: {secretmanager: {project_id: p}}", "every secret of this project shows as a key"),
        ("azure: {keyvault: {endpoint: 'https://v'}}",
         "every secret of this vault shows as a key"),
        ("azure: {keyvault: {endpoint: 'https://v'}}", "case does not count here"),
        ("gemalto: {keysecure: {endpoint: 'https://c', credentials: {token: '${S}'}}}",
         "every secret of the domain shows as a key"),
        ("fs: {path: /keys}", "keys lie unencrypted in this folder"),
    ],
)  # fmt: skip
def test_what_is_good_to_know_is_said(keystore: str, message: str) -> None:
    assert any(f.message.startswith(message) for f in findings(keystore, "info"))


def test_the_folder_of_keys_is_looked_at(tmp_path: Path) -> None:
    def of_folder() -> set[tuple[str, str]]:
        text = f"{BASE}keystore: {{fs: {{path: {tmp_path / 'keys'}}}}}"
        found = lint(Subject(parse(text), {}, folder=tmp_path))
        return {(f.severity, f.fix) for f in found if f.path == "keystore.fs.path"}

    (tmp_path / "keys").write_text("")
    assert ("error", "") in of_folder()
    (tmp_path / "keys").unlink()
    (tmp_path / "keys").mkdir(mode=0o755)
    assert ("warning", f"chmod 700 {tmp_path / 'keys'}") in of_folder()


def test_a_token_of_kubernetes_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    text = (
        f"{BASE}keystore: {{vault: {{endpoint: 'https://v', version: v2, "
        "kubernetes: {role: r, jwt: ./token}}}"
    )
    found = lint(Subject(parse(text), {}, folder=tmp_path))
    at = [f.message for f in found if f.path == "keystore.vault.kubernetes.jwt"]
    assert at == ["KES does not start: ./token is not there"]
