"""Bytes of an argument: as they stand, from a file (``@FILE``) or from stdin (``-``).

What comes from a file or stdin shows in no process list, and no message repeats what came in.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError, InputError
from mcpy.jsontext import loads

if TYPE_CHECKING:
    from mcpy.cli.app import App


def is_elsewhere(text: str) -> bool:
    """Whether the argument names a file or stdin."""
    return text == "-" or (text.startswith("@") and len(text) > 1)


def read(app: App, text: str) -> bytes:
    """Return the bytes of an argument; text stands for its UTF-8.

    Raises:
        ConfigError: the file cannot be read.
    """
    if text == "-":
        binary = getattr(app.stdin, "buffer", None)
        return bytes(binary.read()) if binary else app.stdin.read().encode()
    if not is_elsewhere(text):
        return text.encode("utf-8", "surrogateescape")
    try:
        return Path(text[1:]).read_bytes()
    except OSError as e:
        raise ConfigError(
            f"cannot read {text[1:]}: {e.strerror}",
            hint="an argument that starts with @ names a file; `-` reads stdin",
        ) from e


def read_base64(app: App, text: str, what: str) -> bytes:
    """Return the bytes of a base64 argument; a file or stdin may hold them bare as well.

    Raises:
        InputError: the argument is not base64.
        ConfigError: the file cannot be read.
    """
    raw = read(app, text)
    try:
        return decode(raw)
    except ValueError as e:
        if is_elsewhere(text):
            return raw
        raise InputError(
            f"the {what} is not base64", hint="`-` reads it from stdin, `@FILE` from a file"
        ) from e


def read_field(app: App, text: str, name: str) -> bytes:
    """Return base64 bytes as ``read_base64``, also out of the JSON that mcpy and kes print."""
    if is_elsewhere(text):
        raw = read(app, text)
        try:
            found = loads(raw)
            return decode(str(found[name]).encode())
        except (ValueError, KeyError, TypeError):
            try:
                return decode(raw)
            except ValueError:
                return raw
    return read_base64(app, text, name)


def decode(text: bytes) -> bytes:
    """Return what base64 holds; line breaks do not matter.

    Raises:
        ValueError: it is not padded standard base64.
    """
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as e:
        raise ValueError("not base64") from e
