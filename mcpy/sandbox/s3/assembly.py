"""Putting the parts of an upload together: which ones, in what order, with what checksum."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mcpy import crc
from mcpy.sandbox import envelope
from mcpy.sandbox.s3 import checksums, entity
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from mcpy.sandbox.envelope import ObjectKey
    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.s3.xml import Node
    from mcpy.sandbox.store import ObjectVersion, Part, Upload

MIN_PART_BYTES = 5 << 20
ALGORITHM_ENTRY = "X-Minio-Internal-Multipart-Checksum"
TYPE_ENTRY = "X-Minio-Internal-Multipart-Checksum-Type"


def assemble(
    call: Call, upload: Upload, key: ObjectKey | None, listed: list[Node]
) -> tuple[ObjectVersion, dict[str, str], str]:
    """Return the version the ``listed`` parts make, its checksums, and its ETag.

    Raises:
        S3Problem: a part is missing, not the one listed, or too small.
    """
    algorithm = upload.template.metadata.get(ALGORITHM_ENTRY, "")
    parts, etags, values = _chosen(call, upload, key, listed, algorithm)
    sums = _combined(upload, algorithm, values, parts) if algorithm else {}
    _check_announced(call, algorithm, sums)
    hidden = {ALGORITHM_ENTRY, TYPE_ENTRY}
    etag = completed_etag(etags)
    metadata = {k: v for k, v in upload.template.metadata.items() if k not in hidden}
    version = upload.template.copy(
        mtime_ns=entity.source_mtime(call),
        version_id=entity.target_version(call),
        size=sum(part.size for part in parts),
        etag=etag,
        metadata=metadata,
        checksum=entity.seal_checksums(sums, key),
        parts=parts,
    )
    return version, sums, etag


def _chosen(
    call: Call, upload: Upload, key: ObjectKey | None, listed: list[Node], algorithm: str
) -> tuple[list[Part], list[str], list[str]]:
    """Return the parts that are listed, with their ETags and checksums."""
    uploaded = {part.number: part for part in call.store.parts(upload)}
    numbers = [int(item.value("PartNumber") or 0) for item in listed]
    if not uploaded.keys() >= set(numbers):
        raise S3Problem.of("InvalidPart")
    parts: list[Part] = []
    etags: list[str] = []
    values: list[str] = []
    for at, (number, item) in enumerate(zip(numbers, listed, strict=True)):
        part = uploaded[number]
        etag = (item.value("ETag") or "").strip().strip('"')
        if answered_part_etag(upload, part, key) != etag:
            raise S3Problem.of("InvalidPart")
        if algorithm:
            values.append(_checksum(item, part, key, algorithm))
        if at < len(listed) - 1 and part.size < MIN_PART_BYTES:
            raise S3Problem.of("EntityTooSmall")
        parts.append(part)
        etags.append(etag)
    return parts, etags, values


def _checksum(item: Node, part: Part, key: ObjectKey | None, algorithm: str) -> str:
    value = entity.open_checksums(part.checksum, key).get(algorithm)
    if value is None or item.value(f"Checksum{algorithm}") != value:
        raise S3Problem.of("InvalidPart")
    return value


def _combined(
    upload: Upload, algorithm: str, values: list[str], parts: list[Part]
) -> dict[str, str]:
    kind = upload.template.metadata.get(TYPE_ENTRY, checksums.COMPOSITE)
    if kind == checksums.FULL_OBJECT:
        total = crc.concatenated(algorithm, values, [part.size for part in parts])
    else:
        total = checksums.composite(algorithm, values)
    return {algorithm: total, "type": kind}


def _check_announced(call: Call, algorithm: str, sums: dict[str, str]) -> None:
    if not algorithm:
        return
    announced = call.header(checksums.PREFIX + algorithm.lower())
    if announced and announced.partition("-")[0] != sums[algorithm].partition("-")[0]:
        raise S3Problem.of("XAmzContentChecksumMismatch")


def answered_part_etag(upload: Upload, part: Part, key: ObjectKey | None) -> str:
    """Return a part's ETag as a client sees it."""
    kind = envelope.kind_of(upload.template.metadata)
    if kind == "SSE-S3" and key is not None:
        return key.open_etag(part.etag)
    return part.etag[-32:]


def completed_etag(etags: list[str]) -> str:
    """Return the ETag of an object made of parts with these ETags (hex)."""
    raw = b"".join(bytes.fromhex(etag) for etag in etags)
    return f"{hashlib.md5(raw, usedforsecurity=False).hexdigest()}-{len(etags)}"
