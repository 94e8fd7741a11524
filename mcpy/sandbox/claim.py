"""Whose folder it is: taken only when it is empty or a sandbox's, and let go as it was found.

A folder is a sandbox's when the file ``sandbox.json`` says so. It is written before anything else
and holds the format's version and the place the folder was made in, for files that name it.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError
from mcpy.sandbox.certs import write_private

if TYPE_CHECKING:
    from mcpy.sandbox.home import Home

MARK = "sandbox.json"
FORMAT = 1
_NEW_FOLDER = "mcpy sandbox start --dir AN_EMPTY_FOLDER"


def is_sandbox(folder: Path) -> bool:
    """Tell whether ``folder`` is a sandbox's."""
    try:
        return _read(folder) is not None
    except (ConfigError, OSError):
        return False


class Claim:
    """A folder taken for a sandbox, and how to give it back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: list[Path] = []
        self._fresh = False

    def take(self) -> None:
        """Mark the folder as a sandbox's; make it when there is none.

        Raises:
            ConfigError: it holds something else, or cannot be written.
        """
        try:
            if _read(self._path) is not None:
                return
            _refuse_full(self._path)
            self._made = [f for f in (self._path, *self._path.parents) if not f.exists()]
            self._fresh = True
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_mark(self._path)
        except OSError as e:
            self.undo()
            raise ConfigError(f"cannot use {self._path} for a sandbox: {e.strerror}") from e

    def undo(self) -> None:
        """Leave the folder as it was before ``take``; one that was a sandbox's stays so."""
        if not self._fresh:
            return
        self._fresh = False
        try:
            for entry in self._path.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            for folder in self._made:
                folder.rmdir()
        except OSError:
            return  # what went wrong before is what the user must hear of


def write_mark(path: Path) -> None:
    """Say that ``path`` is a sandbox's, and where it is."""
    document = {"format": FORMAT, "path": str(path)}
    write_private(path / MARK, json.dumps(document, indent=2).encode() + b"\n")


def follow_move(home: Home) -> None:
    """Make the files of a sandbox that was moved or copied name the place it is in now.

    Only paths into the place it was made in change, in kes.yml and minio.env.
    """
    made_in = _read(home.path)
    if made_in in {None, home.path}:
        return
    for file in (home.kes_yml, home.env_file):
        if file.exists():
            text = file.read_text(encoding="utf-8")
            moved = _moved(text, str(made_in), str(home.path))
            if moved != text:
                write_private(file, moved.encode())
    write_mark(home.path)


def _moved(text: str, old: str, new: str) -> str:
    # as it is, and as JSON strings have it: kes.yml is written with those
    after = {json.dumps(old)[1:-1]: json.dumps(new)[1:-1], old: new}
    either = "|".join(map(re.escape, after))
    return re.sub(rf"(?<![\w./-])(?:{either})(?=/)", lambda match: after[match[0]], text)


def _read(folder: Path) -> Path | None:
    """Return where the sandbox in ``folder`` was made; None when it is no sandbox's."""
    file = folder / MARK
    try:
        document = json.loads(file.read_bytes())
        version, path = int(document["format"]), Path(document["path"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as e:
        raise ConfigError(f"{file} is not a sandbox's", hint=_NEW_FOLDER) from e
    if version != FORMAT:
        raise ConfigError(
            f"the sandbox in {folder} has format {version}, and this mcpy knows {FORMAT}",
            hint=_NEW_FOLDER,
        )
    return path


def _refuse_full(path: Path) -> None:
    if path.exists() and any(path.iterdir()):
        raise ConfigError(
            f"{path} is not empty and not a sandbox's: it was left as it is", hint=_NEW_FOLDER
        )
