"""Rules for the keystore section, one function for each provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.kesconf.findings import error, info, warning
from mcpy.kesconf.stores import SECTIONS, present

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.kesconf.document import Node
    from mcpy.kesconf.findings import Finding, Subject

_REQUIRED = {
    "fs": ("path",),
    "vault": ("endpoint",),
    "aws": ("endpoint", "region"),
    "gcp": ("project_id",),
    "azure": ("endpoint",),
    "ciphertrust": ("endpoint", "credentials.token"),
    "fortanix": ("endpoint", "credentials.key"),
    "entrust": ("endpoint", "vault_id", "box_id", "credentials.username", "credentials.password"),
}
_SECRETS = {
    "tls.password",
    "keystore.vault.approle.secret",
    "keystore.aws.secretsmanager.credentials.secretkey",
    "keystore.gcp.secretmanager.credentials.private_key",
    "keystore.azure.keyvault.credentials.client_secret",
    "keystore.gemalto.keysecure.credentials.token",
    "keystore.fortanix.sdkms.credentials.key",
    "keystore.entrust.keycontrol.credentials.password",
}


def _one(subject: Subject) -> Iterator[Finding]:
    node = subject.root.at("keystore")
    found = present(subject.root)
    if not found:
        yield error(
            node,
            "no keystore: KES does not start, and older releases kept the keys in memory and "
            "lost them at exit",
            "mcpy kes config new PROVIDER shows a section for each provider",
        )
    if len(found) > 1:
        yield error(node, f"KES does not start: several keystores: {', '.join(found)}")
    for provider in found:
        section = node.at(SECTIONS[provider])
        for name in _REQUIRED[provider]:
            if subject.of(section.at(name)) == "":
                yield error(section.at(name), f"KES does not start: no {name}")


def _plain_secrets(subject: Subject) -> Iterator[Finding]:
    for path in _SECRETS:
        node = subject.root.at(path)
        if node.kind == "scalar" and node.text and "${" not in node.text:
            variable = path.rpartition(".")[2].upper()
            yield warning(node, "a secret in the file itself", f"${{{variable}}}")
            config = None if subject.elsewhere else subject.config
            if config and config.stat().st_mode & 0o077:
                fix = f"chmod 600 {config}"
                yield warning(node, "others than its owner may read the secret in it", fix)


def _fs(subject: Subject) -> Iterator[Finding]:
    node = subject.root.at("keystore.fs.path")
    path = subject.file("keystore.fs.path")
    if not node:
        return
    if (text := subject.of(node)) and not text.startswith("/") and ":" not in text:
        yield warning(
            node, "relative to wherever KES is started from: elsewhere the keys are gone"
        )
    yield info(node, "keys lie unencrypted in this folder: who reads it reads all data")
    if path is None or not path.exists():
        return
    if not path.is_dir():
        yield error(node, f"KES does not start: {path} is not a folder")
    elif path.stat().st_mode & 0o077:
        yield warning(node, f"others than its owner may look into {path}", f"chmod 700 {path}")


def _aws(subject: Subject) -> Iterator[Finding]:
    at = subject.root.at("keystore.aws.secretsmanager")
    if not at:
        return
    names = ("accesskey", "secretkey", "token")
    keys = [subject.of(at.at(f"credentials.{name}")) for name in names]
    if keys == ["", "", ""]:
        yield from _aws_roles(subject, at)
    elif keys[0] == "" or keys[1] == "":
        missing = "accesskey" if keys[0] == "" else "secretkey"
        yield error(at.at(f"credentials.{missing}"), "half of a pair of credentials")
    endpoint, region = subject.of(at.at("endpoint")), subject.of(at.at("region"))
    if endpoint and region and "amazonaws.com" in endpoint and f".{region}." not in endpoint:
        yield error(
            at.at("endpoint"),
            f"not the endpoint of the region {region}",
            f"secretsmanager.{region}.amazonaws.com",
        )
    yield _shared(at, "every secret of this account and region shows as a key")


def _aws_roles(subject: Subject, at: Node) -> Iterator[Finding]:
    message = (
        "credentials of a service account's role (web identity) cannot be had: KES sends the "
        "request for them to this endpoint too, which is not that of STS"
    )
    fix = "static credentials, an instance or task role, or AWS_* variables with a token"
    role = "AWS_WEB_IDENTITY_TOKEN_FILE" in subject.env and not subject.elsewhere
    # https://github.com/minio/kes/issues/495
    yield (error if role else warning)(at.at("endpoint"), message, fix)
    yield info(at, "KES reads no profiles, SSO or assumed roles of ~/.aws/config")


def _shared(at: Node, text: str) -> Finding:
    return info(
        at, text, "an account of its own; `mcpy kes config lint --ask FILE` counts the strangers"
    )


def _gcp(subject: Subject) -> Iterator[Finding]:
    at = subject.root.at("keystore.gcp.secretmanager")
    if not at:
        return
    if subject.of(at.at("endpoint")) != "":
        yield error(
            at.at("endpoint"),
            "no form of this setting works: KES does not start, or every call fails",
            "remove it",
        )
    names = ("client_email", "client_id", "private_key_id", "private_key")
    texts = {name: subject.of(at.at(f"credentials.{name}")) for name in names}
    missing = [name for name, text in texts.items() if text == ""]
    if 0 < len(missing) < len(names):
        for name in missing:
            yield error(at.at(f"credentials.{name}"), f"KES does not start: no {name}")
    yield _shared(at, "every secret of this project shows as a key")


def _azure(subject: Subject) -> Iterator[Finding]:
    at = subject.root.at("keystore.azure.keyvault")
    if not at:
        return
    yield from _azure_login(subject, at.at("credentials"), at.at("managed_identity"))
    for item in subject.root.at("keys").items:
        if "_" in (subject.of(item.at("name")) or ""):
            yield error(item.at("name"), "Azure Key Vault takes no `_` in a name")
    yield info(at, "case does not count here: `KEY` and `key` are one name")
    yield _shared(at, "every secret of this vault shows as a key")


def _azure_login(subject: Subject, secret: Node, managed: Node) -> Iterator[Finding]:
    if secret and managed:
        yield error(managed, "KES does not start: both credentials and managed_identity")
    fields = [(secret, name) for name in ("tenant_id", "client_id", "client_secret")]
    for section, name in [*fields, (managed, "client_id")]:
        if section and subject.of(section.at(name)) == "":
            yield error(section.at(name), f"KES does not start: no {name}")


def _ciphertrust(subject: Subject) -> Iterator[Finding]:
    at = subject.root.at("keystore.gemalto.keysecure")
    if not at:
        return
    yield _shared(at, "every secret of the domain shows as a key")


def _entrust(subject: Subject) -> Iterator[Finding]:
    at = subject.root.at("keystore.entrust.keycontrol")
    if at and not at.at("credentials"):
        yield error(at, "KES crashes at start without a credentials section")


RULES: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    _one,
    _plain_secrets,
    _fs,
    _aws,
    _gcp,
    _azure,
    _ciphertrust,
    _entrust,
)
