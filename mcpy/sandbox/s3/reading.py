"""GET and HEAD of objects: whole, a range, or one part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.sandbox import envelope
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import checksums, conditions, entity, sse, transfer
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from mcpy.sandbox.envelope import ObjectKey
    from mcpy.sandbox.s3.call import Call, Headers
    from mcpy.sandbox.store import ObjectVersion, Part

SMALL_BYTES = 1 << 20
ATTEMPTS = 5


def head_object(call: Call) -> Response:
    """Answer an object's headers."""
    view = _look(call, head=True)
    try:
        _check_conditions(view)
    except conditions.NotModified as e:
        return Response(304, _without_content(e.headers))
    except S3Problem as e:
        return Response(e.status, e.headers)  # without the error's own headers, as it happens
    view.open()
    return Response(view.status, view.headers())


def get_object(call: Call) -> Response:
    """Answer an object, or a range of it."""
    for _ in range(ATTEMPTS):
        view = _look(call, head=False)
        try:
            _check_conditions(view)
        except conditions.NotModified as e:
            return Response(304, _without_content(e.headers))
        if view.problem is not None:
            raise view.problem
        view.open()
        headers = view.headers()
        try:
            return Response(view.status, headers, _body(view))
        except LookupError:
            continue  # it was replaced since it was found
    raise S3Problem.of("SlowDownRead")


def whole(call: Call, key_name: str = "") -> View:
    """Return an object that is about to be read as a whole, whatever range is asked for.

    Without ``key_name`` it is the one the request's path names.

    Raises:
        S3Problem: there is none, or it cannot be opened.
    """
    if key_name:
        version = entity.find(call, call.bucket, key_name, "")
    else:
        version = entity.requested_version(call)
    check_customer_headers(call, version)
    key, problem = sse.key_if_any(call, version)
    if problem is not None:
        raise problem
    if envelope.kind_of(version.metadata) == "SSE-C":
        key = sse.object_key(call, version)
    return View(call, version, key, None, "", 0)


@dataclass(slots=True)
class View:
    """An object as one request looks at it.

    Attributes:
        key: opens it; None if it is plaintext, or was not asked for yet.
        problem: why there is no key.
        etag: as answered.
        number: of the one part that is wanted, 0 for all.
        part: that part, once it was found.
        window: start and length of what is wanted, None for everything.
    """

    call: Call
    version: ObjectVersion
    key: ObjectKey | None
    problem: S3Problem | None
    etag: str
    number: int
    part: Part | None = None
    window: tuple[int, int] | None = None

    @property
    def status(self) -> int:
        """200, or 206 for less than everything."""
        return 200 if self.window is None else 206

    def open(self) -> None:
        """Check the client's key, if it has to bring one, and the range.

        Raises:
            S3Problem: it is another key, or nothing lies within the range.
        """
        if envelope.kind_of(self.version.metadata) == "SSE-C" and self.key is None:
            self.key = sse.object_key(self.call, self.version)
        self.window = _window(self.call, self.version, self.part)

    def content(self) -> transfer.Content:
        """Return what is wanted of the content; to be closed after use."""
        start, length = self.stretch()
        return transfer.Content(self.call.store, self.version, self.key, start, length)

    def stretch(self) -> tuple[int, int]:
        """Return start and length of the content to answer."""
        return self.window or (0, self.version.size)

    def headers(self) -> Headers:
        """Return all headers of the answer."""
        start, length = self.stretch()
        headers = entity.headers_of(self.call, self.version, self.etag)
        headers += self._checksums()
        if self.window is not None:
            last = start + length - 1
            headers.append(("Content-Range", f"bytes {start}-{last}/{self.version.size}"))
        if self.part is not None and "-" in self.version.etag:
            headers.append(("x-amz-mp-parts-count", self.version.etag.rpartition("-")[2]))
        headers.append(("Content-Length", str(length)))
        return headers

    def _checksums(self) -> Headers:
        if not _wants_checksums(self.call) or (self.window is not None and self.part is None):
            return []
        if not self.version.checksum:
            return []  # then parts have none either
        stored = self.version.checksum if self.part is None else self.part.checksum
        return checksums.answer_headers(entity.open_checksums(stored, self.key))


def _look(call: Call, *, head: bool) -> View:
    if sse.SSE in call.headers:
        raise S3Problem.of("BadRequest")
    number = _part_number(call)
    if number and call.header("range"):
        raise S3Problem.of("RangeAndPartNumber")
    version = entity.requested_version(call)
    check_customer_headers(call, version)
    key, problem = None, None
    kind = envelope.kind_of(version.metadata)
    if not (head and kind == "SSE-KMS") or _wants_checksums(call):
        key, problem = sse.key_if_any(call, version)
    etag = entity.answered_etag(version, key)
    if head and call.key.endswith("/"):
        etag = version.etag  # as the real server, which takes it for a folder, never encrypted
    return View(call, version, key, problem, etag, number)


def _check_conditions(view: View) -> None:
    view.part = _part(view.version, view.number)
    headers = entity.headers_of(view.call, view.version, view.etag)
    conditions.check_read(view.call, conditions.State(view.etag, view.version.mtime_ns), headers)


def _body(view: View) -> bytes | transfer.Content:
    content = view.content()
    if view.stretch()[1] > SMALL_BYTES:
        return content.started()
    try:
        return b"".join(content)
    finally:
        content.close()


def check_customer_headers(call: Call, version: ObjectVersion) -> None:
    """Refuse SSE-C headers where none belong, and demand them where they do.

    Raises:
        S3Problem: InvalidEncryptionParameters, SseEncryptedObject, or the headers are malformed.
    """
    kind = envelope.kind_of(version.metadata)
    sent = sse.customer_requested(call.headers)
    if sent:
        try:
            sse.customer_key(call.headers)
        except sse.CustomerKeyError as e:
            raise S3Problem.of(e.name) from e
        if kind is None:
            raise S3Problem.of("InvalidEncryptionParameters")
    if sent != (kind == "SSE-C"):
        raise S3Problem.of("SseEncryptedObject")


def _part_number(call: Call) -> int:
    text = call.param("partNumber")
    if not text:
        return 0
    if not text.isdecimal() or not text.isascii():
        raise S3Problem.of("XMinioAdminInvalidArgument")
    number = int(text)
    if number > 10_000:
        raise S3Problem.of("InvalidMaxParts")
    if number < 1:
        raise S3Problem.of("XMinioAdminInvalidArgument")
    return number


def _part(version: ObjectVersion, number: int) -> Part | None:
    if not number:
        return None
    part = next((part for part in version.parts if part.number == number), None)
    if part is None:
        raise S3Problem.of("InvalidPartNumber")
    return part


def _window(call: Call, version: ObjectVersion, part: Part | None) -> tuple[int, int] | None:
    if part is not None:
        before = (p.size for p in version.parts if p.number < part.number)
        return sum(before), part.size
    text = call.header("range")
    return conditions.byte_range(text, version.size) if text else None


def _wants_checksums(call: Call) -> bool:
    return call.header("x-amz-checksum-mode").upper() == "ENABLED"


def _without_content(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if not name.startswith("Content-")]
