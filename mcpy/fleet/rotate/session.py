"""The rotation of one target: its default, its objects, and the proof that nothing is left."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpy.api.multipart import list_uploads
from mcpy.api.s3aws import is_aws
from mcpy.errors import (
    ApiError,
    ExitCode,
    InputError,
    McpyError,
    S3Error,
    UnsupportedError,
    exit_code,
)
from mcpy.fleet.default_encryption import set_default
from mcpy.fleet.kms_keys import default_key_of
from mcpy.fleet.rewrite.canary import Ground
from mcpy.fleet.rewrite.goal import Class, Tally
from mcpy.fleet.rewrite.job import How
from mcpy.fleet.rewrite.target import look_at
from mcpy.fleet.rotate import aws, batch
from mcpy.fleet.rotate.engine import Engine, Ways, traps
from mcpy.fleet.rotate.survey import Survey, is_key, survey
from mcpy.models import BucketEncryption

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.s3xml import ObjectLock
    from mcpy.fleet.rewrite.plan import Bucket
    from mcpy.fleet.rewrite.session import Session
    from mcpy.fleet.rotate.batch import Batch

_MANY = 1000
_STUCK = (Class.LOCKED, Class.UNKNOWN, Class.UNREADABLE, Class.UNSUPPORTED)


@dataclass
class Rotated:
    """What became of one target.

    Attributes:
        engine: how objects got under the new key; None when there was nothing to do.
        why_not: what spoke against a job.
        before: what was there.
        after: what is there now; None in a dry run.
        default: the bucket's default, before: ``""`` when it needed no change.
        default_unseen: whether nobody may see the default, which may name the old key.
        tally: of the objects, where they were taken one by one.
        sealed: how many a job sealed anew.
        uploads: unfinished ones, which may end under the old key.
        sse_s3_default: whether the old key is the server's default, which SSE-S3 uses.
    """

    engine: Engine | None
    before: Survey
    why_not: list[str] = field(default_factory=list)
    after: Survey | None = None
    default: str = ""
    default_unseen: bool = False
    tally: Tally = field(default_factory=Tally)
    sealed: int = 0
    uploads: int = 0
    sse_s3_default: bool = False

    def left(self, new: str, old: str) -> int:
        """Return how many are under the old key still, or cannot be seen."""
        found = self.after or self.before
        return found.under_other(new, old) + found.unseen

    @property
    def would_stay(self) -> int:
        """Return how many a run would leave under the old key, after a dry run."""
        stuck = sum(self.tally.count[kind] for kind in _STUCK)
        return (stuck if self.tally.scanned else self.before.unseen) + bool(self.before.incomplete)


@dataclass
class Rotation:
    """The rotation of one target.

    Args:
        session: the rewriting of its objects, one by one.
        admin: the server's admin API.
        jobs: its jobs.
        wanted: the engine that was asked for; None for the best.
        dry_run: whether nothing is changed.
        warn: told what somebody should know.
    """

    session: Session
    admin: MinioAdmin
    jobs: Batch
    wanted: Engine | None = None
    dry_run: bool = False
    warn: Callable[[str], None] = lambda _: None

    @property
    def new(self) -> str:
        """The key to get under."""
        return self.session.goal.encryption.key_id

    def run(self) -> Rotated:
        """Rotate, and look at all of it again.

        Raises:
            InputError: the engine that was asked for must not be used here.
            McpyError: it could not be done to the end.
        """
        old = self.session.goal.old_key
        bucket, lock = look_at(self.session.s3, self.session.target)
        default, unseen = self._default(bucket, old)
        self.session.ready = lambda: self._set_default(bucket, default)
        before = self._survey(bucket)
        done = Rotated(None, before, default=default, default_unseen=unseen)
        done.sse_s3_default = self._is_servers_default(old)
        if before.under_other(self.new, old) or before.incomplete:
            done.engine, done.why_not = self._engine(bucket, lock, before, old)
        if self.dry_run:
            if done.engine and done.engine is not Engine.BATCH:
                self._know(done)
                done.tally = self.session.rehearse()
            return done
        if done.engine is Engine.BATCH:
            self._by_job(bucket, lock, before, done)
        elif done.engine:
            self._one_by_one(done)
        if not self.session.working:
            self.session.working = True
            self.session.ready()  # nothing had to be rewritten
        done.after = self._survey(bucket)
        done.uploads = self._uploads()
        return done

    def _default(self, bucket: Bucket, old: str) -> tuple[str, bool]:
        """Return the key of the default, if it is to be the new one, and whether it is unseen."""
        s3, name = bucket.s3, bucket.target.bucket
        try:
            current = s3.get_bucket_encryption(name)
        except (S3Error, UnsupportedError) as e:
            if exit_code(e) is ExitCode.UNSUPPORTED:
                return "", False  # the server has no defaults
            self.warn(f"the default encryption of `{name}` cannot be seen: {e}")
            return "", True
        return self._outdated(bucket, current, old), False

    def _outdated(self, bucket: Bucket, current: BucketEncryption | None, old: str) -> str:
        name = bucket.target.bucket
        if current is None or current.algorithm != "aws:kms" or is_key(current.key, self.new):
            return ""
        if old and not is_key(current.key, old):
            return ""
        if self.session.target.key:
            self.warn(
                f"new objects go on under the key `{current.key}`: it is the default of `{name}`, "
                "of which this is a part"
            )
            return ""
        return current.key

    def _set_default(self, bucket: Bucket, was: str) -> None:
        """Point the default at the new key: not before all that could be refused is through."""
        if was:
            wanted = BucketEncryption("aws:kms", self.new)
            set_default(bucket.s3, self.admin, bucket.target.bucket, wanted)

    def _survey(self, bucket: Bucket) -> Survey:
        with closing(self.session.scan(bucket)) as items:
            return survey(items)

    def _engine(
        self, bucket: Bucket, lock: ObjectLock, before: Survey, old: str
    ) -> tuple[Engine, list[str]]:
        if is_aws(bucket.s3) and self.wanted in {None, Engine.AWS}:
            aws.check_arn(self.new)
            return Engine.AWS, []
        if self.wanted is Engine.AWS:
            raise InputError(f"`{self.session.target.alias}` is not AWS, and would lose objects")
        if self.wanted is Engine.COPY:
            return Engine.COPY, []
        ways = Ways(
            self._has_jobs(),
            self.session.target.key,
            bool(lock.enabled),
            self._has_lifecycle(bucket),
            bool(bucket.versioning),
        )
        why_not = traps(before, ways, self.new, old)
        if why_not and self.wanted is Engine.BATCH:
            raise InputError(
                f"a job must not be used here: {'; '.join(why_not)}", hint="--engine copy"
            )
        return (Engine.COPY if why_not else Engine.BATCH), why_not

    def _has_jobs(self) -> bool:
        try:
            self.jobs.jobs.list("keyrotate")
        except McpyError:
            return False
        return True

    def _has_lifecycle(self, bucket: Bucket) -> bool:
        try:
            return bool(bucket.s3.bucket_setting(bucket.target.bucket, "lifecycle"))
        except ApiError:
            return True

    def _is_servers_default(self, old: str) -> bool:
        try:
            return bool(old) and default_key_of(self.admin) == old
        except McpyError:
            return False

    def _by_job(self, bucket: Bucket, lock: ObjectLock, before: Survey, done: Rotated) -> None:
        session = self.session
        old = session.goal.old_key or next(k for k in before.by_key if not is_key(k, self.new))
        session.told.state("trying out a job")
        trial = self.jobs.try_out(session.goal, Ground(bucket, lock, old_key=old))
        wrong = trial.wrong or (trial.drops and self._would_lose(bucket, trial.drops))
        if wrong:
            if self.wanted is Engine.BATCH:
                raise UnsupportedError(f"a job does harm on this server: {wrong}")
            done.engine, done.why_not = Engine.COPY, [wrong]
            self._one_by_one(done)
            return
        sample = batch.look_all(bucket, before.sample)
        session.working = True
        session.ready()
        session.elsewhere = f"mcpy batch list {session.target.alias}"
        name, prefix = bucket.target.bucket, session.target.key
        done.sealed = self.jobs.rotate(name, prefix, self.new)
        session.elsewhere = ""
        batch.check_all(bucket, sample, session.goal)

    def _would_lose(self, bucket: Bucket, drops: frozenset[str]) -> str:
        """Return which object would lose a header that a job drops, or ``""``; asks for each."""
        jobs = self.session.wish.jobs
        self.session.told.state(f"looking for objects with {', '.join(sorted(drops))}")
        with closing(self.session.scan(bucket)) as items:
            key = batch.first_with(bucket.s3, bucket.target.bucket, items, drops, jobs=jobs)
        return key and f"a job drops {', '.join(sorted(drops))}, which objects have: `{key}`"

    def _one_by_one(self, done: Rotated) -> None:
        self._know(done)
        done.tally = self.session.run()

    def _know(self, done: Rotated) -> None:
        """Tell the session what the engine can do, or which key to try it from."""
        if done.engine is Engine.AWS:
            goal, abilities = self.session.goal, aws.ABILITIES
            lock = look_at(self.session.s3, self.session.target)[1]
            self.session.known = How(
                goal, abilities, lock, aws.LIMITS, whole=self.session.wish.whole, change=aws.change
            )
        elif not self.session.goal.old_key:
            others = [key for key in done.before.by_key if not is_key(key, self.new)]
            self.session.tried_key = others[0] if others else ""

    def _uploads(self) -> int:
        target = self.session.target
        count = 0
        try:
            for _ in list_uploads(self.session.s3, target.bucket, target.key):
                count += 1
                if count == _MANY:
                    break
        except ApiError:
            return 0
        return count


def proof(done: Rotated, new: str, old: str) -> dict[str, Any]:
    """Return what the last look shows, as JSON."""
    found = done.after or done.before
    return {"left": done.left(new, old), "unfinishedUploads": done.uploads, **found.data()}
