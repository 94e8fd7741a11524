"""Signing in to Google by google-auth: a service account of the config, or what is around.

Ambient credentials are those google-auth finds: the file GOOGLE_APPLICATION_CREDENTIALS names (a
service account, or a workload identity federation), gcloud's, and the account of the machine or
of the Kubernetes workload.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from mcpy.errors import ConfigError, UnreachableError
from mcpy.keystores.base import KeystoreDeniedError
from mcpy.keystores.tokens import Token

if TYPE_CHECKING:
    from mcpy.kesconf.stores import GcpStore
    from mcpy.keystores.web import WebOptions

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


def sign_in(store: GcpStore, options: WebOptions) -> Token:
    """Return an access token.

    Raises:
        ConfigError: google-auth is not installed, or there are no usable credentials.
        KeystoreDeniedError: Google refuses them.
        UnreachableError: nobody answers.
    """
    try:
        import google.auth
        from google.auth import exceptions
        from google.auth.transport import requests as transport
    except ImportError as e:
        raise ConfigError(
            "Google Secret Manager needs google-auth, which is not installed",
            hint="install mcpy-admin with the extra `gcp`",
        ) from e
    request = transport.Request(_session(options))
    scopes = list(store.scopes or _SCOPES)
    try:
        found = (
            _own(store, scopes) if store.client_email else _ambient(google.auth, scopes, request)
        )
        found.refresh(request)
    except exceptions.DefaultCredentialsError as e:
        raise ConfigError(
            "no credentials for Google: neither in the config nor here",
            hint="export GOOGLE_APPLICATION_CREDENTIALS=FILE, or run where there is an account",
        ) from e
    except exceptions.TransportError as e:
        raise UnreachableError(f"Google gives no token: {_first_line(e)}") from e
    except (exceptions.RefreshError, exceptions.OAuthError) as e:
        raise KeystoreDeniedError(f"Google refused to sign in: {_first_line(e)}") from e
    except (exceptions.GoogleAuthError, ValueError) as e:
        raise ConfigError("the credentials for Google cannot be used") from e
    expiry = found.expiry.replace(tzinfo=UTC).timestamp() if found.expiry else 0.0
    return Token(str(found.token), expiry)


def _own(store: GcpStore, scopes: list[str]) -> Any:  # noqa: ANN401 - google-auth has no types
    """Return the config's service account; its token is signed here, as KES does it."""
    from google.oauth2 import service_account

    missing = [
        name for name in ("client_id", "private_key_id", "private_key") if not getattr(store, name)
    ]
    if missing:
        raise ConfigError(f"the credentials for Google lack {', '.join(missing)}")
    account = service_account.Credentials.from_service_account_info(
        {
            "type": "service_account",
            "project_id": store.project,
            "client_email": store.client_email,
            "client_id": store.client_id,
            "private_key_id": store.private_key_id,
            "private_key": store.private_key,
            "token_uri": _TOKEN_URL,
        }
    )
    return account.with_scopes(scopes).with_always_use_jwt_access(True)


def _ambient(auth: Any, scopes: list[str], request: Any) -> Any:  # noqa: ANN401
    found, _ = auth.default(scopes=scopes, request=request)
    return found


def _session(options: WebOptions) -> Any:  # noqa: ANN401
    import requests

    session = requests.Session()
    session.verify = options.verify()
    return session


def _first_line(error: Exception) -> str:
    return " ".join(str(error.args[0] if error.args else error).split())[:300]
