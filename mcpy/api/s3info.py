"""What S3 says of one object, and the headers that ask for encryption and describe content."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

from mcpy.api.sigv4 import uri_encode
from mcpy.errors import InputError, ProtocolError
from mcpy.models import ObjectEncryption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.models import CustomerKey

_SSE = "x-amz-server-side-encryption"
_CHECKSUM = "x-amz-checksum-"
_DESCRIBED = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-meta-",
    "x-amz-server-side-encryption",
    "x-amz-storage-class",
    "x-amz-object-lock-",
    "x-amz-tagging-count",
    "x-amz-website-redirect-location",
    "x-amz-missing-meta",
)
ASK_CHECKSUM = {"x-amz-checksum-mode": "ENABLED"}


@dataclass(frozen=True)
class ObjectInfo:
    """What HEAD, GET and PUT say of one object.

    Attributes:
        size: bytes of the object, whole.
        etag: without quotes.
        last_modified: RFC 3339, seconds.
        metadata: the headers that describe it, by lower-case name.
        checksums: base64 by the algorithm's upper-case name, where they were asked for.
    """

    key: str
    size: int
    etag: str
    last_modified: str
    version_id: str
    encryption: ObjectEncryption
    metadata: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)


class Copied(NamedTuple):
    """What a copy became: its ETag without quotes, and its version where there are versions."""

    etag: str
    version_id: str


def object_path(bucket: str, key: str | None = None) -> str:
    """Return the encoded path of an object, or of its bucket; dot segments of a key are names.

    Raises:
        InputError: as ``check_names``.
    """
    check_names(bucket, key)
    path = "/" + uri_encode(bucket)
    return path if key is None else path + "/" + uri_encode(key, safe="/")


def check_names(bucket: str, key: str | None = None) -> None:
    """See that a call goes where it is meant to; None is no key.

    Raises:
        InputError: a name is empty, and the call would be one to the bucket or the server; or the
            bucket's name is a path.
    """
    if not bucket:
        raise InputError("the name of a bucket is empty")
    if "/" in bucket or bucket in {".", ".."}:
        raise InputError(f"`{bucket}` is not the name of a bucket: a folder belongs to the key")
    if key == "":
        raise InputError(f"the name of an object in `{bucket}` is empty")


def sse_headers(encryption: ObjectEncryption | None) -> dict[str, str]:
    """Return the request headers that ask for ``encryption``; none for None or no algorithm."""
    if not encryption:
        return {}
    if encryption.customer_key:  # never beside the others: some servers then lose the object
        return customer_headers(encryption.customer_key)
    if not encryption.algorithm:
        return {}
    headers = {_SSE: encryption.algorithm}
    if encryption.key_id:
        headers[f"{_SSE}-aws-kms-key-id"] = encryption.key_id
    if encryption.context:
        headers[f"{_SSE}-context"] = encryption.context
    return headers


def customer_headers(key: CustomerKey | None, *, source: bool = False) -> dict[str, str]:
    """Return the headers that hand over an SSE-C key; with ``source``, the key of what is copied.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
    """
    if key is None:
        return {}
    start = "x-amz-copy-source-server-side-encryption" if source else _SSE
    digest = hashlib.md5(key.secret, usedforsecurity=False).digest()
    return {
        f"{start}-customer-algorithm": "AES256",
        f"{start}-customer-key": base64.b64encode(key.secret).decode(),
        f"{start}-customer-key-md5": base64.b64encode(digest).decode(),
    }


def encryption_of(headers: Mapping[str, str]) -> ObjectEncryption:
    """Read an answer's SSE headers."""
    return ObjectEncryption(
        algorithm=headers.get(_SSE, ""),
        key_id=headers.get(f"{_SSE}-aws-kms-key-id", ""),
        context=headers.get(f"{_SSE}-context", ""),
        customer=f"{_SSE}-customer-algorithm" in headers,
    )


def version_query(version_id: str) -> list[tuple[str, str]]:
    """Return the query that names a version; empty for the latest."""
    return [("versionId", version_id)] if version_id else []


def info_of(key: str, headers: Mapping[str, str], *, sized: bool = True) -> ObjectInfo:
    """Read what the headers of an answer say of ``key``.

    An answer to PUT is not ``sized``: its length is its own.

    Raises:
        ProtocolError: a length or a date is malformed, or there is no length; or nothing says
            that it is S3 that answers, and not a proxy or a page in its place.
    """
    _see_that_s3_answers(key, headers, stored=not sized)
    try:
        size = int(_whole_size(headers)) if sized else 0
        moment = (
            parsedate_to_datetime(headers["last-modified"]) if "last-modified" in headers else None
        )
    except ValueError as e:
        raise ProtocolError("an answer with a malformed Content-Length or Last-Modified") from e
    found = {name.lower(): value for name, value in headers.items()}
    return ObjectInfo(
        key=key,
        size=size,
        etag=etag_of(headers),
        last_modified=moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else "",
        version_id=headers.get("x-amz-version-id", ""),
        encryption=encryption_of(headers),
        metadata={name: value for name, value in found.items() if name.startswith(_DESCRIBED)},
        checksums=checksums_in(headers),
    )


def etag_of(headers: Mapping[str, str]) -> str:
    """Return an answer's ETag without quotes, and without a proxy's mark that it is weak."""
    return headers.get("etag", "").removeprefix("W/").strip('"')


def _see_that_s3_answers(key: str, headers: Mapping[str, str], *, stored: bool) -> None:
    if etag_of(headers):
        return
    if stored:
        raise ProtocolError(f"the server took `{key}` without naming its ETag: was it stored?")
    # a proxy that compresses takes the ETag away, and leaves the date
    if "last-modified" not in headers:
        raise ProtocolError(f"the server's answer has neither ETag nor date of `{key}`")


def _whole_size(headers: Mapping[str, str]) -> str:
    _, slash, total = headers.get("content-range", "").rpartition("/")
    if slash:
        return total
    if "content-length" not in headers:
        # zero would make an empty file of an object that came in chunks
        raise ProtocolError("an answer without Content-Length does not tell an object's size")
    return headers["content-length"]


def checksums_in(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the checksums that an answer names, base64 by the algorithm's upper-case name."""
    named = {name.lower(): value for name, value in headers.items()}
    return {
        name.removeprefix(_CHECKSUM).upper(): value
        for name, value in named.items()
        if name.startswith(_CHECKSUM) and name not in {f"{_CHECKSUM}type", f"{_CHECKSUM}mode"}
    }
