"""What a bucket is like before anything in it is rewritten, and what a dry run says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.api.s3xml import ObjectLock
from mcpy.errors import NotFoundError, S3Error
from mcpy.fleet.rewrite import locks
from mcpy.fleet.rewrite.goal import Class, Outcome
from mcpy.fleet.rewrite.job import Abilities
from mcpy.fleet.rewrite.plan import Bucket, plan
from mcpy.fleet.rewrite.refused import outcome_of_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcpy.api.s3 import S3
    from mcpy.fleet.inventory import Item
    from mcpy.fleet.rewrite.job import How, Job
    from mcpy.models import Target

TOO_LARGE = "a version this large cannot be rewritten under its own id"
_NONE_THERE = {404, 405, 501}


def look_at(s3: S3, target: Target) -> tuple[Bucket, ObjectLock]:
    """Return the bucket of a target with its versioning, and its lock.

    Raises:
        NotFoundError: it is not there.
        S3Error: what must be known may not be asked.
    """
    if not s3.bucket_exists(target.bucket):
        hint = f"mcpy ls {target.alias}"
        raise NotFoundError(f"there is no bucket `{target.alias}/{target.bucket}`", hint=hint)
    try:
        versioning, _ = s3.versioning(target.bucket)
    except S3Error as e:
        if e.status not in _NONE_THERE:
            raise
        versioning = ""
    return Bucket(s3, type(target)(target.alias, target.bucket), versioning), _lock(s3, target)


def _lock(s3: S3, target: Target) -> ObjectLock:
    try:
        return s3.object_lock(target.bucket)
    except S3Error as e:
        if e.status not in _NONE_THERE:
            raise
        return ObjectLock()


def assumed(s3: S3) -> Abilities:
    """Return what a server like this one can do, for a dry run, which tries nothing out."""
    minio = s3.is_minio
    return Abilities(in_place=minio, keeps_time=minio, tells_context=minio, put_guarded=minio)


def would_be(bucket: Bucket, items: Sequence[Item], how: How) -> Iterator[Outcome]:
    """Yield what would become of one key; in a bucket with a lock each object is asked for."""
    planned = plan(bucket, items, how)
    yield from planned.settled
    by_id = {item.version_id: item for item in items}
    for job in planned.jobs:
        item = by_id.get(job.version_id) or items[0]
        yield _would_be(job, item, how)


def _would_be(job: Job, item: Item, how: How) -> Outcome:
    version = (item.key, item.version_id)
    if how.lock.enabled:
        try:
            metadata = job.place.head().metadata
        except S3Error as e:
            return outcome_of_refusal(job.version, item.size, e)
        if reason := locks.obstacle(metadata, how.lock):
            return Outcome(*version, Class.LOCKED, item.size, reason)
    if job.size > how.limits.single and job.in_place:
        return Outcome(*version, Class.UNSUPPORTED, item.size, TOO_LARGE)
    scheme = {"sse-s3": "SSE-S3", "sse-kms": "SSE-KMS"}.get(item.state, "")
    return Outcome(
        *version,
        Class.REWRITTEN,
        item.size,
        before=scheme,
        etag_changed=_changes_etag(item, how) or _would_be_in_parts(job, how),
        new_version=job.makes_version,
    )


def _would_be_in_parts(job: Job, how: How) -> bool:
    return job.size > (how.limits.put if how.uploads(job) else how.limits.single)


def _changes_etag(item: Item, how: How) -> bool:
    """Whether the ETag becomes another: only of what is in one part it stays the MD5 by SSE-S3."""
    if how.goal.encryption.algorithm != "AES256" or "-" in item.etag or item.state == "sse-kms":
        return True
    # MinIO shows the sealed ETag of such a name once it is copied onto itself
    return item.key.endswith("/") and how.abilities.keeps_time
