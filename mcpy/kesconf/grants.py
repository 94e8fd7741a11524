"""What to grant at the provider, as little as works: to KES, and to whoever locks its keys.

Who may lock should not be who KES is, so these are two texts, each in the form the provider's own
tools take.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Grants:
    """Two policies.

    Attributes:
        kes: what the KES server needs.
        operator: what ``mcpy keystore`` needs to check, copy, lock, unlock and erase.
    """

    kes: str
    operator: str


def grants(provider: str, settings: Mapping[str, str]) -> Grants:
    """Return what to grant at ``provider``."""
    return _GRANTS[provider]({k: v for k, v in settings.items() if v})


def _fs(settings: Mapping[str, str]) -> Grants:
    path = settings["path"]
    return Grants(
        "# The account KES runs as, and nobody else, needs the folder:\n"
        f"install -d -m 0700 -o kes -g kes '{path}'",
        f"# The same account, or root: mcpy gives its files the owner of '{path}'.",
    )


def _vault(settings: Mapping[str, str]) -> Grants:
    engine, prefix = settings.get("engine", "kv"), settings.get("prefix", "kes")
    if settings.get("engine_version", "v2") == "v1":
        keys, folder = f"{engine}/{prefix}/*", f"{engine}/{prefix}"
        kes = [_path(keys, "create", "read", "delete"), _path(folder, "list")]
        operator = [_path(keys, "create", "read", "update", "delete"), _path(folder, "list")]
    else:
        data, about = f"{engine}/data/{prefix}/*", f"{engine}/metadata/{prefix}"
        common = [_path(about, "list")]
        kes = [_path(data, "create", "read"), _path(f"{about}/*", "list", "delete"), *common]
        operator = [
            _path(data, "create", "read", "delete"),
            _path(f"{about}/*", "read", "list", "delete"),
            # a version that is not the latest is deleted, and undeleted, by these two
            _path(f"{engine}/delete/{prefix}/*", "update"),
            _path(f"{engine}/undelete/{prefix}/*", "update"),
            *common,
        ]
    if key := settings.get("transit_key"):
        transit = [_path(f"transit/{act}/{key}", "update") for act in ("encrypt", "decrypt")]
        kes, operator = kes + transit, operator + transit
    return Grants(
        "\n".join(["# vault policy write kes FILE", *kes]),
        "\n".join(["# vault policy write kes-operator FILE", *operator]),
    )


def _path(path: str, *capabilities: str) -> str:
    return f'path "{path}" {{ capabilities = {json.dumps(capabilities)} }}'


def _aws(settings: Mapping[str, str]) -> Grants:
    scope = f"arn:aws:secretsmanager:{settings['region']}:*:secret:*"
    common = [_allow("KesList", ["secretsmanager:ListSecrets"], "*")]
    if key := settings.get("kms_key"):
        resource = key if key.startswith("arn:") else "*"
        common.append(_allow("KesCmk", ["kms:Decrypt", "kms:GenerateDataKey"], resource))
    names = ("CreateSecret", "GetSecretValue", "DeleteSecret")
    locks = (*names, "DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage")
    return Grants(_policy(names, scope, common), _policy(locks, scope, common))


def _policy(names: tuple[str, ...], scope: str, common: list[dict[str, Any]]) -> str:
    keys = _allow("KesKeys", [f"secretsmanager:{name}" for name in names], scope)
    return json.dumps({"Version": "2012-10-17", "Statement": [keys, *common]}, indent=2)


def _allow(sid: str, actions: list[str], resource: str) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


def _gcp(settings: Mapping[str, str]) -> Grants:
    kes = ("secrets.create", "secrets.delete", "secrets.list", "versions.access", "versions.add")
    locks = ("versions.disable", "versions.enable", "versions.get", "versions.list")
    return Grants(
        _role("kes", settings["project"], kes),
        _role("kesOperator", settings["project"], kes + locks),
    )


def _role(name: str, project: str, permissions: tuple[str, ...]) -> str:
    listed = "\n".join(f"  - secretmanager.{permission}" for permission in permissions)
    return f"""\
# gcloud iam roles create {name} --project {project} --file FILE
# gcloud projects add-iam-policy-binding {project} \\
#   --member serviceAccount:ACCOUNT --role projects/{project}/roles/{name}
title: {name}
stage: GA
includedPermissions:
{listed}"""


def _azure(settings: Mapping[str, str]) -> Grants:
    name = settings["endpoint"].split("//")[-1].split(".")[0]
    kes = ("get", "list", "set", "delete", "purge")
    return Grants(
        _secrets_policy(name, "$KES_AZURE_CLIENT_ID", kes),
        # locking is `set`, and so is unlocking; `recover` brings back what was deleted
        _secrets_policy(name, "$OPERATOR_CLIENT_ID", (*kes, "recover")),
    )


def _secrets_policy(vault: str, who: str, permissions: tuple[str, ...]) -> str:
    return f"""\
# A vault with access policies:
az keyvault set-policy --name {vault} --spn "{who}" \\
  --secret-permissions {" ".join(permissions)}
# A vault with role-based access (`az keyvault show --name {vault}` says enableRbacAuthorization),
# where no smaller role of Azure's own lets secrets be written:
# az role assignment create --assignee "{who}" --role "Key Vault Secrets Officer" \\
#   --scope "$(az keyvault show --name {vault} --query id --output tsv)\""""


def _ciphertrust(settings: Mapping[str, str]) -> Grants:
    domain = settings.get("domain") or "root"
    acts = "create, list, export and delete"
    kes = f"""\
# A user of the domain `{domain}` whose refresh token KES gets, and who may do with secrets of
# the type `seed`, which are /api/v1/vault/secrets: {acts}."""
    return Grants(kes, "# The same: there is no lock that mcpy knows to be safe.")


_GRANTS: dict[str, Callable[[Mapping[str, str]], Grants]] = {
    "fs": _fs,
    "vault": _vault,
    "aws": _aws,
    "gcp": _gcp,
    "azure": _azure,
    "ciphertrust": _ciphertrust,
}
