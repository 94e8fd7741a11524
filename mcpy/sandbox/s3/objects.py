"""PUT, GET and HEAD of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox import envelope
from mcpy.sandbox.s3 import checksums, conditions, entity, locks, sse, tags, transfer
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.store import ObjectVersion, Part
from mcpy.sandbox.wsgi import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.sandbox.envelope import ObjectKey
    from mcpy.sandbox.s3.call import Call, Headers
    from mcpy.sandbox.s3.chunked import Payload

MAX_OBJECT_BYTES = 5 << 40
SMALL_BYTES = 1 << 20


def put_object(call: Call) -> Response:
    """Store the body as an object."""
    entity.check_storage_class(call.headers)
    transfer.content_md5(call.headers)
    payload = call.payload()
    check_length(payload)
    version = store_body(call, payload, call.headers)
    headers: Headers = [*version.answer, *entity.version_header(version.version)]
    return Response(200, headers)


class Stored:
    """An object that was just stored, and the headers that tell of it."""

    def __init__(self, version: ObjectVersion, answer: Headers) -> None:
        self.version = version
        self.answer = answer


def store_body(call: Call, payload: Payload, headers: Mapping[str, str]) -> Stored:
    """Store ``payload`` under the call's name; ``headers`` bring metadata, tags and checksums.

    Raises:
        S3Problem: something asked for is not possible; nothing is changed.
        NoBucketError: there is no such bucket.
    """
    call.store.bucket(call.bucket)
    metadata = entity.metadata_of(headers)
    object_tags = tags.checked_header(headers.get("x-amz-tagging", ""))
    wanted = sse.wanted(call)
    version_id, mtime_ns = entity.target_version(call), entity.source_mtime(call)
    metadata |= locks.entries_for_upload(call, overwritten(call))
    md5, checksum = transfer.content_md5(headers), checksums.announced(headers)
    key, entries = wanted.new_key(call.kms, call.bucket, call.key)
    received = transfer.receive(
        call.store,
        payload,
        key=key.secret if key else None,
        with_md5=md5 is not None or wanted.kind in {None, "SSE-S3"},
        observers=(checksum.update,) if checksum else (),
    )
    sums = transfer.check_body(received, md5, checksum, payload.trailers)
    if sums:
        sums["type"] = checksums.FULL_OBJECT
    version = ObjectVersion(
        call.key,
        mtime_ns,
        version_id,
        size=received.size,
        etag=key.seal_etag(bytes.fromhex(received.md5)) if key else received.md5,
        metadata=metadata | entries,
        tags=object_tags,
        checksum=entity.seal_checksums(sums, key),
        parts=[Part(1, received.size, received.writer.stored, received.writer.content)],
    )
    call.store.commit(call.bucket, version, [received.writer], check=write_check(call))
    answer: Headers = [("ETag", f'"{entity.answered_etag(version, key)}"')]
    answer += sse.answer_headers(entries, call.headers)
    return Stored(version, answer + checksums.answer_headers(sums))


def check_length(payload: Payload) -> None:
    """Refuse a body of unknown or too great a length.

    Raises:
        S3Problem: MissingContentLength or EntityTooLarge.
    """
    if payload.length is None:
        raise S3Problem.of("MissingContentLength")
    if payload.length > MAX_OBJECT_BYTES:
        raise S3Problem.of("EntityTooLarge")


def overwritten(call: Call) -> ObjectVersion | None:
    """Return the version an upload names to write over, if it is there."""
    version_id = call.param("versionId").strip()
    return call.store.find(call.bucket, call.key, version_id) if version_id else None


def write_check(call: Call) -> Callable[[ObjectVersion | None], None] | None:
    """Return what an upload's conditions demand of the version that is latest at its commit."""
    if not call.header("if-match") and not call.header("if-none-match"):
        return None

    def check(latest: ObjectVersion | None) -> None:
        if latest is None or latest.marker:
            conditions.check_write(call.headers, None)
            return
        key, _ = _key_if_any(call, latest)
        conditions.check_write(call.headers, entity.state_of(latest, key))

    return check


def head_object(call: Call) -> Response:
    """Answer an object's headers."""
    return _read(call, with_body=False)


def get_object(call: Call) -> Response:
    """Answer an object, or a range of it."""
    return _read(call, with_body=True)


