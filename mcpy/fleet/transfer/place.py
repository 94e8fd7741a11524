"""Where an object is, what it should become, and how fast to move it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcpy.api.parts import part_sizes
from mcpy.api.s3info import ASK_CHECKSUM, customer_headers, sse_headers
from mcpy.errors import (
    ApiError,
    InputError,
    IntegrityError,
    NotFoundError,
    ProtocolError,
    S3Error,
    UnreachableError,
)
from mcpy.fleet.parallel import Stop
from mcpy.models import bare_key_id, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from mcpy.api.http import Stream
    from mcpy.api.s3 import S3, ObjectInfo
    from mcpy.models import CustomerKey, ObjectEncryption, Target

CHUNK_BYTES = 1024 * 1024
# AWS's and MinIO's words for an object that was asked for without its key
_OWNERS = "stored using a form of Server Side Encryption"


@dataclass(frozen=True)
class Place:
    """An object on one server; ``key`` opens it when it is encrypted with its owner's (SSE-C)."""

    s3: S3
    target: Target
    version_id: str = ""
    key: CustomerKey | None = None

    @property
    def at(self) -> tuple[str, str]:
        """Bucket and key."""
        return self.target.bucket, self.target.key

    def head(self, *, checksums: bool = False) -> ObjectInfo:
        """Return what the server says of the object, and with ``checksums`` of its bytes."""
        headers = {**(ASK_CHECKSUM if checksums else {}), **self._key_headers()}
        with self._told_of_its_key():
            return self.s3.head_object(*self.at, version_id=self.version_id, headers=headers)

    def part_sizes(self) -> list[int]:
        """Return the sizes of the parts the object was stored in; none when nobody says."""
        headers = self._key_headers()
        try:
            return part_sizes(self.s3, *self.at, version_id=self.version_id, headers=headers)
        except (ApiError, ProtocolError):
            return []

    @contextmanager
    def open(
        self, headers: Mapping[str, str] | None = None, *, part_number: int = 0
    ) -> Iterator[tuple[ObjectInfo, Stream]]:
        """Open the object; ``headers`` may name a range."""
        sent = {**ASK_CHECKSUM, **self._key_headers(), **(headers or {})}
        query = [("partNumber", str(part_number))] if part_number else []
        with (
            self._told_of_its_key(),
            self.s3.get_object(
                *self.at, version_id=self.version_id, headers=sent, query=query
            ) as opened,
        ):
            yield opened

    @contextmanager
    def _told_of_its_key(self) -> Iterator[None]:
        """Say which object only its owner's key (SSE-C) opens, and how to give the key."""
        try:
            yield
        except S3Error as e:
            if self.key or e.status != 400 or _OWNERS not in e.server_message:
                raise
            at = {"BucketName": self.target.bucket, "Key": self.target.key}
            hint = f"--enc-c {self.target}=@KEYFILE"
            said = (e.status, e.api_code, e.server_message)
            raise S3Error(*said, fields={**e.fields, **at}, hint=hint) from e

    def _key_headers(self) -> dict[str, str]:
        if self.key:
            require_private(self.s3, self.target)
        return customer_headers(self.key)


@dataclass(frozen=True)
class Wish:
    """What an object should become.

    Attributes:
        encryption: None leaves it to the bucket's default, or to the source of a copy.
        headers: content type, metadata, tags, storage class, retention.
        decrypt: whether a copy may lose its source's encryption.
    """

    encryption: ObjectEncryption | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    decrypt: bool = False


@dataclass(frozen=True)
class Limits:
    """Sizes at which an object is moved in another way, in bytes.

    Attributes:
        part: of an upload's parts, more where 10,000 of them would not do.
        ranges_from: a larger object is fetched by ranges, ``range`` each.
        copy: what one copy on the server can be; a larger object is copied in parts.
    """

    part: int = 16 * 1024**2
    ranges_from: int = 64 * 1024**2
    range: int = 16 * 1024**2
    copy: int = 5 * 1024**3
    copy_part: int = 512 * 1024**2


@dataclass(frozen=True)
class Checksum:
    """An algorithm of ``digests.ALGORITHMS``, over each part or, ``whole``, the whole object."""

    name: str = "SHA256"
    whole: bool = False


