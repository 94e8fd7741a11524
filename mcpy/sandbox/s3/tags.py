"""Tags of objects and buckets: up to ten, or fifty, as a query string or as XML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote_plus

from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.xml import Markup, element

if TYPE_CHECKING:
    from mcpy.sandbox.s3.xml import Node

MAX_OBJECT_TAGS = 10
MAX_BUCKET_TAGS = 50
_ALLOWED = re.compile(r"[\w\s+\-=.:/@]*", re.UNICODE)


def parse_header(text: str) -> dict[str, str]:
    """Read ``x-amz-tagging``.

    Raises:
        S3Problem: too many tags, one twice, or characters that are not allowed.
    """
    if not text:
        return {}
    return _checked(parse_qsl(text, keep_blank_values=True), MAX_OBJECT_TAGS, "TooManyTags")


def checked_header(text: str) -> str:
    """Return ``x-amz-tagging`` as it is stored, which is as it came.

    Raises:
        S3Problem: see `parse_header`.
    """
    parse_header(text)
    return text


def parse_xml(tagging: Node, limit: int = MAX_OBJECT_TAGS) -> dict[str, str]:
    """Read a ``<Tagging>`` document.

    Raises:
        S3Problem: see `parse_header`.
    """
    tag_set = tagging.first("TagSet")
    if tag_set is None:
        raise S3Problem.of("MalformedXML")
    pairs = [(tag.value("Key") or "", tag.value("Value") or "") for tag in tag_set.all("Tag")]
    too_many = "TooManyTags" if limit == MAX_OBJECT_TAGS else "TooManyBucketTags"
    return _checked(pairs, limit, too_many)


def to_header(tags: dict[str, str]) -> str:
    """Return tags as they are stored, by name."""
    return "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in sorted(tags.items()))


def to_xml(tags: dict[str, str]) -> Markup:
    """Return the ``<Tagging>`` document, which has no namespace."""
    items = (
        element("Tag", element("Key", key), element("Value", value))
        for key, value in sorted(tags.items())
    )
    return element("Tagging", element("TagSet", *items))


def _checked(pairs: list[tuple[str, str]], limit: int, too_many: str) -> dict[str, str]:
    if len(pairs) > limit:
        raise S3Problem.of(too_many)
    tags: dict[str, str] = {}
    for key, value in pairs:
        if not 1 <= len(key) <= 128 or not _ALLOWED.fullmatch(key):
            raise S3Problem.of("InvalidTagKey")
        if len(value) > 256 or not _ALLOWED.fullmatch(value):
            raise S3Problem.of("InvalidTagValue")
        if key in tags:
            raise S3Problem.of("DuplicateTagKey")
        tags[key] = value
    return tags


def read_stored(text: str) -> dict[str, str]:
    """Undo `to_header`."""
    return dict(parse_qsl(text, keep_blank_values=True))
