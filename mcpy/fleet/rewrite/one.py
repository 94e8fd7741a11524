"""Rewrite one version: read it, note it, copy it onto itself, read it again, compare.

Whatever fails before the copy leaves the object as it was. A refusal by 412 means that somebody
wrote meanwhile: it is looked at anew. No answer means that nobody knows: it is looked at until the
server says which of the two it is. What is not the same afterwards although nobody else wrote is
damage, and ends the whole run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mcpy.errors import (
    DeadlineError,
    ExitCode,
    IntegrityError,
    McpyError,
    NotReachedError,
    S3Error,
    UnreachableError,
)
from mcpy.fleet.rewrite import locks, onto, times
from mcpy.fleet.rewrite.ends import DamagedError, Raced, StoppedError
from mcpy.fleet.rewrite.goal import Class, Outcome
from mcpy.fleet.rewrite.journal import Intent
from mcpy.fleet.rewrite.onto import Order
from mcpy.fleet.rewrite.refused import outcome_of_refusal
from mcpy.fleet.rewrite.snapshot import differences, take
from mcpy.fleet.rewrite.target import TOO_LARGE

if TYPE_CHECKING:
    from mcpy.api.s3 import Copied, ObjectInfo
    from mcpy.fleet.rewrite.job import How, Job
    from mcpy.fleet.rewrite.journal import Journal
    from mcpy.fleet.rewrite.snapshot import Snapshot

_ATTEMPTS = 4


class _Seen(NamedTuple):
    info: ObjectInfo
    state: Snapshot


def rewrite(job: Job, how: How, journal: Journal) -> Outcome:
    """Make one version as wanted and return what became of it.

    Raises:
        DamagedError: it is not what it was.
        UnreachableError: the server is gone, and the journal tells what was begun.
    """
    for _ in range(_ATTEMPTS):
        how.stop.check()
        try:
            keep = how.limits.put if how.uploads(job) else 0
            seen = _look(job, how, tags=not how.abilities.tells_tags, keep=keep)
        except S3Error as e:
            if e.status == 412:
                continue
            return outcome_of_refusal(job.version, job.size, e)
        except (IntegrityError, UnreachableError) as e:
            return _cut_short(job, e)
        settled = _settled(job, seen, how)
        if settled:
            return settled
        try:
            job = replace(job, time=_time(job, seen))
        except (Raced, S3Error):
            continue
        try:
            journal.intend(Intent(job.version, seen.state, scheme=seen.info.encryption.scheme))
            return _done(job, seen, how, journal)
        except Raced:
            journal.withdraw(job.version)
    return _outcome(job, Class.CHANGED, reason="it changed each time it was to be rewritten")


def _cut_short(job: Job, error: IntegrityError | UnreachableError) -> Outcome:
    """Report an object whose bytes do not come although the server says what it is.

    Raises:
        UnreachableError: it is the server that is gone.
    """
    if isinstance(error, (DeadlineError, NotReachedError)):
        raise error
    try:
        job.place.head()
    except S3Error:
        raise error from None
    return _outcome(job, Class.UNREADABLE, reason=error.message)


def _look(
    job: Job, how: How, *, tags: bool, version_id: str | None = None, keep: int = 0
) -> _Seen:
    place = job.place if version_id is None else replace(job.place, version_id=version_id)
    return _Seen(*take(place, size_hint=job.size, whole=how.whole, tags=tags, keep=keep))


def _time(job: Job, seen: _Seen) -> str:
    """Return the time to keep: that of what was listed, or of what came in its place since.

    Raises:
        Raced: what is listed by now is another again.
    """
    as_listed = seen.info.etag == job.etag and seen.info.last_modified[:19] == job.time[:19]
    if not job.time or as_listed or (job.in_place and job.version_id != "null"):
        return job.time
    bucket, key = job.place.at
    listed = (
        job.place.s3.list_versions(bucket, key)
        if job.in_place
        else job.place.s3.list_objects(bucket, key)
    )
    for entry in listed:
        if entry.key != key:
            break
        if entry.version_id in {"", job.version_id} and entry.etag == seen.info.etag:
            return times.exact(entry.last_modified)
    raise Raced


def _settled(job: Job, seen: _Seen, how: How) -> Outcome | None:
    """Return what is to be said of an object that needs nothing, or must not be touched."""
    found = seen.info.encryption
    if how.goal.met_by(found):
        return _outcome(job, Class.ALREADY, seen=seen)
    if found.customer:
        return _outcome(job, Class.CUSTOMER, seen=seen)
    if not how.goal.covers(found):
        return _outcome(job, Class.OTHER, seen=seen)
    if lock := locks.obstacle(seen.info.metadata, how.lock):
        return _outcome(job, Class.LOCKED, reason=lock, seen=seen)
    reason = _unsafe(job, seen.info, how)
    return _outcome(job, Class.UNSUPPORTED, reason=reason, seen=seen) if reason else None


def _unsafe(job: Job, info: ObjectInfo, how: How) -> str:
    """Return why a copy would not have all that the object has, or ``""``."""
    if info.encryption.algorithm.startswith("aws:kms") and not how.abilities.tells_context:
        return "this server does not show the KMS context it may need"
    if info.metadata.get("x-amz-missing-meta", "0") != "0":
        return "it has metadata that no header can hold, and a copy would lose it"
    if info.size > how.limits.single and job.in_place:
        return TOO_LARGE
    return ""


def _done(job: Job, seen: _Seen, how: How, journal: Journal) -> Outcome:
    """Copy and compare; the intent is settled, withdrawn, or left open when nobody knows."""
    try:
        copied = _copy(job, seen, how, journal)
    except S3Error as e:
        if _is_another(e):
            raise Raced from e
        return _after_refusal(job, seen, how, journal, e)
    except UnreachableError as e:
        return _after_silence(job, seen, how, journal, e)
    outcome = compared(job, seen.state, how, copied, scheme=seen.info.encryption.scheme)
    journal.settle(outcome)
    how.moved(outcome.size)
    return outcome


def _copy(job: Job, seen: _Seen, how: How, journal: Journal) -> Copied:
    slow = seen.info.size > how.limits.slow
    place = how.patient(job.place) if slow else job.place
    order = Order(
        how.goal.for_source(seen.info.encryption),
        time=job.time,
        in_place=job.in_place,
        upload=how.uploads(job),
        limits=how.limits,
        begun=lambda upload_id: journal.begun(job.version, upload_id),
        stop=how.stop,
    )
    return (how.change or onto.copy_onto_itself)(place, seen.state, order)


def compared(
    job: Job, before: Snapshot, how: How, copied: Copied | None, *, scheme: str
) -> Outcome:
    """Read a version that was rewritten and hold it against what it was.

    ``copied`` is None when the answer was lost, with the process or the connection.

    Raises:
        DamagedError: it is not the same, or not encrypted as wanted.
        Raced: somebody else wrote it since.
    """
    version_id = copied.version_id if copied and not job.in_place else None
    if job.in_place and copied and copied.version_id not in {"", job.version_id}:
        raise DamagedError(
            f"`{job.place.target}`: the server stored version {copied.version_id} instead of "
            f"{job.version_id}"
        )
    try:
        after = _look(job, how, tags=bool(before.tags), version_id=version_id)
    except S3Error as e:
        if _is_another(e):
            raise Raced from e
        raise _unread(job, e) from e
    wrong = differences(
        before,
        after.state,
        keeps_context=how.goal.encryption.algorithm == "aws:kms" and bool(before.context),
        keeps_time=bool(job.time),
    )
    if not how.goal.met_by(after.info.encryption):
        shown = after.info.encryption.scheme or "no encryption"
        wrong.insert(0, f"its encryption ({shown} {after.info.encryption.key_id})")
    if wrong:
        _judge(job, how, copied, after, wrong)
    return Outcome(
        *job.version,
        Class.REWRITTEN,
        after.info.size,
        before=scheme,
        etag_changed=after.state.etag != before.etag,
        new_version=job.makes_version,
    )


def _is_another(error: S3Error) -> bool:
    """Whether a refusal says that the object is gone or another; a lost key is a 404 as well."""
    return error.status in {404, 412} and not error.api_code.startswith("kms:")


def _unread(job: Job, error: S3Error) -> McpyError:
    """Return the error for an object that was rewritten and cannot be read: is it the server's?"""
    kms = error.api_code.startswith("kms:")
    silent = kms and not job.place.s3.kms_ready()
    if silent or (error.status >= 500 and not kms):
        where = f"the KMS of `{job.place.target.alias}` does not answer it; " if silent else ""
        stopped = StoppedError(
            f"{where}`{job.place.target}` was rewritten and is still to be read: {error}",
            hint="run it again when the server works: it goes on with that",
        )
        stopped.code = ExitCode.UNREACHABLE if silent else stopped.code
        return stopped
    return DamagedError(f"`{job.place.target}` was rewritten and cannot be read: {error}")


