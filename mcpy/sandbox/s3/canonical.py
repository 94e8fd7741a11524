"""What a Signature Version 4 is computed over: the canonical request, the scope, the key.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from mcpy.sandbox.message import BAD_BYTES
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcpy.sandbox.message import Request

ALGORITHM = "AWS4-HMAC-SHA256"
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/_.~-]*", re.ASCII)


@dataclass(frozen=True)
class Credential:
    """The ``ACCESSKEY/DATE/REGION/SERVICE/aws4_request`` of a signature."""

    access_key: str
    date: str
    region: str
    service: str

    @property
    def scope(self) -> str:
        """The scope that is signed: everything but the access key."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@lru_cache(maxsize=64)
def signing_key(secret_key: str, credential: Credential) -> bytes:
    """Derive the 32-byte key of one day, region and service."""
    key = b"AWS4" + secret_key.encode()
    for part in (credential.date, credential.region, credential.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signature_of(message: str, secret_key: str, credential: Credential) -> str:
    """Return the hex signature of ``message``, a string to sign or a base64 policy."""
    key = signing_key(secret_key, credential)
    return hmac.digest(key, message.encode(), "sha256").hex()


def string_to_sign(canonical: bytes, timestamp: str, scope: str) -> str:
    """Return the text whose signature is sent; ``canonical`` is the canonical request."""
    return "\n".join((ALGORITHM, timestamp, scope, hashlib.sha256(canonical).hexdigest()))


def canonical_request(
    request: Request,
    signed_headers: Iterable[str],
    content_sha256: str,
    *,
    without: frozenset[str] = frozenset(),
) -> bytes:
    """Return the canonical form of ``request``; the path is encoded again, never normalised.

    ``without`` names query parameters that are not part of it.
    """
    names = sorted(set(signed_headers))
    headers = b"".join(
        name.encode() + b":" + canonical_value(signed_value(request, name)) + b"\n"
        for name in names
    )
    return b"\n".join(
        (
            request.method.encode(),
            _canonical_path(request.raw_path),
            canonical_query(request.raw_query, without=without).encode(),
            headers,
            ";".join(names).encode(),
            content_sha256.encode(),
        )
    )


def _canonical_path(raw: str) -> bytes:
    if _PLAIN_PATH.fullmatch(raw):
        return raw.encode()
    decoded = unquote_to_bytes(raw)
    try:
        decoded.decode()
    except UnicodeDecodeError:
        # the real server reads each bad byte as U+FFFD; whoever signs the bytes is refused
        text = decoded.decode("utf-8", "surrogateescape").translate(BAD_BYTES)
        decoded = text.encode()
    return quote_from_bytes(decoded, safe="/~").encode()


def canonical_query(raw: str, *, without: frozenset[str] = frozenset()) -> str:
    """Return the query decoded, encoded again and sorted by name, then by value."""
    if not raw:
        return ""
    pairs = (part.partition("=")[::2] for part in raw.split("&") if part)
    encoded = ((_recode(name), _recode(value)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in sorted(encoded) if name not in without)


def _recode(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", " ")), safe="~")


def canonical_value(value: str) -> bytes:
    """Return a header value as it is signed: trimmed, runs of white space made one space."""
    if value.isascii() and " " not in value and "\t" not in value:
        return value.encode()
    raw = value.encode("latin-1", "surrogateescape").decode("utf-8", "surrogateescape")
    return " ".join(raw.split()).encode("utf-8", "surrogateescape")


def signed_value(request: Request, name: str) -> str:
    """Return the value of a signed header.

    Raises:
        S3Problem: UnsignedHeaders, when it was not sent.
    """
    if name in request.headers:
        return request.headers[name]
    value = request.param(name)
    if value is None and name == "expect":
        return "100-continue"  # HTTP servers answer it and may take it off the request
    if value is None and name == "content-length":
        return str(request.length or 0)
    if value is None:
        raise S3Problem.of("UnsignedHeaders")
    return value


@lru_cache(maxsize=256)
def parse_credential(text: str, *, region: str, service: str) -> Credential:
    """Read ``ACCESSKEY/DATE/REGION/SERVICE/aws4_request``; an access key may hold slashes.

    Raises:
        S3Problem: malformed, another service, or another region than ``region``.
    """
    parts = text.strip().rstrip("/").split("/")
    if len(parts) < 5:
        raise S3Problem.of("CredentialMalformed")
    access_key, (date, signed_region, signed_service, end) = "/".join(parts[:-4]), parts[-4:]
    if len(access_key) < 3:
        raise S3Problem.of("InvalidAccessKeyId")
    if parse_time(date, "%Y%m%d") is None:
        raise S3Problem.of("CredentialDateMalformed")
    if region and signed_region != region:
        raise S3Problem.wrong_region(region)
    if signed_service != service:
        raise S3Problem.of("AuthorizationParametersError")
    if end != "aws4_request":
        raise S3Problem.of("CredentialTerminalMalformed")
    return Credential(access_key, date, signed_region, signed_service)


@lru_cache(maxsize=256)
def parse_time(text: str, form: str = "%Y%m%dT%H%M%SZ") -> datetime | None:
    """Return ``text`` as a UTC time, or None; strptime alone would take shorter fields."""
    try:
        parsed = datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
    return parsed if parsed.strftime(form) == text else None
