"""Read an object's bytes, going on from where a connection broke."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.errors import IntegrityError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.api.http import Stream
    from mcpy.api.s3 import ObjectInfo
    from mcpy.fleet.transfer.place import Place


@dataclass(frozen=True)
class Span:
    """Bytes ``start`` to ``stop`` (not included) of an object; ``stop`` None is its end."""

    start: int = 0
    stop: int | None = None

    @property
    def header(self) -> dict[str, str]:
        """The range as a request names it; none for the whole object."""
        if self.start == 0 and self.stop is None:
            return {}
        last = "" if self.stop is None else self.stop - 1
        return {"range": f"bytes={self.start}-{last}"}


class _BrokenError(Exception):
    """A connection that broke, and the offset it had reached."""

    def __init__(self, at: int, error: UnreachableError) -> None:
        super().__init__()
        self.at = at
        self.error = error


def fetch(
    place: Place,
    info: ObjectInfo,
    span: Span,
    write: Callable[[bytes], object],
    stream: Stream | None = None,
) -> None:
    """Hand the bytes of ``span`` to ``write``; ``stream`` is open at its start already.

    Raises:
        IntegrityError: the object ended before it should, or is another by now.
        S3Error: 412, when it was replaced meanwhile.
    """
    at, stop = span.start, info.size if span.stop is None else span.stop
    left = place.s3.http.options.retries
    while at < stop:
        try:
            if stream:
                opened, stream = stream, None
                at = _read(opened, at, stop, write)
            else:
                with reopened(place, info, Span(at, stop)) as opened:
                    at = _read(opened, at, stop, write)
        except _BrokenError as broken:
            if not left:
                raise broken.error from broken
            at, left = broken.at, left - 1
            place.s3.http.options.sleep(0.2)
            continue
        if at < stop:
            raise IntegrityError(f"`{info.key}` broke off after {at} of {info.size} bytes")


def _read(stream: Stream, at: int, stop: int, write: Callable[[bytes], object]) -> int:
    """Hand over what comes until ``stop``; return the offset that was reached."""
    chunks = stream.chunks()
    while at < stop:
        try:
            chunk = next(chunks, b"")
        except UnreachableError as e:
            raise _BrokenError(at, e) from e
        if not chunk:
            break
        piece = chunk[: stop - at]
        write(piece)
        at += len(piece)
    see_end(chunks)
    return at


def see_end(chunks: Iterator[bytes]) -> None:
    """Look for the end of a body that was read whole: its connection can then be used again."""
    with suppress(UnreachableError):
        next(chunks, b"")


@contextmanager
def reopened(place: Place, info: ObjectInfo, span: Span) -> Iterator[Stream]:
    """Open ``span`` of the object that ``info`` describes, and of no later one."""
    same = {"if-match": f'"{info.etag}"'} if info.etag else {}
    with place.open({**span.header, **same}) as (found, stream):
        expect_range(found, stream, span)
        if found.etag != info.etag:
            raise IntegrityError(f"`{info.key}` was changed while it was fetched")
        yield stream


def expect_range(info: ObjectInfo, stream: Stream, span: Span) -> None:
    """Raise IntegrityError for a server that ignores a range: it gives other bytes."""
    if span.start and stream.status != 206:
        raise IntegrityError(f"the server gave all of `{info.key}` where a range was asked for")
