"""One sandbox for a folder: a lock that the system takes back when its process dies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from mcpy.sandbox.home import Home


class Lock:
    """The right to be the sandbox of a folder; the system takes it back when a process dies."""

    def __init__(self, home: Home) -> None:
        self._path = home.path / ".lock"
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock; tell whether that worked.

        Raises:
            ConfigError: the folder cannot be written.
        """
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as e:
            raise ConfigError(f"cannot use {self._path.parent}: {e.strerror}") from e
        if not _lock(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_lost(self) -> bool:
        """Tell whether the lock that is held is of a folder that is no longer there."""
        if self._descriptor is None:
            return False
        try:
            return not os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return True

    def is_held(self) -> bool:
        """Tell whether any process, this one too, holds the lock."""
        if self._descriptor is not None:
            return True
        try:
            if not self._path.exists():
                return False
        except OSError as e:
            raise ConfigError(f"cannot use {self._path.parent}: {e.strerror}") from e
        free = self.acquire()
        self.release()
        return not free


def _lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:
        return _lock_on_windows(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _lock_on_windows(descriptor: int) -> bool:
    import importlib

    # by name: type checkers elsewhere do not know this module
    msvcrt = importlib.import_module("msvcrt")
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True