def _read(call: Call, *, with_body: bool) -> Response:
    if sse.SSE in call.headers:
        raise S3Problem.of("BadRequest")
    number = _part_number(call)
    if number and call.header("range"):
        raise S3Problem.of("RangeAndPartNumber")
    version = entity.requested_version(call)
    check_customer_headers(call, version)
    key, problem = _key_if_any(call, version)
    etag = entity.answered_etag(version, key)
    if call.request.method == "HEAD" and call.key.endswith("/"):
        etag = version.etag  # as the real server, which takes it for a folder, never encrypted
    headers = entity.headers_of(call, version, etag)
    part = _part(version, number)
    try:
        conditions.check_read(call, entity.state_of(version, key), headers)
    except conditions.NotModified as e:
        return Response(304, _without_content(e.headers))
    except S3Problem as e:
        if with_body:
            raise
        return Response(e.status, e.headers)  # without the error's own headers, as it happens
    if problem is not None and with_body:
        raise problem
    if envelope.kind_of(version.metadata) == "SSE-C" and key is None:
        key = sse.object_key(call, version)
    window = _window(call, version, part)
    headers += _checksum_headers(call, version, key, part, ranged=window is not None)
    start, length = window or (0, version.size)
    if window is not None:
        headers.append(("Content-Range", f"bytes {start}-{start + length - 1}/{version.size}"))
    if part is not None:
        count = version.etag.rpartition("-")[2] if "-" in version.etag else ""
        headers += [("x-amz-mp-parts-count", count)] if count else []
    headers.append(("Content-Length", str(length)))
    response = Response(200 if window is None else 206, headers)
    if with_body:
        response.body = _body(call, version, key, start, length)
    return response


def _body(
    call: Call, version: ObjectVersion, key: ObjectKey | None, start: int, length: int
) -> bytes | transfer.Content:
    content = transfer.Content(call.store, version, key, start, length)
    if length > SMALL_BYTES:
        return content.started()
    try:
        return b"".join(content)
    finally:
        content.close()


def check_customer_headers(call: Call, version: ObjectVersion) -> None:
    """Refuse SSE-C headers where none belong, and demand them where they do.

    Raises:
        S3Problem: InvalidEncryptionParameters, SseEncryptedObject, or the headers are malformed.
    """
    kind = envelope.kind_of(version.metadata)
    sent = sse.customer_requested(call.headers)
    if sent:
        try:
            sse.customer_key(call.headers)
        except sse.CustomerKeyError as e:
            raise S3Problem.of(e.name) from e
        if kind is None:
            raise S3Problem.of("InvalidEncryptionParameters")
    if sent != (kind == "SSE-C"):
        raise S3Problem.of("SseEncryptedObject")


def _key_if_any(call: Call, version: ObjectVersion) -> tuple[ObjectKey | None, S3Problem | None]:
    """Return the object's key if it takes none from the client, and why there is none.

    HEAD of an SSE-KMS object does not ask the KMS, unless it wants checksums.
    """
    kind = envelope.kind_of(version.metadata)
    if kind is None or kind == "SSE-C":
        return None, None
    head = call.request.method == "HEAD"
    if kind == "SSE-KMS" and head and not _wants_checksums(call):
        return None, None
    try:
        return sse.object_key(call, version), None
    except S3Problem as e:
        return None, e


def _part_number(call: Call) -> int:
    text = call.param("partNumber")
    if not text:
        return 0
    if not text.isdecimal() or not text.isascii():
        raise S3Problem.of("XMinioAdminInvalidArgument")
    number = int(text)
    if number > 10_000:
        raise S3Problem.of("InvalidMaxParts")
    if number < 1:
        raise S3Problem.of("XMinioAdminInvalidArgument")
    return number


def _part(version: ObjectVersion, number: int) -> Part | None:
    if not number:
        return None
    part = next((part for part in version.parts if part.number == number), None)
    if part is None:
        raise S3Problem.of("InvalidPartNumber")
    return part


def _window(call: Call, version: ObjectVersion, part: Part | None) -> tuple[int, int] | None:
    if part is not None:
        before = (p.size for p in version.parts if p.number < part.number)
        return sum(before), part.size
    text = call.header("range")
    return conditions.byte_range(text, version.size) if text else None


def _wants_checksums(call: Call) -> bool:
    return call.header("x-amz-checksum-mode").upper() == "ENABLED"


def _checksum_headers(
    call: Call, version: ObjectVersion, key: ObjectKey | None, part: Part | None, *, ranged: bool
) -> Headers:
    if not _wants_checksums(call) or (ranged and part is None):
        return []
    stored = version.checksum if part is None else part.checksum
    return checksums.answer_headers(entity.open_checksums(stored, key))


def _without_content(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if not name.startswith("Content-")]
