"""Where an upload's bytes come from: a file, memory, or an object on another server."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from mcpy.errors import ConfigError, IntegrityError
from mcpy.fleet.transfer.place import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from mcpy.api.s3 import ObjectInfo
    from mcpy.fleet.transfer.place import Place


class Chunks:
    """Bytes in pieces, as often as they are wanted: a request may be repeated."""

    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[bytes]:
        return self._make()


class Body(NamedTuple):
    """Some bytes of a source and their SHA-256, known before they go."""

    sha256: bytes
    chunks: Chunks


class Source(Protocol):
    """Bytes of a known number, any part of which can be had again."""

    size: int

    def part(self, offset: int, length: int) -> AbstractContextManager[Body]:
        """Open ``length`` bytes from ``offset`` on."""
        ...


class FileSource:
    """A regular file; every part opens it anew, so that threads do not share a position."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.size = path.stat().st_size
        except OSError as e:
            raise _unreadable(path, e) from e

    @contextmanager
    def part(self, offset: int, length: int) -> Iterator[Body]:
        """Open ``length`` bytes; they are read twice, to be hashed first."""
        try:
            file = self.path.open("rb")
        except OSError as e:
            raise _unreadable(self.path, e) from e
        with file:
            digest = hashlib.sha256()
            for chunk in _chunks(file, offset, length):
                digest.update(chunk)
            yield Body(digest.digest(), Chunks(lambda: _chunks(file, offset, length)))


class MemorySource:
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)

    @contextmanager
    def part(self, offset: int, length: int) -> Iterator[Body]:
        """Give ``length`` bytes from ``offset`` on."""
        yield _body(self.content[offset : offset + length])


class ObjectSource:
    """An object on another server; each part is held in memory on its way."""

    def __init__(self, place: Place, info: ObjectInfo) -> None:
        self.place = place
        self.info = info
        self.size = info.size

    @contextmanager
    def part(self, offset: int, length: int) -> Iterator[Body]:
        """Fetch ``length`` bytes of what the object was when it was first looked at."""
        from mcpy.fleet.transfer.fetch import Span, fetch

        content = bytearray()
        span = Span(offset, offset + length)
        fetch(self.place, self.info, span, content.extend)
        if offset == 0 and length == self.size:
            _check_whole(self.place, self.info, bytes(content))
        yield _body(bytes(content))


def _check_whole(place: Place, info: ObjectInfo, content: bytes) -> None:
    from mcpy.fleet.transfer.digests import Digests

    digests = Digests(info, place)
    digests.update(content)
    digests.check()


def _body(content: bytes) -> Body:
    view = memoryview(content)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(content), CHUNK_BYTES):
            yield bytes(view[start : start + CHUNK_BYTES])

    return Body(hashlib.sha256(content).digest(), Chunks(pieces))


def _chunks(file: BinaryIO, offset: int, length: int) -> Iterator[bytes]:
    file.seek(offset, os.SEEK_SET)
    left = length
    while left:
        chunk = file.read(min(CHUNK_BYTES, left))
        if not chunk:
            raise IntegrityError("a file became shorter while it was read")
        left -= len(chunk)
        yield chunk


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot read {path}: {(error.strerror or str(error)).lower()}")
