"""The alias of a sandbox, and whose alias it may take the place of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcpy.errors import ConfigError, NoAliasError
from mcpy.models import Alias, KesProfile

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.sandbox.home import Home, State

ALIAS = "play"
# MinIO's public sandbox, which every config of mc names, is no more
GONE = "play.min.io"
_OWN_USERS = "play-"
"""What the root user of every new sandbox starts with."""


def take_alias(app: App, home: Home, state: State, name: str) -> str:
    """Make the alias ``name`` mean this sandbox; return "" where it is somebody else's."""
    if warn_of_alias(app, home, name):
        return ""
    from mcpy.sandbox.like import personality

    environment = home.environment()
    ca = str(home.certs / "ca.crt")
    app.store.put(
        Alias(
            name=name,
            url=state.s3_url,
            access_key=environment.get("MINIO_ROOT_USER", ""),
            secret_key=environment.get("MINIO_ROOT_PASSWORD", ""),
            region=personality(state.like).region,
            ca=ca if state.s3_url.startswith("https:") else "",
            kes=KesProfile(
                server=state.kes_url,
                client_cert=str(home.certs / "root.cert"),
                client_key=str(home.certs / "root.key"),
                ca=ca,
            ),
        )
    )
    return name


def refuse_alias(app: App, home: Home, name: str) -> None:
    """Refuse to start a sandbox that cannot have the alias it was asked to have.

    Raises:
        ConfigError: the alias is another's: commands after it would go there.
    """
    if owner := _owner_of(app, home, name):
        raise ConfigError(
            f"the alias `{name}` is {owner}, and stays so", hint="--alias ANOTHER_NAME"
        )


def _owner_of(app: App, home: Home, name: str) -> str:
    try:
        return _owner(app, home, app.store.get(name))
    except NoAliasError:
        return ""


def warn_of_alias(app: App, home: Home, name: str) -> bool:
    """Say why this sandbox cannot have the alias ``name``; tell whether there was something."""
    owner = _owner_of(app, home, name)
    if owner:
        app.out.warn(
            f"the alias `{name}` is {owner}, and stays so: the sandbox has no alias; "
            "stop it and start it with --alias NAME to give it one"
        )
    return bool(owner)


def _owner(app: App, home: Home, alias: Alias) -> str:
    """Return what an alias means that must not be replaced; "" for one that may be."""
    from mcpy.sandbox.claim import is_sandbox
    from mcpy.sandbox.home import Home as AnyHome
    from mcpy.sandbox.lock import Lock

    if alias.source != str(app.store.path):
        return f"set by {alias.source}"
    parts = urlsplit(alias.url)
    if parts.hostname == GONE:
        return ""
    certificate = Path(alias.kes.client_cert) if alias.kes else Path()
    folder = Path(os.path.realpath(certificate.parent.parent))
    if certificate.parts[-2:] != ("certs", "root.cert") or not certificate.is_absolute():
        return parts.netloc
    if folder == home.path:
        return ""
    if is_sandbox(folder):
        running = Lock(AnyHome(folder)).is_held()
        return f"the sandbox running in {folder}" if running else ""
    # a sandbox whose folder was moved or removed
    gone = not folder.exists() and alias.access_key.startswith(_OWN_USERS)
    return "" if gone else parts.netloc
