"""Every failure of the S3, KMS and admin protocols: a catalogue, an exception, and its rendering.

``errors.tsv`` beside this file holds the wire facts (code, HTTP status, message), recorded from a
MinIO server. A handler raises ``S3Problem.of(NAME)``; the application renders it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, NamedTuple

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3.xml import document, element

if TYPE_CHECKING:
    from mcpy.sandbox.message import Request

Form = Literal["xml", "json"]

# answered before a bucket was looked at: these errors name no bucket and no key
UNROUTED = frozenset(
    {
        "AllAccessDisabled",
        "InsecureSseCustomer",
        "InvalidBucketName",
        "MalformedDate",
        "MissingDateHeader",
        "RequestTimeTooSkewed",
        "SignatureVersionNotSupported",
        "UnsupportedCall",
    }
)
RETRY_AFTER_S = 60


class Entry(NamedTuple):
    """One line of the catalogue."""

    code: str
    status: int
    message: str


@cache
def catalogue() -> dict[str, Entry]:
    """Return every known error by its name."""
    text = files("mcpy.sandbox.s3").joinpath("errors.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {name: Entry(code, int(status), message) for name, code, status, message in rows}


@dataclass(eq=False)
class S3Problem(Exception):  # noqa: N818 - the protocol calls them errors, this is one answer
    """A failure as the client sees it.

    Attributes:
        code: the ``<Code>`` of the answer.
        status: HTTP status.
        message: the ``<Message>``.
        headers: more headers for the answer.
        region: when set, the answer names it in ``<Region>`` for clients to correct themselves.
        routed: whether the answer names the bucket and key of the request's path.
        about: the (bucket, key) the answer names, where it is not that of the request's path.
        details: more elements after ``<Message>``, by name.
    """

    code: str
    status: int
    message: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    region: str = ""
    routed: bool = True
    about: tuple[str, str] | None = None
    details: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @classmethod
    def of(cls, name: str, detail: str = "", **fields: str) -> S3Problem:
        """Return the catalogue's error ``name``.

        Args:
            name: the wire code, or the catalogue's own name where a code has many messages.
            detail: the cause, appended in parentheses as the real server does.
            fields: values of the ``{placeholders}`` in the message.

        Raises:
            KeyError: no such error in ``errors.tsv``.
        """
        code, status, message = catalogue()[name]
        message = message.format(**fields) if fields else message
        if detail:
            message = f"{message} ({detail})" if message else detail
        return cls(code, status, message, routed=name not in UNROUTED)

    @classmethod
    def invalid_argument(cls, resource: str, reason: str) -> S3Problem:
        """Return 400 InvalidArgument for ``resource`` (``bucket/key``)."""
        return cls.of("InvalidArgumentsFor", path=resource, reason=reason)

    @classmethod
    def wrong_region(cls, expected: str) -> S3Problem:
        """Return the 400 that tells a client which region to sign for."""
        problem = cls.of("AuthorizationHeaderMalformed", region=expected)
        problem.region = expected
        return problem

    @classmethod
    def internal(cls, cause: str) -> S3Problem:
        """Return 500 InternalError naming ``cause`` in parentheses."""
        return cls.of("InternalError", cause)


def new_request_id() -> str:
    """Return the time as 16 upper-case hex digits, the form of ``x-amz-request-id``."""
    return f"{time.time_ns():016X}"


def server_headers(
    request_id: str, host_id: str, *, region: str = "", negotiated: bool = True
) -> list[tuple[str, str]]:
    """Return the headers every answer of the server carries.

    Args:
        request_id: 16 hex digits.
        host_id: 64 hex digits, the same for every answer of one server.
        region: set only when the server was configured with a region.
        negotiated: whether the answer may depend on Accept-Encoding.
    """
    headers = [
        ("Accept-Ranges", "bytes"),
        ("Server", "MinIO"),
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
        ("Vary", "Origin, Accept-Encoding" if negotiated else "Origin"),
        ("X-Amz-Id-2", host_id),
        ("X-Amz-Request-Id", request_id),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Xss-Protection", "1; mode=block"),
    ]
    return [*headers, ("X-Amz-Bucket-Region", region)] if region else headers


def render(
    problem: S3Problem,
    request: Request,
    request_id: str,
    host_id: str,
    *,
    form: Form = "xml",
    region: str = "",
) -> Response:
    """Return ``problem`` as the answer to ``request``.

    ``form`` is ``json`` for what the admin and KMS handlers report themselves. A HEAD request gets
    the error in headers, its text in quotes.
    """
    headers = server_headers(request_id, host_id, region=region, negotiated=problem.routed)
    headers += problem.headers
    if problem.status in {429, 503}:
        headers.append(("Retry-After", str(RETRY_AFTER_S)))
    if request.method == "HEAD":
        headers.append(("X-Minio-Error-Code", problem.code))
        headers.append(("X-Minio-Error-Desc", f'"{problem.message}"'))
        return Response(problem.status, headers)
    fields = _fields(problem, request, form=form, region=region)
    fields += [("RequestId", request_id), ("HostId", host_id)]
    if form == "json":
        headers.append(("Content-Type", "application/json"))
        return Response(problem.status, headers, go_json(dict(fields)) + b"\n")
    headers.append(("Content-Type", "application/xml"))
    children = (element(name, value) for name, value in fields)
    return Response(problem.status, headers, document(element("Error", *children)))


def _fields(
    problem: S3Problem, request: Request, *, form: Form, region: str
) -> list[tuple[str, str]]:
    fields = [("Code", problem.code), ("Message", problem.message), *problem.details.items()]
    of_admin = request.path.startswith("/minio/") and problem.about is None
    if form == "xml" and problem.routed and not of_admin:
        path_bucket, _, path_key = request.path.lstrip("/").partition("/")
        bucket, key = problem.about or (path_bucket, path_key)
        fields += [
            (name, value) for name, value in (("Key", key), ("BucketName", bucket)) if value
        ]
    fields.append(("Resource", request.path))
    if problem.region or region:
        fields.append(("Region", problem.region or region))
    return fields


def go_json(value: object) -> bytes:
    """Encode ``value`` as Go's ``encoding/json`` does: compact, ``<>&`` and U+2028/9 escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "replace")
