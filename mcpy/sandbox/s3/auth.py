"""Signature Version 4 as the server sees it: in the Authorization header or in the query.

Everything is recomputed from the request as it came over the wire. Nothing here is shared with the
client of this package: a mistake in one cannot be agreed with by the other.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from mcpy.sandbox.s3.canonical import (
    ALGORITHM,
    Credential,
    canonical_request,
    parse_credential,
    parse_time,
    signature_of,
    signing_key,
    string_to_sign,
)
from mcpy.sandbox.s3.chunked import (
    EMPTY_SHA256,
    ChunkedPayload,
    ChunkSigner,
    Payload,
    PlainPayload,
    require_equal,
)
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.identities import Identities

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from mcpy.sandbox.message import Request

UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMS = frozenset({STREAMING, STREAMING_TRAILER, STREAMING_UNSIGNED_TRAILER})
_BAD_QUERY = re.compile(r";|%(?![0-9a-fA-F]{2})")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
MAX_SKEW = timedelta(minutes=15)
MAX_EXPIRES_S = 604_800
PRESIGNED_PARAMETERS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)


@dataclass(frozen=True)
class Caller:
    """Who signed a request, and what its body has to be checked with.

    Attributes:
        access_key: the identity; it is known and its signature is right.
        secret_key: the key the request was signed with.
        credential: access key and scope of the signature.
        timestamp: ``x-amz-date`` as sent.
        signature: hex; the seed of chunk signatures.
        content_sha256: what was signed for the body: a hash in hex or one of the constants above.
        declared: whether the client sent ``content_sha256``, or it is the default.
    """

    access_key: str
    secret_key: str = field(repr=False)
    credential: Credential
    timestamp: str
    signature: str = field(repr=False)
    content_sha256: str
    declared: bool = True


def authenticate(
    request: Request,
    credentials: Mapping[str, str],
    now: datetime,
    *,
    region: str = "",
    service: str = "s3",
) -> Caller:
    """Return who signed ``request``.

    Args:
        request: as it came over the wire.
        credentials: secret key by access key.
        now: aware; the server's clock.
        region: the only region accepted, or empty to accept any (a server that was configured with
            no region, and on every server the list of buckets, admin and KMS calls).
        service: the service named in the scope.

    Raises:
        S3Problem: not signed, or not rightly.
    """
    if _BAD_QUERY.search(request.raw_query):
        raise S3Problem.of("SignatureVersionNotSupported")  # so the real server words it
    authorization = request.headers.get("authorization")
    if authorization is not None and not authorization.startswith("Bearer "):
        return _by_header(request, credentials, now, region=region, service=service)
    if request.param("X-Amz-Credential") is not None:
        return _by_query(request, credentials, now, region=region, service=service)
    raise S3Problem.of("AccessDenied")


def payload(request: Request, caller: Caller) -> Payload:
    """Return the body of ``request``, decoded, checked against what ``caller`` signed while read.

    Raises:
        S3Problem: MissingContentLength for an encoded body of unknown decoded length.
    """
    kind = caller.content_sha256
    if kind not in STREAMS:
        signed = caller.declared and kind != UNSIGNED
        # a request that frames no body has none
        length = request.length if "transfer-encoding" in request.headers else request.length or 0
        return PlainPayload(request.body, length, sha256=kind.lower() if signed else None)
    decoded = request.headers.get("x-amz-decoded-content-length", "")
    if not re.fullmatch(r"\d{1,19}", decoded):
        raise S3Problem.of("MissingContentLength")
    announced = None if kind == STREAMING else _trailer_names(request)
    signer = None if kind == STREAMING_UNSIGNED_TRAILER else _chunk_signer(caller)
    return ChunkedPayload(request.body, int(decoded), signer=signer, announced=announced)


def _trailer_names(request: Request) -> frozenset[str]:
    names = request.headers.get("x-amz-trailer", "").lower().split(",")
    return frozenset(name.strip() for name in names if name.strip())


def _chunk_signer(caller: Caller) -> ChunkSigner:
    key = signing_key(caller.secret_key, caller.credential)
    return ChunkSigner(key, caller.timestamp, caller.credential.scope, caller.signature)


def secret_for(access_key: str, request: Request, credentials: Mapping[str, str]) -> str:
    """Return the secret key; a session token belongs to sessions only.

    Raises:
        S3Problem: InvalidAccessKeyId or InvalidTokenId.
    """
    token = session_token(request)
    known = access_key in credentials
    if not known and isinstance(credentials, Identities) and credentials.names_session(access_key):
        secret = credentials.session_secret(access_key, token)
        if secret is None:
            raise S3Problem.of("InvalidTokenId")
        return secret
    if not known:
        raise S3Problem.of("InvalidAccessKeyId")
    if token:
        raise S3Problem.of("InvalidTokenId")
    return credentials[access_key]


def session_token(request: Request) -> str:
    """Return the token of a session, empty if none was sent."""
    header = request.headers.get("x-amz-security-token")
    return header or request.param("X-Amz-Security-Token") or ""


def _by_header(
    request: Request,
    credentials: Mapping[str, str],
    now: datetime,
    *,
    region: str,
    service: str,
) -> Caller:
    header = request.headers["authorization"]
    if not header.startswith(ALGORITHM):
        raise S3Problem.of("SignatureVersionNotSupported")
    timestamp = _fresh_timestamp(request, now)
    credential_text, names, signature = _authorization_fields(header)
    credential = parse_credential(credential_text, region=region, service=service)
    _require_host(names)
    declared = request.headers.get("x-amz-content-sha256")
    content_sha256 = EMPTY_SHA256 if declared is None else declared
    canonical = canonical_request(request, names, content_sha256)
    secret = secret_for(credential.access_key, request, credentials)
    message = string_to_sign(canonical, timestamp, credential.scope)
    require_equal(signature, signature_of(message, secret, credential))
    _require_hash(content_sha256)
    return Caller(
        credential.access_key,
        secret,
        credential,
        timestamp,
        signature,
        content_sha256,
        declared is not None,
    )


def _fresh_timestamp(request: Request, now: datetime) -> str:
    timestamp = request.headers.get("x-amz-date") or request.headers.get("date")
    if not timestamp:
        raise S3Problem.of("MissingDateHeader")
    signed_at = parse_time(timestamp)
    if signed_at is None:
        raise S3Problem.of("MalformedDate")
    if abs(now - signed_at) > MAX_SKEW:
        raise S3Problem.of("RequestTimeTooSkewed")
    return timestamp


def _authorization_fields(header: str) -> tuple[str, list[str], str]:
    """Return credential, signed header names and signature of an Authorization header."""
    fields = [field_.strip() for field_ in header.removeprefix(ALGORITHM).split(",")]
    if len(fields) != 3:
        raise S3Problem.of("MissingFields")
    errors = ("MissingCredentialTag", "MissingSignHeadersTag", "MissingSignTag")
    values: list[str] = []
    for text, name, error in zip(
        fields, ("Credential", "SignedHeaders", "Signature"), errors, strict=True
    ):
        tag, equals, value = text.partition("=")
        if tag != name:
            raise S3Problem.of(error if equals else "MissingFields")
        if not value:
            raise S3Problem.of("MissingFields")
        values.append(value)
    return values[0], values[1].split(";"), values[2]


def _require_host(names: Iterable[str]) -> None:
    if "host" not in names:
        raise S3Problem.of("UnsignedHeaders")


def _by_query(
    request: Request,
    credentials: Mapping[str, str],
    now: datetime,
    *,
    region: str,
    service: str,
) -> Caller:
    given = {name: request.param(name) for name in PRESIGNED_PARAMETERS}
    values = {name: value for name, value in given.items() if value is not None}
    if len(values) < len(PRESIGNED_PARAMETERS):
        raise S3Problem.of("PresignedParameters")
    if values["X-Amz-Algorithm"] != ALGORITHM:
        raise S3Problem.of("PresignedAlgorithm")
    credential = parse_credential(values["X-Amz-Credential"], region=region, service=service)
    timestamp = values["X-Amz-Date"]
    signed_at = parse_time(timestamp)
    if signed_at is None:
        raise S3Problem.of("PresignedDateMalformed")
    expires = _expires(values["X-Amz-Expires"])
    names = values["X-Amz-SignedHeaders"].split(";")
    _require_host(names)
    secret = secret_for(credential.access_key, request, credentials)
    _require_signed_metadata(request, names)
    if signed_at > now + MAX_SKEW:
        raise S3Problem.of("AccessDeniedNotYetValid")
    if now - signed_at > expires:
        raise S3Problem.of("AccessDeniedExpired")
    declared = request.param("X-Amz-Content-Sha256") or request.headers.get("x-amz-content-sha256")
    content_sha256 = declared or UNSIGNED
    canonical = canonical_request(
        request, names, content_sha256, without=frozenset({"X-Amz-Signature"})
    )
    message = string_to_sign(canonical, timestamp, credential.scope)
    signature = values["X-Amz-Signature"]
    require_equal(signature, signature_of(message, secret, credential))
    _require_hash(content_sha256)
    return Caller(credential.access_key, secret, credential, timestamp, signature, content_sha256)


def _require_hash(content_sha256: str) -> None:
    if content_sha256 not in STREAMS | {UNSIGNED} and not _SHA256.fullmatch(content_sha256):
        raise S3Problem.of("XAmzContentSHA256Mismatch")


def _expires(text: str) -> timedelta:
    if not re.fullmatch(r"-?\d{1,18}(\.\d{0,9})?", text):
        raise S3Problem.of("PresignedExpiresMalformed")
    seconds = int(float(text))
    if seconds < 0:
        raise S3Problem.of("PresignedExpiresNegative")
    if seconds > MAX_EXPIRES_S:
        raise S3Problem.of("PresignedExpiresTooLong")
    if text != str(seconds):
        raise S3Problem.of("SignatureDoesNotMatch")
    return timedelta(seconds=seconds)


def _require_signed_metadata(request: Request, names: Iterable[str]) -> None:
    signed = set(names)
    if any(name.startswith("x-amz-meta-") and name not in signed for name in request.headers):
        raise S3Problem.of("UnsignedHeaders")
