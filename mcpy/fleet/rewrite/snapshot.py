"""What an object holds and carries, before and after: what must not have changed is compared.

The bytes are read from the server, never taken for granted from a status: all of a small object,
the first and last 64 KiB of a larger one, or all of any when asked for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpy.errors import IntegrityError
from mcpy.fleet.transfer.copy import CARRIED
from mcpy.fleet.transfer.fetch import Span, fetch, reopened, see_end

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mcpy.api.http import Stream
    from mcpy.api.s3 import ObjectInfo
    from mcpy.fleet.transfer.place import Place

EDGE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Snapshot:
    """One version as it was at one moment.

    Attributes:
        headers: those that describe it and must be kept.
        digest: SHA-256 of what was read of it: of all when ``whole``, else of its edges.
        checksums: the server's own, of the whole object, by algorithm.
        content: its bytes, where they were to be kept; no journal has them.
    """

    size: int
    etag: str
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    whole: bool = False
    checksums: Mapping[str, str] = field(default_factory=dict)
    context: str = ""
    modified: str = ""
    content: bytes = field(default=b"", repr=False, compare=False)

    def state(self) -> dict[str, Any]:
        """Return it as a journal keeps it."""
        return {
            "size": self.size,
            "etag": self.etag,
            "headers": dict(self.headers),
            "tags": dict(self.tags),
            "digest": self.digest,
            "whole": self.whole,
            "checksums": dict(self.checksums),
            "context": self.context,
            "modified": self.modified,
        }


def differences(
    before: Snapshot, after: Snapshot, *, keeps_context: bool, keeps_time: bool
) -> list[str]:
    """Return the names of what is not the same; nothing is what it should be."""
    found = []
    if keeps_time and before.modified != after.modified:
        found.append("its modification time")
    if before.size != after.size:
        found.append(f"its length ({before.size} became {after.size})")
    if before.whole == after.whole and before.digest != after.digest:
        found.append("its content")
    for name, value in before.checksums.items():
        if after.checksums.get(name, value) != value:
            found.append(f"its checksum {name}")
    found += [
        f"its {name}"
        for name in sorted({*before.headers, *after.headers})
        if before.headers.get(name) != after.headers.get(name)
    ]
    if before.tags != after.tags:
        found.append("its tags")
    if keeps_context and before.context != after.context:
        found.append("its KMS context")
    return found


def take(
    place: Place, *, size_hint: int, whole: bool, tags: bool, keep: int = 0
) -> tuple[ObjectInfo, Snapshot]:
    """Read a version: what the server says of it, and its bytes.

    Args:
        place: the object, with its version where there are versions.
        size_hint: its size as listed, so that one request does for a small one.
        whole: whether all bytes are read.
        tags: whether to ask for tags although the object does not say that it has some.
        keep: the content of an object of so many bytes at most is kept.

    Raises:
        McpyError: it cannot be read.
    """
    content = b""
    info, digest, complete = None, "", False
    if size_hint <= keep:
        info, content = _all(place, keep)
        digest, complete = _digest(content, whole=whole), whole or info.size <= 2 * EDGE_BYTES
    if info is None or info.size > keep:
        info, digest, complete = _content(place, size_hint, whole=whole)
    found: Mapping[str, str] = {}
    if tags or "x-amz-tagging-count" in info.metadata:
        found = place.s3.object_tags(*place.at, version_id=place.version_id)
    return info, Snapshot(
        info.size,
        _etag(place, info),
        {name: value for name, value in info.metadata.items() if name.startswith(CARRIED)},
        found,
        digest,
        complete,
        {name: value for name, value in info.checksums.items() if "-" not in value},
        info.encryption.context,
        info.last_modified,
        content,
    )


def _etag(place: Place, info: ObjectInfo) -> str:
    """Return the ETag a copy is held against: MinIO has two for an encrypted folder's own name."""
    return place.head().etag if info.key.endswith("/") else info.etag


def _all(place: Place, limit: int) -> tuple[ObjectInfo, bytes]:
    """Return all bytes of an object; none when there are more than ``limit`` by now."""
    content = bytearray()
    with place.open() as (info, stream):
        if info.size <= limit:
            fetch(place, info, Span(0, info.size), content.extend, stream)
    return info, bytes(content)


def _digest(content: bytes, *, whole: bool) -> str:
    """Return the digest that reading of it, as ``_content`` does, would give."""
    if not whole and len(content) > 2 * EDGE_BYTES:
        content = content[:EDGE_BYTES] + content[-EDGE_BYTES:]
    return hashlib.sha256(content).hexdigest()


def _content(place: Place, size_hint: int, *, whole: bool) -> tuple[ObjectInfo, str, bool]:
    """Return what was answered, the digest of what was read, and whether that was all."""
    digest = hashlib.sha256()
    wanted = 2 * EDGE_BYTES if size_hint <= 2 * EDGE_BYTES else EDGE_BYTES
    # no range of an empty object can be had
    span = Span(0, wanted if size_hint and not whole else None)
    with place.open(span.header) as (info, stream):
        stop = info.size if whole else min(info.size, wanted)
        if whole:
            fetch(place, info, Span(0, stop), digest.update, stream)
        else:
            _update(digest, stream, stop, info)
    if stop == info.size:
        return info, digest.hexdigest(), True
    start = max(stop, info.size - EDGE_BYTES)
    with reopened(place, info, Span(start, info.size)) as stream:
        _update(digest, stream, info.size - start, info)
    return info, digest.hexdigest(), False


def _update(digest: hashlib._Hash, stream: Stream, count: int, info: ObjectInfo) -> None:
    """Add ``count`` bytes; a body that ends before, whatever its status said, is a failure."""
    for piece in _pieces(stream, count):
        digest.update(piece)
        count -= len(piece)
    if count:
        raise IntegrityError(f"`{info.key}` broke off {count} bytes before its end")


def _pieces(stream: Stream, count: int) -> Iterator[bytes]:
    chunks = stream.chunks()
    while count > 0 and (chunk := next(chunks, b"")):
        yield chunk[:count]
        count -= len(chunk)
    see_end(chunks)
