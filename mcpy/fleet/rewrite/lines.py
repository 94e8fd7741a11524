"""A file of JSON lines that grows: claimed by one process, and read from both its ends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from mcpy.errors import ConfigError, InputError
from mcpy.jsontext import loads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = 64 * 1024


def claim(handle: int, path: Path) -> None:
    """Have the file alone until it is closed.

    Raises:
        ConfigError: another process has it.
    """
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        os.close(handle)
        raise ConfigError(f"another process is using the journal {path}") from e


def trim(handle: int) -> int:
    """Cut off a line that was torn when the process was killed; return the size."""
    size = os.fstat(handle).st_size
    end = size
    while end:
        start = max(0, end - BLOCK)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end != size:
        os.ftruncate(handle, end)
    return end


def lines(handle: int, offset: int) -> Iterator[dict[str, Any]]:
    """Yield the records from ``offset`` on, a block in memory at a time."""
    rest = b""
    while block := os.pread(handle, BLOCK, offset):
        offset += len(block)
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield _record(line)


def backwards(handle: int, size: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records from the last to the first, each with its offset."""
    end, tail = size, b""
    while end:
        start = max(0, end - BLOCK)
        tail = os.pread(handle, end - start, start) + tail
        end = start
        head, *lines = tail.split(b"\n")
        if start == 0:
            head, lines = b"", [head, *lines]
        offset = start + len(tail)
        for line in reversed(lines):
            offset -= len(line)
            if line:
                yield offset, _record(line)
            offset -= 1
        tail = head + (b"\n" if start else b"")


def _record(line: bytes) -> dict[str, Any]:
    try:
        found = loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError("the journal is damaged: it holds a line that is not of it")
    return found
