"""The listings of multipart uploads and of their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox import envelope
from mcpy.sandbox.s3 import assembly, entity, listing, multipart, sse
from mcpy.sandbox.s3.call import OWNER_ID, answer_xml
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.times import iso
from mcpy.sandbox.s3.xml import NAMESPACE, Markup, element, url_encode

if TYPE_CHECKING:
    from mcpy.sandbox.message import Response
    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.store import Part, Upload

MAX_UPLOADS = 10_000


def list_parts(call: Call) -> Response:
    """Answer the parts uploaded so far."""
    limit = listing.max_keys(call, "max-parts", "InvalidMaxParts", multipart.MAX_PARTS)
    text = call.param("part-number-marker") or "0"
    if not text.isdecimal():
        raise S3Problem.of("InvalidPartNumberMarker")
    upload = multipart.find_upload(call)
    key = None
    if envelope.kind_of(upload.template.metadata) in {"SSE-S3", "SSE-KMS"}:
        key = sse.object_key(call, upload.template)
    later = [part for part in call.store.parts(upload) if part.number > int(text)]
    shown = later[:limit]
    metadata = upload.template.metadata
    fields = [
        element("Bucket", call.bucket),
        element("Key", url_encode(call.key, call.param("encoding-type"))),
        element("UploadId", upload.id),
        _person("Initiator", OWNER_ID),
        _person("Owner", OWNER_ID),
        element("StorageClass", metadata.get(entity.STORAGE_CLASS, "STANDARD")),
        element("PartNumberMarker", text),
        element("NextPartNumberMarker", shown[-1].number if len(later) > len(shown) else 0),
        element("MaxParts", limit),
        element("IsTruncated", "true" if len(later) > len(shown) else "false"),
        element("ChecksumAlgorithm", metadata.get(assembly.ALGORITHM_ENTRY, "")),
        element("ChecksumType", metadata.get(assembly.TYPE_ENTRY, "")),
    ]
    for part in shown:
        etag = assembly.answered_part_etag(upload, part, key)
        sums = entity.open_checksums(part.checksum, key)
        fields.append(_part(part, etag, sums))
    return answer_xml(element("ListPartsResult", *fields, xmlns=NAMESPACE))


def list_uploads(call: Call) -> Response:
    """Answer the uploads under way in a bucket."""
    limit = listing.max_keys(call, "max-uploads", "InvalidMaxUploads", MAX_UPLOADS)
    encoding = call.param("encoding-type")
    prefix, delimiter = call.param("prefix"), call.param("delimiter")
    listing.check_prefix(call)
    items, prefixes, truncated = _page(call, prefix, delimiter, min(limit, MAX_UPLOADS))
    last = items[-1] if items and truncated else None
    fields = [
        element("Bucket", call.bucket),
        element("KeyMarker", url_encode(call.param("key-marker"), encoding)),
        element("UploadIdMarker", call.param("upload-id-marker")),
        element("NextKeyMarker", url_encode(last.key, encoding) if last else ""),
        element("NextUploadIdMarker", last.id if last else ""),
        *([element("Delimiter", url_encode(delimiter, encoding))] if delimiter else []),
        element("Prefix", url_encode(prefix, encoding)),
        *([element("EncodingType", encoding)] if encoding else []),
        element("MaxUploads", limit),
        element("IsTruncated", "true" if truncated else "false"),
    ]
    fields += [_upload(upload, encoding) for upload in items]
    fields += [
        element("CommonPrefixes", element("Prefix", url_encode(name, encoding)))
        for name in prefixes
    ]
    return answer_xml(element("ListMultipartUploadsResult", *fields, xmlns=NAMESPACE))


def _page(
    call: Call, prefix: str, delimiter: str, limit: int
) -> tuple[list[Upload], list[str], bool]:
    marker, id_marker = call.param("key-marker"), call.param("upload-id-marker")
    if not marker.startswith(prefix) and marker:
        raise S3Problem.of("NotImplemented")
    items: list[Upload] = []
    prefixes: dict[str, None] = {}
    passed = not id_marker
    for upload in call.store.uploads(call.bucket):
        if marker and upload.key == marker and not passed:
            passed = upload.id == id_marker
            continue
        # whoever asks for one name gets its uploads, wherever the list is to go on from
        same = upload.key == marker and (id_marker or marker == prefix)
        behind = upload.key > marker or same
        if not upload.key.startswith(prefix) or (marker and not behind):
            continue
        at = upload.key.find(delimiter, len(prefix)) if delimiter else -1
        common = upload.key[: at + len(delimiter)] if at >= 0 else ""
        if common in prefixes:
            continue
        if len(items) + len(prefixes) >= limit:
            return items, list(prefixes), True
        if common:
            prefixes[common] = None
        else:
            items.append(upload)
    return items, list(prefixes), False


def _upload(upload: Upload, encoding: str) -> Markup:
    return element(  # the real server leaves these elements empty too
        "Upload",
        element("Key", url_encode(upload.key, encoding)),
        element("UploadId", upload.id),
        _person("Initiator", ""),
        _person("Owner", ""),
        element("StorageClass", ""),
        element("Initiated", iso(upload.template.mtime_ns)),
    )


def _part(part: Part, etag: str, sums: dict[str, str]) -> Markup:
    return element(
        "Part",
        element("PartNumber", part.number),
        element("LastModified", iso(part.mtime_ns)),
        element("ETag", f'"{etag}"'),
        element("Size", part.size),
        *(element(f"Checksum{name}", value) for name, value in sums.items()),
    )


def _person(role: str, name: str) -> Markup:
    return element(role, element("ID", name), element("DisplayName", name))
