"""Which engine takes the objects to the new key, and what speaks against the others.

A MinIO job seals the data keys anew and leaves the bytes: by far the quickest. But it makes what
it touches the newest version, so that deleted keys come back; it drops tags; it rotates objects
under every key, whatever its filters say. So it is used only where none of that can happen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mcpy.fleet.rotate.survey import is_key

if TYPE_CHECKING:
    from mcpy.fleet.rotate.survey import Survey


class Engine(StrEnum):
    """How objects get under another key."""

    BATCH = "batch"
    AWS = "aws"
    COPY = "copy"


WHAT_CHANGES = {
    Engine.BATCH: "Only the wrapping of their data keys changed: their bytes are as they were. "
    "Their modification times became those of the rotation.",
    Engine.AWS: "Only the wrapping of their data keys changed: their bytes are as they were.",
    Engine.COPY: "Their bytes were encrypted anew, with new data keys.",
}


@dataclass(frozen=True)
class Ways:
    """What is known of the place, for the choice of an engine.

    Attributes:
        minio: whether the server has MinIO's jobs and may be asked for them.
        prefix: what the target is below; ``""`` for a whole bucket.
        locked: whether the bucket has an object lock.
        ages: whether rules of the bucket go by the age of its objects.
        versioned: whether it has, or had, versions.
    """

    minio: bool
    prefix: str
    locked: bool
    ages: bool
    versioned: bool


def traps(found: Survey, ways: Ways, new: str, old: str) -> list[str]:
    """Return why a MinIO job must not be used; empty when it may."""
    others = [key for key in found.by_key if not (is_key(key, new) or is_key(key, old))]
    reasons = {
        "this server has no jobs, or they may not be started": not ways.minio,
        "a job would take in names that merely begin like the target": bool(ways.prefix)
        and not ways.prefix.endswith("/"),
        "objects have tags, which a job drops": bool(found.tagged),
        "there are delete markers, below which a job makes objects come back": bool(found.markers),
        "there are versions, which a job puts out of order": bool(found.older) or ways.versioned,
        "there are SSE-S3 objects, which a job would touch as well": bool(found.states["sse-s3"]),
        "there are SSE-C objects": bool(found.states["sse-c"]),
        "not all objects can be seen": bool(found.unseen or found.incomplete),
        "the bucket has an object lock": ways.locked,
        "rules of the bucket may go by the age of objects, which a job makes new": ways.ages,
        f"there are objects under other keys ({', '.join(others[:3])}), which a job rotates too":
            bool(old and others),
    }  # fmt: skip
    return [reason for reason, holds in reasons.items() if holds]
