"""What a run that was killed had begun: each object is looked at before anything else is.

Either it was not touched, and will be found again; or it was rewritten, and is compared now with
what it was before. An upload in parts that was not completed is thrown away.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from mcpy.api.multipart import MultipartUpload
from mcpy.errors import IntegrityError, S3Error
from mcpy.fleet.rewrite.ends import DamagedError, Raced, StoppedError
from mcpy.fleet.rewrite.goal import Class, Outcome
from mcpy.fleet.rewrite.job import Job
from mcpy.fleet.rewrite.one import compared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.api.s3 import ObjectInfo
    from mcpy.fleet.rewrite.job import How
    from mcpy.fleet.rewrite.journal import Intent, Journal
    from mcpy.fleet.rewrite.plan import Bucket


def finish_begun(bucket: Bucket, how: How, journal: Journal) -> Iterator[Outcome]:
    """Settle or withdraw what was begun; yield the outcomes that no scan will come upon.

    Raises:
        DamagedError: one of them is not what it was.
        StoppedError: nobody can tell what became of one.
    """
    left = journal.left
    for version, intent in list(left.intents.items()):
        _abort(bucket, intent)
        outcome, seen = _finish(bucket, how, intent)
        del left.intents[version]
        if outcome is None:
            journal.withdraw(version)
            continue
        journal.settle(outcome)
        if seen:
            left.done[version] = outcome
        else:
            yield outcome


def _abort(bucket: Bucket, intent: Intent) -> None:
    if intent.upload_id:
        at = bucket.target.bucket, intent.version.key
        with suppress(S3Error):
            MultipartUpload(bucket.s3, *at, intent.upload_id, {}).abort()


def _finish(bucket: Bucket, how: How, intent: Intent) -> tuple[Outcome | None, bool]:
    """Return what became of an object, None for nothing; and whether a scan will see it."""
    version = intent.version
    in_place = bool(bucket.versioning) and how.abilities.in_place
    place = bucket.place(version.key, version.version_id if in_place else "")
    target = place.target
    try:
        info = place.head()
    except S3Error as e:
        if e.status not in {404, 405} or e.api_code.startswith("kms:"):
            raise StoppedError(
                f"`{target}` was being rewritten when mcpy ended, and cannot be looked at: {e}",
                hint="run it again when it can, or --restart to leave it",
            ) from e
        if bucket.versioning and not in_place:
            return None, True  # a delete marker is the latest now
        return Outcome(*version, Class.GONE, intent.before.size, "it is there no more"), False
    if not how.goal.met_by(info.encryption):
        return None, True
    job = Job(
        place,
        version.version_id,
        info.size,
        time="kept" if in_place else "",
        in_place=in_place,
        makes_version=bool(bucket.versioning) and not in_place,
    )
    return _compare(job, how, intent, info), True


def _compare(job: Job, how: How, intent: Intent, info: ObjectInfo) -> Outcome:
    # it was read so before, so it must be read so again
    whole = intent.before.whole and info.size == intent.before.size
    try:
        return compared(job, intent.before, replace(how, whole=whole), None, scheme=intent.scheme)
    except DamagedError as e:
        if job.in_place and job.version_id != "null":
            raise
        return _another(job, e)
    except Raced as e:
        return _another(job, IntegrityError(f"it changed while it was read: {e}"))


def _another(job: Job, error: IntegrityError) -> Outcome:
    reason = f"it was being rewritten when mcpy ended, and is another by now: {error.message}"
    return Outcome(*job.version, Class.CHANGED, job.size, reason)
