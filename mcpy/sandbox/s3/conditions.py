"""Conditional requests and byte ranges."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.times import NS, http_date, parse_http_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.s3.call import Call, Headers

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
COPY_SOURCE = "x-amz-copy-source-"


@dataclass(frozen=True, slots=True)
class State:
    """What conditions are about: an object's ETag as it is answered, and its time."""

    etag: str
    mtime_ns: int

    def headers(self) -> Headers:
        """Return the headers that go with a refusal."""
        return [("ETag", f'"{self.etag}"'), ("Last-Modified", http_date(self.mtime_ns))]


class NotModified(Exception):  # noqa: N818 - an answer, not an error
    """The client has the object already: 304."""

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        super().__init__("not modified")


def same_etag(etag: str, given: str) -> bool:
    """Compare an ETag with one from a header, in which ``*`` is any."""
    return given.strip() == "*" or etag.strip('"') == given.strip('"')


def modified_since(mtime_ns: int, seconds: int) -> bool:
    """Tell whether a time is later than a date of whole seconds."""
    return mtime_ns >= (seconds + 1) * NS


def check_read(call: Call, state: State, headers: Headers) -> None:
    """Check the conditions of a GET or HEAD; ``headers`` go with 304 and 412.

    Raises:
        NotModified: If-None-Match or If-Modified-Since failed.
        S3Problem: If-Match or If-Unmodified-Since failed.
    """
    given = call.header("if-none-match")
    if given and same_etag(state.etag, given):
        raise NotModified(headers)
    since = _date(call.headers, "if-modified-since")
    if since is not None and not modified_since(state.mtime_ns, since):
        raise NotModified(headers)
    given = call.header("if-match")
    if given and not same_etag(state.etag, given):
        raise refused(headers)
    since = None if given else _date(call.headers, "if-unmodified-since")
    if since is not None and modified_since(state.mtime_ns, since):
        raise refused(headers)


def check_write(headers: Mapping[str, str], state: State | None) -> None:
    """Check the conditions of an upload against what is there, None if nothing is.

    Raises:
        S3Problem: If-Match or If-None-Match failed.
    """
    wanted, unwanted = headers.get("if-match"), headers.get("if-none-match")
    if state is None:
        if wanted:
            raise S3Problem.of("NoSuchKey")
        return
    if wanted and not same_etag(state.etag, wanted):
        raise refused(state.headers())
    if unwanted and same_etag(state.etag, unwanted):
        raise refused(state.headers())


def check_copy(headers: Mapping[str, str], state: State) -> None:
    """Check the ``x-amz-copy-source-if-*`` conditions.

    Raises:
        S3Problem: one failed.
    """
    since = _date(headers, COPY_SOURCE + "if-modified-since")
    failed = since is not None and not modified_since(state.mtime_ns, since)
    since = _date(headers, COPY_SOURCE + "if-unmodified-since")
    failed |= since is not None and modified_since(state.mtime_ns, since)
    wanted = headers.get(COPY_SOURCE + "if-match")
    unwanted = headers.get(COPY_SOURCE + "if-none-match")
    failed |= bool(wanted) and not same_etag(state.etag, wanted or "")
    failed |= bool(unwanted) and same_etag(state.etag, unwanted or "")
    if failed:
        raise refused(state.headers())


def refused(headers: Headers) -> S3Problem:
    """Return 412 with ``headers``."""
    problem = S3Problem.of("PreconditionFailed")
    problem.headers = list(headers)
    return problem


def byte_range(text: str, size: int) -> tuple[int, int] | None:
    """Return start and length a Range header asks for, None if it is one that is ignored.

    Raises:
        S3Problem: InvalidRange, nothing of it lies within ``size`` bytes.
    """
    match = _RANGE.fullmatch(text)
    if match is None or match.group() == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        if not int(last):
            raise S3Problem.of("InvalidRange")
        return size - length, length
    start, end = int(first), int(last) if last else size - 1
    if last and start > end:
        raise S3Problem.of("InvalidRange")
    if start >= size:
        raise _unsatisfiable(f"{first}-{last or -1}", size)
    return start, min(end, size - 1) - start + 1


def _unsatisfiable(asked: str, size: int) -> S3Problem:
    problem = S3Problem.of("InvalidRange")
    problem.message = f"The requested range 'bytes={asked}' is not satisfiable"
    problem.details = {"ActualObjectSize": str(size), "RangeRequested": asked}
    return problem


def _date(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name)
    return parse_http_date(text) if text else None
