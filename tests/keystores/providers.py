"""Every provider as a stand-in, configured as an operator would: by ``kes config new``."""

from __future__ import annotations

import importlib.util
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from tests.keystores import secrets_manager_server, vault_server
from tests.keystores.azure_server import Vault, serving_vault
from tests.keystores.ciphertrust_server import REFRESH, Manager, serving_manager
from tests.keystores.gcp_server import PROJECT, Google, serving_google
from tests.keystores.http_server import Answer, Call, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("vault", "aws", "gcp", "azure", "ciphertrust")
SUBJECT = "throw-away-subject-token"
_EXTRAS = {"aws": "botocore", "gcp": "google.auth", "azure": "azure.identity"}


@dataclass(frozen=True)
class Provider:
    """A provider that runs.

    Attributes:
        args: for ``kes config new``.
        env: what its credentials are had from.
        secrets: what of that must never show.
        replaced: texts to replace in the file, which ``kes config new`` has no option for.
        state: of the stand-in.
    """

    args: tuple[str, ...]
    env: dict[str, str]
    state: Any
    secrets: tuple[str, ...] = ()
    replaced: dict[str, str] = field(default_factory=dict)


@contextmanager
def provider(name: str) -> Iterator[Provider]:
    """Run a stand-in; skip where the extra that its client needs is not installed."""
    module = _EXTRAS.get(name, "json")
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"the extra `{name}` is not installed")
    with _PROVIDERS[name]() as made:
        yield made


@contextmanager
def _vault() -> Iterator[Provider]:
    vault = vault_server.Vault()
    env = {"KES_VAULT_APPROLE_ID": "role", "KES_VAULT_APPROLE_SECRET": vault.secret_id}
    with vault_server.serving(vault) as url:
        yield Provider(
            ("vault", "--endpoint", url, "--engine", "kv2"), env, vault, (vault.secret_id,)
        )


@contextmanager
def _aws() -> Iterator[Provider]:
    server = secrets_manager_server.SecretsManagerServer()
    env = {"KES_AWS_ACCESS_KEY": "AKIATHROWAWAY", "KES_AWS_SECRET_KEY": "throw-away-secret"}
    with secrets_manager_server.serving(server) as url:
        yield Provider(
            ("aws", "--region", "eu-west-1", "--endpoint", url),
            env,
            server,
            ("throw-away-secret",),
        )


@contextmanager
def _gcp() -> Iterator[Provider]:
    """With workload identity: a token of the workload, exchanged for one of Google."""
    google = Google()
    with serving_google(google) as url, serving(exchange) as port, TemporaryDirectory() as folder:
        federation = federated(Path(folder), f"http://127.0.0.1:{port}/token")
        at = f"project_id: {PROJECT}"
        yield Provider(
            ("gcp", "--project", PROJECT, "--ambient"),
            {"GOOGLE_APPLICATION_CREDENTIALS": str(federation), "GOOGLE_CLOUD_PROJECT": PROJECT},
            google,
            (SUBJECT,),
            {at: f"{at}\n      endpoint: {url}"},
        )


def federated(folder: Path, token_url: str) -> Path:
    """Return a file of workload identity federation, and write the workload's token beside it."""
    (folder / "subject").write_text(SUBJECT)
    found = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": token_url,
        "credential_source": {"file": str(folder / "subject")},
    }
    (folder / "federation.json").write_text(json.dumps(found))
    return folder / "federation.json"


def exchange(call: Call) -> Answer:
    """Answer as Google's token exchange, for the one workload there is."""
    if f"subject_token={SUBJECT}".encode() not in call.body:
        return Answer(400, {"error": "invalid_grant", "error_description": "unknown workload"})
    kind = "urn:ietf:params:oauth:token-type:access_token"
    token = {"access_token": "token-1", "token_type": "Bearer", "expires_in": 3600}
    return Answer(200, token | {"issued_token_type": kind})


@contextmanager
def _azure() -> Iterator[Provider]:
    """With a managed identity, from the endpoint a machine of Azure has for it."""
    vault = Vault()

    def identity(call: Call) -> Answer:
        if call.headers.get("x-identity-header") != "throw-away-header":
            return Answer(400, {})
        if call.query.get("resource") != "https://vault.azure.net":
            return Answer(400, {})
        body = {"access_token": "token-1", "expires_on": "9999999999", "token_type": "Bearer"}
        return Answer(200, body | {"resource": "https://vault.azure.net", "client_id": "mine"})

    real = "https://mcpy.vault.azure.net"
    with serving_vault(vault) as url, serving(identity) as port:
        env = {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{port}/msi/token",
            "IDENTITY_HEADER": "throw-away-header",
        }
        yield Provider(
            ("azure", "--endpoint", real, "--managed-identity", "mine"),
            env,
            vault,
            ("throw-away-header",),
            {real: url},  # `kes config new` takes addresses that Azure has, by https alone
        )


@contextmanager
def _ciphertrust() -> Iterator[Provider]:
    manager = Manager()
    env = {"KES_CIPHERTRUST_REFRESH_TOKEN": REFRESH}
    with serving_manager(manager) as url:
        yield Provider(("ciphertrust", "--endpoint", url), env, manager, (REFRESH,))


_PROVIDERS = {
    "vault": _vault,
    "aws": _aws,
    "gcp": _gcp,
    "azure": _azure,
    "ciphertrust": _ciphertrust,
}
