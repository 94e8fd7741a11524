"""Where a bucket stands in a URL: in its path, or before its host (virtual-host style).

mc calls the choice ``path``: ``on`` is the path, ``off`` the host, ``auto`` the host at those
services that want it there and the path elsewhere.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.models import Alias

_BY_HOST = re.compile(
    r"s3[a-z0-9.-]*\.amazonaws\.com(\.cn)?|storage\.googleapis\.com|oss-[a-z0-9-]+\.aliyuncs\.com"
)


def router(alias: Alias) -> Callable[[str], tuple[str, str]] | None:
    """Return what turns ``/bucket/key?query`` into base URL and target, or None for the path.

    Raises:
        ConfigError: an address has no names before it.
    """
    parts = urlsplit(alias.url)
    host = parts.hostname or ""
    if alias.path == "off":
        _check_has_names(alias, host)
    elif alias.path == "on" or not _BY_HOST.fullmatch(host):
        return None
    # a wildcard certificate covers one name, and a dot in the bucket would make it two
    dotted_by_path = alias.path != "off" and parts.scheme == "https"

    def route(target: str) -> tuple[str, str]:
        path, mark, query = target.partition("?")
        bucket, _, key = path.removeprefix("/").partition("/")
        if not bucket or (dotted_by_path and "." in bucket):
            return alias.url, target
        return f"{parts.scheme}://{bucket}.{parts.netloc}", f"/{key}{mark}{query}"

    return route


def _check_has_names(alias: Alias, host: str) -> None:
    from ipaddress import ip_address

    try:
        ip_address(host)
    except ValueError:
        return
    raise ConfigError(
        f"`{alias.name}` has the address {host}, and no bucket's name can stand before it",
        hint=f"mcpy alias set --path on {alias.name} {alias.url}",
    )
