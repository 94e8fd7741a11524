"""Signature Version 2, which old clients still send: in the Authorization header or in the query.

It covers neither the body nor most headers; the server takes it as it does its successor.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
"""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from mcpy.sandbox.s3.auth import MAX_SKEW, UNSIGNED, Caller, secret_for
from mcpy.sandbox.s3.canonical import ALGORITHM, Credential, parse_time
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.message import Request

SCHEME = "AWS "
ACCESS_KEY, SIGNATURE, EXPIRES = "AWSAccessKeyId", "Signature", "Expires"
# the sub-resources that are part of what is signed, sorted
RESOURCES = (
    "acl",
    "cors",
    "delete",
    "encryption",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "notification",
    "partNumber",
    "policy",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "retention",
    "select",
    "select-type",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
)


def is_signed(request: Request) -> bool:
    """Tell whether a request is signed this way, rightly or not."""
    authorization = request.headers.get("authorization", "")
    if authorization:
        return authorization.startswith("AWS") and not authorization.startswith(ALGORITHM)
    return "AWSAccessKeyId=" in request.raw_query


def authenticate(request: Request, credentials: Mapping[str, str], now: datetime) -> Caller:
    """Return who signed ``request``.

    Raises:
        S3Problem: not rightly signed, or too long ago.
    """
    query = [unquote_to_bytes(part.replace("+", " ")) for part in request.raw_query.split("&")]
    pairs = [part.decode("utf-8", "surrogateescape") for part in query]
    if "authorization" in request.headers:
        return _by_header(request, pairs, credentials, now)
    return _by_query(request, pairs, credentials, now)


def form_caller(fields: Mapping[str, str], request: Request, keys: Mapping[str, str]) -> Caller:
    """Return who signed the policy of a form.

    Raises:
        S3Problem: the key is not known, or the signature is of something else.
    """
    access_key = fields.get("awsaccesskeyid", "")
    secret = secret_for(access_key, request, keys)
    _require_equal(fields.get("signature", ""), signature_of(fields.get("policy", ""), secret))
    return _caller(access_key, secret)


def signature_of(message: str, secret: str) -> bytes:
    """Return the signature of a string to sign: 20 bytes."""
    return hmac.digest(secret.encode(), message.encode("utf-8", "surrogateescape"), "sha1")


def string_to_sign(request: Request, pairs: list[str], date: str) -> str:
    """Return what is signed; ``pairs`` are the query's parts, decoded; ``date`` or the expiry."""
    headers = request.headers
    ours = sorted(name for name in headers if name.startswith("x-amz-"))
    lines = [
        request.method,
        headers.get("content-md5", ""),
        headers.get("content-type", ""),
        date,
        *(f"{name}:{_text(headers[name])}" for name in ours),
    ]
    found = dict(pair.partition("=")[::2] for pair in pairs)
    signed = "&".join(
        f"{name}={found[name]}" if found[name] else name for name in RESOURCES if name in found
    )
    resource = request.virtual_path
    return "\n".join((*lines, f"{resource}?{signed}" if signed else resource))


def _by_header(
    request: Request, pairs: list[str], credentials: Mapping[str, str], now: datetime
) -> Caller:
    _require_fresh(request, now)
    fields = request.headers["authorization"].split(" ")
    parts = fields[1].strip().split(":") if len(fields) == 2 else []
    if len(parts) != 2:
        raise S3Problem.of("MissingFields")
    access_key, signature = parts
    secret = secret_for(access_key, request, credentials)
    if fields[0] + " " != SCHEME:
        raise S3Problem.of("SignatureDoesNotMatch")
    message = string_to_sign(request, pairs, request.headers.get("date", ""))
    _require_equal(signature, signature_of(message, secret))
    return _caller(access_key, secret)


def _by_query(
    request: Request, pairs: list[str], credentials: Mapping[str, str], now: datetime
) -> Caller:
    if any("=" not in pair for pair in pairs):
        raise S3Problem.of("PresignedParameters")
    ours = {ACCESS_KEY, SIGNATURE, EXPIRES}
    given = {name: value for name, _, value in (p.partition("=") for p in pairs) if name in ours}
    if not all(given.get(name) for name in ours):
        raise S3Problem.of("PresignedParameters")
    secret = secret_for(given[ACCESS_KEY], request, credentials)
    expires = given[EXPIRES]
    if not expires.removeprefix("-").isdecimal():
        raise S3Problem.of("PresignedExpiresMalformed")
    if int(expires) < int(now.timestamp()):
        raise S3Problem.of("AccessDeniedExpired")
    others = [pair for pair in pairs if pair.partition("=")[0] not in ours]
    message = string_to_sign(request, others, expires)
    _require_equal(given[SIGNATURE], signature_of(message, secret))
    return _caller(given[ACCESS_KEY], secret)


def _require_fresh(request: Request, now: datetime) -> None:
    text = request.headers.get("x-amz-date") or request.headers.get("date")
    if not text:
        raise S3Problem.of("MissingDateHeader")
    signed_at = parse_time(text) or _http_date(text)
    if signed_at is None:
        raise S3Problem.of("MalformedDate")
    if abs(now - signed_at) > MAX_SKEW:
        raise S3Problem.of("RequestTimeTooSkewed")


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _require_equal(given: str, expected: bytes) -> None:
    try:
        signature = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if not hmac.compare_digest(signature, expected):
        raise S3Problem.of("SignatureDoesNotMatch")


def _caller(access_key: str, secret: str) -> Caller:
    return Caller(access_key, secret, Credential(access_key, "", "", ""), "", "", UNSIGNED)


def _text(value: str) -> str:
    return value.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
