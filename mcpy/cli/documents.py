"""JSON and YAML documents of the user's, from a file or from stdin."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcpy.cli.payload import read
from mcpy.config import write_pieces
from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcpy.cli.app import App


def read_text(app: App, file: str) -> str:
    """Return the text of a file, or of stdin for ``-``.

    Raises:
        ConfigError: it cannot be read, or is not UTF-8.
    """
    try:
        raw = read(app, "-") if file == "-" else Path(file).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as e:
        raise ConfigError(f"cannot read {file}: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{name_of(file)} is not UTF-8 text") from e


def check_writable(*files: str | None) -> None:
    """See early that files can be written in the end; None is no file.

    Raises:
        ConfigError: the folder of one is not there, or is not writable.
    """
    for file in filter(None, files):
        path = Path(file)
        if path.exists() and not path.is_file():  # a device or a pipe is written as it stands
            if path.is_dir() or not os.access(path, os.W_OK):
                raise ConfigError(f"cannot write {file}: it is no file one may write to")
            continue
        folder = Path(file).resolve().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise ConfigError(f"cannot write {file}: {folder} is no folder one may write to")


def write_text(file: str, text: str) -> None:
    """Write a report: in one step, for its owner alone; into a device or pipe as it stands.

    Raises:
        ConfigError: it cannot be written.
    """
    write_long(file, [text])


def write_long(file: str, text: Iterable[str]) -> None:
    """Write a report as ``write_text`` does, piece by piece: it may be of any length."""
    path = Path(file)
    pieces = (piece.encode() for piece in text)
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as opened:
                opened.writelines(pieces)
        else:
            write_pieces(path, pieces)
    except OSError as e:
        raise ConfigError(f"cannot write {file}: {e.strerror}") from e


def name_of(file: str) -> str:
    """Return what messages call the file."""
    return "stdin" if file == "-" else file


def parse(text: str, where: str) -> Any:  # noqa: ANN401 - a parsed document
    """Return what a JSON or YAML text holds.

    Raises:
        ConfigError: it is neither, or YAML without PyYAML being installed.
    """
    try:
        return json.loads(text)
    except ValueError:
        pass
    except RecursionError as e:
        raise ConfigError(f"{where} is nested too deeply") from e
    try:
        import yaml
    except ImportError as e:
        raise ConfigError(
            f"{where} is not JSON, and reading YAML needs PyYAML",
            hint="pip install PyYAML",
        ) from e
    try:
        return yaml.safe_load(text)
    except RecursionError as e:
        raise ConfigError(f"{where} is nested too deeply") from e
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise ConfigError(f"{where} is neither JSON nor YAML{line}") from e