def _judge(job: Job, how: How, copied: Copied | None, after: _Seen, wrong: list[str]) -> None:
    """Raise Raced when somebody else wrote, DamagedError when nobody did."""
    ours = job.in_place and job.version_id != "null"  # no other can write there
    if not ours and how.abilities.tells_etag and copied and copied.etag != after.info.etag:
        raise Raced
    raise DamagedError(
        f"`{job.place.target}` is not what it was: {', '.join(wrong)} changed; nothing more is "
        "touched",
        hint="compare it with a backup before anything else",
    )


def _after_refusal(job: Job, seen: _Seen, how: How, journal: Journal, error: S3Error) -> Outcome:
    """Report a refusal; an object that is not as it was all the same is looked at closely."""
    now = _look_again(job, how)
    if now is not None and not _same(now, seen):
        return _settle_unknown(job, seen, how, journal, now)
    journal.withdraw(job.version)
    return outcome_of_refusal(job.version, job.size, error, writing=True)


def _after_silence(
    job: Job, seen: _Seen, how: How, journal: Journal, error: UnreachableError
) -> Outcome:
    """Find out whether a copy whose answer was lost was done; raises ``error`` if nobody can."""
    now = _look_again(job, how)
    if now is None:
        raise error
    if _same(now, seen):
        raise Raced  # it was not done, or is only about to be: the next look tells
    return _settle_unknown(job, seen, how, journal, now)


def _settle_unknown(job: Job, seen: _Seen, how: How, journal: Journal, now: _Seen) -> Outcome:
    if not how.goal.met_by(now.info.encryption):
        raise Raced
    outcome = compared(job, seen.state, how, None, scheme=seen.info.encryption.scheme)
    journal.settle(outcome)
    how.moved(outcome.size)
    return outcome


def _same(now: _Seen, seen: _Seen) -> bool:
    return now.info.etag == seen.info.etag and now.info.encryption == seen.info.encryption


def _look_again(job: Job, how: How) -> _Seen | None:
    try:
        return _look(job, how, tags=False)
    except McpyError:
        return None


def _outcome(job: Job, kind: Class, *, reason: str = "", seen: _Seen | None = None) -> Outcome:
    size = seen.info.size if seen else job.size
    scheme = seen.info.encryption.scheme if seen else ""
    return Outcome(*job.version, kind, size, reason, scheme)
