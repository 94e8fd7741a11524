"""The listings of S3: objects, versions, uploads, each page read in one pass.

An audit reads a thousand pages of a thousand entries: expat builds each page's tree, and what is
wanted of it is found without a loop in Python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_plus

from mcpy.api.s3xml import parse, text
from mcpy.errors import ProtocolError
from mcpy.models import ObjectEncryption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from xml.etree import ElementTree as ET

_SSE = "X-Amz-Server-Side-Encryption"
_SIZE = re.compile("[0-9]{1,19}")  # Python refuses to read thousands of digits
# Python runs one thread at a time anyway: several trees at once would only take more memory
_ONE_AT_A_TIME = Lock()


class Entry(NamedTuple):  # a million are made: a frozen dataclass takes five times as long
    """One line of a listing: an object, a version, a delete marker, or a common prefix.

    Attributes:
        key: decoded.
        size: bytes; 0 for prefixes and markers.
        etag: without quotes.
        last_modified: RFC 3339 as sent.
        encryption: None when the listing does not say, which is not the same as unencrypted.
        tags: the object's tags, URL-encoded, where the listing has them.
    """

    key: str
    size: int = 0
    etag: str = ""
    last_modified: str = ""
    storage_class: str = ""
    version_id: str = ""
    is_latest: bool = True
    is_delete_marker: bool = False
    is_prefix: bool = False
    encryption: ObjectEncryption | None = None
    tags: str = ""


@dataclass(frozen=True)
class Page:
    """One page of a listing and where the next begins; ``markers`` is empty on the last."""

    entries: list[Entry]
    markers: dict[str, str]


class MalformedPageError(ProtocolError):
    """A page that is no XML: with ``metadata=true``, odd metadata names make it so."""


def objects_page(body: bytes, where: str) -> Page:
    """Read ListBucketResult (version 2)."""
    with _ONE_AT_A_TIME:
        root = _parsed(body, "ListBucketResult", where)
        name = _names(root)
        entries = [_object(e, name) for e in root if _local(e.tag) == "Contents"]
        entries += _prefixes(root, name)
        token = text(root, "NextContinuationToken")
        return Page(entries, _next(root, {"continuation-token": token}, where))


def versions_page(body: bytes, where: str) -> Page:
    """Read ListVersionsResult: versions and delete markers in the server's order."""
    with _ONE_AT_A_TIME:
        root = _parsed(body, "ListVersionsResult", where)
        name = _names(root)
        entries = [_object(e, name) for e in root if _local(e.tag) in {"Version", "DeleteMarker"}]
        entries += _prefixes(root, name)
        markers = {
            "key-marker": name(text(root, "NextKeyMarker")),
            "version-id-marker": text(root, "NextVersionIdMarker"),
        }
        return Page(entries, _next(root, markers, where))


def uploads_page(body: bytes, where: str) -> Page:
    """Read ListMultipartUploadsResult; an entry's ``version_id`` is the upload's name."""
    root = _parsed(body, "ListMultipartUploadsResult", where)
    name = _names(root)
    entries = [
        Entry(
            key=name(text(element, "Key")),
            last_modified=text(element, "Initiated"),
            version_id=text(element, "UploadId"),
        )
        for element in root
        if _local(element.tag) == "Upload"
    ]
    entries += _prefixes(root, name)
    markers = {
        "key-marker": name(text(root, "NextKeyMarker")),
        "upload-id-marker": text(root, "NextUploadIdMarker"),
    }
    return Page(entries, _next(root, markers, where))


def _parsed(body: bytes, root: str, where: str) -> ET.Element:
    try:
        return parse(body, root=root, where=where)
    except ProtocolError as e:
        if f"<{root}".encode() in body[:512]:
            raise MalformedPageError(e.message) from e
        raise


def _names(root: ET.Element) -> Callable[[str], str]:
    """Return how to read the names in a listing: not every server encodes them when asked to."""
    return unquote_plus if text(root, "EncodingType").lower() == "url" else str


def _next(root: ET.Element, markers: dict[str, str], where: str) -> dict[str, str]:
    """Return where the next page begins, empty after the last.

    Raises:
        ProtocolError: there is one, and the server does not say where it begins.
    """
    if text(root, "IsTruncated") != "true":
        return {}
    given = {name: value for name, value in markers.items() if value}
    if not given:
        raise ProtocolError(f"a listing of {where} is truncated and does not say where to go on")
    return given


class _Tags(NamedTuple):
    """The tags of an entry, in the namespace of the document."""

    key: str
    size: str
    etag: str
    modified: str
    storage_class: str
    version_id: str
    is_latest: str
    tags: str
    metadata: str
    algorithm: str
    kms_key: str
    context: str
    customer: str


@lru_cache(16)
def _tags(space: str) -> _Tags:
    names = ("Key", "Size", "ETag", "LastModified", "StorageClass", "VersionId", "IsLatest")
    sse = (_SSE, f"{_SSE}-Aws-Kms-Key-Id", f"{_SSE}-Context", f"{_SSE}-Customer-Algorithm")
    return _Tags(*(space + name for name in (*names, "UserTags", "UserMetadata", *sse)))


def _object(element: ET.Element, name: Callable[[str], str]) -> Entry:
    space, brace, local = element.tag.rpartition("}")
    tags = _tags(space + brace)
    text_of = element.findtext
    size = text_of(tags.size, "")
    return Entry(
        name(text_of(tags.key, "")),
        int(size) if _SIZE.fullmatch(size) else 0,
        text_of(tags.etag, "").strip('"'),
        text_of(tags.modified, ""),
        intern(text_of(tags.storage_class, "")),
        text_of(tags.version_id, ""),
        text_of(tags.is_latest, "") != "false",
        local == "DeleteMarker",
        encryption=_encryption(element.find(tags.metadata), tags),
        tags=text_of(tags.tags, ""),
    )


def _encryption(metadata: ET.Element | None, tags: _Tags) -> ObjectEncryption | None:
    if metadata is None:
        return None
    text_of = metadata.findtext
    return _shared(
        text_of(tags.algorithm, ""),
        text_of(tags.kms_key, ""),
        text_of(tags.context, ""),
        bool(text_of(tags.customer, "")),
    )


@lru_cache(256)
def _shared(algorithm: str, key_id: str, context: str, customer: bool) -> ObjectEncryption:
    """Return one value for all objects that are encrypted alike: there are few ways."""
    return ObjectEncryption(algorithm, key_id, context, customer)


def _prefixes(root: ET.Element, name: Callable[[str], str]) -> Iterator[Entry]:
    for element in root:
        if _local(element.tag) == "CommonPrefixes":
            yield Entry(key=name(text(element, "Prefix")), is_prefix=True)


@lru_cache(1024)
def _local(tag: str) -> str:
    """Return a tag without its namespace; the same few stand in every entry."""
    return tag.rpartition("}")[2]
