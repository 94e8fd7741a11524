"""Where both servers log."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcpy.sandbox.home import Home


class LogFile:
    """Appends lines to the sandbox's log file, readable by its owner alone."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    def __call__(self, line: str) -> None:
        """Write one line."""
        with self._lock:
            if self._descriptor is None:
                flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
                self._descriptor = os.open(self._home.log_file, flags, 0o600)
            os.write(self._descriptor, line.encode("utf-8", "backslashreplace") + b"\n")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
