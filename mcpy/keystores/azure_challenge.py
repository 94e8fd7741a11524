"""What a vault asks a token for, and whether it may ask for that.

Source: https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from mcpy.errors import ProtocolError
from mcpy.keystores.base import KeystoreDeniedError
from mcpy.models import is_loopback

_PART = re.compile(r'(\w+)="([^"]*)"')


def scope_of(challenge: str, vault_url: str) -> str:
    """Return the scope a ``WWW-Authenticate`` of a vault names.

    Raises:
        KeystoreDeniedError: the scope belongs to another service than this vault, and a token for
            it is not this vault's to have; one on loopback is an emulator.
        ProtocolError: it names none.
    """
    parts = dict(_PART.findall(challenge))
    resource = parts.get("resource") or parts.get("scope", "").removesuffix("/.default")
    host, vault = urlsplit(resource).hostname or "", urlsplit(vault_url).hostname or ""
    if not host:
        raise ProtocolError(f"{vault} does not say what to sign in to: is it a Key Vault?")
    if not vault.endswith(f".{host}") and not is_loopback(vault):
        raise KeystoreDeniedError(f"{vault} asks for a token of {host}, which is another service")
    return f"{resource.rstrip('/')}/.default"
