"""The listings of a bucket: objects (versions 1 and 2) and object versions."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from mcpy.sandbox import envelope
from mcpy.sandbox.s3 import entity, sse, zipped
from mcpy.sandbox.s3.call import answer_xml, owner
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.names import valid_prefix
from mcpy.sandbox.s3.times import iso
from mcpy.sandbox.s3.walk import Page, Wanted, walk
from mcpy.sandbox.s3.xml import NAMESPACE, Markup, element, escape, url_encode

if TYPE_CHECKING:
    from mcpy.sandbox.message import Response
    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.store import ObjectVersion

MAX_KEYS = 1000
# the server appends its cache's id to where a listing goes on; clients treat it as opaque
_CACHE_TAG = "[minio_cache:v2,return:]"
_CACHE_TAGGED = re.compile(r"\[minio_cache:v2,[^\]]*\]\Z")
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def list_objects_v1(call: Call) -> Response:
    """Answer ListObjects."""
    marker = call.param("marker")
    limit = max_keys(call)
    _check(call, marker)
    page = _page(call, _wanted(call, _CACHE_TAGGED.sub("", marker), limit))
    keys = _open_etags(call, page)
    head = [element("Marker", _name(call, marker))]
    if page.truncated:
        head.append(element("NextMarker", _name(call, page.next_key)))
    items = [
        _object(call, version, key, with_owner=True)
        for (version, _), key in zip(page.versions, keys, strict=True)
    ]
    return _answer(call, "ListBucketResult", [*head, *_sizes(call, page, limit)], items, page)


def list_objects_v2(call: Call) -> Response:
    """Answer ListObjectsV2; ``metadata=true`` is MinIO's own and adds what HEAD would show."""
    token = _token(call)
    limit = max_keys(call)
    _check(call, token)
    marker = _CACHE_TAGGED.sub("", token) if token else call.param("start-after")
    page = _page(call, _wanted(call, marker, limit))
    keys = _open_etags(call, page)
    head = []
    if call.param("start-after"):
        head.append(element("StartAfter", _name(call, call.param("start-after"))))
    if token:
        head.append(element("ContinuationToken", call.param("continuation-token")))
    if page.truncated:
        head.append(element("NextContinuationToken", _encode_token(page.next_key)))
    head.append(element("KeyCount", len(page)))
    with_owner = call.param("fetch-owner") == "true"
    with_metadata = call.param("metadata") == "true"
    items = [
        _object(call, version, key, with_owner=with_owner, with_metadata=with_metadata)
        for (version, _), key in zip(page.versions, keys, strict=True)
    ]
    return _answer(call, "ListBucketResult", [*head, *_sizes(call, page, limit)], items, page)


def list_versions(call: Call) -> Response:
    """Answer ListObjectVersions; ``metadata=true`` adds what HEAD would show."""
    marker, version_marker = call.param("key-marker"), call.param("version-id-marker")
    limit = max_keys(call)
    _check(call, marker)
    if version_marker and not marker:
        problem = S3Problem.of("NotImplemented")
        problem.message += " ()"
        raise problem
    clean = _CACHE_TAGGED.sub("", marker)
    wanted = _wanted(call, clean, limit, version_marker=version_marker, all_versions=True)
    page = walk(call.store, call.bucket, wanted)
    keys = _open_etags(call, page)
    head = [element("KeyMarker", _name(call, marker))]
    if page.truncated:
        head.append(element("NextKeyMarker", _name(call, page.next_key)))
    named = page.truncated and entity.versioning(call.store.bucket(call.bucket))
    head.append(element("NextVersionIdMarker", page.next_version if named else ""))
    head.append(element("VersionIdMarker", version_marker))
    with_metadata = call.param("metadata") == "true"
    items = [
        _version(call, version, key, latest=latest, with_metadata=with_metadata)
        for (version, latest), key in zip(page.versions, keys, strict=True)
    ]
    return _answer(call, "ListVersionsResult", [*head, *_sizes(call, page, limit)], items, page)


def max_keys(
    call: Call, name: str = "max-keys", problem: str = "InvalidMaxKeys", default: int = MAX_KEYS
) -> int:
    """Return how many entries a page is to hold.

    Raises:
        S3Problem: it is not a number, or negative.
    """
    text = call.param(name)
    if not text:
        return default
    if not _INTEGER.fullmatch(text) or int(text) < 0:
        raise S3Problem.of(problem)
    return int(text)


def _page(call: Call, wanted: Wanted) -> Page:
    if zipped.is_asked(call, wanted.prefix):
        return zipped.page(call, wanted)
    return walk(call.store, call.bucket, wanted)


def _wanted(
    call: Call, marker: str, limit: int, *, version_marker: str = "", all_versions: bool = False
) -> Wanted:
    return Wanted(
        prefix=call.param("prefix"),
        delimiter=call.param("delimiter"),
        marker=marker,
        version_marker=version_marker,
        limit=min(limit, MAX_KEYS),
        all_versions=all_versions,
        below_objects=call.lists_below_objects,
    )


