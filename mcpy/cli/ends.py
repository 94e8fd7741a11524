"""The two ends of a copy: files on this machine, standard streams, and objects."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError, InputError, NoAliasError
from mcpy.models import Target

if TYPE_CHECKING:
    from mcpy.cli.app import App

STREAM = "-"


@dataclass(frozen=True)
class End:
    """One end as it was typed.

    Attributes:
        place: a file or folder, an object or prefix, or None for a standard stream.
        folder: whether it ends with a slash, and so means what is in it.
    """

    text: str
    place: Path | Target | None
    folder: bool = False

    @property
    def name(self) -> str:
        """Its last part, which it keeps below a folder."""
        if isinstance(self.place, Target):
            return self.place.key.rstrip("/").rpartition("/")[2]
        return self.place.name if self.place else ""


def read_end(app: App, text: str) -> End:
    """Tell a file from an object: what begins with an alias is an object.

    Nothing is guessed: a path with a slash whose folder is not there names an alias that is not.

    Raises:
        NoAliasError: it is neither.
        InputError: it is empty, and would be the current folder.
    """
    if not text:
        raise InputError(
            "an argument is empty: is a variable unset?", hint="`.` is the current folder"
        )
    folder = text.endswith("/")
    if text == STREAM:
        return End(text, None)
    name, slash, _ = text.partition("/")
    if name in {"", ".", "..", "~"} or text in {".", ".."}:
        return End(text, _local(text).expanduser(), folder or text in {".", ".."})
    try:
        app.store.get(name)
    except NoAliasError:
        path = _local(text)
        if not slash or path.exists() or path.parent.is_dir():
            return End(text, path, folder)
        raise
    return End(text, Target.parse(text), folder)


def _local(text: str) -> Path:
    """Return the path, which may lead nowhere.

    Raises:
        InputError: no file can be called so; the message does not repeat it: it may be a secret.
    """
    try:
        os.lstat(text)
    except OSError as e:
        if e.errno == errno.ENAMETOOLONG:
            raise InputError("an argument is too long for the name of a file") from e
    except ValueError as e:
        raise InputError("an argument is no name of a file") from e
    return Path(text)


def single_target(source: End, target: End, *, several: bool) -> Path | Target | None:
    """Return where one source goes: below a folder or a bucket it keeps its name.

    Raises:
        InputError: the target names no bucket, or cannot hold several sources.
    """
    place = target.place
    if place is None:
        return None
    if isinstance(place, Path):
        if target.folder or place.is_dir():
            return place / source.name
    elif not place.bucket:
        raise InputError(
            f"`{place}` names no bucket",
            hint=f"mcpy cp {source.text} {place}/BUCKET/{source.name}",
        )
    elif not place.key or target.folder:
        if source.place is None:
            raise InputError(f"`{place}` names no object", hint=f"mcpy cp - {place}/OBJECT")
        return target_below(target, source.name)
    if several:
        raise InputError(
            f"several sources do not fit into `{place}`", hint=f"mcpy cp SOURCE... {place}/"
        )
    return place


def target_below(target: End, relative: str) -> Path | Target:
    """Return where ``relative`` goes below the folder ``target``.

    Raises:
        ConfigError: an object's name would lead out of the folder, or to another's file.
    """
    place = target.place
    if isinstance(place, Target):
        start = place.key if place.key.endswith("/") or not place.key else place.key + "/"
        return Target(place.alias, place.bucket, start + relative)
    parts = relative.split("/")
    # a file system takes `a//b` and `a/./b` for `a/b`
    if place is None or not {"", ".", ".."}.isdisjoint(parts) or "\x00" in relative:
        raise ConfigError(f"the object `{relative}` has no place below {target.text}")
    return place / relative
