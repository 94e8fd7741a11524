"""Multipart uploads: start, upload and copy parts, complete, abort."""

from __future__ import annotations

import base64
import binascii
import contextlib
import itertools
import re
import uuid
from typing import TYPE_CHECKING

from mcpy.sandbox import envelope
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import checksums, copying, entity, locks, objects, sse, tags, transfer, xml
from mcpy.sandbox.s3.assembly import ALGORITHM_ENTRY, TYPE_ENTRY, answered_part_etag, assemble
from mcpy.sandbox.s3.call import answer_xml, no_content
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.times import iso
from mcpy.sandbox.s3.xml import NAMESPACE, element
from mcpy.sandbox.store import NoUploadError, ObjectVersion, Part, Upload

if TYPE_CHECKING:
    from mcpy.sandbox.envelope import ObjectKey
    from mcpy.sandbox.s3.call import Call, Headers

MAX_PARTS = 10_000
_COPY_RANGE = re.compile(r"bytes=(\d+)-(\d+)", re.ASCII)


def create_upload(call: Call) -> Response:
    """Start an upload; its encryption is fixed here."""
    entity.check_storage_class(call.headers)
    call.store.bucket(call.bucket)
    wanted = sse.wanted(call, multipart=True)
    metadata = entity.metadata_of(call.headers)
    object_tags = tags.checked_header(call.header("x-amz-tagging"))
    metadata |= locks.entries_for_upload(call)
    key, entries = wanted.new_key(call.kms, call.bucket, call.key)
    if key is not None:
        entries[envelope.MULTIPART] = ""
    headers = _checksum_choice(call, entries)
    template = ObjectVersion(call.key, call.now_ns, metadata=metadata | entries, tags=object_tags)
    upload = Upload(_new_id(call.now_ns), call.bucket, template)
    call.store.start_upload(upload)
    fields = [
        element("Bucket", call.bucket),
        element("Key", call.key),
        element("UploadId", upload.id),
    ]
    root = element("InitiateMultipartUploadResult", *fields, xmlns=NAMESPACE)
    return answer_xml(root, headers)


