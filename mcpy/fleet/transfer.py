"""Move objects between files and servers, and see that they arrived as asked.

Rules: an upload's bytes are hashed before they go, so the server refuses what changed on the way;
what was stored is looked at again, and an object that is not encrypted as asked is an error. A
download goes to a hidden file beside its target and takes its name when it is whole. A copy on
the server always names its encryption.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.api.s3 import sse_headers
from mcpy.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    NotFoundError,
    S3Error,
    UnsupportedError,
)
from mcpy.models import ObjectEncryption, bare_key_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mcpy.api.s3 import S3, ObjectInfo
    from mcpy.models import Target

CHUNK_BYTES = 1024 * 1024
MAX_PUT_BYTES = 5 * 1024**3
# what a copy carries over; the rest of the metadata is the server's own
_CARRIED = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-meta-",
    "x-amz-storage-class",
)


@dataclass(frozen=True)
class Place:
    """An object on one server."""

    s3: S3
    target: Target

    @property
    def at(self) -> tuple[str, str]:
        """Bucket and key."""
        return self.target.bucket, self.target.key


def upload(
    source: Path,
    place: Place,
    encryption: ObjectEncryption | None,
    advance: Callable[[int], None] = lambda _: None,
) -> ObjectInfo:
    """Store a file as an object and return what the server says of it.

    Args:
        source: a regular file.
        place: where to.
        encryption: what to ask for; None leaves it to the bucket's default.
        advance: told of bytes sent.

    Raises:
        IntegrityError: the stored object has another size, or is not encrypted as asked.
    """
    try:
        with source.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_PUT_BYTES:
                raise UnsupportedError(f"{source} is larger than one upload can be (5 GiB)")
            headers = {
                "content-length": str(size),
                "content-type": mimetypes.guess_type(source.name)[0] or "application/octet-stream",
                "x-amz-content-sha256": hashlib.file_digest(file, "sha256").hexdigest(),
                **sse_headers(encryption),
            }
            file.seek(0)
            content = _counted(iter(lambda: file.read(CHUNK_BYTES), b""), advance)
            place.s3.put_object(*place.at, content if size else b"", headers=headers)
    except OSError as e:
        raise ConfigError(f"cannot read {source}: {e.strerror}") from e
    return _verified(place, size, encryption)


def download(
    place: Place,
    target: Path,
    *,
    version_id: str = "",
    advance: Callable[[int], None] = lambda _: None,
) -> ObjectInfo:
    """Store an object as a file; an interruption leaves whatever was there before.

    Raises:
        IntegrityError: fewer bytes came than were announced, or others.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as e:
        raise ConfigError(f"cannot write into {target.parent}: {e.strerror}") from e
    try:
        with (
            os.fdopen(handle, "wb") as file,
            place.s3.get_object(*place.at, version_id=version_id) as (info, stream),
        ):
            _receive(info, stream.chunks(), file.write, advance)
        Path(name).chmod(_wanted_mode(target))
        Path(name).replace(target)
    except OSError as e:
        raise ConfigError(f"cannot write {target}: {e.strerror}") from e
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
    return info


def pour(place: Place, write: Callable[[bytes], object], *, version_id: str = "") -> ObjectInfo:
    """Hand an object's bytes to ``write`` as they come; raises as ``download``."""
    with place.s3.get_object(*place.at, version_id=version_id) as (info, stream):
        _receive(info, stream.chunks(), write, lambda _: None)
        return info


def _receive(
    info: ObjectInfo,
    chunks: Iterable[bytes],
    write: Callable[[bytes], object],
    advance: Callable[[int], None],
) -> None:
    """Pass the bytes on; check their number, and their MD5 where the ETag is one."""
    digest = hashlib.md5(usedforsecurity=False)
    received = 0
    for chunk in chunks:
        write(chunk)
        digest.update(chunk)
        received += len(chunk)
        advance(len(chunk))
    if received != info.size:
        raise IntegrityError(f"`{info.key}` broke off after {received} of {info.size} bytes")
    if _etag_is_md5(info) and digest.hexdigest() != info.etag:
        raise IntegrityError(f"`{info.key}` arrived changed: its MD5 is not the server's")


def _etag_is_md5(info: ObjectInfo) -> bool:
    """With SSE-KMS and SSE-C the ETag is no digest; of multipart objects it has a hyphen."""
    plain = info.encryption.scheme in {"", "SSE-S3"}
    return plain and len(info.etag) == 32 and not set(info.etag) - set("0123456789abcdef")


