"""Looking into ZIP archives that are objects: MinIO's own extension, asked for by a header."""

from __future__ import annotations

import io
import mimetypes
from typing import TYPE_CHECKING

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import conditions, entity, reading
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.times import http_date
from mcpy.sandbox.s3.walk import Page, Wanted
from mcpy.sandbox.store import ObjectVersion

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator
    from typing import IO

    from mcpy.sandbox.s3.call import Call

EXTRACT = "x-minio-extract"
_MARK = ".zip/"
_READ_BYTES = 64 * 1024


def get_file(call: Call) -> Response:
    """Answer a file within an archive, or, unless asked so, the object itself."""
    if not is_asked(call, call.key):
        return reading.get_object(call)
    view, name = _archive_of(call, call.key)
    if call.header("range"):
        raise S3Problem.of("InvalidRange")
    archive = _open(view)
    try:
        info = archive.getinfo(name)
    except KeyError as e:
        archive.close()
        raise S3Problem.of("NoSuchKey") from e
    return Response(200, _headers(view, info), _pieces(archive, archive.open(info)))


def head_file(call: Call) -> Response:
    """Answer the headers of a file within an archive, or of the object itself."""
    if not is_asked(call, call.key):
        return reading.head_object(call)
    view, name = _archive_of(call, call.key)
    with _open(view) as archive:
        try:
            return Response(200, _headers(view, archive.getinfo(name)))
        except KeyError as e:
            raise S3Problem.of("NoSuchKey") from e


def is_asked(call: Call, name: str) -> bool:
    """Tell whether a look into an archive is asked for, and ``name`` leads into one."""
    return call.header(EXTRACT).lower() == "true" and _MARK in name


def page(call: Call, wanted: Wanted) -> Page:
    """Return the files of the archive that a listing's prefix leads into."""
    found = Page()
    try:
        view, _ = _archive_of(call, wanted.prefix)
    except S3Problem:
        return found
    key, mtime_ns = view.version.key, view.version.mtime_ns
    with _open(view) as archive:
        files = sorted(
            (f"{key}/{info.filename}", info.file_size)
            for info in archive.infolist()
            if not info.is_dir()
        )
    for name, size in files:
        if name <= wanted.marker or not name.startswith(wanted.prefix):
            continue
        common = _common_prefix(name, wanted)
        if common and common in found.prefixes[-1:]:
            continue
        if len(found) == wanted.limit:
            found.truncated = True
            break
        if common:
            found.prefixes.append(common)
        else:
            found.versions.append((ObjectVersion(name, mtime_ns, size=size), True))
        found.next_key = name
    return found


def _common_prefix(name: str, wanted: Wanted) -> str:
    start = len(wanted.prefix)
    at = name.find(wanted.delimiter, start) if wanted.delimiter else -1
    return name[: at + len(wanted.delimiter)] if at >= 0 else ""


def _archive_of(call: Call, name: str) -> tuple[reading.View, str]:
    path, _, inner = name.partition(_MARK)
    if _MARK not in name:
        raise S3Problem.of("NoSuchKey")
    view = reading.whole(call, path + _MARK.rstrip("/"))
    state = conditions.State(entity.answered_etag(view.version, view.key), view.version.mtime_ns)
    conditions.check_read(call, state, [])
    return view, inner


def _headers(view: reading.View, info: zipfile.ZipInfo) -> list[tuple[str, str]]:
    kind = mimetypes.guess_type(info.filename)[0] or "application/octet-stream"
    return [
        ("Last-Modified", http_date(view.version.mtime_ns)),
        ("Content-Type", kind),
        ("Content-Length", str(info.file_size)),
    ]


def _open(view: reading.View) -> zipfile.ZipFile:
    import zipfile

    try:
        return zipfile.ZipFile(io.BufferedReader(_Seekable(view), _READ_BYTES))
    except zipfile.BadZipFile as e:
        raise S3Problem.of("InternalError", f"cause(zip: {e})") from e


def _pieces(archive: zipfile.ZipFile, file: IO[bytes]) -> Iterator[bytes]:
    with archive, file:
        while piece := file.read(reading.SMALL_BYTES):
            yield piece


class _Seekable(io.RawIOBase):
    """An object's plaintext as a file one can go about in."""

    def __init__(self, view: reading.View) -> None:
        self._view = view
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._view.version.size}
        self._at = max(0, start[whence] + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        size = min(len(buffer), max(0, self._view.version.size - self._at))
        if not size:
            return 0
        self._view.window = (self._at, size)
        content = self._view.content()
        try:
            data = b"".join(content)
        finally:
            content.close()
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
