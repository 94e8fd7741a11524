"""S3's DeleteObjects: up to a thousand objects in one request, each with its own outcome."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from mcpy.api import s3xml
from mcpy.api.s3calls import content_md5
from mcpy.api.s3info import check_names, object_path
from mcpy.errors import ProtocolError, S3Error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mcpy.api.s3 import S3

MAX_KEYS = 1000
# XML 1.0 cannot hold these, whatever their escape; a carriage return it reads as another name
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")


def delete_objects(
    s3: S3, bucket: str, names: Sequence[tuple[str, str]], *, bypass: bool = False
) -> Iterator[s3xml.Deletion | S3Error]:
    """Delete up to ``MAX_KEYS`` pairs of key and version; yield what became of each, in order.

    What the server leaves out of its answer is yielded as an error: nothing is taken for done.

    Raises:
        InputError: a name is empty.
    """
    for key, _ in names:
        check_names(bucket, key)
    plain = [pair for pair in names if not _UNWRITABLE.search(pair[0])]
    outcomes = _batch(s3, bucket, plain, bypass=bypass) if plain else {}
    for key, version_id in names:
        if _UNWRITABLE.search(key):
            yield _single(s3, bucket, key, version_id, bypass=bypass)
        else:
            silent = S3Error(200, "", f"the server did not say what became of `{key}`")
            yield _said(outcomes, key, version_id) or silent


def _said(
    outcomes: Mapping[tuple[str, str], s3xml.Deletion | S3Error], key: str, version_id: str
) -> s3xml.Deletion | S3Error | None:
    found = outcomes.get((key, version_id))
    if found or version_id != "null":
        return found
    # SeaweedFS does not repeat the name of the only version; a marker would be another thing done
    found = outcomes.get((key, ""))
    covered = isinstance(found, s3xml.Deletion) and found.marker_id
    return None if covered else found


def _batch(
    s3: S3, bucket: str, names: Sequence[tuple[str, str]], *, bypass: bool
) -> dict[tuple[str, str], s3xml.Deletion | S3Error]:
    body = _document(names)
    headers = {"content-md5": content_md5(body), "content-type": "application/xml"}
    headers |= {"x-amz-bypass-governance-retention": "true"} if bypass else {}
    path, query = object_path(bucket), [("delete", "")]
    answer = s3.call("POST", path, query=query, headers=headers, content=body)
    root = s3.document(answer, "DeleteResult")
    return s3xml.deletions(root)


def _single(
    s3: S3, bucket: str, key: str, version_id: str, *, bypass: bool
) -> s3xml.Deletion | S3Error:
    try:
        return s3.delete_object(bucket, key, version_id=version_id, bypass=bypass)
    except S3Error as e:
        return e
    except ProtocolError as e:
        return S3Error(200, "", f"`{key}`: {e}")


def _document(names: Sequence[tuple[str, str]]) -> bytes:
    root = ET.Element("Delete", xmlns=s3xml.NAMESPACE)
    for key, version_id in names:
        element = ET.SubElement(root, "Object")
        ET.SubElement(element, "Key").text = key
        if version_id:
            ET.SubElement(element, "VersionId").text = version_id
    return bytes(ET.tostring(root, encoding="utf-8"))
