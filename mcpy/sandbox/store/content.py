"""Content on disk: small content lies in the index, larger in one file each, never rewritten.

A file is written under its final name, which no earlier content ever had, and belongs to an
object only once the index says so; what a kill leaves behind is swept away at the next start.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

INLINE_BYTES = 32 * 1024
# whole packages if the content is encrypted: a read from a package's start ends at one's end;
# few enough of them to stay in the processor's cache until they are sent
READ_BYTES = 4 * (65536 + 32)
WRITE_BYTES = 128 * 1024
_MOST_PIECES = 1000
"""The system takes 1024 pieces in one go."""


class ContentWriter:
    """Takes the bytes of one content.

    Attributes:
        content: the number the content will be known by.
        stored: how many bytes were written.
        data: all of them, once closed, if they are few enough for the index.
    """

    def __init__(self, files: ContentFiles, content: int) -> None:
        self.content = content
        self.stored = 0
        self.data: bytes | None = None
        self._files = files
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._file: io.FileIO | None = None

    def write(self, pieces: Iterable[bytes]) -> None:
        """Append ``pieces``."""
        for piece in pieces:
            self._held.append(piece)
            self._held_bytes += len(piece)
            self.stored += len(piece)
        if self._file is None and self.stored > INLINE_BYTES:
            self._file = self._files.create(self.content)
        if self._file is not None and self._held_bytes >= WRITE_BYTES:
            self._flush(self._file)

    def close(self) -> None:
        """Finish writing; nothing refers to the content yet."""
        if self._file is None:
            self.data = b"".join(self._held)
            return
        self._flush(self._file)
        if self._files.durable:
            os.fsync(self._file.fileno())
        self._file.close()

    def _flush(self, file: io.FileIO) -> None:
        held, self._held, self._held_bytes = self._held, [], 0
        for at in range(0, len(held), _MOST_PIECES):
            _write(file, held[at : at + _MOST_PIECES])

    def discard(self) -> None:
        """Throw the bytes away."""
        if self._file is not None:
            self._file.close()
            self._files.remove([self.content])


class ContentFiles:
    """The folder of content files, and which of them are being read."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.durable = durable
        self._folder = folder
        self._lock = threading.Lock()
        self._pins: Counter[int] = Counter()
        self._doomed: set[int] = set()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, content: int) -> Path:
        """Return where the file of ``content`` is."""
        return self._folder / f"{content & 0xFF:02x}" / f"{content:016x}"

    def create(self, content: int) -> io.FileIO:
        """Open a new file, mode 0600, unbuffered: the caller writes large pieces."""
        path = self.path(content)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            number = os.open(path, flags, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            number = os.open(path, flags, 0o600)
        return io.FileIO(number, "wb")

    def pin(self, contents: Iterable[int]) -> None:
        """Keep the files of ``contents`` until `unpin`, even if they are removed meanwhile."""
        with self._lock:
            self._pins.update(contents)

    def unpin(self, contents: Iterable[int]) -> None:
        """Undo `pin`; the last one out unlinks what was removed meanwhile."""
        with self._lock:
            self._pins.subtract(contents)
            free = [c for c in contents if self._pins[c] <= 0]
            for content in free:
                del self._pins[content]
            gone = self._doomed.intersection(free)
            self._doomed -= gone
        self._unlink(gone)

    def remove(self, contents: Iterable[int]) -> None:
        """Unlink the files of ``contents``, now or when nobody reads them any more."""
        contents = set(contents)
        with self._lock:
            pinned = {c for c in contents if c in self._pins}
            self._doomed |= pinned
        self._unlink(contents - pinned)

    def sweep(self, known: set[int]) -> None:
        """Unlink every file that is not of a ``known`` content."""
        for path in self._folder.glob("??/*"):
            if int(path.name, 16) not in known:
                path.unlink(missing_ok=True)

    def _unlink(self, contents: Iterable[int]) -> None:
        for content in contents:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self._folder}/{content & 0xFF:02x}/{content:016x}")  # noqa: PTH108 - a Path costs more


class ContentReader:
    """Iterates over a stretch of stored bytes that may span several contents.

    ``stretches`` holds content, offset and length of each piece in order. Close it: until then
    its files stay on disk.
    """

    def __init__(
        self,
        files: ContentFiles,
        stretches: list[tuple[int, int, int]],
        inline: Callable[[int], bytes | None],
    ) -> None:
        self._files = files
        self._pinned = [content for content, _, _ in stretches]
        files.pin(self._pinned)
        try:
            self._data = [inline(content) for content, _, _ in stretches]
        except BaseException:
            self.close()
            raise
        self._chunks = self._read(stretches)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def __enter__(self) -> ContentReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        pinned, self._pinned = self._pinned, []
        if pinned:
            self._files.unpin(pinned)

    __del__ = close

    def _read(self, stretches: list[tuple[int, int, int]]) -> Iterator[bytes]:
        for (content, offset, length), data in zip(stretches, self._data, strict=True):
            if data is not None:
                yield data[offset : offset + length]
                continue
            with self._files.path(content).open("rb", buffering=0) as file:
                file.seek(offset, io.SEEK_SET)
                yield from _pieces(file, length)


def _write(file: io.FileIO, pieces: list[bytes]) -> None:
    """Write all of ``pieces``, without a copy of them where the system can do so."""
    written = os.writev(file.fileno(), pieces) if hasattr(os, "writev") else 0
    if written == sum(map(len, pieces)):
        return
    rest = memoryview(b"".join(pieces))[written:]
    while rest:
        rest = rest[file.write(rest) :]


def _pieces(file: io.FileIO, length: int) -> Iterator[bytes]:
    while length > 0:
        piece = file.read(min(READ_BYTES, length))
        while piece and len(piece) < min(READ_BYTES, length):  # the system may give less
            more = file.read(min(READ_BYTES, length) - len(piece))
            if not more:
                break
            piece += more
        if not piece:
            return
        length -= len(piece)
        yield piece
