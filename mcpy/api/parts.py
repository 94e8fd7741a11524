"""The parts an object was stored in, by S3's GetObjectAttributes.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.api import s3xml
from mcpy.api.http import Call
from mcpy.api.refusals import local_name
from mcpy.api.s3calls import request_target
from mcpy.api.s3info import object_path, version_query
from mcpy.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from xml.etree import ElementTree as ET

    from mcpy.api.s3 import S3

_MAX_PAGE_BYTES = 1024 * 1024
_ASK = {"x-amz-object-attributes": "ObjectParts"}


def part_sizes(
    s3: S3,
    bucket: str,
    key: str,
    *,
    version_id: str = "",
    headers: Mapping[str, str] | None = None,
) -> list[int]:
    """Return the sizes of the parts an object was stored in, in order.

    Raises:
        S3Error: the server refused.
        ProtocolError: it knows no such question, and answered with the object or nothing of use.
    """
    query = [("attributes", ""), *version_query(version_id)]
    target = request_target(object_path(bucket, key), query)
    sizes: list[int] = []
    while True:
        marker = {"x-amz-part-number-marker": str(len(sizes))} if sizes else {}
        call = Call("GET", target, {**_ASK, **marker, **(headers or {})})
        answer = s3.http.request(call, max_body_bytes=_MAX_PAGE_BYTES)
        root = s3xml.parse(answer.body, where=s3.http.where)
        page = [_size(part) for part in _named(root, "Part")]
        sizes += page
        if not page or "true" not in {element.text for element in _named(root, "IsTruncated")}:
            return sizes


def _named(root: ET.Element, name: str) -> Iterator[ET.Element]:
    return (element for element in root.iter() if local_name(element) == name)


def _size(part: ET.Element) -> int:
    size = s3xml.text(part, "Size")
    if not (size.isdecimal() and size.isascii() and len(size) < 20):
        raise ProtocolError("a list of an object's parts without sizes")
    return int(size)
