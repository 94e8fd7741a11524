"""Copy objects: on the server where both ends are on one, through here otherwise.

Some servers store plaintext when a copy names no encryption, so it is always named, with the
source's KMS context: a copy that loses its context can never be opened again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from mcpy.api.multipart import MultipartUpload, Part
from mcpy.api.s3 import copy_source
from mcpy.api.s3info import customer_headers
from mcpy.errors import InputError, McpyError, S3Error, UnsupportedError
from mcpy.fleet.parallel import Stop, each
from mcpy.fleet.transfer.place import Pace, Place, Wish, request_headers, verified
from mcpy.fleet.transfer.source import ObjectSource
from mcpy.fleet.transfer.upload import part_bytes, store

if TYPE_CHECKING:
    from mcpy.api.s3 import ObjectInfo
    from mcpy.models import ObjectEncryption

# what a copy carries over; the rest of the metadata is the server's own
CARRIED = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-meta-",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
)

# went away, or became another, since it was looked at
_OF_SOURCE = {"NoSuchKey", "NoSuchVersion", "PreconditionFailed"}


def copy(source: Place, target: Place, wish: Wish, pace: Pace) -> ObjectInfo:
    """Copy an object; where ``wish`` names no encryption the copy is encrypted as its source is.

    Raises:
        InputError: source and target are the same object: it would be gone if the copy fails.
        UnsupportedError: the source is encrypted with a key only its owner has.
        IntegrityError: the copy is not what was asked for, or cannot be read.
    """
    if _is_itself(source, target):
        raise InputError(f"`{source.target}` and `{target.target}` are the same object")
    info = source.head()
    _check_key(source, target, info, wish)
    encryption = _encryption(info, wish)
    headers = {**_carried(info), **wish.headers}
    full = replace(wish, encryption=encryption, headers=headers)
    if source.s3 is not target.s3:
        _check_memory(target, info.size, pace)
        full = _with_tags(source, info, full)
        return store(ObjectSource(source, info), target, full, pace, readable=True)
    if info.size > pace.limits.copy:
        _in_parts(source, target, info, _with_tags(source, info, full), pace)
    else:
        _at_once(source, target, info, full)
        pace.moved(info.size)
    # an encryption that was carried over must open; one that must not be there must be gone
    return verified(target, info.size, encryption, readable=True)


def _is_itself(source: Place, target: Place) -> bool:
    same_server = source.s3.http.base_url == target.s3.http.base_url
    return same_server and source.at == target.at and not source.version_id


def _check_memory(target: Place, size: int, pace: Pace) -> None:
    """Refuse to hold a large object in memory: what comes from another server is sent in parts."""
    if not pace.multipart and size > pace.limits.part:
        raise UnsupportedError(
            f"`{target.target}` comes from another server and is too large for one request",
            hint="leave out --disable-multipart",
        )


def _check_key(source: Place, target: Place, info: ObjectInfo, wish: Wish) -> None:
    """Refuse to copy an SSE-C object without its key, or into the open."""
    if not info.encryption.customer:
        return
    if not source.key:
        raise UnsupportedError(
            f"`{source.target}` is encrypted with its owner's key (SSE-C)",
            hint=f"--enc-c {source.target}=@KEYFILE",
        )
    if not (wish.encryption or wish.decrypt):
        raise InputError(
            f"`{target.target}` would be stored without the key of `{source.target}` (SSE-C)",
            hint=f"--enc-c {target.target}=@KEYFILE, --enc-s3 {target.target}, or --decrypt",
        )


def _encryption(info: ObjectInfo, wish: Wish) -> ObjectEncryption | None:
    if wish.decrypt:
        return None
    if not wish.encryption:
        return info.encryption if info.encryption.algorithm else None
    if wish.encryption.algorithm == "aws:kms" and not wish.encryption.context:
        return replace(wish.encryption, context=info.encryption.context)
    return wish.encryption


def _at_once(source: Place, target: Place, info: ObjectInfo, wish: Wish) -> None:
    headers = {
        "x-amz-copy-source-if-match": info.etag,
        "x-amz-metadata-directive": "REPLACE",
        **({"x-amz-tagging-directive": "REPLACE"} if "x-amz-tagging" in wish.headers else {}),
        **wish.headers,
        **customer_headers(source.key, source=True),
        **request_headers(target, wish.encryption),
    }
    try:
        target.s3.copy_object(
            source.at, target.at, headers=headers, source_version_id=source.version_id
        )
    except S3Error as e:
        # MinIO names the source whatever is wrong, and the source was just seen to be there
        if type(e) is not S3Error or e.api_code in _OF_SOURCE:
            raise
        text = f"{e.server_message.rstrip('.')}: `{source.target}` -> `{target.target}`"
        at = {"BucketName": target.target.bucket, "Key": target.target.key}
        fields = {**e.fields, **at} if e.api_code == "NoSuchBucket" else dict(e.fields)
        raise S3Error(e.status, e.api_code, text, fields=fields, hint=e.hint) from e


def _with_tags(source: Place, info: ObjectInfo, wish: Wish) -> Wish:
    """Add the source's tags, which only a copy in one request carries by itself."""
    if "x-amz-tagging" in wish.headers or "x-amz-tagging-count" not in info.metadata:
        return wish
    tags = source.s3.object_tags(*source.at, version_id=source.version_id)
    return replace(wish, headers={**wish.headers, "x-amz-tagging": urlencode(tags)})


def _in_parts(source: Place, target: Place, info: ObjectInfo, wish: Wish, pace: Pace) -> None:
    customer = wish.encryption and wish.encryption.customer_key
    asked = request_headers(target, wish.encryption)
    started = MultipartUpload.start(
        target.s3,
        *target.at,
        headers={**wish.headers, **asked},
        customer=asked if customer else {},
    )
    own = replace(pace, stop=Stop(pace.stop))
    length = part_bytes(info.size, pace.limits.copy_part)
    shared = {
        "x-amz-copy-source": copy_source(source.at, source.version_id),
        "x-amz-copy-source-if-match": info.etag,
        **customer_headers(source.key, source=True),
    }
    done: list[Part] = []

    def send(piece: tuple[int, int]) -> Part:
        number, offset = piece
        last = min(offset + length, info.size) - 1
        headers = {**shared, "x-amz-copy-source-range": f"bytes={offset}-{last}"}
        part = started.copy(number, headers)
        own.moved(last + 1 - offset)
        return part

    def keep(_: object, outcome: Part | McpyError) -> None:
        if isinstance(outcome, McpyError):
            raise outcome
        done.append(outcome)

    try:
        pieces = enumerate(range(0, info.size, length), start=1)
        each(pieces, send, keep, jobs=pace.parallel, stop=own.stop)
        started.complete(done)
    except BaseException:
        with suppress(McpyError):
            started.abort()
        raise


def _carried(info: ObjectInfo) -> dict[str, str]:
    return {name: value for name, value in info.metadata.items() if name.startswith(CARRIED)}
