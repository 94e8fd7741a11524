"""The environment file of a MinIO service: ``NAME=VALUE`` lines, as systemd and MinIO read them.

A change replaces the lines of the variables it sets and keeps every other byte, the file's mode
and its owner. The file is replaced in one step.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from mcpy.config import write_private
from mcpy.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ASSIGNMENT = re.compile(r"(\s*(?:export\s+)?)([A-Za-z_][A-Za-z0-9_]*)\s*=.*?(\r?)", re.DOTALL)
# two identities of one KES client, or a built-in key beside a KES, end the server at start
_RIVALS = {
    "MINIO_KMS_KES_API_KEY": ("MINIO_KMS_KES_KEY_FILE", "MINIO_KMS_KES_CERT_FILE"),
    "MINIO_KMS_KES_KEY_FILE": ("MINIO_KMS_KES_API_KEY",),
    "MINIO_KMS_KES_ENDPOINT": ("MINIO_KMS_SECRET_KEY", "MINIO_KMS_SECRET_KEY_FILE"),
}


def line(name: str, value: str) -> str:
    """Return one assignment.

    Raises:
        InputError: the value holds a line break, which no such file can express.
    """
    if "\n" in value or "\r" in value or "\0" in value:
        raise InputError(f"the value of {name} holds a line break")
    if re.search(r"[\s\"'#$\\]", value):
        escaped = re.sub(r'(["\\$`])', r"\\\1", value)
        return f'{name}="{escaped}"'
    return f"{name}={value}"


def merged(text: str, variables: Mapping[str, str]) -> str:
    """Return ``text`` with ``variables`` set, in place where they stood, else at the end.

    Raises:
        InputError: another variable would contradict them.
    """
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    names = [_name(found) for found in lines]
    for name in variables:
        for rival in _RIVALS.get(name, ()):
            if rival in names and rival not in variables:
                raise InputError(
                    f"the file sets {rival}, and {name} beside it would end the server",
                    hint=f"remove {rival} from the file first",
                )
    out = [
        _replaced(found, variables[name]) if name in variables else found
        for i, (found, name) in enumerate(zip(lines, names, strict=True))
        if name not in variables or name not in names[:i]
    ]
    out += [line(name, value) for name, value in variables.items() if name not in names]
    return "\n".join(out) + "\n"


def _name(text: str) -> str:
    match = _ASSIGNMENT.fullmatch(text)
    return match[2] if match else ""


def _replaced(text: str, value: str) -> str:
    """Return the assignment with another value; its ``export`` and line end stay."""
    match = _ASSIGNMENT.fullmatch(text)
    if match is None:
        raise AssertionError("only an assignment has a name")
    return f"{match[1]}{line(match[2], value)}{match[3]}"


def write(path: Path, variables: Mapping[str, str]) -> bool:
    """Merge ``variables`` into the file; False when it held them all already.

    A file that is not there is made, 0600.

    Raises:
        ConfigError: it cannot be read or written.
    """
    try:
        before = path.read_bytes().decode() if path.exists() else ""
        after = merged(before, variables)
        if after == before:
            return False
        status = path.stat() if path.exists() else None
        write_private(path, after.encode())
        if status:
            path.chmod(status.st_mode & 0o7777)
            with suppress(PermissionError):  # only root may give a file away
                os.chown(path, status.st_uid, status.st_gid)
    except OSError as e:
        raise ConfigError(f"cannot write {path}: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path} is not a text file") from e
    return True
