"""The proxy that the environment names for a URL."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mcpy.config import check_url
from mcpy.errors import ConfigError, InputError
from mcpy.models import is_loopback

if TYPE_CHECKING:
    import httpcore


def proxy_for(base_url: str) -> httpcore.Proxy | None:
    """Return the proxy the environment names for this URL; loopback never has one.

    Raises:
        ConfigError: what is named is no HTTP proxy; the message does not repeat it.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if is_loopback(host) or not _may_name_one():
        return None
    from urllib.request import getproxies, proxy_bypass

    if proxy_bypass(host) or not (named := getproxies().get(parts.scheme)):
        return None
    import httpcore

    try:
        proxy = urlsplit(named if "://" in named else f"http://{named}")
        url = check_url(f"{proxy.scheme}://{proxy.netloc.rpartition('@')[2]}")
    except (ValueError, InputError) as e:
        raise ConfigError(f"{parts.scheme}_proxy is not http://[USER:PASSWORD@]HOST:PORT") from e
    # httpcore takes credentials only beside the URL
    auth = (unquote(proxy.username), unquote(proxy.password or "")) if proxy.username else None
    return httpcore.Proxy(url, auth=auth)


def _may_name_one() -> bool:
    """Whether it is worth to load what reads proxies: two systems have settings for them."""
    named = any(name.lower().endswith("_proxy") for name in os.environ)
    return named or sys.platform in {"darwin", "win32"}
