"""PUT of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import checksums, conditions, entity, locks, sse, tags, transfer
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.store import ObjectVersion, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.sandbox.s3.call import Call, Headers
    from mcpy.sandbox.s3.chunked import Payload

MAX_OBJECT_BYTES = 5 << 40


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
        with_md5=md5 is not None or call.md5_etags or wanted.kind in {None, "SSE-S3"},
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
        etag=entity.stored_etag(call, received.md5, key),
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
        asks_for_an_etag = {call.header("if-match"), call.header("if-none-match")} - {"", "*"}
        key = sse.key_if_any(call, latest)[0] if asks_for_an_etag else None
        conditions.check_write(call.headers, entity.state_of(latest, key))

    return check
