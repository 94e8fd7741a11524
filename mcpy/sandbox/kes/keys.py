"""Where keys are kept: what a keystore can do, and the keystore that is a folder."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

_MAX_VALUE = 1 << 20


class KeyExistsError(Exception):
    """The keystore has a key of that name."""


class KeyMissingError(Exception):
    """The keystore has no key of that name."""


class KeystoreError(Exception):
    """The keystore failed."""


class UnreachableError(KeystoreError):
    """The keystore does not answer."""


class KeyStore(Protocol):
    """What keeps the keys; a key's value is opaque to it."""

    def list(self) -> list[str]:
        """Return the names of all keys, in no order."""
        ...

    def read(self, name: str) -> bytes:
        """Return a key's value, or raise ``KeyMissingError``."""
        ...

    def create(self, name: str, value: bytes) -> None:
        """Store a key that does not exist yet, or raise ``KeyExistsError``."""
        ...

    def delete(self, name: str) -> None:
        """Remove a key for good, or raise ``KeyMissingError``."""
        ...

    def latency_ms(self) -> int:
        """Return how long the keystore takes to answer; raise ``UnreachableError``."""
        ...


class FolderKeyStore:
    """One file for each key, named as the key, mode 0600: the ``fs`` keystore of KES.

    Nothing is cached: a file locked, removed or brought back by hand counts at once.
    """

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise KeystoreError(f"fs: '{folder}' is not a directory")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def list(self) -> list[str]:
        """Return the names of all files but those still being written."""
        try:
            return [p.name for p in self.folder.iterdir() if not p.name.startswith(".new-")]
        except OSError as e:
            raise KeystoreError(str(e)) from e

    def read(self, name: str) -> bytes:
        """Return the content of the key's file."""
        try:
            with self._path(name).open("rb") as file:
                return file.read(_MAX_VALUE)
        except FileNotFoundError as e:
            raise KeyMissingError(name) from e
        except OSError as e:
            raise KeystoreError(str(e)) from e

    def create(self, name: str, value: bytes) -> None:
        """Write the key beside its place, make it durable, then give it its name."""
        path = self._path(name)
        new = self.folder / f".new-{secrets.token_hex(8)}"
        try:
            _write_durably(new, value)
            _name(new, path)
            _sync_folder(self.folder)
        except FileExistsError as e:
            raise KeyExistsError(name) from e
        except OSError as e:
            raise KeystoreError(str(e)) from e
        finally:
            with contextlib.suppress(OSError):
                new.unlink()

    def delete(self, name: str) -> None:
        """Remove the key's file."""
        try:
            self._path(name).unlink()
        except FileNotFoundError as e:
            raise KeyMissingError(name) from e
        except OSError as e:
            raise KeystoreError(str(e)) from e

    def latency_ms(self) -> int:
        """Return how long looking at the folder takes, 1 at least."""
        start = time.perf_counter()
        try:
            self.folder.stat()
        except OSError as e:
            raise UnreachableError(str(e)) from e
        return max(1, round((time.perf_counter() - start) * 1000))

    def _path(self, name: str) -> Path:
        if not name or any(char in name for char in "/\\."):
            raise KeystoreError("fs: key name contains invalid character")
        return self.folder / name


def _write_durably(path: Path, value: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())


def _name(new: Path, path: Path) -> None:
    """Give a finished file its name unless the name is taken."""
    try:
        path.hardlink_to(new)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        # no hard links on this filesystem: whole still, exclusive only within this process
        if path.exists():
            raise FileExistsError(path) from None
        new.rename(path)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
