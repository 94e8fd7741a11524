"""AWS Signature Version 4, as S3 wants it.

S3 signs the path as it is sent: encoded once, never normalised.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mcpy.api.call import Outgoing

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_SIGNED_EXTRA = {"host", "content-type", "content-md5", "range", "if-match", "if-none-match"}


def uri_encode(text: str, *, safe: str = "") -> str:
    """Percent-encode everything but ``A-Za-z0-9-_.~`` and ``safe``.

    A byte that is no character may stand in ``text`` as Python escapes it (``surrogateescape``).
    """
    return quote(text, safe="-_.~" + safe, errors="surrogateescape")


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the canonical query: encoded, sorted by name and then value."""
    return "&".join(
        f"{k}={v}" for k, v in sorted((uri_encode(k), uri_encode(v)) for k, v in pairs)
    )


@dataclass(frozen=True)
class Scope:
    """What a signature is good for; ``date`` is ``YYYYMMDD`` in UTC."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@lru_cache(maxsize=64)
def signing_key(secret: str, scope: Scope) -> bytes:
    """Derive the 32-byte SigV4 key."""
    key = ("AWS4" + secret).encode()
    for part in (scope.date, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def canonical_request(
    method: str, path: str, query: str, headers: Mapping[str, str], payload_sha256: str
) -> str:
    """Return the canonical request.

    Args:
        method: the HTTP verb.
        path: percent-encoded, as on the wire.
        query: encoded and sorted, as from ``encode_query``.
        headers: those to sign, by lower-case name.
        payload_sha256: hex digest of the body, or one of S3's markers.
    """
    names = sorted(headers)
    lines = [method, path or "/", query]
    lines += [f"{name}:{' '.join(headers[name].split())}" for name in names]
    return "\n".join([*lines, "", ";".join(names), payload_sha256])


def signature(canonical: str, *, secret: str, amz_date: str, scope: Scope) -> str:
    """Return the hex signature; ``amz_date`` is ``YYYYMMDDTHHMMSSZ``."""
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{amz_date}\n{scope}\n{digest}"
    return hmac.new(signing_key(secret, scope), to_sign.encode(), "sha256").hexdigest()


def utc_now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)


def check_credentials(access_key: str, session_token: str) -> None:
    """Raise ConfigError for what cannot stand in a header, or not at its ends."""
    for name, value in ("access key", access_key), ("session token", session_token):
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise ConfigError(f"the {name} holds characters that no header can hold")


@dataclass
class SigV4Auth:
    """Signs each request, redoing it for every attempt.

    A body of bytes is hashed; a streamed body goes out under the ``x-amz-content-sha256`` header
    its caller set. ``region`` is mutable: a server may correct it.
    """

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    region: str = "us-east-1"
    service: str = "s3"
    now: Callable[[], datetime] = utc_now

    def __post_init__(self) -> None:
        check_credentials(self.access_key, self.session_token)

    def sign(self, request: Outgoing) -> None:
        """Put date, payload hash, token and ``Authorization`` on ``request``."""
        amz_date = amz_date_of(self.now())
        headers = request.headers
        headers["x-amz-date"] = amz_date
        payload = headers.get("x-amz-content-sha256")
        if payload is None:
            payload = headers["x-amz-content-sha256"] = _payload_sha256(request)
        if self.session_token:
            headers["x-amz-security-token"] = self.session_token
        signed = {
            name: value
            for name, value in headers.items()
            if name.startswith("x-amz-") or name in _SIGNED_EXTRA
        }
        path, _, query = request.target.partition("?")
        scope = Scope(amz_date[:8], self.region, self.service)
        canonical = canonical_request(request.method, path, query, signed, payload)
        mark = signature(canonical, secret=self.secret_key, amz_date=amz_date, scope=scope)
        headers["authorization"] = (
            f"{ALGORITHM} Credential={self.access_key}/{scope}, "
            f"SignedHeaders={';'.join(sorted(signed))}, Signature={mark}"
        )


def amz_date_of(moment: datetime) -> str:
    """Return ``YYYYMMDDTHHMMSSZ``; ``strftime`` takes as long as the rest of a signature."""
    day = f"{moment.year:04}{moment.month:02}{moment.day:02}"
    return f"{day}T{moment.hour:02}{moment.minute:02}{moment.second:02}Z"


def _payload_sha256(request: Outgoing) -> str:
    if not isinstance(request.content, bytes):
        request.content = b"".join(request.content)
        request.headers.pop("transfer-encoding", None)
        request.headers["content-length"] = str(len(request.content))
    return hashlib.sha256(request.content).hexdigest() if request.content else EMPTY_SHA256
