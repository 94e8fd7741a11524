"""All versions of one key: which are to be rewritten, in which order, and whether that order held.

Where a server overwrites a version under its own id, each is rewritten so that neither the order
changes nor a deleted key comes back. Where it does not, only the latest can be rewritten: its copy
is a new version, and a copy of an older one would become the latest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.fleet.rewrite import times
from mcpy.fleet.rewrite.goal import Class, Outcome
from mcpy.fleet.rewrite.job import Job
from mcpy.fleet.transfer.place import Place
from mcpy.models import ObjectEncryption, Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcpy.api.s3 import S3
    from mcpy.api.s3listing import Entry
    from mcpy.fleet.inventory import Item
    from mcpy.fleet.rewrite.job import Abilities, How

_ALGORITHMS = {"sse-s3": "AES256", "sse-kms": "aws:kms"}
_SUSPENDED = "its bucket's versioning is suspended, and a server then takes no version id"
_NOT_IN_PLACE = "this server makes a new version of what is copied, which would become the latest"


@dataclass(frozen=True)
class Bucket:
    """Where the objects are: ``versioning`` is ``Enabled``, ``Suspended`` or ``""``."""

    s3: S3
    target: Target
    versioning: str = ""

    def place(self, key: str, version_id: str = "") -> Place:
        """Return the place of one of its objects."""
        return Place(self.s3, Target(self.target.alias, self.target.bucket, key), version_id)


@dataclass(frozen=True)
class KeyPlan:
    """What is to be done with one key: ``jobs`` in order; the rest is settled."""

    items: Sequence[Item]
    jobs: list[Job]
    settled: list[Outcome]


def encryption_of(item: Item) -> ObjectEncryption:
    """Return what an item says of its encryption."""
    return ObjectEncryption(
        _ALGORITHMS.get(item.state, ""), item.key_id, item.context, item.state == "sse-c"
    )


def plan(bucket: Bucket, items: Sequence[Item], how: How) -> KeyPlan:
    """Plan one key; ``items`` are all its versions, newest first."""
    wanted: list[Item] = []
    settled: list[Outcome] = []
    for item in items:
        kind, reason = _kind(bucket, item, how)
        if kind is None:
            wanted.append(item)
        else:
            settled.append(_outcome(item, kind, reason))
    if not wanted:
        return KeyPlan(items, [], settled)
    return _with_jobs(bucket, KeyPlan(items, [], settled), wanted, how)


def _kind(bucket: Bucket, item: Item, how: How) -> tuple[Class | None, str]:
    """Return the class of an item that is not to be rewritten; None for one that is."""
    if item.is_delete_marker:
        return Class.MARKER, ""
    found = encryption_of(item)
    if item.state in {"plain", "sse-s3", "sse-kms"} and how.goal.met_by(found):
        return Class.ALREADY, ""
    if not item.is_latest and not how.goal.versions:
        return Class.OLDER, ""
    plain_words = {
        "sse-c": Class.CUSTOMER,
        "unknown": Class.UNKNOWN,
        "unreadable": Class.UNREADABLE,
    }
    if item.state in plain_words:
        return plain_words[item.state], item.why
    if not how.goal.covers(found):
        return Class.OTHER, ""
    return _obstacle(bucket, item, how.abilities)


def _obstacle(bucket: Bucket, item: Item, abilities: Abilities) -> tuple[Class | None, str]:
    if bucket.versioning and abilities.in_place:
        suspended = bucket.versioning == "Suspended" and not abilities.suspended
        if suspended and item.version_id != "null":
            return Class.UNSUPPORTED, _SUSPENDED
        return None, ""
    return (None, "") if item.is_latest else (Class.UNSUPPORTED, _NOT_IN_PLACE)


def _with_jobs(bucket: Bucket, planned: KeyPlan, wanted: list[Item], how: How) -> KeyPlan:
    if not (bucket.versioning and how.abilities.in_place):
        overwrites = bucket.versioning == "Suspended" and wanted[0].version_id == "null"
        makes = bool(bucket.versioning) and not overwrites
        time = times.exact(wanted[0].last_modified) if how.abilities.keeps_time else ""
        job = Job(
            bucket.place(wanted[0].key),
            wanted[0].version_id if bucket.versioning else "",
            wanted[0].size,
            wanted[0].etag,
            "" if bucket.versioning else time,
            makes_version=makes,
        )
        return KeyPlan(planned.items, [job], planned.settled)
    meant = {item.version_id for item in wanted}
    slots = [
        times.Slot(number, item.last_modified, item.version_id in meant)
        for number, item in enumerate(planned.items)
    ]
    jobs, settled = [], list(planned.settled)
    for step in times.steps(slots):
        item = planned.items[step.number]
        if not step.time:
            reason = "it shares its moment with others that stay, and could trade places with them"
            settled.append(_outcome(item, Class.UNSUPPORTED, reason))
            continue
        place = bucket.place(item.key, item.version_id)
        jobs.append(Job(place, item.version_id, item.size, item.etag, step.time, True))
    return KeyPlan(planned.items, jobs, settled)


def _outcome(item: Item, kind: Class, reason: str) -> Outcome:
    return Outcome(item.key, item.version_id, kind, item.size, reason, encryption_of(item).scheme)


def disorder(before: Sequence[Item | Entry], after: Sequence[Entry]) -> str:
    """Return how the versions of a key are not as they were, or ``""``.

    What others added meanwhile lies above what was there; what they removed is missing.
    """
    present = {entry.version_id: entry for entry in after}
    kept = [item for item in before if _is_there(item, present)]
    known = {item.version_id for item in kept}
    if [item.version_id for item in kept] != [
        entry.version_id for entry in after if entry.version_id in known
    ]:
        return "the order of its versions changed"
    if any(entry.version_id not in known for entry in after[len(after) - len(kept) :]):
        return "a version appeared among its versions"
    for item in kept:
        entry = present[item.version_id]
        if item.is_delete_marker != entry.is_delete_marker:
            return "a delete marker became an object, or an object one"
        if times.exact(item.last_modified) != times.exact(entry.last_modified):
            return "the time of a version changed"
    return ""


def _is_there(item: Item | Entry, present: Mapping[str, Entry]) -> bool:
    """Whether a version is there still; a null version of another time is somebody else's."""
    entry = present.get(item.version_id)
    if entry is None:
        return False
    same = times.exact(item.last_modified) == times.exact(entry.last_modified)
    return same or item.version_id != "null"
