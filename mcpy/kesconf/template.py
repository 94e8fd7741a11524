"""A new KES configuration, complete and commented, for one keystore and one MinIO."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ADMIN_VARIABLE = "${KES_ADMIN_IDENTITY}"
MINIO_VARIABLE = "${MINIO_KES_IDENTITY}"
_PLAIN = re.compile(r"[A-Za-z0-9/.$][A-Za-z0-9_./:${}*-]*|[A-Za-z0-9]")
_WORDS = {"on", "off", "yes", "no", "true", "false", "null", "y", "n"}


@dataclass(frozen=True)
class NewConfig:
    """What a new configuration should say.

    Attributes:
        settings: of the provider, by the names of ``PROVIDERS``; absent or empty ones default.
        keys: names MinIO may use, a prefix with ``*`` or one name.
        create: keys to be made at the first start.
    """

    provider: str
    settings: Mapping[str, str] = field(default_factory=dict)
    address: str = "0.0.0.0:7373"
    admin: str = ADMIN_VARIABLE
    minio: str = MINIO_VARIABLE
    tls_key: str = "private.key"
    tls_cert: str = "public.crt"
    keys: str = "*"
    create: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provider:
    """One provider: its title, the settings it must have, and what writes its section."""

    title: str
    required: Mapping[str, str]
    section: Callable[[Mapping[str, str]], str]


def render(config: NewConfig) -> str:
    """Return the file's text.

    Raises:
        InputError: a setting the provider needs is missing.
    """
    provider = PROVIDERS[config.provider]
    for name, what in provider.required.items():
        if not config.settings.get(name):
            raise InputError(f"{what} is missing", hint=f"--{name.replace('_', '-')}")
    section = provider.section(config.settings)
    indented = "\n".join(f"  {line}" if line else "" for line in section.splitlines())
    return f"{_server(config, provider.title)}\nkeystore:\n{indented}\n"


def variables(text: str) -> list[str]:
    """Return the environment variables a configuration wants, in the order of the file."""
    return list(dict.fromkeys(re.findall(r"\$\{(\w+)\}", text)))


def value(text: str) -> str:
    """Return text as a YAML scalar, quoted where YAML would read something else."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not _is_number(text)
    # JSON's strings are YAML's too
    return text if plain and not text.endswith(":") else json.dumps(text, ensure_ascii=False)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _server(config: NewConfig, title: str) -> str:
    return f"""\
# KES for MinIO: master keys in {title}.
# Check changes with `mcpy kes config lint FILE`: KES itself ignores what it does not know.
version: v1

# An IP address, never a host name. Empty before the colon: all addresses.
address: {value(config.address)}

# The administrator may do everything, policies or not. `mcpy kes identity of FILE` prints the
# identity of a certificate or API key; `disabled` means that there is no administrator.
admin:
  identity: {value(config.admin)}

# What the server shows. The certificate must name the host MinIO connects to; it is read again
# every 15 minutes. Clients show certificates too: any will do, their identity decides.
tls:
  key: {value(config.tls_key)}
  cert: {value(config.tls_cert)}
  auth: "off"

# What MinIO needs and no more. A star counts at the end of a path only.
policy:
  minio:
    allow:
      - {value("/v1/key/create/" + config.keys)}
      - {value("/v1/key/generate/" + config.keys)}
      - {value("/v1/key/decrypt/" + config.keys)}
      - {value("/v1/key/describe/" + config.keys)}
      - /v1/key/list/*
      - /v1/status
      - /v1/metrics
      - /v1/api
    identities:
      - {value(config.minio)}

# How long a key is used after it was read: so long a lock or an erasure takes to be felt.
# Without `unused`, KES sets `any` to 30s. `offline` serves keys while the keystore is away.
cache:
  expiry:
    any: 5m0s
    unused: 20s
    offline: 0s

log:
  error: "on"
  audit: "on"
{_keys(config.create)}"""


