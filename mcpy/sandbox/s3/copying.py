"""CopyObject, also onto itself, which is how an object is encrypted, decrypted or given a key.

It does what the real server does, dangers included: a copy that names no encryption is plaintext,
and a copy from SSE-KMS with a context to SSE-KMS without one keeps the old context in its
metadata, after which nothing can be decrypted.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote_to_bytes

from mcpy.sandbox import envelope
from mcpy.sandbox.s3 import (
    checksums,
    conditions,
    entity,
    locks,
    names,
    objects,
    sse,
    tags,
    transfer,
)
from mcpy.sandbox.s3.call import answer_xml
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.times import iso
from mcpy.sandbox.s3.xml import NAMESPACE, element
from mcpy.sandbox.store import NoBucketError, ObjectVersion, Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.sandbox.envelope import ObjectKey
    from mcpy.sandbox.message import Response
    from mcpy.sandbox.s3.call import Call, Headers
    from mcpy.sandbox.store.content import ContentWriter

COPY_SOURCE = "x-amz-copy-source"
METADATA_DIRECTIVE = "x-amz-metadata-directive"
TAGGING_DIRECTIVE = "x-amz-tagging-directive"


@dataclass(frozen=True, slots=True)
class Source:
    """The object that is copied from; ``key`` opens it, None if it is plaintext."""

    bucket: str
    version_id: str
    version: ObjectVersion
    key: ObjectKey | None

    @property
    def kind(self) -> envelope.Kind | None:
        """How it is encrypted."""
        return envelope.kind_of(self.version.metadata)

    def is_target(self, call: Call) -> bool:
        """Tell whether the copy goes onto itself, whatever the version."""
        return (self.bucket, self.version.key) == (call.bucket, call.key)

    def checksums(self) -> dict[str, str]:
        """Return its checksums by algorithm."""
        found = entity.open_checksums(self.version.checksum, self.key)
        found.pop("type", None)
        return found


@dataclass(slots=True)
class Copied:
    """Content of the copy on disk, with what its metadata has to say of it."""

    writers: list[ContentWriter]
    parts: list[Part]
    etag: str
    entries: dict[str, str]
    checksum: str = ""
    key: ObjectKey | None = None
    sums: dict[str, str] | None = None


def copy_object(call: Call) -> Response:
    """Copy an object within the server."""
    _check_directives(call)
    entity.check_storage_class(call.headers)
    call.store.bucket(call.bucket)
    wanted = sse.wanted(call)
    version_id, mtime_ns = entity.target_version(call), entity.source_mtime(call)
    source = find_source(call)
    with about(source):
        metadata = _metadata(call, source)
        object_tags = _tags(call, source)
        metadata |= locks.entries_for_upload(call, objects.overwritten(call))
        rotates = source.is_target(call) and source.kind == wanted.kind == "SSE-C"
        if rotates and not _changes_class(call, source):
            copied = _rotate(call, source, wanted)
        else:
            _check_changes(call, source, wanted)
            copied = _copy_content(call, source, wanted)
    version = ObjectVersion(
        call.key,
        mtime_ns,
        version_id,
        size=source.version.size,
        etag=copied.etag,
        metadata=metadata | copied.entries,
        tags=object_tags,
        checksum=copied.checksum,
        parts=copied.parts,
    )
    call.store.commit(call.bucket, version, copied.writers)
    return _answer(source, version, copied)


@contextmanager
def about(source: Source) -> Iterator[None]:
    """Let errors name the source of a copy, not its target, as the real server does."""
    try:
        yield
    except S3Problem as problem:
        problem.about = problem.about or (source.bucket, source.version.key)
        raise


def _answer(source: Source, version: ObjectVersion, copied: Copied) -> Response:
    etag = entity.answered_etag(version, copied.key)
    headers: Headers = [("ETag", f'"{etag}"'), *entity.version_header(version)]
    if source.version_id:
        headers.append(("x-amz-copy-source-version-id", source.version_id))
    readable = version.metadata.get(envelope.CONTEXT) == copied.entries.get(envelope.CONTEXT)
    if copied.sums and (readable or envelope.kind_of(version.metadata) != "SSE-KMS"):
        headers += checksums.answer_headers(copied.sums)
    fields = [element("LastModified", iso(version.mtime_ns)), element("ETag", f'"{etag}"')]
    return answer_xml(element("CopyObjectResult", *fields, xmlns=NAMESPACE), headers)


def find_source(call: Call) -> Source:
    """Return the object ``x-amz-copy-source`` names, opened, its conditions met.

    Raises:
        S3Problem: it is not there, cannot be opened, or a condition failed.
    """
    bucket, key, version_id = parse_source(call.header(COPY_SOURCE))
    if version_id:
        try:
            entity.check_version_id(version_id)
        except S3Problem as e:
            raise S3Problem.of("NoSuchVersion") from e
    try:
        call.demand("s3:GetObject", f"{bucket}/{key}")
        version = entity.find(call, bucket, key, version_id)
    except NoBucketError as e:
        problem = S3Problem.of("NoSuchBucket")
        problem.about = (bucket, key)
        raise problem from e
    source = Source(bucket, version_id, version, None)
    with about(source):
        key_opened = _open_source(call, source)
        conditions.check_copy(call.headers, entity.state_of(version, key_opened))
    return replace(source, key=key_opened)


def _open_source(call: Call, source: Source) -> ObjectKey | None:
    sent = sse.customer_requested(call.headers, sse.COPY_CUSTOMER)
    if source.kind == "SSE-C" and not sent:
        raise S3Problem.of("SseEncryptedObject")
    if source.kind is None and sent:
        raise S3Problem.of("InvalidEncryptionParameters")
    if source.kind is None:
        return None
    return sse.object_key(call, source.version, bucket=source.bucket, prefix=sse.COPY_CUSTOMER)


def parse_source(text: str) -> tuple[str, str, str]:
    """Return bucket, object and version id of ``/bucket/object?versionId=id``, URL-encoded.

    Raises:
        S3Problem: InvalidCopySource.
    """
    path, _, query = text.partition("?")
    raw = path.encode("latin-1", "replace").decode("latin-1")
    plain = unquote_to_bytes(raw).decode("utf-8", "surrogateescape")
    bucket, _, key = plain.removeprefix("/").partition("/")
    key = entity.clean_key(key)
    if not bucket or not key:
        raise S3Problem.of("InvalidCopySource")
    if not names.valid_prefix(key):
        problem = S3Problem.of("XMinioInvalidObjectName")
        problem.about = (bucket, key)
        raise problem
    version_id = dict(parse_qsl(query, keep_blank_values=True)).get("versionId", "")
    return bucket, key, version_id.strip()


def _check_directives(call: Call) -> None:
    if call.header(METADATA_DIRECTIVE) not in {"", "COPY", "REPLACE"}:
        raise S3Problem.of("InvalidMetadataDirective")
    if call.header(TAGGING_DIRECTIVE) not in {"", "COPY", "REPLACE"}:
        raise S3Problem.of("InvalidTagDirective")


def _replaces(call: Call) -> bool:
    return "REPLACE" in {call.header(METADATA_DIRECTIVE), call.header(TAGGING_DIRECTIVE)}


def _changes_class(call: Call, source: Source) -> bool:
    old = source.version.metadata.get(entity.STORAGE_CLASS, "STANDARD")
    return call.header(entity.STORAGE_CLASS) not in {"", old}


def _check_changes(call: Call, source: Source, wanted: sse.Wanted) -> None:
    if (
        source.is_target(call)
        and source.kind is None
        and wanted.kind is None
        and not source.version_id
        and not _replaces(call)
        and not _changes_class(call, source)
    ):
        raise S3Problem.of("InvalidCopyDest")


def _metadata(call: Call, source: Source) -> dict[str, str]:
    if call.header(METADATA_DIRECTIVE) == "REPLACE":
        return entity.metadata_of(call.headers)
    left = {"expires", *locks.ENTRIES, *envelope.ENVELOPE_ENTRIES}
    metadata = {k: v for k, v in source.version.metadata.items() if k not in left}
    storage = call.header(entity.STORAGE_CLASS)
    if storage:
        metadata[entity.STORAGE_CLASS] = storage
    if metadata.get(entity.STORAGE_CLASS) == "STANDARD":
        del metadata[entity.STORAGE_CLASS]
    return metadata


def _tags(call: Call, source: Source) -> str:
    if call.header(TAGGING_DIRECTIVE) == "REPLACE":
        return tags.checked_header(call.header("x-amz-tagging"))
    return source.version.tags


def _copy_content(call: Call, source: Source, wanted: sse.Wanted) -> Copied:
    """Write the plaintext anew, encrypted as wanted."""
    kept = source.checksums()
    asked = call.header("x-amz-checksum-algorithm").upper()
    if asked not in checksums.ALGORITHMS:
        asked = ""
    algorithm = asked or next(iter(kept), "CRC64NVME")
    checksum = checksums.Wanted(algorithm, None)
    key, entries = wanted.new_key(call.kms, call.bucket, call.key)
    content = transfer.Content(call.store, source.version, source.key, 0, source.version.size)
    try:
        received = transfer.receive(
            call.store,
            content,
            key=key.secret if key else None,
            observers=(checksum.update,),
        )
    finally:
        content.close()
    sums = {algorithm: checksum.verify({}), "type": checksums.FULL_OBJECT}
    writer = received.writer
    return Copied(
        [writer],
        [Part(1, received.size, writer.stored, writer.content)],
        entity.stored_etag(call, received.md5, key),
        entries,
        entity.seal_checksums(sums, key),
        key,
        {} if _changes_client_key(call) else sums,
    )


def _changes_client_key(call: Call) -> bool:
    """Whether an SSE-C object is copied under another client's key: no checksum is told then."""
    new, old = call.header(sse.CUSTOMER + "key"), call.header(sse.COPY_CUSTOMER + "key")
    return bool(new and old) and new != old


def _rotate(call: Call, source: Source, wanted: sse.Wanted) -> Copied:
    """Seal the object key under another client key; the content is copied as it is stored."""
    version = source.version
    if source.key is None:
        raise S3Problem.of("SseEncryptedObject")
    kept = {k: v for k, v in version.metadata.items() if k in envelope.ENVELOPE_ENTRIES}
    entries = envelope.reseal(source.key, wanted.client_key, "SSE-C", call.bucket, call.key)
    writers, parts = [], []
    for part in version.parts:
        writer = call.store.writer()
        with call.store.reader([(part.content, 0, part.stored)]) as stored:
            writer.write(stored)
        writer.close()
        writers.append(writer)
        parts.append(
            Part(
                part.number,
                part.size,
                part.stored,
                writer.content,
                part.etag,
                part.checksum,
                part.mtime_ns,
            )
        )
    sums = {} if _changes_client_key(call) else entity.open_checksums(version.checksum, source.key)
    return Copied(writers, parts, version.etag, kept | entries, version.checksum, source.key, sums)
