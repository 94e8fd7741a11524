"""What can be set on an object beside its content: tags, retention, legal hold; its attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import (
    entity,
    locks,
    multipart,
    reading,
    sse,
    tags,
    transfer,
)
from mcpy.sandbox.s3.call import answer_xml, no_content
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.times import http_date, parse_rfc3339
from mcpy.sandbox.s3.xml import NAMESPACE, Markup, element

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.sandbox.envelope import ObjectKey
    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.store import ObjectVersion

ATTRIBUTES = {"ETag", "Checksum", "StorageClass", "ObjectSize", "ObjectParts"}


# tags


def put_tagging(call: Call) -> Response:
    """Replace the tags of a version."""
    text = tags.to_header(tags.parse_xml(call.document("Tagging")))
    return _retag(call, text, Response(200))


def get_tagging(call: Call) -> Response:
    """Answer the tags of a version; there may be none."""
    version = _version(call)
    root = tags.to_xml(tags.read_stored(version.tags))
    return answer_xml(root, entity.version_header(version) if call.param("versionId") else [])


def delete_tagging(call: Call) -> Response:
    """Remove the tags of a version."""
    return _retag(call, "", no_content())


def _retag(call: Call, text: str, response: Response) -> Response:
    version = _change(call, lambda old: old.copy(tags=text))
    response.headers += entity.version_header(version)
    return response


# retention and legal hold


def put_retention(call: Call) -> Response:
    """Set how long a version must stay."""
    transfer.check_document(call)
    _require_lock(call)
    body = call.document("Retention")
    mode, until = body.value("Mode") or "", body.value("RetainUntilDate") or ""
    new = _retention(call, mode, until) if mode or until else None

    def change(old: ObjectVersion) -> ObjectVersion:
        locks.check_change(call, old, new or locks.Retention("", 0))
        kept = {k: v for k, v in old.metadata.items() if k not in {locks.MODE, locks.UNTIL}}
        return old.copy(metadata=kept | (new.entries() if new else {}))

    _change(call, change)
    return Response(200)


def get_retention(call: Call) -> Response:
    """Answer how long a version must stay."""
    _require_lock(call)
    metadata = _version(call).metadata
    if not metadata.get(locks.MODE):
        raise S3Problem.of("NoSuchObjectLockConfiguration")
    fields = [
        element("Mode", metadata[locks.MODE]),
        element("RetainUntilDate", metadata[locks.UNTIL]),
    ]
    return answer_xml(element("Retention", *fields, xmlns=NAMESPACE))


def put_legal_hold(call: Call) -> Response:
    """Set or lift the legal hold on a version."""
    transfer.check_document(call)
    _require_lock(call)
    body = call.document()
    if body.name not in {"LegalHold", "ObjectLockLegalHold"}:
        expected = "expected element type <LegalHold>/<ObjectLockLegalHold>"
        raise _malformed(f"{expected} but have <{body.name}>")
    status = body.value("Status") or ""
    if status not in {"ON", "OFF"}:
        raise _malformed(
            "the XML you provided was not well-formed"
            " or did not validate against our published schema"
        )
    _change(call, lambda old: old.copy(metadata={**old.metadata, locks.HOLD: status}))
    return Response(200)


def get_legal_hold(call: Call) -> Response:
    """Answer whether a version is held."""
    _require_lock(call)
    status = _version(call).metadata.get(locks.HOLD)
    if not status:
        raise S3Problem.of("NoSuchObjectLockConfiguration")
    return answer_xml(element("LegalHold", element("Status", status), xmlns=NAMESPACE))


def _retention(call: Call, mode: str, until: str) -> locks.Retention:
    until_ns = parse_rfc3339(until) if until else 0
    if until_ns is None:
        raise _malformed("date must be provided in ISO 8601 format")
    if mode not in locks.MODES:
        raise _malformed("unknown WORM mode directive")
    if until_ns < call.now_ns:
        raise _malformed("the retain until date must be in the future")
    return locks.Retention(mode, until_ns)


def _malformed(reason: str) -> S3Problem:
    return S3Problem("MalformedXML", 400, reason)


def _require_lock(call: Call) -> None:
    if not locks.enabled(call.store.bucket(call.bucket)):
        raise S3Problem.of("MissingBucketObjectLock")


def _version(call: Call) -> ObjectVersion:
    try:
        return entity.requested_version(call)
    except S3Problem as problem:
        problem.headers = []  # only GET and HEAD tell of a delete marker
        raise


def _change(call: Call, change: Callable[[ObjectVersion], ObjectVersion]) -> ObjectVersion:
    found = _version(call)
    version = call.store.update(call.bucket, call.key, found.version_id, change)
    if version is None:
        raise S3Problem.of("NoSuchKey")
    return version


# attributes


def get_attributes(call: Call) -> Response:
    """Answer what ``x-amz-object-attributes`` asks for."""
    asked = {name.strip() for name in call.header("x-amz-object-attributes").split(",")}
    _check_names(asked)
    version = entity.requested_version(call)
    reading.check_customer_headers(call, version)
    key, _ = sse.key_if_any(call, version)  # as HEAD does, it shows what it can
    if sse.customer_requested(call.headers):
        key = sse.object_key(call, version)
    fields: list[Markup] = []
    if "ETag" in asked:
        fields.append(element("ETag", entity.answered_etag(version, key)))
    if "Checksum" in asked:
        fields += _checksum(entity.open_checksums(version.checksum, key))
    if "ObjectParts" in asked:
        fields.append(_parts(call, version, key))
    if "StorageClass" in asked:
        storage = version.metadata.get(entity.STORAGE_CLASS, "STANDARD")
        fields.append(element("StorageClass", storage))
    if "ObjectSize" in asked:
        fields.append(element("ObjectSize", version.size))
    headers = [("Last-Modified", http_date(version.mtime_ns)), *entity.version_header(version)]
    return answer_xml(element("getObjectAttributesResponse", *fields), headers)


def _check_names(asked: set[str]) -> None:
    wrong = sorted(asked - ATTRIBUTES)
    if wrong:
        problem = S3Problem.of("InvalidArgument")
        problem.message = "Invalid attribute name specified."
        problem.details = {
            "ArgumentName": "x-amz-object-attributes",
            "ArgumentValue": ",".join(wrong),
        }
        raise problem


def _checksum(found: dict[str, str]) -> list[Markup]:
    if not found:
        return []
    kind = found.pop("type", "")
    fields = [element(f"Checksum{name}", value.partition("-")[0]) for name, value in found.items()]
    fields += [element("ChecksumType", kind)] if kind else []
    return [element("Checksum", *fields)]


def _parts(call: Call, version: ObjectVersion, key: ObjectKey | None) -> Markup:
    limit = _number(call, "x-amz-max-parts") or multipart.MAX_PARTS
    marker = _number(call, "x-amz-part-number-marker")
    later = [part for part in version.parts if part.number > marker]
    shown = later[:limit]
    last = shown[-1].number if shown else 0
    fields = [
        element("IsTruncated", "true" if last != len(version.parts) else "false"),
        element("MaxParts", limit),
        element("NextPartNumberMarker", last),
        element("PartNumberMarker", marker),
        element("PartsCount", len(version.parts)),
    ]
    for part in shown:
        # parts have checksums to show if the object has one
        sums = entity.open_checksums(part.checksum if version.checksum else "", key)
        sums.pop("type", None)
        details = [element("PartNumber", part.number), element("Size", part.stored)]  # as stored
        details += [element(f"Checksum{name}", value) for name, value in sums.items()]
        fields.append(element("Part", *details))
    return element("ObjectParts", *fields)


def _number(call: Call, header: str) -> int:
    """Return a number that is asked with, 0 if it is not."""
    text = call.header(header).strip()
    if not text:
        return 0
    if not text.lstrip("+-").isdecimal():
        reason = f"Unable to parse {entity.canonical(header)}, value should be an integer"
        problem = S3Problem.invalid_argument(call.path, reason)
        problem.details = {"ArgumentName": header}
        raise problem
    return int(text)
