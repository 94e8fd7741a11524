"""Objects as headers: what an upload brings, where it goes, and what an answer shows of it."""

from __future__ import annotations

import base64
import posixpath
import quopri
import re
import uuid
from typing import TYPE_CHECKING

from mcpy.sandbox import envelope
from mcpy.sandbox.dare import DareError
from mcpy.sandbox.s3 import checksums, locks, sse
from mcpy.sandbox.s3.conditions import State
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.times import http_date, parse_rfc3339
from mcpy.sandbox.s3.versioning import status_of
from mcpy.sandbox.store import NULL_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.envelope import ObjectKey
    from mcpy.sandbox.s3.call import Call, Headers
    from mcpy.sandbox.store import ObjectVersion

SUPPORTED = (
    "content-type",
    "cache-control",
    "content-language",
    "content-encoding",
    "content-disposition",
    "expires",
)
USER_PREFIXES = ("x-amz-meta-", "x-minio-meta-")
INTERNAL = "x-minio-internal-"
DEFAULT_TYPE = "binary/octet-stream"
STORAGE_CLASS = "x-amz-storage-class"
STORAGE_CLASSES = frozenset({"STANDARD", "REDUCED_REDUNDANCY"})
SOURCE_MTIME = "x-minio-source-mtime"
CHECKSUM_ENTRY = "object-checksum"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_PUNCTUATION = re.compile(r"[\"#$%&'(),.:;<>@\[\]^`{|}~]")
_RESPONSE_HEADERS = {
    "response-expires": "Expires",
    "response-content-type": "Content-Type",
    "response-cache-control": "Cache-Control",
    "response-content-encoding": "Content-Encoding",
    "response-content-language": "Content-Language",
    "response-content-disposition": "Content-Disposition",
}

versioning = status_of

# what an upload brings


def metadata_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what an object keeps of its upload's headers."""
    metadata = {name: _text(headers[name]) for name in SUPPORTED if name in headers}
    metadata.setdefault("content-type", DEFAULT_TYPE)
    encodings = [e.strip() for e in metadata.pop("content-encoding", "").split(",")]
    encoding = ",".join(e for e in encodings if e and e.lower() != "aws-chunked")
    if encoding:
        metadata["content-encoding"] = encoding
    for name, value in headers.items():
        if name.startswith(USER_PREFIXES):
            metadata[canonical(name)] = _text(value)
    storage = headers.get(STORAGE_CLASS, "STANDARD")
    if storage != "STANDARD":
        metadata[STORAGE_CLASS] = storage
    return metadata


def check_storage_class(headers: Mapping[str, str]) -> None:
    """Refuse a storage class the server does not have.

    Raises:
        S3Problem: InvalidStorageClass.
    """
    if headers.get(STORAGE_CLASS, "STANDARD") not in STORAGE_CLASSES:
        raise S3Problem.of("InvalidStorageClass")


def canonical(name: str) -> str:
    """Return a header's name in the form ``X-Amz-Meta-Foo``."""
    return "-".join(part.capitalize() for part in name.split("-"))


def target_version(call: Call) -> str:
    """Return the version id an upload writes: a new one, or the null version.

    Raises:
        S3Problem: the request names a version and may not.
    """
    given = call.param("versionId").strip()
    status = versioning(call.store.bucket(call.bucket), call.key)
    if given and given != NULL_VERSION:
        check_version_id(given)
        if status != "Enabled":
            reason = "VersionID specified , but versioning not enabled on bucket=" + call.bucket
            raise S3Problem.invalid_argument(call.path, reason)
        return given
    if given or status != "Enabled" or call.key.endswith("/"):
        return NULL_VERSION
    return str(uuid.uuid4())


def check_version_id(version_id: str) -> None:
    """Refuse what cannot be a version id.

    Raises:
        S3Problem: InvalidVersionId.
    """
    if version_id != NULL_VERSION and not _UUID.fullmatch(version_id):
        raise S3Problem.of("InvalidVersionId")


def source_mtime(call: Call) -> int:
    """Return the time of a new version: now, or what ``x-minio-source-mtime`` says.

    Raises:
        S3Problem: that is not a time.
    """
    text = call.header(SOURCE_MTIME).strip()
    if not text:
        return call.now_ns
    mtime_ns = parse_rfc3339(text)
    if mtime_ns is None:
        reason = (
            f'Unable to parse {SOURCE_MTIME}, failed with parsing time "{text}" as '
            f'"2006-01-02T15:04:05.999999999Z07:00": cannot parse "{text}" as "2006"'
        )
        raise S3Problem.invalid_argument(call.path, reason)
    return mtime_ns


# finding