def _keys(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    listed = "\n".join(f"  - name: {value(name)}" for name in names)
    return f"\n# Made at start where they are missing.\nkeys:\n{listed}\n"


def _fields(settings: Mapping[str, str], indent: str, *names: tuple[str, str]) -> str:
    """Return a line for each (field, setting) that has a value."""
    rows = [(name, settings.get(setting, "")) for name, setting in names]
    return "".join(f"{indent}{name}: {value(text)}\n" for name, text in rows if text)


def _fs(settings: Mapping[str, str]) -> str:
    return f"""\
# One unencrypted file for each key: who reads the folder reads all data, who loses it loses all.
fs:
  path: {value(settings["path"])}
"""


def _vault(settings: Mapping[str, str]) -> str:
    defaults = {"engine": "kv", "engine_version": "v2", "prefix": "kes"}
    found = defaults | {k: v for k, v in settings.items() if v}
    text = f"""\
vault:
  endpoint: {value(found["endpoint"])}
  # The KV engine, and whether it is v1 or v2: `vault secrets list -detailed` shows it as options.
  # v1 cannot take a deletion back, and with the wrong one KES's deletions do nothing.
  engine: {value(found["engine"])}
  version: {value(found["engine_version"])}
  # Keys stand under this path of the engine.
  prefix: {value(found["prefix"])}
"""
    text += _fields(found, "  ", ("namespace", "namespace"))
    text += _vault_login(found)
    if found.get("transit_key"):
        text += "  # Values are encrypted by this key of the transit engine. Never rotate it.\n"
        text += f"  transit:\n    engine: transit\n    key: {value(found['transit_key'])}\n"
    if found.get("keystore_ca"):
        text += f"  tls:\n    ca: {value(found['keystore_ca'])}\n"
    return text + "  status:\n    ping: 10s\n"


def _vault_login(found: Mapping[str, str]) -> str:
    if role := found.get("kubernetes_role"):
        jwt = "/var/run/secrets/kubernetes.io/serviceaccount/token"
        return f"  kubernetes:\n    role: {value(role)}\n    jwt: {jwt}\n"
    return """\
  approle:
    engine: approle
    id: ${KES_VAULT_APPROLE_ID}
    secret: ${KES_VAULT_APPROLE_SECRET}
"""


def _aws(settings: Mapping[str, str]) -> str:
    region = settings["region"]
    endpoint = settings.get("endpoint") or f"secretsmanager.{region}.amazonaws.com"
    text = f"""\
aws:
  secretsmanager:
    # Every secret of the account in this region shows as a key: an account of its own is best.
    endpoint: {value(endpoint)}
    region: {value(region)}
"""
    if settings.get("kms_key"):
        text += "    # The key of AWS KMS that encrypts the secrets.\n"
        text += f"    kmskey: {value(settings['kms_key'])}\n"
    if settings.get("ambient"):
        return (
            text
            + """\
    # No credentials: the variables AWS_*, then ~/.aws/credentials, then the role of the instance
    # or task. The role of a Kubernetes service account fails: KES asks this endpoint for it.
"""
        )
    return (
        text
        + """\
    credentials:
      accesskey: ${KES_AWS_ACCESS_KEY}
      secretkey: ${KES_AWS_SECRET_KEY}
"""
    )


def _gcp(settings: Mapping[str, str]) -> str:
    text = f"""\
gcp:
  secretmanager:
    # Every secret of the project shows as a key: a project of its own is best.
    # There is no endpoint here on purpose: no form of that setting works.
    project_id: {value(settings["project"])}
"""
    if settings.get("ambient"):
        return (
            text
            + """\
    # No credentials: workload identity, the instance's account, or the file named by
    # GOOGLE_APPLICATION_CREDENTIALS.
"""
        )
    return (
        text
        + """\
    # The fields of a service account's JSON file; \\n may stand for the newlines of the key.
    credentials:
      client_email: ${KES_GCP_CLIENT_EMAIL}
      client_id: ${KES_GCP_CLIENT_ID}
      private_key_id: ${KES_GCP_PRIVATE_KEY_ID}
      private_key: ${KES_GCP_PRIVATE_KEY}
"""
    )


def _azure(settings: Mapping[str, str]) -> str:
    text = f"""\
azure:
  keyvault:
    # Key names hold no `_` here, and their case does not count.
    endpoint: {value(settings["endpoint"])}
"""
    if settings.get("ambient"):
        return (
            text
            + "    # No credentials: workload or managed identity, AZURE_* variables, or az.\n"
        )
    if identity := settings.get("managed_identity"):
        return text + f"    managed_identity:\n      client_id: {value(identity)}\n"
    return (
        text
        + """\
    credentials:
      tenant_id: ${KES_AZURE_TENANT_ID}
      client_id: ${KES_AZURE_CLIENT_ID}
      client_secret: ${KES_AZURE_CLIENT_SECRET}
"""
    )


def _ciphertrust(settings: Mapping[str, str]) -> str:
    text = f"""\
# Thales CipherTrust Manager, under its former name.
gemalto:
  keysecure:
    endpoint: {value(settings["endpoint"])}
    credentials:
      token: ${{KES_CIPHERTRUST_REFRESH_TOKEN}}
      domain: {value(settings.get("domain") or "root")}
"""
    ca = settings.get("keystore_ca")
    return text + (f"    tls:\n      ca: {value(ca)}\n" if ca else "")


PROVIDERS: dict[str, Provider] = {
    "fs": Provider("a folder of files", {"path": "the folder of the keys"}, _fs),
    "vault": Provider("HashiCorp Vault or OpenBao", {"endpoint": "Vault's URL"}, _vault),
    "aws": Provider("AWS Secrets Manager", {"region": "the AWS region"}, _aws),
    "gcp": Provider("Google Secret Manager", {"project": "the Google project"}, _gcp),
    "azure": Provider("Azure Key Vault", {"endpoint": "the vault's URL"}, _azure),
    "ciphertrust": Provider(
        "Thales CipherTrust Manager", {"endpoint": "the URL of CipherTrust"}, _ciphertrust
    ),
}
