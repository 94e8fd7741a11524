"""What mc keeps: its ``config.json``, and one alias as it imports and exports it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcpy.config import check_url
from mcpy.errors import ConfigError, InputError
from mcpy.jsontext import loads
from mcpy.models import Alias, check_alias_name

if TYPE_CHECKING:
    from pathlib import Path

_PLACEHOLDER = "YOUR-ACCESS-KEY-HERE"
_PUBLIC_HOST = "play.min.io"


def why_of_no_use(alias: Alias) -> str:
    """Return why an alias that mc made by itself is not worth importing, or ``""``."""
    if not alias.access_key:
        return "it has no credentials"
    if alias.access_key == _PLACEHOLDER:
        return "its keys are placeholders"
    if urlsplit(alias.url).hostname == _PUBLIC_HOST:
        return "it is the public test server"
    return ""


def kept_by_mc(folder: Path) -> dict[str, Alias]:
    """Return the aliases of a ``config.json`` in ``folder``, without what mc made by itself.

    Raises:
        ConfigError: as ``read_mc_config``.
    """
    path = folder / "config.json"
    if not path.is_file():
        return {}
    aliases = read_mc_config(path)
    return {
        alias.name: alias for alias in aliases if not (alias.access_key and why_of_no_use(alias))
    }


def read_mc_config(path: Path) -> list[Alias]:
    """Return the aliases of an mc ``config.json``; those by TLS trust what mc trusts.

    Raises:
        ConfigError: it cannot be read, or is not mc's version 10.
    """
    try:
        document = loads(path.read_bytes())
        aliases = document["aliases"] if document["version"] == "10" else None
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}") from e
    except (ValueError, KeyError, TypeError) as e:
        raise ConfigError(f"{path} is not a config file of mc") from e
    if not isinstance(aliases, dict):
        raise ConfigError(f"{path} is a config file of mc in a version other than 10")
    found = [_alias(name, table, source=str(path)) for name, table in sorted(aliases.items())]
    ca = _authorities(path.parent)
    return [replace(one, ca=ca) if one.url.startswith("https:") else one for one in found]


def _authorities(folder: Path) -> str:
    """Return the folder whose certificates mc trusts beside the system's, or ``""``."""
    place = folder / "certs" / "CAs"
    try:
        return str(place.resolve()) if any(one.is_file() for one in place.iterdir()) else ""
    except OSError:
        return ""


def read_mc_alias(name: str, text: str, *, source: str) -> Alias:
    """Read one alias as mc exports it: ``url, accessKey, secretKey, sessionToken, api, path``.

    Raises:
        ConfigError: it is not such a document.
    """
    try:
        table = loads(text)
    except ValueError as e:
        raise ConfigError(f"{source} is not an alias as mc writes it") from e
    return _alias(name, table, source=source)


def _alias(name: str, table: object, *, source: str) -> Alias:
    if not isinstance(table, dict) or not isinstance(table.get("url"), str):
        raise ConfigError(f"{source}: `{name}` is not an alias as mc writes it")
    try:
        return Alias(
            name=check_alias_name(name),
            url=check_url(table["url"]),
            access_key=str(table.get("accessKey") or ""),
            secret_key=str(table.get("secretKey") or ""),
            session_token=str(table.get("sessionToken") or ""),
            api=str(table.get("api") or "s3v4"),
            path=str(table.get("path") or "auto"),
            source=source,
        )
    except InputError as e:
        raise ConfigError(f"{source}: `{name}`: {e}") from e
