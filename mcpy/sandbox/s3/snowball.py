"""An archive that is put and unpacked on arrival: each of its files becomes an object.

Source: https://docs.aws.amazon.com/snowball/latest/developer-guide/batching-small-files.html
"""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import entity, objects, transfer
from mcpy.sandbox.s3.chunked import drain
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator
    from typing import IO

    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.s3.chunked import Payload

EXTRACT = "x-amz-meta-snowball-auto-extract"
_PREFIX = "x-amz-meta-minio-snowball-prefix"
_IGNORE_DIRS = "x-amz-meta-minio-snowball-ignore-dirs"
_IGNORE_ERRORS = "x-amz-meta-minio-snowball-ignore-errors"
_OF_THE_ARCHIVE = ("content-md5", "x-amz-checksum-", "x-amz-meta-", "x-amz-trailer")
_PAX_VERSION, _PAX_METADATA = "minio.versionId", "minio.metadata."


def put_archive(call: Call) -> Response:
    """Unpack the body, a tar archive that may be packed by gzip, bzip2 or xz."""
    if call.header(EXTRACT).lower() != "true":
        return objects.put_object(call)
    import tarfile

    entity.check_storage_class(call.headers)
    transfer.content_md5(call.headers)
    call.store.bucket(call.bucket)
    payload = call.payload()
    objects.check_length(payload)
    try:
        _unpack(call, payload)
    except (tarfile.TarError, EOFError, OSError) as e:
        raise S3Problem.of("InternalError", f"cause(tar file error: {e})") from e
    drain(payload, len)  # what follows the archive's end is part of what was signed
    return Response(200)


def _unpack(call: Call, payload: Payload) -> None:
    import tarfile

    # read from front to end, as it comes
    with tarfile.open(fileobj=cast("IO[bytes]", _Source(payload)), mode="r|*") as archive:
        for member in archive:
            name = _name_of(call, member)
            if not name:
                continue
            file = archive.extractfile(member) if member.isreg() else None
            try:
                _store(call, member, name, _File(file, member.size if file else 0))
            except S3Problem:
                if call.header(_IGNORE_ERRORS).lower() != "true":
                    raise


def _name_of(call: Call, member: tarfile.TarInfo) -> str:
    """Return the key a member gets, nothing if it gets none."""
    clean = posixpath.normpath(member.name).lstrip("/")
    unwanted = member.isdir() and call.header(_IGNORE_DIRS).lower() == "true"
    if clean in {"", "."} or unwanted or not (member.isdir() or member.isreg()):
        return ""
    prefix = call.header(_PREFIX).strip("/")
    return f"{prefix}/{clean}".lstrip("/") + ("/" if member.isdir() else "")


def _store(call: Call, member: tarfile.TarInfo, name: str, file: _File) -> None:
    one = replace(call, key=name, now_ns=int(member.mtime * 1e9) or call.now_ns)
    kept = {k: v for k, v in call.headers.items() if not k.startswith(_OF_THE_ARCHIVE)}
    named = dict(_named(member))
    version_id = named.pop(_PAX_VERSION, "")
    one.headers = kept | named
    if version_id:
        one.set_param("versionId", version_id)
    objects.store_body(one, file, one.headers)


def _named(member: tarfile.TarInfo) -> Iterator[tuple[str, str]]:
    for name, value in member.pax_headers.items():
        if name == _PAX_VERSION:
            yield name, value
        elif name.startswith(_PAX_METADATA):
            yield name.removeprefix(_PAX_METADATA).lower(), value


class _Source:
    """A payload as a file to be read."""

    def __init__(self, payload: Payload) -> None:
        self._payload = payload

    def read(self, size: int = -1) -> bytes:
        """Return the next ``size`` bytes, fewer at the end."""
        return self._payload.read(size)


class _File:
    """A file within an archive as a payload."""

    def __init__(self, file: IO[bytes] | None, length: int) -> None:
        self.length: int | None = length
        self.trailers: dict[str, str] = {}
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        return self._file.read(size) if self._file is not None else b""