def _check(call: Call, marker: str) -> None:
    if call.param("encoding-type").lower() not in {"", "url"}:
        raise S3Problem.of("InvalidEncodingMethod")
    check_prefix(call)
    if marker and not marker.startswith(call.param("prefix")):
        raise S3Problem.of("NotImplemented")


def check_prefix(call: Call) -> None:
    """Refuse a prefix that no name can have.

    Raises:
        S3Problem: XMinioInvalidObjectName.
    """
    if "prefix" in call.request.not_text or not valid_prefix(call.param("prefix")):
        raise S3Problem.of("XMinioInvalidObjectName")


def _token(call: Call) -> str:
    if all(name != "continuation-token" for name, _ in call.request.query):
        return ""
    try:
        raw = base64.b64decode(call.param("continuation-token"), validate=True)
    except binascii.Error:
        raw = b""
    if not raw:
        raise S3Problem.of("IncorrectContinuationToken")
    return raw.decode("utf-8", "surrogateescape")


def _encode_token(key: str) -> str:
    raw = (key + _CACHE_TAG).encode("utf-8", "surrogateescape")
    return base64.b64encode(raw).decode()


def _open_etags(call: Call, page: Page) -> list[str]:
    """Return the ETag of each version; one SSE-S3 object that cannot be opened fails the page."""
    etags = []
    for version, _ in page.versions:
        sealed = envelope.SEALED_KEY["SSE-S3"] in version.metadata and len(version.etag) > 32
        key = sse.object_key(call, version) if sealed and "-" not in version.etag else None
        etags.append(entity.answered_etag(version, key))
    return etags


def _sizes(call: Call, page: Page, limit: int) -> list[Markup]:
    sizes = [element("MaxKeys", limit)]
    if call.param("delimiter"):
        sizes.append(element("Delimiter", _name(call, call.param("delimiter"))))
    return [*sizes, element("IsTruncated", "true" if page.truncated else "false")]


def _answer(
    call: Call, root: str, head: list[Markup], items: list[Markup], page: Page
) -> Response:
    first = [element("Name", call.bucket), element("Prefix", _name(call, call.param("prefix")))]
    prefixes = [
        element("CommonPrefixes", element("Prefix", _name(call, prefix)))
        for prefix in page.prefixes
    ]
    encoding = call.param("encoding-type")
    last = [element("EncodingType", encoding)] if encoding else []
    # the real server puts them the other way round in a list of versions
    body = [*prefixes, *items] if root == "ListVersionsResult" else [*items, *prefixes]
    return answer_xml(element(root, *first, *head, *body, *last, xmlns=NAMESPACE))


def _name(call: Call, name: str) -> str:
    return url_encode(name, call.param("encoding-type"))


def _object(
    call: Call,
    version: ObjectVersion,
    etag: str,
    *,
    with_owner: bool,
    with_metadata: bool = False,
) -> Markup:
    fields = _fields(call, version, etag, with_owner=with_owner)
    if with_metadata:
        fields += _metadata(version)
    return element("Contents", *fields)


def _version(
    call: Call, version: ObjectVersion, etag: str, *, latest: bool, with_metadata: bool
) -> Markup:
    fields = _fields(call, version, etag, with_owner=True)
    if with_metadata:
        fields += _metadata(version)
    fields.append(element("IsLatest", "true" if latest else "false"))
    fields.append(element("VersionId", version.version_id))
    return element("DeleteMarker" if version.marker else "Version", *fields)


def _fields(call: Call, version: ObjectVersion, etag: str, *, with_owner: bool) -> list[Markup]:
    fields = [
        element("Key", _name(call, version.key)),
        element("LastModified", iso(version.mtime_ns)),
        element("ETag", f'"{etag}"' if etag else ""),
        element("Size", version.size),
    ]
    if with_owner:
        fields.append(owner())
    fields.append(element("StorageClass", version.metadata.get(entity.STORAGE_CLASS, "STANDARD")))
    return fields


def _metadata(version: ObjectVersion) -> list[Markup]:
    entries = [
        *sse.listed_headers(version.metadata),
        *(
            (name, value)
            for name, value in version.metadata.items()
            if name != "expires" and not name.lower().startswith(entity.INTERNAL)
        ),
    ]
    fields = []
    if entries:
        # names go in raw, as the real server writes them: some make the page no XML at all
        inner = (Markup(f"<{name}>{escape(value)}</{name}>") for name, value in entries)
        fields.append(element("UserMetadata", *inner))
    if version.tags:
        fields.append(element("UserTags", version.tags))
    count = 0 if version.marker else 1
    fields.append(element("Internal", element("K", count), element("M", 0)))
    return fields