def _checksum_choice(call: Call, entries: dict[str, str]) -> Headers:
    algorithm = checksums.named(call.header("x-amz-checksum-algorithm"))
    if algorithm is None:
        return []
    kind = call.header("x-amz-checksum-type").upper() or checksums.COMPOSITE
    if algorithm == "CRC64NVME":
        kind = checksums.FULL_OBJECT
    if kind == checksums.FULL_OBJECT and algorithm.startswith("SHA"):
        raise S3Problem.of("InvalidChecksum")
    entries |= {ALGORITHM_ENTRY: algorithm, TYPE_ENTRY: kind}
    return [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", kind)]


def _new_id(now_ns: int) -> str:
    text = f"{uuid.uuid4()}.{uuid.uuid4()}x{now_ns}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _is_id(text: str) -> bool:
    """Tell whether a text could be the id of an upload: it is base64 without padding."""
    try:
        base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return False
    return len(text) % 4 != 1


def find_upload(call: Call) -> Upload:
    """Return the upload a request names.

    Raises:
        S3Problem: NoSuchUpload.
        NoBucketError: there is no such bucket.
    """
    try:
        return call.store.upload(call.bucket, call.key, call.param("uploadId"))
    except NoUploadError as e:
        raise S3Problem.of("NoSuchUpload") from e


def put_part(call: Call) -> Response:
    """Store the body as a part."""
    md5 = transfer.content_md5(call.headers)
    payload = call.payload()
    objects.check_length(payload)
    number = _part_number(call)
    upload = find_upload(call)
    key = _upload_key(call, upload)
    checksum = checksums.announced(call.headers)
    if checksum is None and ALGORITHM_ENTRY in upload.template.metadata:
        checksum = checksums.Wanted(upload.template.metadata[ALGORITHM_ENTRY], None)
    received = transfer.receive(
        call.store,
        payload,
        key=key.part(number) if key else None,
        with_md5=md5 is not None
        or (_needs_md5(upload) and not sse.customer_requested(call.headers)),
        observers=(checksum.update,) if checksum else (),
    )
    sums = transfer.check_body(received, md5, checksum, payload.trailers)
    part = _keep(call, upload, number, received, key, sums)
    headers: Headers = [("ETag", f'"{answered_part_etag(upload, part, key)}"')]
    headers += sse.answer_headers(upload.template.metadata, call.headers)
    return Response(200, headers + checksums.answer_headers(sums))


def copy_part(call: Call) -> Response:
    """Store a stretch of another object as a part."""
    number = _part_number(call)
    upload = find_upload(call)
    key = _upload_key(call, upload)
    source = copying.find_source(call)
    with copying.about(source):
        start, length = _copy_range(call, source.version.size)
    algorithm = upload.template.metadata.get(ALGORITHM_ENTRY)
    checksum = checksums.Wanted(algorithm, None) if algorithm else None
    content = transfer.Content(call.store, source.version, source.key, start, length)
    try:
        received = transfer.receive(
            call.store,
            content,
            key=key.part(number) if key else None,
            observers=(checksum.update,) if checksum else (),
        )
    finally:
        content.close()
    sums = {checksum.algorithm: checksum.verify({})} if checksum else {}
    part = _keep(call, upload, number, received, key, sums)
    etag = answered_part_etag(upload, part, key)
    headers: Headers = []
    if source.version_id:
        headers.append(("x-amz-copy-source-version-id", source.version_id))
    fields = [element("LastModified", iso(part.mtime_ns)), element("ETag", f'"{etag}"')]
    fields += [element(f"Checksum{name}", value) for name, value in sums.items()]
    return answer_xml(element("CopyPartResult", *fields, xmlns=NAMESPACE), headers)


def _copy_range(call: Call, size: int) -> tuple[int, int]:
    text = call.header("x-amz-copy-source-range")
    if not text:
        return 0, size
    match = _COPY_RANGE.fullmatch(text)
    if "-" not in text:
        problem = S3Problem.of("InvalidCopyPartRangeSource")
        problem.message = f"'{text}' does not have a valid range value"
        raise problem
    if match is None or int(match[1]) > int(match[2]):
        raise S3Problem.of("InvalidCopyPartRange")
    first, last = int(match[1]), int(match[2])
    if last >= size:
        raise S3Problem.of("InvalidCopyPartRangeSource")
    return first, last - first + 1


def _keep(
    call: Call,
    upload: Upload,
    number: int,
    received: transfer.Received,
    key: ObjectKey | None,
    sums: dict[str, str],
) -> Part:
    # of an SSE-C upload they are listed without its key
    listed_openly = envelope.kind_of(upload.template.metadata) == "SSE-C"
    part = Part(
        number,
        received.size,
        received.writer.stored,
        received.writer.content,
        key.seal_etag(bytes.fromhex(received.md5)) if key else received.md5,
        entity.seal_checksums(sums, None if listed_openly else key),
        call.now_ns,
    )
    try:
        call.store.put_part(upload, part, received.writer)
    except NoUploadError as e:
        raise S3Problem.of("NoSuchUpload") from e
    return part


def complete_upload(call: Call) -> Response:
    """Make the object of the parts the client lists."""
    try:
        body = xml.parse(call.text() or b"<None/>")
    except xml.XmlProblem as e:
        raise S3Problem.of("MalformedXML", str(e)) from e
    listed = list(body.all("Part")) if body.name == "CompleteMultipartUpload" else []
    if not listed:
        raise S3Problem.of("MissingPart")
    numbers = [_number(item.value("PartNumber") or "") for item in listed]
    if any(b <= a for a, b in itertools.pairwise(numbers)):
        raise S3Problem.of("InvalidPartOrder")
    upload = find_upload(call)
    kind = envelope.kind_of(upload.template.metadata)
    key = None if kind in {None, "SSE-C"} else _upload_key(call, upload)
    if kind == "SSE-C" and sse.customer_requested(call.headers):
        key = _upload_key(call, upload)
    version, sums, etag = assemble(call, upload, key, listed)
    try:
        call.store.complete_upload(upload, version, check=objects.write_check(call))
    except NoUploadError as e:
        raise S3Problem.of("NoSuchUpload") from e
    scheme = "https" if call.request.secure else "http"
    location = f"{scheme}://{call.header('host')}/{call.bucket}/{call.key}"
    fields = [
        element("Location", location),
        element("Bucket", call.bucket),
        element("Key", call.key),
        element("ETag", f'"{etag}"'),
    ]
    fields += [element(f"Checksum{k}", v) for k, v in sums.items() if k != "type"]
    headers: Headers = [("ETag", f'"{etag}"'), *entity.version_header(version)]
    headers += checksums.answer_headers(sums)
    root = element("CompleteMultipartUploadResult", *fields, xmlns=NAMESPACE)
    return answer_xml(root, headers)


def abort_upload(call: Call) -> Response:
    """Forget an upload, if there is one."""
    if not _is_id(call.param("uploadId")):
        call.store.bucket(call.bucket)
        raise S3Problem.of("NoSuchUpload")
    with contextlib.suppress(NoUploadError):
        call.store.abort_upload(call.store.upload(call.bucket, call.key, call.param("uploadId")))
    return no_content()


def _part_number(call: Call) -> int:
    number = _number(call.param("partNumber"))
    if number < 1:
        raise S3Problem.of("InvalidPart")
    if number > MAX_PARTS:
        raise S3Problem.of("InvalidMaxParts")
    return number


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _needs_md5(upload: Upload) -> bool:
    return envelope.kind_of(upload.template.metadata) in {None, "SSE-S3"}


def _upload_key(call: Call, upload: Upload) -> ObjectKey | None:
    kind = envelope.kind_of(upload.template.metadata)
    if kind == "SSE-C" and not sse.customer_requested(call.headers):
        raise S3Problem.of("SseMultipartEncrypted")
    return None if kind is None else sse.object_key(call, upload.template)
