"""Fetch objects into files and streams; large ones by ranges, some at a time."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError, IntegrityError, McpyError
from mcpy.fleet.parallel import Stop, each
from mcpy.fleet.transfer.digests import Digests
from mcpy.fleet.transfer.fetch import Span, expect_range, fetch, reopened
from mcpy.fleet.transfer.place import CHUNK_BYTES, Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.api.http import Stream
    from mcpy.api.s3 import ObjectInfo
    from mcpy.fleet.transfer.place import Place


# what a shell redirected: even a file there is not to be replaced, but written where it stands
_OPENED = re.compile(r"/dev/(?:stdout|stderr|fd/[0-9]+)|/proc/[^/]+/fd/[0-9]+")


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


# asking sets it, for the whole process: so once, before there are threads that make files
_UMASK = _umask()


def download(place: Place, target: Path, pace: Pace) -> ObjectInfo:
    """Store an object as a file; an interruption leaves whatever was there before.

    A link stays one, and what it leads to is written; a device or a pipe is written as it stands.

    Raises:
        IntegrityError: fewer bytes came than were announced, or others.
    """
    with _writing(target):
        if is_stream(target):
            return _into(place, target, pace)
        file = _behind_links(target)
        return _resumed(place, file, pace) if pace.resume else _replaced(place, file, pace)


def is_stream(path: Path) -> bool:
    """Whether a path is written as it stands: a device, a pipe, or what this process has open."""
    opened = _OPENED.fullmatch(os.path.abspath(path))  # noqa: PTH100 - links stay what they are
    return bool(opened) or (path.exists() and not (path.is_file() or path.is_dir()))


def _behind_links(path: Path) -> Path:
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return real


def _into(place: Place, target: Path, pace: Pace) -> ObjectInfo:
    # not created: a pipe that went away meanwhile is no file to make
    flags = os.O_WRONLY | (os.O_APPEND if target.is_file() else 0)
    with os.fdopen(os.open(target, flags), "wb") as out:
        return pour(place, out.write, pace=pace)


def _replaced(place: Place, target: Path, pace: Pace) -> ObjectInfo:
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    try:
        with place.open() as (info, stream):
            _receive(place, info, (Path(name), 0), stream, pace)
        _take_name(Path(name), target)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
    return info


def _resumed(place: Place, target: Path, pace: Pace) -> ObjectInfo:
    """Go on with what an earlier attempt left; its name holds the ETag it belongs to."""
    info = place.head()
    partial = target.with_name(f".{target.name}.{_plain(info.etag)}.part")
    partial.touch()
    start = partial.stat().st_size
    if start >= info.size:
        os.truncate(partial, 0)
        start = 0
    pace.moved(start)
    with reopened(place, info, Span(start)) as stream:
        try:
            _receive(place, info, (partial, start), stream, pace)
        except IntegrityError:
            partial.unlink()
            raise
    if start:
        _check_file(partial, info, place)
    _take_name(partial, target)
    return info


def _plain(etag: str) -> str:
    return "".join(c for c in etag if c.isalnum() or c == "-")[:64]


def _take_name(file: Path, target: Path) -> None:
    file.chmod(_wanted_mode(target))
    file.replace(target)


def _wanted_mode(target: Path) -> int:
    """Return the mode of the file to replace, or what a new file would have."""
    if target.exists():
        return target.stat().st_mode & 0o7777
    return 0o666 & ~_UMASK


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Name the file in what the system says of it."""
    try:
        yield
    except OSError as e:
        reason = (e.strerror or str(e)).lower()
        raise ConfigError(f"cannot write {target}: {reason}") from e


def _receive(
    place: Place, info: ObjectInfo, goal: tuple[Path, int], stream: Stream, pace: Pace
) -> None:
    """Write what comes into a file from an offset on, and hold it against the server's digests."""
    file, start = goal
    if info.size - start > pace.limits.ranges_from and pace.parallel > 1:
        _by_ranges(place, info, goal, stream, pace)
        if not start:
            _check_file(file, info, place)
        return
    digests = Digests(info if not start else _without_digests(info), place)
    with file.open("r+b") as out:
        out.seek(start)

        def take(chunk: bytes) -> None:
            out.write(chunk)
            digests.update(chunk)
            pace.moved(len(chunk))

        fetch(place, info, Span(start, info.size), take, stream)
    digests.check()


def _by_ranges(
    place: Place, info: ObjectInfo, goal: tuple[Path, int], stream: Stream, pace: Pace
) -> None:
    file, start = goal
    own = replace(pace, stop=Stop(pace.stop))
    reached = start

    def get(span: Span) -> None:
        with file.open("r+b") as out:
            out.seek(span.start)

            def take(chunk: bytes) -> None:
                out.write(chunk)
                own.moved(len(chunk))

            # the first range is the beginning of what was opened to see how much there is
            fetch(place, info, span, take, stream if span.start == start else None)

    def reach(span: Span, outcome: McpyError | None) -> None:
        nonlocal reached
        if outcome:
            raise outcome
        reached = span.stop or reached

    length = pace.limits.range
    starts = range(start, info.size, length)
    spans = (Span(at, min(at + length, info.size)) for at in starts)
    try:
        each(spans, get, reach, jobs=pace.parallel, stop=own.stop)
    except BaseException:
        # only what is whole from the start can be gone on from
        os.truncate(file, reached)
        raise


def _check_file(file: Path, info: ObjectInfo, place: Place) -> None:
    digests = Digests(info, place)
    if not digests:
        return
    with file.open("rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            digests.update(chunk)
    digests.check()


def pour(
    place: Place,
    write: Callable[[bytes], object],
    *,
    span: Span | None = None,
    part_number: int = 0,
    pace: Pace | None = None,
) -> ObjectInfo:
    """Hand an object's bytes, or those of a span or a part, to ``write`` as they come.

    Raises:
        IntegrityError: fewer bytes came than were announced, or others.
    """
    pace, span = pace or Pace(), span or Span()
    with place.open(span.header, part_number=part_number) as (info, stream):
        expect_range(info, stream, span)
        length = int(stream.headers.get("content-length", info.size))
        whole = length == info.size and not span.start
        digests = Digests(info if whole else _without_digests(info), place)

        def take(chunk: bytes) -> None:
            write(chunk)
            digests.update(chunk)
            pace.moved(len(chunk))

        if part_number:
            for chunk in stream.chunks():
                take(chunk)
        else:
            fetch(place, info, Span(span.start, span.start + length), take, stream)
    digests.check()
    return info


def _without_digests(info: ObjectInfo) -> ObjectInfo:
    """Return ``info`` of a part of an object: it has no digest."""
    return replace(info, etag="", checksums={})
