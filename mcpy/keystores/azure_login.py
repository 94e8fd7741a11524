"""Signing in to Azure by azure-identity: a client's secret, a managed identity, what is around.

Ambient credentials are those azure-identity finds, as KES's own library does: AZURE_* variables,
a workload identity, a managed identity, the Azure CLI.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mcpy.errors import ConfigError
from mcpy.keystores.base import KeystoreDeniedError
from mcpy.keystores.tokens import Token

if TYPE_CHECKING:
    from mcpy.kesconf.stores import AzureStore
    from mcpy.keystores.web import WebOptions


def sign_in(store: AzureStore, scope: str, options: WebOptions) -> Token:
    """Return an access token.

    Raises:
        ConfigError: azure-identity is not installed, or there are no credentials.
        KeystoreDeniedError: Azure refuses them, or nobody answers.
    """
    try:
        from azure.core.exceptions import AzureError, ClientAuthenticationError
        from azure.identity import CredentialUnavailableError
    except ImportError as e:
        raise ConfigError(
            "Azure Key Vault needs azure-identity, which is not installed",
            hint="install mcpy-admin with the extra `azure`",
        ) from e
    # it logs, at length and on stderr, what the error says as well
    logging.getLogger("azure").addHandler(logging.NullHandler())
    credential = _credential(store, options)
    try:
        found = credential.get_token(scope)
    except CredentialUnavailableError as e:
        raise ConfigError(
            "no credentials for Azure: neither in the config nor here",
            hint="set AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret, or run `az login`",
        ) from e
    except ClientAuthenticationError as e:
        if _found_none(e):
            raise ConfigError(
                "no credentials for Azure: neither in the config nor here",
                hint="set AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret, or run `az login`",
            ) from e
        raise KeystoreDeniedError(f"Azure refused to sign in: {_first_line(e)}") from e
    except (AzureError, ValueError) as e:
        raise KeystoreDeniedError(f"Azure gives no token: {_first_line(e)}") from e
    finally:
        credential.close()
    return Token(found.token, float(found.expires_on))


def _credential(store: AzureStore, options: WebOptions) -> Any:  # noqa: ANN401 - optional package
    from azure import identity

    more: dict[str, Any] = {"connection_timeout": 10, "read_timeout": options.timeout_s}
    more["retry_total"] = options.retries
    more["connection_verify"] = options.verify()
    if store.client_secret:
        return identity.ClientSecretCredential(
            store.tenant_id, store.client_id, store.client_secret, **more
        )
    if store.managed_identity:
        return identity.ManagedIdentityCredential(client_id=store.managed_identity, **more)
    return identity.DefaultAzureCredential(**more)


def _found_none(error: Exception) -> bool:
    """Whether the chain tried everything and nothing was there to be refused."""
    return str(error).startswith("DefaultAzureCredential failed to retrieve a token")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
