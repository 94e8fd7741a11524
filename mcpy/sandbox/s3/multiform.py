"""A ``multipart/form-data`` body read as a stream: small fields first, then one file.

Source: RFC 7578 and RFC 2046; https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

from __future__ import annotations

import re
from email.message import Message
from typing import TYPE_CHECKING

from mcpy.sandbox.s3.chunked import READ_BYTES
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.message import Readable

MAX_HEAD_BYTES = 16 * 1024
MAX_FIELD_BYTES = 1024 * 1024
MAX_FIELDS = 1000
_PARAMETER = re.compile(r';\s*([\w*]+)="((?:[^"\\]|\\.)*)"')


class Form:
    """The fields of a form, and its file as a ``Payload`` of unknown length.

    Attributes:
        fields: by lower-case name; of a field sent twice, the first value.
        repeated: lower-case names of fields sent more than once.
        filename: as the client named the file, may be empty.
    """

    def __init__(self, content_type: str, body: Readable) -> None:
        message = Message()
        message["content-type"] = content_type
        boundary = str(message.get_param("boundary", ""))
        if message.get_content_type() != "multipart/form-data" or not boundary:
            raise malformed("no multipart boundary param in Content-Type")
        self.fields: dict[str, str] = {}
        self.repeated: set[str] = set()
        self.filename = ""
        self.length: int | None = None
        self.trailers: dict[str, str] = {}
        self._body = body
        # the line end before a boundary belongs to it; the first one has none
        self._buffer = bytearray(b"\r\n")
        self._delimiter = b"\r\n--" + boundary.encode("latin-1")
        self._ended = False
        self._read_fields()

    def read(self, size: int = -1, /) -> bytes:
        """Return exactly ``size`` bytes of the file, fewer only at its end; -1 for all of it.

        Raises:
            S3Problem: the form is cut off.
        """
        parts: list[bytes] = []
        while size and not self._ended:
            part = self._some(size)
            parts.append(part)
            size -= len(part) if size > 0 else 0
        return b"".join(parts)

    def _some(self, size: int) -> bytes:
        """Return some of the file; after its last byte, note the end."""
        found = self._buffer.find(self._delimiter)
        while found < 0 and len(self._buffer) < len(self._delimiter) + 1:
            self._fill()
            found = self._buffer.find(self._delimiter)
        safe = found if found >= 0 else len(self._buffer) - len(self._delimiter)
        count = safe if size < 0 else min(size, safe)
        self._ended = found == count
        return self._take(count)

    def _read_fields(self) -> None:
        self._until(self._delimiter, MAX_HEAD_BYTES)
        for _ in range(MAX_FIELDS):
            if self._until(b"\r\n", MAX_HEAD_BYTES).strip(b" \t"):
                break
            name, filename = self._head()
            if name == "file":
                self.filename = filename
                return
            value = self._until(self._delimiter, MAX_FIELD_BYTES).decode("utf-8", "replace")
            if name in self.fields:
                self.repeated.add(name)
            self.fields.setdefault(name, value)
        raise malformed("The file or text content is missing")

    def _head(self) -> tuple[str, str]:
        # an empty head ends at once, so the line end before it is part of what is looked for
        self._buffer[:0] = b"\r\n"
        head = self._until(b"\r\n\r\n", MAX_HEAD_BYTES).decode("utf-8", "replace")
        for line in head.split("\r\n"):
            name, _, value = line.partition(":")
            if name.strip().lower() == "content-disposition":
                found: Mapping[str, str] = {
                    key.lower(): re.sub(r"\\(.)", r"\1", text)
                    for key, text in _PARAMETER.findall(value)
                }
                return found.get("name", "").lower(), found.get("filename", "")
        return "", ""

    def _until(self, mark: bytes, limit: int) -> bytes:
        """Return what comes before ``mark`` and go behind it."""
        while (found := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit:
                raise malformed("multipart: message too large")
            self._fill()
        data = self._take(found)
        self._take(len(mark))
        return data

    def _fill(self) -> None:
        block = self._body.read(READ_BYTES)
        if not block:
            raise malformed("unexpected EOF")
        self._buffer += block

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data


def malformed(reason: str) -> S3Problem:
    """Return 400 MalformedPOSTRequest."""
    return S3Problem.of("MalformedPOSTRequest", reason)
