"""A folder with one file for each key: the ``fs`` keystore of KES.

KES takes every name in the folder for a key, so files are finished beside the folder and then
given their name in it. A key is locked by writing a mark before its value: moving the file away
would make KES miss the key, and create another of the same name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import UnreachableError
from mcpy.keystores.base import (
    LOCK_MARK,
    MAX_ENTRY_BYTES,
    Capabilities,
    KeyExistsError,
    KeyLockedError,
    KeyMissingError,
    KeystoreDeniedError,
    KeystoreError,
    State,
    Step,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoFolderError(KeystoreError):
    """The folder itself is not there; a KES takes its keys for missing then."""


class FolderStore:
    """The keys of a folder; it must exist, since a wrong path would look like an empty one."""

    provider = "fs"
    capabilities = Capabilities(
        lock="a mark before the value in the key's file",
        erasure="the file is removed; copies and snapshots of the folder keep the key",
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def where(self) -> str:
        """The folder."""
        return str(self._folder)

    def list(self) -> Iterator[str]:
        """Yield every name in the folder, as KES does."""
        with self._failures():
            names = sorted(path.name for path in self._folder.iterdir())
        yield from names

    def read(self, name: str) -> bytes:
        """Return the content of the key's file."""
        value = self._content(name)
        if value.startswith(LOCK_MARK):
            raise KeyLockedError(name)
        return value

    def create(self, name: str, value: bytes) -> None:
        """Write the key, durable and whole before it has its name."""
        path = self._path(name)
        with self._failures(name):
            if not self._folder.is_dir():
                raise FileNotFoundError(errno.ENOENT, "no such folder", str(self._folder))
            with self._finished(value, like=self._folder) as new:
                _name(new, path)
            self._sync()

    def delete(self, name: str) -> None:
        """Remove the key's file."""
        with self._failures(name):
            self._path(name).unlink()
            self._sync()

    withdraw = delete

    def state(self, name: str) -> State:
        """Return ``locked`` for a file that starts with the mark."""
        return "locked" if self._content(name).startswith(LOCK_MARK) else "enabled"

    def lock(self, name: str) -> None:
        """Put the mark before the value."""
        value = self._content(name)
        if not value.startswith(LOCK_MARK):
            self._replace(name, LOCK_MARK + value)

    def unlock(self, name: str) -> None:
        """Take the mark away."""
        value = self._content(name)
        if value == LOCK_MARK:
            raise KeystoreError(
                f"`{name}` was empty when it was locked: there is no key to give back",
                hint=f"mcpy keystore erase {name} --config FILE",
            )
        if value.startswith(LOCK_MARK):
            self._replace(name, value.removeprefix(LOCK_MARK))

    def ping(self) -> None:
        """Look at the folder."""
        try:
            self._folder.stat()
        except OSError as e:
            raise UnreachableError(f"{self._folder}: {e.strerror}") from e

    def inspect(self) -> Iterator[Step]:
        """Yield whether the folder is there."""
        there = self._folder.is_dir()
        yield Step("folder", there, "" if there else f"{self._folder} is not a folder")

    def deleted(self) -> Iterator[str]:
        """Yield nothing: what is removed is gone."""
        yield from ()

    def close(self) -> None:
        """Nothing is open."""

    def _content(self, name: str) -> bytes:
        with self._failures(name), self._path(name).open("rb") as file:
            value = file.read(MAX_ENTRY_BYTES + len(LOCK_MARK) + 1)
        if len(value.removeprefix(LOCK_MARK)) > MAX_ENTRY_BYTES:
            # whoever wrote a part of it back would cut off the rest
            raise KeystoreError(
                f"the file `{name}` has more than {MAX_ENTRY_BYTES} bytes: no key of KES"
            )
        return value

    def _path(self, name: str) -> Path:
        if not name or any(char in name for char in "/\\.\0"):
            raise KeystoreError(f"`{name}` cannot be a key's file: it holds `/`, `\\` or `.`")
        return self._folder / name

    def _replace(self, name: str, value: bytes) -> None:
        path = self._path(name)
        with self._failures(name), self._finished(value, like=path) as new:
            new.replace(path)
            self._sync()

    @contextlib.contextmanager
    def _finished(self, value: bytes, *, like: Path) -> Iterator[Path]:
        """Give a file that is complete and on disk, with the owner of ``like``."""
        handle, name = self._temporary()
        new = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
            owner = like.stat()
            if (owner.st_uid, owner.st_gid) != (new.stat().st_uid, new.stat().st_gid):
                # as root: KES runs as somebody else and must be able to read it
                os.chown(new, owner.st_uid, owner.st_gid)
            yield new
        finally:
            new.unlink(missing_ok=True)

    def _temporary(self) -> tuple[int, str]:
        """Return a new file, 0600, beside the folder where that is the same filesystem."""
        folder = self._folder.resolve()
        beside = folder.parent
        if beside.stat().st_dev == folder.stat().st_dev and os.access(beside, os.W_OK):
            return tempfile.mkstemp(prefix=".mcpy-key-", dir=beside)
        return tempfile.mkstemp(prefix=".mcpy-key-", dir=folder)

    def _sync(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _failures(self, name: str = "") -> Iterator[None]:
        """Raise the failures of the filesystem as ours."""
        try:
            yield
        except FileExistsError as e:
            raise KeyExistsError(name) from e
        except FileNotFoundError as e:
            if name and self._folder.is_dir():
                raise KeyMissingError(name) from e
            raise NoFolderError(f"{self._folder} is not a folder of keys") from e
        except PermissionError as e:
            raise KeystoreDeniedError(f"{e.filename}: permission denied") from e
        except OSError as e:
            raise KeystoreError(f"{e.filename or self._folder}: {e.strerror}") from e


def _name(new: Path, path: Path) -> None:
    """Give a finished file its name unless the name is taken."""
    try:
        path.hardlink_to(new)
    except FileExistsError:
        raise
    except OSError:
        # no hard links on this filesystem: whole still, and not exclusive against other processes
        if path.exists():
            raise FileExistsError(errno.EEXIST, "exists", str(path)) from None
        new.rename(path)