def find(
    call: Call, bucket: str, key: str, version_id: str, *, absent: str = "NoSuchKey"
) -> ObjectVersion:
    """Return a version, the latest if ``version_id`` is empty.

    Raises:
        S3Problem: there is none, or it is a delete marker.
        NoBucketError: there is no such bucket.
    """
    version = call.store.find(bucket, key, version_id or None)
    if version is None:
        problem = S3Problem.of("NoSuchVersion" if version_id else absent)
    elif version.marker:
        problem = S3Problem.of("MethodNotAllowed" if version_id else absent)
        problem.headers = [
            ("x-amz-delete-marker", "true"),
            ("x-amz-version-id", version.version_id),
        ]
    else:
        return version
    problem.about = (bucket, key)
    raise problem


def requested_version(call: Call) -> ObjectVersion:
    """Return the version a request's path and ``versionId`` name.

    Raises:
        S3Problem: there is none.
        NoBucketError: there is no such bucket.
    """
    version_id = call.param("versionId").strip()
    if version_id:
        check_version_id(version_id)
    return find(call, call.bucket, call.key, version_id)


# what an answer shows


def answered_etag(version: ObjectVersion, key: ObjectKey | None) -> str:
    """Return the ETag a client sees; ``key`` is needed for SSE-S3, else it sees the sealed one."""
    kind = envelope.kind_of(version.metadata)
    if kind is None or len(version.etag) <= 32 or "-" in version.etag:
        return version.etag
    if kind != "SSE-S3":
        return version.etag[-32:]
    if key is None:
        return version.etag
    try:
        return key.open_etag(version.etag)
    except DareError:
        return version.etag


def stored_etag(call: Call, md5: str, key: ObjectKey | None) -> str:
    """Return the ETag to store for content of this MD5 (hex): sealed if it is encrypted."""
    return md5 if key is None or call.md5_etags else key.seal_etag(bytes.fromhex(md5))


def state_of(version: ObjectVersion, key: ObjectKey | None) -> State:
    """Return what conditions look at."""
    return State(answered_etag(version, key), version.mtime_ns)


def seal_checksums(found: Mapping[str, str], key: ObjectKey | None) -> str:
    """Return checksums as they are stored: sealed if the object is encrypted."""
    if not found:
        return ""
    text = checksums.encode(found)
    return text.decode() if key is None else _b64(key.seal_entry(CHECKSUM_ENTRY, text))


def open_checksums(stored: str, key: ObjectKey | None) -> dict[str, str]:
    """Undo `seal_checksums`; without the key sealed checksums are none."""
    if not stored or stored.startswith("{"):
        return checksums.decode(stored)
    if key is None:
        return {}
    try:
        return checksums.decode(key.open_entry(CHECKSUM_ENTRY, base64.b64decode(stored)))
    except DareError:
        return {}


def headers_of(call: Call, version: ObjectVersion, etag: str) -> Headers:
    """Return the headers a GET or HEAD shows of ``version``, but for length and range."""
    headers: Headers = [("Last-Modified", http_date(version.mtime_ns)), ("ETag", f'"{etag}"')]
    headers += sse.answer_headers(version.metadata, call.headers)
    overrides = _overrides(call)
    for name, value in version.metadata.items():
        low = name.lower()
        if low.startswith(INTERNAL) or canonical(low) in overrides:
            continue
        if low.startswith(USER_PREFIXES):
            headers.append((low, mime(value)))
        else:
            headers.append((low if name in locks.ENTRIES else canonical(low), _wire(value)))
    headers += overrides.items()
    if version.tags:
        headers.append(("x-amz-tagging-count", str(version.tags.count("&") + 1)))
    return headers + version_header(version)


def version_header(version: ObjectVersion) -> Headers:
    """Return ``x-amz-version-id``, nothing for the null version."""
    if version.version_id == NULL_VERSION:
        return []
    return [("x-amz-version-id", version.version_id)]


def mime(value: str) -> str:
    """Encode a metadata value that is not printable ASCII as a header may hold it (RFC 2047)."""
    if all(" " <= char <= "~" or char == "\t" for char in value):
        return value
    raw = value.encode("utf-8", "surrogateescape")
    if _PUNCTUATION.search(value):
        return f"=?UTF-8?b?{_b64(raw)}?="
    return (
        f"=?UTF-8?q?{quopri.encodestring(raw, header=True).decode().replace('=' + chr(10), '')}?="
    )


def _overrides(call: Call) -> dict[str, str]:
    query = call.request.raw_query
    if "response-" not in query.lower():
        return {}
    found = ((_RESPONSE_HEADERS.get(k.lower()), v) for k, v in call.request.query)
    return {name: _wire(value) for name, value in found if name}


def _text(value: str) -> str:
    return value.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def _wire(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("latin-1")


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def clean_key(key: str) -> str:
    """Return an object's name without leading slashes, as the server takes it from a path."""
    if not key.startswith("/"):
        return key
    clean = posixpath.normpath(key).lstrip("/")
    return clean + "/" if key.endswith("/") and clean else clean
