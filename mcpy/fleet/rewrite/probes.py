"""The single questions of a canary: each writes scratch objects, rewrites them, and looks."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.api.multipart import MultipartUpload
from mcpy.api.s3info import sse_headers
from mcpy.errors import McpyError, S3Error
from mcpy.fleet.rewrite.onto import Order, copy_onto_itself
from mcpy.fleet.rewrite.snapshot import Snapshot, differences, take
from mcpy.models import ObjectEncryption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.api.s3 import Copied, ObjectInfo
    from mcpy.fleet.rewrite.goal import Goal
    from mcpy.fleet.rewrite.plan import Bucket
    from mcpy.fleet.transfer.place import Place

SIZES = (0, 3_000, 300_000, 9_000_000)
PARTS = (5 * 1024**2, 1_000_000)
OTHER_ETAG = '"00000000000000000000000000000000"'
OLD_TIME = "2001-02-03T04:05:06.789000001Z"
CONTEXT = "eyJtY3B5IjoiY2FuYXJ5In0="  # {"mcpy":"canary"}
METADATA = {
    "content-type": "application/x-canary",
    "cache-control": "max-age=61",
    "content-disposition": 'attachment; filename="canary"',
    "content-language": "de",
    "expires": "Thu, 01 Dec 2095 16:00:00 GMT",
    "x-amz-meta-canary": "sings",
}
TAGS = {"canary": "yes", "bird": "a b"}


class NotSafeError(McpyError):
    """A server that does not do what is needed to rewrite objects without harm."""


@dataclass
class Scratch:
    """Where a canary writes: a bucket of its own, or a prefix of the target's."""

    bucket: Bucket
    prefix: str = ""
    sizes: tuple[int, ...] = SIZES
    parts: tuple[int, ...] = PARTS
    encryption: ObjectEncryption = field(default_factory=ObjectEncryption)
    names: set[str] = field(default_factory=set)

    def place(self, name: str, version_id: str = "") -> Place:
        """Return the place of a scratch object."""
        self.names.add(self.prefix + name)
        return self.bucket.place(self.prefix + name, version_id)

    def put(self, name: str, size: int, headers: Mapping[str, str]) -> ObjectInfo:
        """Store random bytes."""
        place = self.place(name)
        return place.s3.put_object(*place.at, random.randbytes(size), headers=headers)  # noqa: S311


def look(place: Place, size: int) -> tuple[ObjectInfo, Snapshot]:
    """Read all of a scratch object, its tags too."""
    return take(place, size_hint=size, whole=True, tags=True)


def direct(scratch: Scratch, goal: Goal) -> None:
    """C1: what is stored with the wanted encryption says so."""
    try:
        scratch.put("direct", 3_000, sse_headers(goal.encryption))
        info = scratch.place("direct").head()
    except S3Error as e:
        raise NotSafeError(f"it refuses to store an object so encrypted: {e.message}") from e
    if not goal.met_by(info.encryption):
        raise NotSafeError(f"it takes an object to be so encrypted, and {shown(info)}")


def self_copies(scratch: Scratch, goal: Goal) -> tuple[bool, bool]:
    """C2 and C3: objects of several sizes are rewritten and are what they were.

    Returns whether a copy's answer has the object's ETag, and whether objects tell their tags.
    """
    tells_etag, tells_tags = True, True
    tagging = "&".join(f"{name}={value.replace(' ', '%20')}" for name, value in TAGS.items())
    for size in scratch.sizes:
        name = f"size-{size}"
        scratch.put(name, size, {**METADATA, "x-amz-tagging": tagging})
        tells = rewritten(scratch, name, size, goal, f"an object of {size} bytes")
        tells_etag, tells_tags = tells_etag and tells[0], tells_tags and tells[1]
    if scratch.parts:
        size = _put_in_parts(scratch, "parts")
        tells_etag &= rewritten(scratch, "parts", size, goal, "an object of two parts")[0]
    return tells_etag, tells_tags


def rewritten(
    scratch: Scratch, name: str, size: int, goal: Goal, what: str, *, time: str = ""
) -> tuple[bool, bool]:
    """Rewrite a scratch object and hold it against what it was; as ``self_copies``."""
    place = scratch.place(name)
    info, before = look(place, size)
    if before.size != size:
        raise NotSafeError(f"it stored {what} with {before.size} of {size} bytes")
    order = Order(goal.for_source(info.encryption), time=time)
    try:
        copied = copy_onto_itself(place, before, order)
        after_info, after = look(place, size)
    except McpyError as e:
        raise NotSafeError(f"{what} cannot be copied onto itself and read again: {e}") from e
    if not goal.met_by(after_info.encryption):
        raise NotSafeError(f"it says that {what} was copied onto itself, and {shown(after_info)}")
    kms = goal.encryption.algorithm == "aws:kms" and bool(before.context)
    wrong = differences(before, after, keeps_context=kms, keeps_time=False)
    if wrong:
        raise NotSafeError(f"{what} lost what it had when it was copied: {', '.join(wrong)}")
    return copied.etag == after_info.etag, "x-amz-tagging-count" in after_info.metadata


