"""The proxy that the environment names for a URL."""

from __future__ import annotations

import base64
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mcpy.config import check_url
from mcpy.errors import ConfigError, InputError
from mcpy.models import is_loopback

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from ipaddress import IPv4Address, IPv6Address


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy; ``headers`` tell it who asks, and ``secure`` is one spoken to by TLS."""

    host: str
    port: int
    secure: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def proxy_for(base_url: str) -> Proxy | None:
    """Return the proxy the environment names for this URL; this machine never has one.

    Raises:
        ConfigError: what is named is no HTTP proxy; the message does not repeat it.
    """
    parts = urlsplit(base_url)
    host = (parts.hostname or "").rstrip(".")
    if not _may_name_one() or _is_here(host):
        return None
    from urllib.request import getproxies, proxy_bypass

    named = getproxies()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if _is_excepted(host, port, named.get("no", "")) or proxy_bypass(host):
        return None
    return _proxy(named[parts.scheme], parts.scheme) if named.get(parts.scheme) else None


def _proxy(named: str, scheme: str) -> Proxy:
    try:
        proxy = urlsplit(named if "://" in named else f"http://{named}")
        check_url(f"{proxy.scheme}://{proxy.netloc.rpartition('@')[2]}")
        secure = proxy.scheme == "https"
        host, port = proxy.hostname or "", proxy.port or (443 if secure else 80)
    except (ValueError, InputError) as e:
        raise ConfigError(f"{scheme}_proxy is not http://[USER:PASSWORD@]HOST:PORT") from e
    if secure and scheme == "https":
        raise ConfigError("https_proxy names a proxy by https, which is not supported")
    headers = {}
    if proxy.username:
        user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        headers["proxy-authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    return Proxy(host, port, secure, headers)


def _is_here(host: str) -> bool:
    """Whether it is this machine, also where that is written as nobody else writes it."""
    address = _address(host)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return is_loopback(host) or bool(mapped and (mapped.is_loopback or mapped.is_unspecified))


def _is_excepted(host: str, port: int, exceptions: str) -> bool:
    """Whether NO_PROXY has the server: as a name, an address, either with a port, or a network."""
    address = _address(host)
    for entry in (entry.strip().lower() for entry in exceptions.split(",")):
        if address and "/" in entry and address in _network(entry):
            return True
        name, _, number = entry.rpartition(":")
        if not (name and number.isdecimal()) or _address(entry):
            name, number = entry, str(port)
        name = name.removeprefix("[").removesuffix("]").removeprefix("*").strip(".")
        if int(number) != port or not name:
            continue
        if name == host or (_address(name) or 0) == address:
            return True
        if not address and host.endswith(f".{name}"):
            return True
    return False


def _address(text: str) -> IPv4Address | IPv6Address | None:
    from ipaddress import ip_address

    try:
        return ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> Container[object]:
    from ipaddress import ip_network

    try:
        return ip_network(text, strict=False)
    except ValueError:
        return ()


def _may_name_one() -> bool:
    """Whether it is worth to load what reads proxies: two systems have settings for them."""
    named = any(name.lower().endswith("_proxy") for name in os.environ)
    return named or sys.platform in {"darwin", "win32"}
