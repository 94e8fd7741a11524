"""S3's multipart uploads: start, send and copy parts, list, complete, abort.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from mcpy.api import s3listing, s3xml
from mcpy.api.http import Call
from mcpy.api.refusals import local_name
from mcpy.api.s3calls import request_target
from mcpy.api.s3info import Copied, checksums_in, etag_of, object_path
from mcpy.errors import ProtocolError, S3Error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mcpy.api.s3 import S3

MAX_PARTS = 10_000
MIN_PART_BYTES = 5 * 1024**2
MAX_PART_BYTES = 5 * 1024**3


@dataclass(frozen=True)
class Part:
    """A part that the server has.

    Attributes:
        number: from 1.
        etag: without quotes.
        size: in bytes.
        checksums: base64 by the algorithm's upper-case name.
    """

    number: int
    etag: str
    size: int = 0
    checksums: Mapping[str, str] = field(default_factory=dict)


class MultipartUpload:
    """An upload that was started; the object appears when it is completed.

    ``customer`` are the headers that hand over an SSE-C key: each part needs them again.
    """

    def __init__(
        self, s3: S3, bucket: str, key: str, upload_id: str, customer: Mapping[str, str]
    ) -> None:
        self.s3 = s3
        self.id = upload_id
        self._path = object_path(bucket, key)
        self._customer = customer

    @classmethod
    def start(
        cls,
        s3: S3,
        bucket: str,
        key: str,
        *,
        headers: Mapping[str, str],
        customer: Mapping[str, str],
    ) -> MultipartUpload:
        """Start an upload; encryption, metadata and tags are settled here."""
        path, sent = object_path(bucket, key), {**headers, **customer}
        answer = s3.call("POST", path, query=[("uploads", "")], headers=sent)
        root = s3.document(answer, "InitiateMultipartUploadResult")
        upload_id = s3xml.text(root, "UploadId")
        if not upload_id:
            raise ProtocolError(f"{s3.http.where} started an upload without a name")
        return cls(s3, bucket, key, upload_id, customer)

    def put(self, number: int, content: Iterable[bytes], headers: Mapping[str, str]) -> Part:
        """Send one part, and again if that fails; ``headers`` as for a streamed ``put_object``."""
        sent = {**headers, **self._customer}
        call = Call("PUT", self._target(number), sent, content, repeatable=True, transfer=True)
        answer = self.s3.send(call).headers
        etag, sums = etag_of(answer), checksums_in(answer)
        if not etag:
            raise ProtocolError(f"{self.s3.http.where} took part {number} without naming its ETag")
        return Part(number, etag, int(headers["content-length"]), sums)

    def copy(self, number: int, headers: Mapping[str, str]) -> Part:
        """Copy one part from another object; ``headers`` name source and range."""
        sent = {**headers, **self._customer}
        call = Call("PUT", self._target(number), sent, repeatable=True, transfer=True)
        root = self.s3.document(self.s3.send(call), "CopyPartResult")
        return Part(number, s3xml.text(root, "ETag").strip('"'))

    def parts(self) -> Iterator[Part]:
        """Yield the parts the server has."""
        marker = ""
        while True:
            query = [("uploadId", self.id)] + ([("part-number-marker", marker)] if marker else [])
            answer = self.s3.call("GET", self._path, query=query)
            root = s3xml.parse(answer.body, root="ListPartsResult", where=self.s3.http.where)
            for element in root:
                if local_name(element) == "Part":
                    yield _part(element)
            if s3xml.text(root, "IsTruncated") != "true":
                return
            last, marker = marker, s3xml.text(root, "NextPartNumberMarker")
            if marker in {"", last}:
                raise ProtocolError(f"{self.s3.http.where} gave the same page of parts twice")

    def complete(
        self, parts: Iterable[Part], *, headers: Mapping[str, str] | None = None
    ) -> Copied:
        """Make the object of ``parts``; ``headers`` may name what it replaces (``if-match``)."""
        root = ET.Element("CompleteMultipartUpload", xmlns=s3xml.NAMESPACE)
        for part in parts:
            element = ET.SubElement(root, "Part")
            ET.SubElement(element, "PartNumber").text = str(part.number)
            ET.SubElement(element, "ETag").text = f'"{part.etag}"'
            for name, value in part.checksums.items():
                ET.SubElement(element, f"Checksum{name}").text = value
        call = Call(
            "POST",
            request_target(self._path, [("uploadId", self.id)]),
            {"content-type": "application/xml", **self._customer, **(headers or {})},
            ET.tostring(root),
            repeatable=False,
            transfer=True,
        )
        answer = self.s3.send(call)
        made = self.s3.document(answer, "CompleteMultipartUploadResult")
        etag = s3xml.text(made, "ETag").strip('"')
        return Copied(etag, answer.headers.get("x-amz-version-id", ""))

    def abort(self) -> None:
        """Throw the parts away; an upload that is gone is no error."""
        try:
            self.s3.delete(self._path, query=[("uploadId", self.id)], repeatable=True)
        except S3Error as e:
            if e.api_code != "NoSuchUpload":
                raise

    def _target(self, number: int) -> str:
        return request_target(self._path, [("partNumber", str(number)), ("uploadId", self.id)])


def _part(element: ET.Element) -> Part:
    number, size = s3xml.text(element, "PartNumber"), s3xml.text(element, "Size")
    if not all(re.fullmatch("[0-9]{1,19}", text) for text in (number, size)):
        raise ProtocolError("a list of parts without numbers or sizes")
    etag = s3xml.text(element, "ETag").strip('"')
    sums = {
        name: child.text or ""
        for child in element
        if (name := local_name(child).removeprefix("Checksum")) != local_name(child)
    }
    return Part(int(number), etag, int(size), sums)


def list_uploads(
    s3: S3, bucket: str, prefix: str = "", *, delimiter: str = ""
) -> Iterator[s3listing.Entry]:
    """Yield uploads that were started and not completed; ``version_id`` is the upload's name."""
    query = {"uploads": "", "encoding-type": "url", "prefix": prefix}
    query |= {"delimiter": delimiter} if delimiter else {}
    return s3.pages(bucket, query, s3listing.uploads_page)
