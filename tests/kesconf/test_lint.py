"""Rules for KES configurations, each with the line it points at and what to do."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from mcpy.kesconf.document import parse
from mcpy.kesconf.findings import Finding, Subject
from mcpy.kesconf.lint import lint
from mcpy.kesconf.template import PROVIDERS, NewConfig, render

if TYPE_CHECKING:
    from pathlib import Path

ID_A, ID_B = "a" * 64, "b" * 64
BASE = {
    "admin": "admin: {identity: disabled}",
    "tls": "tls: {key: k.pem, cert: c.pem}",
    "keystore": "keystore: {fs: {path: /keys}}",
}
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def findings(text: str, env: dict[str, str] | None = None) -> list[Finding]:
    """Return what is found in a good configuration with ``text`` in place of its section."""
    section = text.split(":", 1)[0]
    lines = [line for name, line in BASE.items() if name != section]
    subject = Subject(parse("\n".join([*lines, text])), env or {}, elsewhere=env is None, now=NOW)
    return [f for f in lint(subject) if f.severity != "info"]


def test_a_good_configuration_has_no_findings() -> None:
    assert findings("version: v1") == []


ERRORS = [
    ("version: v2", "version", "KES does not start: the only version is v1"),
    ("address: localhost:7373", "address", "KES does not start: a host name"),
    ("address: 127.0.0.1", "address", "KES does not start: not IP:PORT"),
    ("admin: {}", "admin.identity", "KES does not start: no admin identity"),
    (f"admin: {{identity: {ID_A.upper()}}}", "admin.identity", "identities are lower-case"),
    ("tls: {cert: c}", "tls.key", "KES does not start: no tls.key"),
    ("tls: {key: k}", "tls.cert", "KES does not start: no tls.cert"),
    ("tls: {key: k, cert: c, auth: maybe}", "tls.auth", "KES does not start: tls.auth"),
    ("cache: {expiry: {any: 1h}}", "cache.expiry.any", "without cache.expiry.unused KES sets"),
    ("cache: {expiry: {any: 4s, unused: 2s, offline: 40s}}", "cache.expiry.offline",
     "never comes to bear"),
    ("cache: {expiry: {any: -1s, unused: 1s}}", "cache.expiry.any", "KES does not start"),
    ("cache: {expiry: {any: 300, unused: 20s}}", "cache.expiry.any", "KES does not start: `300`"),
    ("cache: {expiry: {any: 5m, unused: 0}}", "cache.expiry.unused", "KES does not start: `0`"),
    ("api: {/v1/status: {timeout: 5}}", "api./v1/status.timeout", "KES does not start: `5`"),
    ("keystore: {vault: {endpoint: 'https://v', version: v2, prefix: k, status: {ping: 10},"
     " approle: {id: a, secret: b}}}", "keystore.vault.status.ping", "KES does not start: `10`"),
    ("keystore: {vault: {endpoint: 'https://v/v1', version: v2, prefix: k,"
     " approle: {id: a, secret: b}}}", "keystore.vault.endpoint", "KES does not start: a path"),
    ("cache: {expiry: {any: soon}}", "cache.expiry.any", "KES does not start: `soon`"),
    ("cahce: {expiry: {any: 1s}}", "cahce", "unknown field: KES ignores it"),
    ("log: {audit: loud}", "log.audit", "KES does not start: not a log level"),
    ("keys: [{name: a}, {name: a}]", "keys[1].name", "KES does not start: the key `a`"),
    ("keys: [{name: -a}]", "keys[0].name", "`-a` is no key name"),
    ("keys: [a]", "keys[0]", "must be `- name: KEY`"),
    ("api: {/v1/keys: {timeout: 1s}}", "api./v1/keys", "KES has no API `/v1/keys`"),
    ("api: {/v1/key/list: {timeout: 1s}}", "api./v1/key/list", "KES ignores this"),
    ("api: {/v1/key/decrypt/: {skip_auth: true}}", "api./v1/key/decrypt/", "anybody who reaches"),
    ("api: {/v1/ready: {timeout: -1s}}", "api./v1/ready.timeout", "KES does not start"),
    ("keystore: {}", "keystore", "no keystore: KES does not start, and older releases kept"),
    ("keystore: {fs: {path: /k}, vault: {endpoint: https://v, approle: {id: a, secret: '${B}'},"
     " version: v1, prefix: k}}", "keystore", "KES does not start: several keystores"),
    ("keystore: {fs: {}}", "keystore.fs.path", "KES does not start: no path"),
    ("keystore: {fs: {path: /k, pth: /l}}", "keystore.fs.pth", "unknown field"),
    ("keystore: {kes: {endpoint: [a]}, fs: {path: /k}}", "keystore.kes",
     "unknown field: KES knows"),
    ("keystore: {gcp: {secretmanager: {project_id: p, endpoint: 'localhost:1'}}}",
     "keystore.gcp.secretmanager.endpoint", "no form of this setting works"),
    ("keystore: {gcp: {secretmanager: {project_id: p, credentials: {client_email: a}}}}",
     "keystore.gcp.secretmanager.credentials.private_key", "KES does not start: no private_key"),
    ("keystore: {aws: {secretsmanager: {endpoint: secretsmanager.us-east-1.amazonaws.com,"
     " region: eu-west-1, credentials: {accesskey: a, secretkey: $S}}}}",
     "keystore.aws.secretsmanager.endpoint", "not the endpoint of the region eu-west-1"),
    ("keystore: {azure: {keyvault: {endpoint: 'http://v'}}}",
     "keystore.azure.keyvault.endpoint", "Azure gives no token"),
    ("keystore: {azure: {keyvault: {endpoint: 'https://v', managed_identity: {}}}}\n"
     "keys: [{name: a_b}]", "keys[0].name", "Azure Key Vault takes no `_`"),
    ("keystore: {vault: {endpoint: 'http://vault', version: v2, prefix: k,"
     " approle: {id: a, secret: b}}}", "keystore.vault.endpoint", "without TLS"),
    ("keystore: {vault: {endpoint: 'https://v', version: v3, approle: {id: a, secret: b}}}",
     "keystore.vault.version", "KES does not start: `v3`"),
    ("keystore: {vault: {endpoint: 'https://v', version: v2}}", "keystore.vault",
     "KES does not start: neither approle nor kubernetes"),
    ("keystore: {vault: {endpoint: 'https://v', engine: kv/data, version: v2,"
     " approle: {id: a, secret: b}}}", "keystore.vault.engine", "the name of the engine alone"),
    ("keystore: {gemalto: {keysecure: {endpoint: c, credentials: {token: t, retry: 1}}}}",
     "keystore.gemalto.keysecure.credentials.retry", "unknown field: KES stopped reading it"),
    ("keystore: {entrust: {keycontrol: {endpoint: e, vault_id: v, box_id: b}}}",
     "keystore.entrust.keycontrol", "KES crashes at start"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "message"), ERRORS)
def test_an_error_is_found_where_it_stands(text: str, path: str, message: str) -> None:
    found = [f for f in findings(text) if f.severity == "error" and f.path == path]
    assert [f.message.startswith(message) for f in found] == [True], findings(text)


def policy(allow: str, deny: str = "", identity: str = ID_B) -> str:
    return f"policy: {{p: {{allow: [{allow}], deny: [{deny}], identities: [{identity}]}}}}"


@pytest.mark.parametrize(
    ("pattern", "message", "fix"),
    [
        ("v1/status", "every path starts with a slash", "/v1/status"),
        ("/v1/key/*/app", "a star counts at the end only", "/v1/key/*"),
        ("/v1/key/create/my-*-key", "a star counts at the end only", "/v1/key/create/my-*"),
        ("/v1/key/list", "what follows the slash is missing", "/v1/key/list/*"),
        ("/v1/key/create/", "matches no API of KES", ""),
        ("'/v1/key/create/k?y'", "only a star at the end stands for more", ""),
        ("/v1/keys/create/*", "matches no API of KES", ""),
        ("/v1/key/create/a.b", "matches no API of KES", ""),
        ("/v1/key/list/my-", "ends in a hyphen", "/v1/key/list/my-*"),
        ("'${ALLOWED}'", "not expanded in patterns", ""),
    ],
)
def test_a_pattern_that_matches_nothing_is_an_error(pattern: str, message: str, fix: str) -> None:
    found = findings(policy(pattern))
    assert [(f.severity, f.path, f.fix) for f in found] == [("error", "policy.p.allow[0]", fix)]
    assert message in found[0].message


@pytest.mark.parametrize(
    "pattern", ["/v1/key/create/*", "/v1/key/create/my-*", "/v1/key/list/*", "/version", "/v1/k*"]
)
def test_a_pattern_that_matches_is_none(pattern: str) -> None:
    assert findings(policy(pattern)) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (policy("/v1/key/list/"), "nobody to list by a pattern"),
        (policy("/v1/key/*"), "allows deleting keys too"),
        (policy("/v1/key/bulk/decrypt/*"), "KES has this API no more"),
        (policy("/v1/key/generate/*"), "encrypts what they cannot read again"),
        (policy("/v1/status", "/v1/*"), "has no effect"),
        ("policy: {p: {allow: [/v1/status]}}", "nobody has the policy `p`"),
        ("admin: {identity: nobody}", "the server has no admin"),
        ("keystore: {vault: {endpoint: 'https://v', approle: {id: a, secret: '${S}'}}}",
         "without `version` KES speaks v1"),
        ("keystore: {vault: {endpoint: 'https://v', version: v1, approle: {id: a, secret: b}}}",
         "a secret in the file itself"),
        ("keystore: {aws: {secretsmanager: {endpoint: secretsmanager.eu-west-1.amazonaws.com,"
         " region: eu-west-1}}}", "credentials of a service account's role"),
        ("keystore: {fs: {path: keys}}", "relative to wherever KES is started"),
        ("tls: {key: k, cert: c, proxy: {identities: []}}", "parsed by KES, and then not used"),
    ],
)  # fmt: skip
def test_what_works_and_should_not_stay_is_a_warning(text: str, message: str) -> None:
    found = findings(text)
    assert [f.severity for f in found] == ["warning"]
    assert message in found[0].message


def test_an_identity_has_one_policy_and_is_not_the_admin() -> None:
    text = f"admin: {{identity: {ID_A}}}\npolicy:\n"
    text += f"  p: {{allow: [/v1/status], identities: [{ID_A}, {ID_B}]}}\n"
    text += f"  q: {{allow: [/v1/status], identities: [{ID_B}, me]}}\n"
    assert [(f.line, f.path) for f in findings(text)] == [
        (5, "policy.p.identities[0]"),
        (6, "policy.q.identities[0]"),
        (6, "policy.q.identities[1]"),
    ]


def test_a_variable_that_is_not_set_is_an_error_with_the_name_that_was_meant(
    tmp_path: Path,
) -> None:
    text = "admin: {identity: '${KES_ADMIN_IDENTIY}'}\nlog: {audit: 'x${Y}'}"
    env = {"KES_ADMIN_IDENTITY": ID_A}
    found = lint(Subject(parse(text), env, folder=tmp_path))
    variables = [f for f in found if "variable" in f.message]
    assert [(f.line, f.fix) for f in variables] == [
        (1, "did you mean ${KES_ADMIN_IDENTITY}?"),
        (2, "put the whole value into the variable"),
    ]


def test_elsewhere_neither_files_nor_variables_are_looked_at() -> None:
    root = parse(
        "admin: {identity: '${A}'}\ntls: {key: k, cert: c}\nkeystore: {fs: {path: '${P}'}}"
    )
    assert [f for f in lint(Subject(root, {}, elsewhere=True)) if f.severity == "error"] == []


def test_the_role_of_a_service_account_is_an_error_where_it_is_used(tmp_path: Path) -> None:
    text = "keystore: {aws: {secretsmanager: {endpoint: a, region: r}}}"
    found = lint(Subject(parse(text), {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, folder=tmp_path))
    assert ("error", "keystore.aws.secretsmanager.endpoint") in {
        (f.severity, f.path) for f in found
    }


def certificate(folder: Path, *, days: int, names: bool = True) -> None:
    """Write c.pem and k.pem, a certificate that ends ``days`` after NOW."""
    key = Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kes")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=100))
        .not_valid_after(NOW + timedelta(days=days))
    )
    if names:
        san = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = builder.add_extension(san, critical=False)
    pem = builder.sign(key, None).public_bytes(serialization.Encoding.PEM)
    (folder / "c.pem").write_bytes(pem)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "k.pem").write_bytes(private)
    (folder / "k.pem").chmod(0o600)


def of_files(folder: Path) -> list[tuple[str, str, str]]:
    root = parse("\n".join(BASE.values()))
    found = lint(Subject(root, {}, folder=folder, now=NOW))
    return [(f.severity, f.path, f.message) for f in found if f.severity != "info"]


def test_a_certificate_that_lasts_is_fine(tmp_path: Path) -> None:
    certificate(tmp_path, days=60)
    assert of_files(tmp_path) == []


def test_a_certificate_about_to_expire_is_a_warning(tmp_path: Path) -> None:
    certificate(tmp_path, days=13)
    message = "the certificate expires on 2026-12-06"
    assert of_files(tmp_path) == [("warning", "tls.cert", message)]


def test_an_expired_certificate_is_an_error(tmp_path: Path) -> None:
    certificate(tmp_path, days=-1)
    message = "the certificate expired on 2026-11-22: no client connects"
    assert of_files(tmp_path) == [("error", "tls.cert", message)]


def test_a_certificate_without_names_is_an_error(tmp_path: Path) -> None:
    certificate(tmp_path, days=60, names=False)
    assert [found[:2] for found in of_files(tmp_path)] == [("error", "tls.cert")]


def test_a_key_of_another_certificate_is_an_error(tmp_path: Path) -> None:
    certificate(tmp_path, days=60)
    kept = (tmp_path / "c.pem").read_bytes()
    certificate(tmp_path, days=60)
    (tmp_path / "c.pem").write_bytes(kept)
    message = "KES does not start: the key does not belong to the certificate"
    assert of_files(tmp_path) == [("error", "tls.key", message)]


def test_files_that_are_not_there_are_errors(tmp_path: Path) -> None:
    message = f"KES does not start: cannot read {tmp_path}/c.pem: No such file or directory"
    assert of_files(tmp_path) == [("error", "tls.cert", message)]


SETTINGS = {
    "path": "/keys",
    "endpoint": "https://provider.test",
    "region": "eu-west-1",
    "project": "p",
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_new_configuration_has_nothing_to_be_found(provider: str) -> None:
    settings = dict(SETTINGS) if provider != "aws" else {"region": "eu-west-1"}
    text = render(NewConfig(provider, settings, create=("my-key",)))
    found = lint(Subject(parse(text), {}, elsewhere=True))
    assert [f for f in found if f.severity != "info"] == []


@pytest.mark.parametrize("awkward", ["on", "1.5", "a: b", "a #b", "'", '"', "ü", "a:", "- a"])
def test_awkward_values_come_back_as_they_were(awkward: str) -> None:
    text = render(NewConfig("fs", {"path": awkward}))
    assert parse(text).at("keystore.fs.path").text == awkward
