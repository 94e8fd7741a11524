"""What to grant KES at the provider, as little as works, and what mcpy needs beyond that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def grant(provider: str, settings: Mapping[str, str]) -> str:
    """Return the policy to grant at ``provider``, in the form its own tools take."""
    return _GRANTS[provider]({k: v for k, v in settings.items() if v}).rstrip("\n")


def _fs(settings: Mapping[str, str]) -> str:
    path = settings["path"]
    return f"""\
# The account KES runs as, and nobody else, needs the folder:
install -d -m 0700 -o kes -g kes '{path}'
"""


def _vault(settings: Mapping[str, str]) -> str:
    engine, prefix = settings.get("engine", "kv"), settings.get("prefix", "kes")
    if settings.get("engine_version", "v2") == "v1":
        text = f'path "{engine}/{prefix}/*" {{ capabilities = ["create", "read", "delete"] }}\n'
        text += f'path "{engine}/{prefix}" {{ capabilities = ["list"] }}\n'
        extra = f"""\
# path "{engine}/{prefix}/*" {{ capabilities = ["create", "read", "update", "delete"] }}
# path "{engine}/{prefix}" {{ capabilities = ["list"] }}
"""
    else:
        at = f"{engine}/data/{prefix}/*"
        about = f"{engine}/metadata/{prefix}"
        text = f"""\
path "{at}" {{ capabilities = ["create", "read"] }}
path "{about}/*" {{ capabilities = ["list", "delete"] }}
path "{about}" {{ capabilities = ["list"] }}
"""
        extra = f"""\
# path "{at}" {{ capabilities = ["create", "read", "delete"] }}
# path "{about}/*" {{ capabilities = ["read", "list", "delete"] }}
# path "{about}" {{ capabilities = ["list"] }}
# path "{engine}/undelete/{prefix}/*" {{ capabilities = ["update"] }}
"""
    if key := settings.get("transit_key"):
        text += f'path "transit/encrypt/{key}" {{ capabilities = ["update"] }}\n'
        text += f'path "transit/decrypt/{key}" {{ capabilities = ["update"] }}\n'
    return (
        "# vault policy write kes FILE\n"
        f"{text}"
        "# In place of the engine's, for an identity that may `mcpy keystore lock` and `unlock`:\n"
        f"{extra}"
    )


def _aws(settings: Mapping[str, str]) -> str:
    scope = f"arn:aws:secretsmanager:{settings['region']}:*:secret:*"
    names = ("CreateSecret", "GetSecretValue", "DeleteSecret")
    statements: list[dict[str, Any]] = [
        _allow("KesKeys", [f"secretsmanager:{name}" for name in names], scope),
        _allow("KesList", ["secretsmanager:ListSecrets"], "*"),
    ]
    if key := settings.get("kms_key"):
        resource = key if key.startswith("arn:") else "*"
        statements.append(_allow("KesCmk", ["kms:Decrypt", "kms:GenerateDataKey"], resource))
    locks = ("DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage")
    # only mcpy's lock and unlock need this one: an identity of its own is better
    statements.append(_allow("McpyLocksOnly", [f"secretsmanager:{name}" for name in locks], scope))
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def _allow(sid: str, actions: list[str], resource: str) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


def _gcp(settings: Mapping[str, str]) -> str:
    return f"""\
# gcloud iam roles create kes --project {settings["project"]} --file FILE
title: KES
stage: GA
includedPermissions:
  - secretmanager.secrets.create
  - secretmanager.secrets.delete
  - secretmanager.secrets.list
  - secretmanager.versions.access
  - secretmanager.versions.add
# For `mcpy keystore lock` and `unlock`, to an account of its own:
#  - secretmanager.versions.disable
#  - secretmanager.versions.enable
#  - secretmanager.versions.get
#  - secretmanager.versions.list
"""


def _azure(settings: Mapping[str, str]) -> str:
    name = settings["endpoint"].split("//")[-1].split(".")[0]
    return f"""\
# `set` is what locking by mcpy needs too; `recover` brings back what was deleted.
az keyvault set-policy --name {name} --spn "$KES_AZURE_CLIENT_ID" \\
  --secret-permissions get list set delete purge
"""


def _ciphertrust(settings: Mapping[str, str]) -> str:
    domain = settings.get("domain") or "root"
    return f"""\
# A user of the domain `{domain}` whose refresh token KES gets, and who may do with secrets of
# the type `seed`, which are /api/v1/vault/secrets: create, list, export and delete.
"""


_GRANTS: dict[str, Callable[[Mapping[str, str]], str]] = {
    "fs": _fs,
    "vault": _vault,
    "aws": _aws,
    "gcp": _gcp,
    "azure": _azure,
    "ciphertrust": _ciphertrust,
}
