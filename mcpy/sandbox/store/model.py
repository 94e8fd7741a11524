"""What the store keeps: buckets, object versions, parts and uploads, and their form on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

NULL_VERSION = "null"


class StoreError(Exception):
    """The store cannot do what was asked."""


class NoBucketError(StoreError):
    """There is no such bucket."""


class BucketExistsError(StoreError):
    """A bucket of that name is there already."""


class BucketNotEmptyError(StoreError):
    """The bucket still holds objects, versions or delete markers."""


class NoUploadError(StoreError):
    """There is no such multipart upload."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket; ``config`` maps a sub-resource such as ``versioning`` to what was put there."""

    number: int
    name: str
    created_ns: int
    config: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Part:
    """One stretch of an object's content.

    Attributes:
        number: 1 for an object that was put in one go.
        size: bytes of plaintext.
        stored: bytes on disk, more than ``size`` when encrypted.
        content: where the bytes are, see ``Store.reader``.
        etag: as it was answered to the upload of a part.
        checksum: JSON of the part's checksums, sealed if the object is encrypted.
        mtime_ns: when the part was uploaded.
    """

    number: int
    size: int
    stored: int
    content: int
    etag: str = ""
    checksum: str = ""
    mtime_ns: int = 0

    def fields(self) -> list[Any]:
        """Return the values in the order the constructor takes them."""
        return [
            self.number,
            self.size,
            self.stored,
            self.content,
            self.etag,
            self.checksum,
            self.mtime_ns,
        ]


@dataclass(slots=True)
class ObjectVersion:
    """One version of an object, or a delete marker.

    Attributes:
        etag: as stored: hex MD5, ``md5-parts``, or sealed (96 hex characters).
        metadata: headers to answer by name, and the ``X-Minio-Internal-`` entries of the envelope.
        tags: as in ``x-amz-tagging``.
        checksum: JSON of the object's checksums, sealed if it is encrypted.
        number: rises with every commit; breaks ties between equal times.
    """

    key: str
    mtime_ns: int
    version_id: str = NULL_VERSION
    marker: bool = False
    size: int = 0
    etag: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    tags: str = ""
    checksum: str = ""
    parts: list[Part] = field(default_factory=list)
    number: int = 0

    def encode(self) -> str:
        """Return everything that is not a column of the index, as JSON."""
        if self.marker and not self.metadata:
            return "{}"
        document: dict[str, Any] = {"s": self.size, "e": self.etag, "m": self.metadata}
        if self.tags:
            document["t"] = self.tags
        if self.checksum:
            document["c"] = self.checksum
        document["p"] = [part.fields() for part in self.parts]
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def decode(cls, row: tuple[bytes, int, int, str, int, str]) -> ObjectVersion:
        """Read a row of the index: key, mtime, number, version id, marker, document."""
        key, mtime_ns, number, version_id, marker, text = row
        document = json.loads(text)
        return cls(
            key=decode_key(key),
            mtime_ns=mtime_ns,
            version_id=version_id,
            marker=bool(marker),
            size=document.get("s", 0),
            etag=document.get("e", ""),
            metadata=document.get("m", {}),
            tags=document.get("t", ""),
            checksum=document.get("c", ""),
            parts=[Part(*fields) for fields in document.get("p", ())],
            number=number,
        )

    def copy(self, **changes: Any) -> ObjectVersion:  # noqa: ANN401 - fields of this class
        """Return this version with ``changes``; the metadata is a copy of its own."""
        changes.setdefault("metadata", dict(self.metadata))
        return replace(self, **changes)


@dataclass(slots=True)
class Upload:
    """A multipart upload that is under way; ``template`` is the version it will become."""

    id: str
    bucket: str
    template: ObjectVersion

    @property
    def key(self) -> str:
        """The name of the object to be."""
        return self.template.key


def encode_key(key: str) -> bytes:
    """Return an object's name as the bytes it is sorted by."""
    return key.encode("utf-8", "surrogateescape")


def decode_key(key: bytes) -> str:
    """Undo `encode_key`."""
    return key.decode("utf-8", "surrogateescape")
