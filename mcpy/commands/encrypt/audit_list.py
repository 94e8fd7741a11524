"""The versions that ``encrypt audit --list`` names, kept on disk until its files are written.

However many they are, they take no memory. Beside the state of an audit that can go on they are
in a file of their own, which is cut back to what the state tells of: each stands there once.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from mcpy.config import write_pieces
from mcpy.errors import ConfigError, McpyError
from mcpy.jsontext import loads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class VersionList:
    """Lines of versions, each with the number of its target.

    Args:
        path: the file; None for one without a name, which is gone in the end.
        kept: how many lines of each target are to be there already.

    Raises:
        ConfigError: it cannot be written, or lacks what was to be there.
    """

    def __init__(self, path: Path | None, kept: Sequence[int]) -> None:
        self._path = path
        with self._written():
            if path is None:
                self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by remove
                return
            write_pieces(path, self._cut_back(path, kept))
            self._file = path.open("r+b")
            self._file.seek(0, os.SEEK_END)

    def _cut_back(self, path: Path, kept: Sequence[int]) -> Iterator[bytes]:
        left = Counter(dict(enumerate(kept)))
        with suppress(FileNotFoundError), path.open("rb") as before:
            for line in before:
                number = loads(line)[0]
                if left[number] > 0:
                    left[number] -= 1
                    yield line
        if any(left.values()):
            raise ConfigError(
                f"{path} does not hold all that was listed",
                hint=f"remove {path} and the state beside it, and begin anew",
            )

    def add(self, number: int, line: dict[str, Any]) -> None:
        """Keep a line of the target that has this number."""
        with self._written():
            self._file.write(json.dumps([number, line]).encode() + b"\n")

    def flush(self) -> None:
        """See that the file holds what was added: its state will tell of it."""
        with self._written():
            self._file.flush()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.flush()
        self._file.seek(0)
        for line in self._file:
            yield loads(line)[1]

    def close(self) -> None:
        """Close the file; one without a name is gone then."""
        self._file.close()

    def remove(self) -> None:
        """Remove what is over."""
        self.close()
        if self._path:
            self._path.unlink(missing_ok=True)

    @contextmanager
    def _written(self) -> Iterator[None]:
        where = self._path or tempfile.gettempdir()
        try:
            yield
        except OSError as e:
            raise McpyError(f"cannot keep the list in {where}: {e.strerror}") from e
        except (ValueError, LookupError, TypeError) as e:
            raise ConfigError(f"{where} is not the list of an audit") from e
