"""Copy an object onto itself on the server, in one request or, beyond its limit, in parts.

Every request names the encryption: without it some servers store plaintext. All that the object
carries is sent again: a copy that replaces nothing loses `Expires`, and one in parts loses all.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from mcpy.api.multipart import MultipartUpload, Part
from mcpy.api.s3 import Copied, copy_source
from mcpy.api.s3info import sse_headers
from mcpy.errors import McpyError
from mcpy.fleet.parallel import Stop, each
from mcpy.fleet.transfer.upload import part_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.fleet.rewrite.snapshot import Snapshot
    from mcpy.fleet.transfer.place import Place
    from mcpy.models import ObjectEncryption

GIB = 1024**3


@dataclass(frozen=True)
class Limits:
    """Sizes at which an object is copied in another way, in bytes.

    Attributes:
        single: what one copy can be; MinIO takes its largest objects so, others 5 GiB.
        part: of a larger one's parts.
        put: what is uploaded whole where a copy would not be safe from others.
        slow: from here on a copy is given more time than the idle limit.
    """

    single: int = 5 * GIB
    part: int = 512 * 1024**2
    put: int = 8 * 1024**2
    slow: int = GIB


@dataclass(frozen=True)
class Order:
    """How one object is to be copied onto itself.

    Attributes:
        encryption: what to ask for.
        time: the modification time to keep, RFC 3339 with nanoseconds; ``""`` keeps none.
        in_place: whether the version named by the place is overwritten.
        upload: whether it is uploaded, or copied in parts, rather than copied in one request.
        begun: told the name of an upload in parts before anything is put into it.
    """

    encryption: ObjectEncryption
    time: str = ""
    in_place: bool = False
    upload: bool = False
    limits: Limits = field(default_factory=Limits)
    begun: Callable[[str], None] = field(default=lambda _: None)
    stop: Stop = field(default_factory=Stop)


def copy_onto_itself(place: Place, before: Snapshot, order: Order) -> Copied:
    """Copy what ``before`` describes onto itself, and nothing that came after it.

    Raises:
        S3Error: 412, when it is another object by now; or the server refuses.
        UnreachableError: no answer, and so nobody knows whether it was done.
    """
    if before.size > (order.limits.put if order.upload else order.limits.single):
        return _in_parts(place, before, order)
    if order.upload:
        return _uploaded(place, before, order)
    headers = {
        **before.headers,
        **_source_headers(before),
        "x-amz-metadata-directive": "REPLACE",
        # also what is overwritten must be that object; some servers heed it, none minds
        **({} if order.in_place else {"if-match": f'"{before.etag}"'}),
        **({"x-minio-source-mtime": order.time} if order.time else {}),
        **sse_headers(order.encryption),
    }
    return place.s3.copy_object(
        place.at,
        place.at,
        headers=headers,
        source_version_id=place.version_id,
        target_version_id=place.version_id if order.in_place else "",
    )


def _uploaded(place: Place, before: Snapshot, order: Order) -> Copied:
    checksums = {
        f"x-amz-checksum-{name.lower()}": value for name, value in before.checksums.items()
    }
    headers = {
        **before.headers,
        **checksums,
        **_tagging(before),
        "if-match": f'"{before.etag}"',
        **({"x-minio-source-mtime": order.time} if order.time else {}),
        **sse_headers(order.encryption),
    }
    stored = place.s3.put_object(*place.at, before.content, headers=headers)
    return Copied(stored.etag, stored.version_id)


def _tagging(before: Snapshot) -> dict[str, str]:
    return {"x-amz-tagging": urlencode(before.tags)} if before.tags else {}


def _source_headers(before: Snapshot) -> dict[str, str]:
    return {"x-amz-copy-source-if-match": f'"{before.etag}"'}


def _in_parts(place: Place, before: Snapshot, order: Order) -> Copied:
    started = MultipartUpload.start(
        place.s3,
        *place.at,
        headers={**before.headers, **_tagging(before), **sse_headers(order.encryption)},
        customer={},
    )
    order.begun(started.id)
    try:
        parts = _copy_parts(started, place, before, order)
        time = {"x-minio-source-mtime": order.time} if order.time else {}
        return started.complete(parts, headers={"if-match": f'"{before.etag}"', **time})
    except BaseException:
        with suppress(McpyError):
            started.abort()
        raise


def _copy_parts(
    started: MultipartUpload, place: Place, before: Snapshot, order: Order
) -> list[Part]:
    length = part_bytes(before.size, order.limits.part)
    source = {
        "x-amz-copy-source": copy_source(place.at, place.version_id),
        **_source_headers(before),
    }
    own, done = replace(order, stop=Stop(order.stop)), list[Part]()

    def send(piece: tuple[int, int]) -> Part:
        number, offset = piece
        last = min(offset + length, before.size) - 1
        return started.copy(
            number, {**source, "x-amz-copy-source-range": f"bytes={offset}-{last}"}
        )

    def keep(_: object, outcome: Part | McpyError) -> None:
        if isinstance(outcome, McpyError):
            raise outcome
        done.append(outcome)

    pieces = enumerate(range(0, before.size, length), start=1)
    each(pieces, send, keep, jobs=4, stop=own.stop)
    return done
