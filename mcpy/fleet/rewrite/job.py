"""One version to rewrite, what a server can do, and what holds for all objects of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.fleet.parallel import Stop
from mcpy.fleet.rewrite.journal import Version
from mcpy.fleet.rewrite.onto import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.api.s3 import Copied
    from mcpy.api.s3xml import ObjectLock
    from mcpy.fleet.rewrite.goal import Goal
    from mcpy.fleet.rewrite.onto import Order
    from mcpy.fleet.rewrite.snapshot import Snapshot
    from mcpy.fleet.transfer.place import Place


@dataclass(frozen=True)
class Abilities:
    """What a canary has shown of a server, for one state of a bucket.

    Attributes:
        in_place: a version can be overwritten under its own id, keeping its time and place.
        keeps_time: the modification time can be kept.
        tells_etag: a copy's answer has the ETag that the object then has.
        tells_tags: an object says by itself whether it has tags.
        tells_context: an object shows the KMS context it was encrypted with.
        suspended: a version can be named while versioning is suspended.
        copy_guarded: a copy over something else than what is meant is refused.
        put_guarded: an upload over something else is, whole or in parts.
    """

    in_place: bool = False
    keeps_time: bool = False
    tells_etag: bool = False
    tells_tags: bool = False
    tells_context: bool = False
    suspended: bool = False
    copy_guarded: bool = False
    put_guarded: bool = False


@dataclass(frozen=True)
class Job:
    """One version to rewrite.

    Attributes:
        place: where it is; with its version id only when that is overwritten, for else a copy of
            what was the latest once could bury what came after it.
        version_id: as listed.
        size: as listed.
        etag: as listed.
        time: the modification time to keep, of what was listed; ``""`` for none.
        in_place: whether the version is overwritten under its own id.
        makes_version: whether the bucket keeps what is overwritten as an older version.
    """

    place: Place
    version_id: str = ""
    size: int = 0
    etag: str = ""
    time: str = ""
    in_place: bool = False
    makes_version: bool = False

    @property
    def overwrites(self) -> bool:
        """Whether what others write meanwhile would be lost, and not just be an older version."""
        return not (self.in_place or self.makes_version)

    @property
    def version(self) -> Version:
        """Its name in the journal."""
        return Version(self.place.target.key, self.version_id)


@dataclass(frozen=True)
class How:
    """What holds for all objects of a run.

    Attributes:
        patient: gives a place a client that waits for copies of many GiB.
        whole: whether all bytes are compared.
        moved: told of bytes that were rewritten; may hold the work back.
        nobody_writes: whether it is sure that no one else writes meanwhile.
        change: what changes the encryption of a version, when it is not a copy onto itself.
    """

    goal: Goal
    abilities: Abilities
    lock: ObjectLock
    limits: Limits = field(default_factory=Limits)
    patient: Callable[[Place], Place] = lambda place: place
    whole: bool = False
    moved: Callable[[int], None] = lambda _: None
    nobody_writes: bool = False
    change: Callable[[Place, Snapshot, Order], Copied] | None = None
    stop: Stop = field(default_factory=Stop)

    def uploads(self, job: Job) -> bool:
        """Whether an object is to be uploaded onto itself rather than copied.

        A server may check what a copy replaces before it locks it: what others write in between
        is lost. An upload is checked under the lock.
        """
        guarded = self.nobody_writes or self.abilities.copy_guarded
        return job.overwrites and self.abilities.put_guarded and not guarded
