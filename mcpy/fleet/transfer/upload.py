"""Store files, streams and other servers' objects; large ones in parts, some at a time."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from mcpy.api.multipart import MAX_PARTS, MultipartUpload, Part
from mcpy.errors import McpyError, S3Error, UnsupportedError
from mcpy.fleet.parallel import Stop, each
from mcpy.fleet.transfer.begun import Begun
from mcpy.fleet.transfer.digests import checksum
from mcpy.fleet.transfer.place import Pace, Place, Wish, request_headers, verified
from mcpy.fleet.transfer.source import Chunks, FileSource, MemorySource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from mcpy.api.s3 import ObjectInfo
    from mcpy.fleet.transfer.place import Checksum
    from mcpy.fleet.transfer.source import Body, Source

MAX_PUT_BYTES = 5 * 1024**3
MAX_OBJECT_BYTES = 5 * 1024**4
_OPAQUE = "application/octet-stream"


def upload(source: Path, place: Place, wish: Wish, pace: Pace) -> ObjectInfo:
    """Store a file as an object and return what the server says of it.

    Raises:
        IntegrityError: the stored object has another size, or is not encrypted as asked.
    """
    kind = mimetypes.guess_type(source.name)[0] or _OPAQUE
    described = replace(wish, headers={"content-type": kind, **wish.headers})
    return store(FileSource(source), place, described, pace)


def upload_stream(
    read: Callable[[int], bytes], place: Place, wish: Wish, pace: Pace
) -> ObjectInfo:
    """Store what ``read`` gives until it gives nothing; raises as ``upload``."""
    described = replace(wish, headers={"content-type": _OPAQUE, **wish.headers})
    length = pace.limits.part
    first = _filled(read, length)
    if len(first) < length:
        return store(MemorySource(first), place, described, pace)
    size = 0

    def pieces() -> Iterator[tuple[int, Source, int]]:
        nonlocal size
        number, content = 1, first
        while content:
            if number > MAX_PARTS:
                raise UnsupportedError(f"`{place.target}` would have more than {MAX_PARTS} parts")
            size += len(content)
            yield number, MemorySource(content), 0
            number, content = number + 1, _filled(read, length)

    started = _start(place, described, pace)
    # what is read ahead is held in memory: fewer at a time than of a file
    slower = replace(pace, parallel=min(2, pace.parallel), resume=False)
    etag = _send_all(started, pieces(), {}, slower, length)
    return verified(place, size, wish.encryption, etag=etag)


def _filled(read: Callable[[int], bytes], length: int) -> bytes:
    content = bytearray()
    while len(content) < length and (chunk := read(length - len(content))):
        content += chunk
    return bytes(content)


def store(
    source: Source, place: Place, wish: Wish, pace: Pace, *, readable: bool = False
) -> ObjectInfo:
    """Store a source of known size, and with ``readable`` read of it; raises as ``upload``."""
    if source.size > MAX_OBJECT_BYTES:
        raise UnsupportedError(f"`{place.target}` would be larger than S3 allows (5 TiB)")
    if pace.multipart and source.size > pace.limits.part:
        etag = _in_parts(source, place, wish, pace)
    elif source.size > MAX_PUT_BYTES:
        raise UnsupportedError(f"`{place.target}` is larger than one upload can be (5 GiB)")
    else:
        etag = _at_once(source, place, wish, pace)
    return verified(place, source.size, wish.encryption, etag=etag, readable=readable)


def _at_once(source: Source, place: Place, wish: Wish, pace: Pace) -> str:
    with source.part(0, source.size) as body:
        headers = {
            **wish.headers,
            **_body_headers(body, source.size, pace.checksum),
            **request_headers(place, wish.encryption),
        }
        content = _counted(body.chunks, pace) if source.size else b""
        return place.s3.put_object(*place.at, content, headers=headers).etag


def part_bytes(size: int, usual: int) -> int:
    """Return the size of parts for an object of ``size`` bytes: at most 10,000, whole MiB."""
    least = -(-size // MAX_PARTS)
    return usual if least <= usual else -(-least // 1024**2) * 1024**2


def _in_parts(source: Source, place: Place, wish: Wish, pace: Pace) -> str:
    length = part_bytes(source.size, pace.limits.part)
    begun = Begun(pace.begun if pace.resume else None, place, _start_headers(place, wish, pace))
    started, have = _interrupted(source, place, wish, length, begun.upload_id())
    pieces = (
        (number, source, offset)
        for number, offset in enumerate(range(0, source.size, length), start=1)
        if number not in have
    )
    for part in have.values():
        pace.moved(part.size)
    if not started:
        started = _start(place, wish, pace)
        begun.note(started.id)
    etag = _send_all(started, pieces, have, pace, length)
    begun.forget()
    return etag


def _start(place: Place, wish: Wish, pace: Pace) -> MultipartUpload:
    headers, customer = _start_headers(place, wish, pace), _customer(place, wish)
    return MultipartUpload.start(place.s3, *place.at, headers=headers, customer=customer)


def _start_headers(place: Place, wish: Wish, pace: Pace) -> dict[str, str]:
    kind = {"x-amz-checksum-type": "FULL_OBJECT"} if pace.checksum.whole else {}
    return {
        **wish.headers,
        **request_headers(place, wish.encryption),
        "x-amz-checksum-algorithm": pace.checksum.name,
        **kind,
    }


def _customer(place: Place, wish: Wish) -> Mapping[str, str]:
    """Each part of an SSE-C object needs the key; the other encryptions are named once."""
    key = wish.encryption and wish.encryption.customer_key
    return request_headers(place, wish.encryption) if key else {}


def _send_all(
    started: MultipartUpload,
    pieces: Iterable[tuple[int, Source, int]],
    have: dict[int, Part],
    pace: Pace,
    length: int,
) -> str:
    """Send the pieces and complete the upload; return the object's ETag.

    What fails is aborted, or kept to be resumed.
    """
    own = replace(pace, stop=Stop(pace.stop))

    def send(piece: tuple[int, Source, int]) -> Part:
        number, source, offset = piece
        size = min(length, source.size - offset)
        return _send(started, number, source, (offset, size), own)

    def keep(_: object, outcome: Part | McpyError) -> None:
        if isinstance(outcome, McpyError):
            raise outcome
        have[outcome.number] = outcome

    try:
        each(pieces, send, keep, jobs=pace.parallel, stop=own.stop)
        return started.complete(have[number] for number in sorted(have)).etag
    except BaseException:
        if not pace.resume:
            with suppress(McpyError):
                started.abort()
        raise


def _send(
    started: MultipartUpload, number: int, source: Source, span: tuple[int, int], pace: Pace
) -> Part:
    offset, size = span
    with source.part(offset, size) as body:
        headers = _body_headers(body, size, pace.checksum)
        return started.put(number, _counted(body.chunks, pace), headers)


def _body_headers(body: Body, size: int, kind: Checksum) -> dict[str, str]:
    known = base64.b64encode(body.sha256).decode() if kind.name == "SHA256" else ""
    return {
        "content-length": str(size),
        "x-amz-content-sha256": body.sha256.hex(),
        f"x-amz-checksum-{kind.name.lower()}": known or checksum(kind.name, body.chunks),
    }


def _counted(chunks: Iterable[bytes], pace: Pace) -> Chunks:
    def count() -> Iterator[bytes]:
        for chunk in chunks:
            yield chunk
            pace.moved(len(chunk))

    return Chunks(count)


def _interrupted(
    source: Source, place: Place, wish: Wish, length: int, upload_id: str
) -> tuple[MultipartUpload | None, dict[int, Part]]:
    """Return the upload that was begun, if it is there still, and the parts of it to keep."""
    if not upload_id:
        return None, {}
    found = MultipartUpload(place.s3, *place.at, upload_id, _customer(place, wish))
    count = -(-source.size // length)
    try:
        same = {
            part.number: part
            for part in found.parts()
            if part.number <= count and _same(part, source, (part.number - 1) * length, length)
        }
    except S3Error as e:
        if e.status != 404:
            raise
        return None, {}
    return found, same


def _same(part: Part, source: Source, offset: int, length: int) -> bool:
    size = min(length, source.size - offset)
    if part.size != size:
        return False
    with source.part(offset, size) as body:
        if sha256 := part.checksums.get("SHA256"):
            return base64.b64decode(sha256) == body.sha256
        digest = hashlib.md5(usedforsecurity=False)
        for chunk in body.chunks:
            digest.update(chunk)
    return digest.hexdigest() == part.etag
