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
        ConfigError: azure-identity is not installed, or there are no credentials that could be.
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
    try:
        credential = _credential(store, options)
    except ValueError as e:
        raise ConfigError(f"Azure cannot be signed in to: {_first_line(e)}") from e
    try:
        found = credential.get_token(scope)
    except CredentialUnavailableError as e:
        if store.managed_identity:
            raise ConfigError(f"no managed identity of Azure here: {_first_line(e)}") from e
        raise _none_found() from e
    except ClientAuthenticationError as e:
        if not (words := _refusal(e)):
            raise _none_found() from e
        raise KeystoreDeniedError(f"Azure refused to sign in: {words}") from e
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


def _none_found() -> ConfigError:
    return ConfigError(
        "no credentials for Azure: neither in the config nor here",
        hint="set AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret, or run `az login`",
    )


def _refusal(error: Exception) -> str:
    """Return how Azure refused, ``""`` where the chain found nothing that could be refused.

    The chain's error has a line for each kind of credentials that it tried.
    """
    if not str(error).startswith("DefaultAzureCredential failed to retrieve a token"):
        return _first_line(error)
    refused = [line for line in _lines(error) if "Authentication failed" in line]
    return refused[0] if refused else ""


def _first_line(error: Exception) -> str:
    return next(iter(_lines(error)), type(error).__name__)


def _lines(error: Exception) -> list[str]:
    return [line.strip()[:300] for line in str(error).splitlines() if line.strip()]
