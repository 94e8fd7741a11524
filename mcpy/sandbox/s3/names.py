"""Which names buckets and objects may have."""

from __future__ import annotations

import re

MAX_KEY_BYTES = 1024
MAX_COMPONENT_BYTES = 255  # the real server keeps them as folders and files
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)
_BAD_PAIR = re.compile(r"\.\.|\.-|-\.")
RESERVED = frozenset({"minio", ".minio.sys"})


def valid_bucket(name: str) -> bool:
    """Tell whether a bucket may be called so."""
    return bool(
        _BUCKET.fullmatch(name) and not _ADDRESS.fullmatch(name) and not _BAD_PAIR.search(name)
    )


def has_bad_component(path: str) -> bool:
    """Tell whether a path holds ``.`` or ``..`` between slashes."""
    if "." not in path:
        return False
    return any(part.strip() in {".", ".."} for part in re.split(r"[/\\]", path))


def valid_prefix(prefix: str) -> bool:
    """Tell whether objects may have a name that starts so."""
    if has_bad_component(prefix) or "//" in prefix or "\0" in prefix:
        return False
    return prefix.isascii() or not re.search("[\ud800-\udfff]", prefix)


def virtual_bucket(host: str, domains: tuple[str, ...]) -> str:
    """Return the bucket that a ``Host`` header names below one of ``domains``, empty if none."""
    if not domains:
        return ""
    name = host.rpartition(":")[0] if re.search(r":\d*$", host) else host
    for domain in domains:
        bucket = name.removesuffix("." + domain)
        if bucket != name and bucket not in RESERVED:
            return bucket
    return ""