def _put_in_parts(scratch: Scratch, name: str) -> int:
    place = scratch.place(name)
    upload = MultipartUpload.start(place.s3, *place.at, headers=METADATA, customer={})
    parts = []
    for number, size in enumerate(scratch.parts, start=1):
        content = random.randbytes(size)  # noqa: S311 - no secret
        headers = {"content-length": str(size)}
        parts.append(upload.put(number, (content,), headers))
    upload.complete(parts)
    return sum(scratch.parts)


def guards(scratch: Scratch, goal: Goal) -> bool:
    """C4: whether a copy of another object than the one meant is refused."""
    place = scratch.place("direct")
    _, before = look(place, 3_000)
    other = Snapshot(before.size, "0" * 32, before.headers)
    try:
        copy_onto_itself(place, other, Order(goal.encryption))
    except S3Error as e:
        return e.status == 412
    return False


def copy_guarded(scratch: Scratch) -> bool:
    """Whether a copy over another object than the one meant is refused."""
    scratch.put("guard", 10, {})
    place = scratch.place("guard")
    headers = {
        "x-amz-metadata-directive": "REPLACE",
        "if-match": OTHER_ETAG,
        **sse_headers(scratch.encryption),
    }
    try:
        place.s3.copy_object(place.at, place.at, headers=headers)
    except S3Error as e:
        return e.status == 412
    return False


def put_guarded(scratch: Scratch) -> bool:
    """Whether an upload over another object is refused, whole and in parts, or over none."""
    info = scratch.put("guard", 10, {})
    wrong, right = {"if-match": OTHER_ETAG}, {"if-match": f'"{info.etag}"'}
    return (
        not _stored(scratch, "guard", wrong)
        and not _stored(scratch, "nothing", right)
        and not _stored_in_parts(scratch, "guard", wrong)
        and _stored(scratch, "guard", right)
    )


def _stored(scratch: Scratch, name: str, headers: Mapping[str, str]) -> bool:
    try:
        scratch.put(name, 10, headers)
    except S3Error as e:
        if e.status in {404, 412}:
            return False
        raise
    return True


def _stored_in_parts(scratch: Scratch, name: str, headers: Mapping[str, str]) -> bool:
    place = scratch.place(name)
    upload = MultipartUpload.start(place.s3, *place.at, headers={}, customer={})
    part = upload.put(1, (b"0123456789",), {"content-length": "10"})
    try:
        upload.complete([part], headers=headers)
    except S3Error as e:
        upload.abort()
        if e.status in {404, 412}:
            return False
        raise
    return True


def context_kept(scratch: Scratch, goal: Goal) -> bool:
    """Whether objects show their KMS context, so that it can be sent again; and it opens them."""
    encryption = ObjectEncryption("aws:kms", goal.encryption.key_id, CONTEXT)
    try:
        scratch.put("context", 3_000, sse_headers(encryption))
    except S3Error:
        return False
    if scratch.place("context").head().encryption.context != CONTEXT:
        return False
    rewritten(scratch, "context", 3_000, goal, "an object with a KMS context")
    return True


def rekeyed(scratch: Scratch, goal: Goal, old_key: str) -> None:
    """C5: an object under the old key is under the new one afterwards."""
    old = ObjectEncryption("aws:kms", old_key)
    try:
        scratch.put("old-key", 3_000, sse_headers(old))
    except S3Error as e:
        if not e.api_code.startswith("kms:") and e.status != 400:
            raise
        return  # the old key is gone, and so are the objects under it
    rewritten(scratch, "old-key", 3_000, goal, f"an object under the key `{old_key}`")


def keeps_time(scratch: Scratch, goal: Goal) -> bool:
    """Whether a modification time that is given is kept."""
    scratch.put("time", 10, {})
    rewritten(scratch, "time", 10, goal, "an object with a time", time=OLD_TIME)
    return scratch.place("time").head().last_modified == OLD_TIME[:19] + "Z"


def overwritten(place: Place, goal: Goal, time: str) -> Copied | None:
    """Overwrite one version under its own id; None when the server refuses."""
    info, before = look(place, 10)
    try:
        return copy_onto_itself(
            place, before, Order(goal.for_source(info.encryption), time=time, in_place=True)
        )
    except S3Error:
        return None


def shown(info: ObjectInfo) -> str:
    """Say how an object says it is encrypted."""
    if not info.encryption.scheme:
        return "stores it unencrypted"
    key = f" under the key `{info.encryption.key_id}`" if info.encryption.key_id else ""
    return f"shows {info.encryption.scheme}{key}"