def _wanted_mode(target: Path) -> int:
    """Return the mode of the file to replace, or what a new file would have."""
    if target.exists():
        return target.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def copy(
    source: Place, target: Place, encryption: ObjectEncryption | None, *, version_id: str = ""
) -> ObjectInfo:
    """Copy an object; without ``encryption`` the copy is encrypted as its source is.

    Within one server the server copies; otherwise the bytes pass through here. Some servers store
    plaintext when a copy names no encryption, so it is always named, with the source's context.

    Raises:
        InputError: source and target are the same object.
        UnsupportedError: the source is encrypted with a key only its owner has.
    """
    if source.s3 is target.s3 and source.at == target.at:
        raise InputError(f"`{source.target}` and `{target.target}` are the same object")
    info = source.s3.head_object(*source.at, version_id=version_id)
    if info.encryption.customer:
        raise UnsupportedError(f"`{source.target}` is encrypted with its owner's key (SSE-C)")
    wanted = encryption or (info.encryption if info.encryption.algorithm else None)
    if source.s3 is target.s3:
        headers = {
            "x-amz-copy-source-if-match": info.etag,
            "x-amz-metadata-directive": "REPLACE",
            **_carried(info),
            **sse_headers(wanted),
        }
        target.s3.copy_object(source.at, target.at, headers=headers, source_version_id=version_id)
    else:
        _relay(source, target, info, wanted, version_id)
    return _verified(target, info.size, wanted)


def _relay(
    source: Place,
    target: Place,
    info: ObjectInfo,
    encryption: ObjectEncryption | None,
    version_id: str,
) -> None:
    with tempfile.TemporaryFile() as spool:  # to hash the bytes before they go
        pour(source, spool.write, version_id=version_id)
        spool.seek(0)
        sha256 = hashlib.file_digest(spool, "sha256").hexdigest()
        spool.seek(0)
        headers = {
            **_carried(info),
            "content-length": str(info.size),
            "x-amz-content-sha256": sha256,
            **sse_headers(encryption),
        }
        content = iter(lambda: spool.read(CHUNK_BYTES), b"")
        target.s3.put_object(*target.at, content if info.size else b"", headers=headers)


def _carried(info: ObjectInfo) -> dict[str, str]:
    return {name: value for name, value in info.metadata.items() if name.startswith(_CARRIED)}


def _counted(chunks: Iterable[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        advance(len(chunk))


def _verified(place: Place, size: int, encryption: ObjectEncryption | None) -> ObjectInfo:
    """Look at what was stored: a 200 alone proves neither size nor encryption."""
    info = place.s3.head_object(*place.at)
    if info.size != size:
        raise IntegrityError(f"`{place.target}` was stored with {info.size} of {size} bytes")
    if encryption and not _matches(info.encryption, encryption):
        shown = info.encryption.scheme or "no encryption"
        raise IntegrityError(
            f"the server took `{place.target}` and stored it with {shown}",
            hint=f"mcpy rm {place.target}",
        )
    return info


def _matches(stored: ObjectEncryption, wanted: ObjectEncryption) -> bool:
    if stored.algorithm != wanted.algorithm:
        return False
    # without a key in the request the server uses its default key
    return not wanted.key_id or bare_key_id(stored.key_id) == bare_key_id(wanted.key_id)


def remove_bucket_contents(s3: S3, bucket: str, advance: Callable[[int], None]) -> int:
    """Delete every version and delete marker in ``bucket``; return how many there were."""
    count = 0
    for entry in s3.list_versions(bucket):
        s3.delete_object(bucket, entry.key, version_id=entry.version_id)
        advance(1)
        count += 1
    return count


def existing(place: Place) -> ObjectInfo:
    """Return what the server says of an object that must be there.

    Raises:
        NotFoundError: it is not.
    """
    try:
        return place.s3.head_object(*place.at)
    except S3Error as e:
        if e.status == 404:
            raise NotFoundError(f"`{place.target}` is not there") from e
        raise


def unmatched(rules: Mapping[str, object], names: Iterable[str]) -> list[str]:
    """Return the rules (prefixes) that cover none of ``names``."""
    names = list(names)
    return [rule for rule in rules if not any(covers(rule, name) for name in names)]


def covers(prefix: str, name: str) -> bool:
    """Whether ``prefix`` is ``name`` or a folder above it; a bucket never covers its namesakes."""
    return name == prefix or name.startswith(prefix if prefix.endswith("/") else prefix + "/")