@dataclass(frozen=True)
class Pace:
    """How to move an object.

    Attributes:
        advance: told of bytes moved.
        parallel: parts or ranges at a time.
        multipart: whether an upload may be in parts.
        resume: whether what arrived is kept after a failure, and used the next time.
        begun: where uploads that were begun are noted; without it none is gone on with.
        stop: ends the work.
        checksum: what guards an upload on its way, and is kept with the object.
    """

    advance: Callable[[int], None] = lambda _: None
    parallel: int = 4
    multipart: bool = True
    resume: bool = False
    begun: Path | None = None
    stop: Stop = field(default_factory=Stop)
    limits: Limits = Limits()
    checksum: Checksum = Checksum()

    def moved(self, count: int) -> None:
        """Report bytes that were moved; raise Interrupted when the work has to end."""
        self.stop.check()
        self.advance(count)


def require_private(s3: S3, target: Target) -> None:
    """Refuse to send an SSE-C key where others can read it; loopback is for the server to say.

    Raises:
        InputError: the alias is plain http on another machine.
    """
    parts = urlsplit(s3.http.base_url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise InputError(
            f"an SSE-C key is not sent over plain http to `{target.alias}`",
            hint="set the alias to an https URL",
        )


def request_headers(place: Place, encryption: ObjectEncryption | None) -> dict[str, str]:
    """Return the headers that ask for ``encryption`` at ``place``."""
    if encryption and encryption.customer_key:
        require_private(place.s3, place.target)
    return sse_headers(encryption)


def verified(
    place: Place,
    size: int,
    encryption: ObjectEncryption | None,
    *,
    etag: str = "",
    readable: bool = False,
) -> ObjectInfo:
    """Look at what was stored: a 200 alone proves neither size nor encryption.

    With ``readable`` a byte is read too: a copy may be stored and yet never open again.
    ``etag`` is what the server said when it stored the object.

    Raises:
        IntegrityError: the object has another size or ETag, or is not encrypted as asked.
    """
    info = place.head()
    if info.size != size:
        raise IntegrityError(f"`{place.target}` was stored with {info.size} of {size} bytes")
    if etag and info.etag and info.etag != etag:
        raise IntegrityError(
            f"`{place.target}` is not what was stored: the server kept another object,"
            " or somebody else stored one",
            hint=f"mcpy stat {place.target}",
        )
    if encryption and not _matches(info.encryption, encryption):
        shown = info.encryption.scheme or "no encryption"
        raise IntegrityError(
            f"the server took `{place.target}` and stored it with {shown}",
            hint=f"mcpy rm {place.target}",
        )
    if readable and info.size and info.encryption.scheme:
        _read_a_byte(place)
    return info


def _read_a_byte(place: Place) -> None:
    try:
        with place.open({"range": "bytes=0-0"}) as (_, stream):
            if next(stream.chunks(), b""):
                return
    except (S3Error, UnreachableError) as e:
        raise IntegrityError(f"`{place.target}` was stored and cannot be read: {e}") from e
    raise IntegrityError(f"`{place.target}` was stored and cannot be read: it gave no byte")


def _matches(stored: ObjectEncryption, wanted: ObjectEncryption) -> bool:
    if wanted.customer_key or stored.customer:
        return bool(wanted.customer_key) and stored.customer
    if stored.algorithm != wanted.algorithm:
        return False
    # without a key in the request the server uses its default key
    return not wanted.key_id or bare_key_id(stored.key_id) == bare_key_id(wanted.key_id)


def existing(place: Place) -> ObjectInfo:
    """Return what the server says of an object that must be there.

    Raises:
        NotFoundError: it is not.
    """
    try:
        return place.head()
    except S3Error as e:
        if e.status == 404:
            raise NotFoundError(f"`{place.target}` is not there") from e
        raise


def covers(prefix: str, name: str) -> bool:
    """Whether ``prefix`` is ``name`` or a folder above it; a bucket never covers its namesakes."""
    return name == prefix or name.startswith(prefix if prefix.endswith("/") else prefix + "/")
