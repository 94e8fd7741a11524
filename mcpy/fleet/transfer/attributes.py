"""What an object carries beside its bytes: headers, tags, retention, and a file's own attributes.

Files' attributes are kept as mc keeps them, so that either program restores the other's.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from mcpy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_ATTRIBUTES = "x-amz-meta-mc-attrs"
_MAX_RETENTION_DAYS = 100 * 365  # as many as S3 allows
_OWN_HEADERS = {
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
}


def parse_attributes(text: str) -> dict[str, str]:
    """Return the headers of ``name=value;name=value``; what S3 has no header for is metadata.

    Raises:
        InputError: a part is not ``name=value``.
    """
    headers: dict[str, str] = {}
    for part in filter(None, text.split(";")):
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not equals or not name or not (name + value).isprintable():
            raise InputError(f"`{part}` is not NAME=VALUE")
        if name not in _OWN_HEADERS and not name.startswith("x-amz-"):
            name = f"x-amz-meta-{name}"
        headers[name] = value
    return headers


def parse_tags(text: str) -> dict[str, str]:
    """Return the header of tags such as ``name=value&name=value``, each encoded once.

    Raises:
        InputError: it is of another form.
    """
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    except ValueError as e:
        raise InputError(f"`{text}` is not NAME=VALUE&NAME=VALUE") from e
    return {"x-amz-tagging": urlencode(pairs)}


def parse_retention(mode: str, duration: str, now: datetime | None = None) -> dict[str, str]:
    """Return the headers of a retention for ``30d`` or ``1y``.

    Raises:
        InputError: one is given without the other, or the duration is something else.
    """
    if not mode and not duration:
        return {}
    match = re.fullmatch(r"([0-9]{1,18})([dy])", duration.lower())
    if not mode or not match:
        raise InputError("--retention-mode and --retention-duration (30d, 1y) go together")
    days = int(match[1]) * (365 if match[2] == "y" else 1)
    if days > _MAX_RETENTION_DAYS:
        raise InputError(f"a retention of {duration} is longer than 100 years")
    until = (now or datetime.now(UTC)) + timedelta(days=days)
    return {
        "x-amz-object-lock-mode": mode.upper(),
        "x-amz-object-lock-retain-until-date": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def of_file(path: Path) -> dict[str, str]:
    """Return the header that keeps a file's mode, owner and times."""
    status = path.stat()
    fields = {
        "atime": _time(status.st_atime_ns),
        "gid": str(status.st_gid),
        "gname": _group(path),
        "mode": str(status.st_mode),
        "mtime": _time(status.st_mtime_ns),
        "uid": str(status.st_uid),
        "uname": _owner(path),
    }
    return {FILE_ATTRIBUTES: "/".join(f"{name}:{value}" for name, value in fields.items())}


def restore(path: Path, metadata: Mapping[str, str]) -> None:
    """Give a file the mode, times and, where allowed, the owner that its object kept."""
    kept = metadata.get(FILE_ATTRIBUTES, "")
    fields = dict(part.partition(":")[::2] for part in kept.split("/") if ":" in part)
    with suppress(ValueError, KeyError):
        # never the set-id bits: the object may come from somebody else
        path.chmod(int(fields["mode"]) & 0o777)
    with suppress(ValueError, KeyError, PermissionError):
        os.chown(path, int(fields["uid"]), int(fields["gid"]))
    with suppress(ValueError, KeyError):
        os.utime(path, ns=(_ns(fields["atime"]), _ns(fields["mtime"])))


def _time(ns: int) -> str:
    return f"{ns // 10**9}#{ns % 10**9}"


def _ns(text: str) -> int:
    seconds, _, rest = text.partition("#")
    return int(seconds) * 10**9 + int(rest or 0)


def _group(path: Path) -> str:
    try:
        return path.group()
    except (KeyError, NotImplementedError):
        return ""


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (KeyError, NotImplementedError):
        return ""
