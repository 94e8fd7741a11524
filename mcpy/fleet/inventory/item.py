"""One object, version or delete marker, and what is known of its encryption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from mcpy.models import bare_key_id, scheme_of

if TYPE_CHECKING:
    from mcpy.api.s3listing import Entry
    from mcpy.models import ObjectEncryption

State = Literal["plain", "sse-s3", "sse-kms", "sse-c", "unknown", "unreadable"]
_SEALED_ETAG = "20000f00"


class Item(NamedTuple):  # a million are made: a frozen dataclass takes five times as long
    """What a server says of one version; what is on its disks nobody outside can know.

    Attributes:
        version_id: ``""`` where versions were not asked for; ``null`` before versioning was on.
        size: bytes of content.
        last_modified: RFC 3339.
        tags: URL-encoded, where the listing told them.
        state: ``plain`` only when the server showed the object without encryption; ``unknown``
            when it did not show it; ``unreadable`` when it could not decrypt it; ``""`` for a
            delete marker, which has no content.
        key_id: the KMS key of ``sse-kms`` by its bare name. Of ``sse-s3`` no server tells the key.
        context: the KMS context of ``sse-kms``, base64 JSON as sent.
        why: the reason for ``unknown`` and ``unreadable``.
        rest_unknown: more could not be listed here: older versions of this key or, as ``why``
            says, all names that begin with ``key``.
    """

    key: str
    version_id: str = ""
    is_latest: bool = True
    is_delete_marker: bool = False
    size: int = 0
    etag: str = ""
    last_modified: str = ""
    storage_class: str = ""
    tags: str = ""
    state: State | Literal[""] = "unknown"
    key_id: str = ""
    context: str = ""
    why: str = ""
    rest_unknown: bool = False


def item_of(
    entry: Entry, encryption: ObjectEncryption, *, why: str = "", rest_unknown: bool = False
) -> Item:
    """Return the item of a listed entry; with ``why`` it is unreadable."""
    state, reason = _state(encryption)
    return Item(
        entry.key,
        entry.version_id,
        entry.is_latest,
        entry.is_delete_marker,
        entry.size,
        entry.etag,
        entry.last_modified,
        entry.storage_class,
        entry.tags,
        "" if entry.is_delete_marker else "unreadable" if why else state,
        bare_key_id(encryption.key_id) if state == "sse-kms" else "",
        encryption.context,
        why or reason,
        rest_unknown,
    )


def unknown(entry: Entry, why: str) -> Item:
    """Return the item of an entry whose encryption could not be asked for."""
    return Item(
        entry.key,
        entry.version_id,
        entry.is_latest,
        size=entry.size,
        etag=entry.etag,
        last_modified=entry.last_modified,
        storage_class=entry.storage_class,
        tags=entry.tags,
        why=why,
    )


def is_sealed(etag: str) -> bool:
    """Whether an ETag is one that MinIO could not decrypt, or did not."""
    return len(etag) == 96 and etag.startswith(_SEALED_ETAG)


def _state(encryption: ObjectEncryption) -> tuple[State, str]:
    if encryption.customer:
        return "sse-c", ""
    scheme = scheme_of(encryption.algorithm)
    unknown = f"the server calls its encryption `{encryption.algorithm}`"
    return scheme, unknown if scheme == "unknown" else ""
