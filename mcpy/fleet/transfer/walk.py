"""Find what lies below a folder or a prefix: one by one, whatever their number.

A prefix without a final slash is an object or a folder of that name, never its namesakes: below
``logs`` lies ``logs/1``, and not ``logs-of-others``.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError, NotFoundError
from mcpy.models import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mcpy.api.s3 import S3
    from mcpy.api.s3listing import Entry


@dataclass(frozen=True)
class Found:
    """A file or an object, with its name relative to what was walked."""

    end: Path | Target
    relative: str
    size: int
    modified_s: float
    version_id: str = ""


def walk_files(
    root: Path, *, contents: bool, skipped: Callable[[Path], None] = lambda _: None
) -> Iterator[Found]:
    """Yield the regular files below ``root``; with ``contents`` without the folder's own name.

    ``skipped`` is told of each that is none: a device, a pipe, a link that leads nowhere.
    """

    def unreadable(error: OSError) -> None:
        raise ConfigError(f"cannot read {error.filename}: {error.strerror}") from error

    start = root if contents else root.parent
    for folder, folders, names in os.walk(root, onerror=unreadable):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if not path.is_file():
                skipped(path)
                continue
            status = path.stat()
            relative = path.relative_to(start).as_posix()
            yield Found(path, relative, status.st_size, status.st_mtime)


def walk_objects(
    s3: S3, target: Target, *, contents: bool, moment: datetime | None = None
) -> Iterator[Found]:
    """Yield the objects below ``target``; with ``contents`` without the folder's own name.

    With ``moment``, those that were the latest then, by their versions.

    Raises:
        NotFoundError: there are none, where ``target`` names more than a bucket, or there were
            none at ``moment``.
    """
    listed: Iterable[Entry] = (
        as_of(s3.list_versions(target.bucket, target.key), moment)
        if moment
        else s3.list_objects(target.bucket, target.key)
    )
    empty = True
    for entry in listed:
        if not is_below(entry.key, target.key):
            continue
        empty = False
        yield Found(
            Target(target.alias, target.bucket, entry.key),
            relative_name(target, entry.key, contents=contents),
            entry.size,
            seconds(entry.last_modified),
            entry.version_id if moment else "",
        )
    if empty and moment:
        raise NotFoundError(f"there was nothing in `{target}` at {moment:%Y-%m-%d %H:%M:%S %Z}")
    if empty and target.key:
        raise NotFoundError(
            f"`{target}` is neither an object nor a folder",
            hint=f"mcpy ls {target.alias}/{target.bucket}",
        )


def is_below(key: str, prefix: str) -> bool:
    """Whether ``key`` is ``prefix`` or lies in the folder of that name."""
    return not prefix or key == prefix or key.startswith(prefix.rstrip("/") + "/")


def relative_name(target: Target, key: str, *, contents: bool) -> str:
    """Return the name of ``key`` below ``target``, as ``walk_objects`` does."""
    if not target.key:
        return key if contents else f"{target.bucket}/{key}"
    if contents:
        return key[len(target.key.rstrip("/")) + 1 :]
    parent, slash, _ = target.key.rstrip("/").rpartition("/")
    return key[len(parent + slash) :]


def as_of(versions: Iterable[Entry], moment: datetime) -> Iterator[Entry]:
    """Yield the version of each key that was the latest at ``moment``, if it was no marker."""
    settled = ""
    for entry in versions:  # newest first within a key
        if entry.is_prefix:
            yield entry
        elif entry.key != settled and was_there(entry, moment):
            settled = entry.key
            if not entry.is_delete_marker:
                yield entry


def was_there(entry: Entry, moment: datetime | None) -> bool:
    """Whether a version had been made at ``moment``; nothing tells it of a prefix."""
    if entry.is_prefix or moment is None:
        return True
    return seconds(entry.last_modified) <= moment.timestamp()


def is_of_age(modified_s: float, *, older_s: float | None, newer_s: float | None) -> bool:
    """Whether what was modified then is as old as ``older_s`` and not older than ``newer_s``."""
    age_s = time.time() - modified_s
    if older_s is not None and age_s < older_s:
        return False
    return newer_s is None or age_s <= newer_s


def seconds(timestamp: str) -> float:
    """Return an RFC 3339 time as seconds since the epoch; 0 for none."""
    try:
        return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
