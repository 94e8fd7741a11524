"""Every field a KES configuration has; KES ignores all others without a word."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.kesconf.document import Node

TEXT: Final = "text"
LIST: Final = "list"
ANY_NAME: Final = "*"

Schema = dict[str, "str | Schema"]

_TLS_CA: Schema = {"ca": TEXT}
ROOT: Schema = {
    "version": TEXT,
    "address": TEXT,
    "admin": {"identity": TEXT},
    "tls": {
        "key": TEXT,
        "cert": TEXT,
        "password": TEXT,
        "auth": TEXT,
        "ca": TEXT,
        "proxy": {"identities": LIST, "header": {"cert": TEXT}},
    },
    "policy": {ANY_NAME: {"allow": LIST, "deny": LIST, "identities": LIST}},
    "cache": {"expiry": {"any": TEXT, "unused": TEXT, "offline": TEXT}},
    "log": {"error": TEXT, "audit": TEXT},
    "api": {ANY_NAME: {"skip_auth": TEXT, "timeout": TEXT}},
    "keys": LIST,
    "keystore": {
        "fs": {"path": TEXT},
        "vault": {
            "endpoint": TEXT,
            "engine": TEXT,
            "version": TEXT,
            "namespace": TEXT,
            "prefix": TEXT,
            "transit": {"engine": TEXT, "key": TEXT},
            "approle": {"engine": TEXT, "namespace": TEXT, "id": TEXT, "secret": TEXT},
            "kubernetes": {"engine": TEXT, "namespace": TEXT, "role": TEXT, "jwt": TEXT},
            "tls": {"key": TEXT, "cert": TEXT, "ca": TEXT},
            "status": {"ping": TEXT},
        },
        "aws": {
            "secretsmanager": {
                "endpoint": TEXT,
                "region": TEXT,
                "kmskey": TEXT,
                "credentials": {"accesskey": TEXT, "secretkey": TEXT, "token": TEXT},
            }
        },
        "gcp": {
            "secretmanager": {
                "project_id": TEXT,
                "endpoint": TEXT,
                "scopes": LIST,
                "credentials": {
                    "client_email": TEXT,
                    "client_id": TEXT,
                    "private_key_id": TEXT,
                    "private_key": TEXT,
                },
            }
        },
        "azure": {
            "keyvault": {
                "endpoint": TEXT,
                "credentials": {"tenant_id": TEXT, "client_id": TEXT, "client_secret": TEXT},
                "managed_identity": {"client_id": TEXT},
            }
        },
        "gemalto": {
            "keysecure": {
                "endpoint": TEXT,
                "credentials": {"token": TEXT, "domain": TEXT},
                "tls": _TLS_CA,
            }
        },
        "fortanix": {
            "sdkms": {
                "endpoint": TEXT,
                "group_id": TEXT,
                "credentials": {"key": TEXT},
                "tls": _TLS_CA,
            }
        },
        "entrust": {
            "keycontrol": {
                "endpoint": TEXT,
                "vault_id": TEXT,
                "box_id": TEXT,
                "credentials": {"username": TEXT, "password": TEXT},
                "tls": _TLS_CA,
            }
        },
    },
}

# fields of former releases and of other people's guesses, with what to write instead
FORMER = {
    "root": "admin.identity",
    "paths": "allow",
    "access_key": "accesskey",
    "secret_key": "secretkey",
    "session_token": "token",
    "kms_key": "kmskey",
    "app_role": "approle",
    "role_id": "id",
    "secret_id": "secret",
    "thales": "gemalto",
    "ciphertrust": "gemalto",
    "hashicorp": "vault",
}


def unknown(node: Node, schema: Schema) -> Iterator[tuple[Node, str]]:
    """Yield every field KES does not know, with the field that was probably meant or ``""``."""
    for name, below in node.fields.items():
        expected = schema.get(name, schema.get(ANY_NAME))
        if expected is None:
            yield below, _meant(name, schema)
        elif isinstance(expected, dict):
            yield from unknown(below, expected)


def mistyped(node: Node, schema: Schema) -> Iterator[tuple[Node, str]]:
    """Yield every field that is not what KES expects there: a mapping, a list or text."""
    for name, below in node.fields.items():
        expected = schema.get(name, schema.get(ANY_NAME))
        if expected is None or not below:
            continue
        wanted = "mapping" if isinstance(expected, dict) else expected
        if below.kind != {"text": "scalar"}.get(wanted, wanted):
            yield below, wanted
        elif isinstance(expected, dict):
            yield from mistyped(below, expected)


def _meant(name: str, schema: Schema) -> str:
    if name in FORMER:
        return FORMER[name]
    plain = name.lower().replace("-", "_")
    close = get_close_matches(plain, [field for field in schema if field != ANY_NAME], 1, 0.7)
    return close[0] if close else ""
