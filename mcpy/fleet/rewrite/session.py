"""One target from beginning to end: look, open the journal, let the canary go, rewrite, count."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from mcpy.api.multipart import MIN_PART_BYTES
from mcpy.errors import UnsupportedError
from mcpy.fleet.inventory import scan
from mcpy.fleet.parallel import Stop
from mcpy.fleet.rewrite import canary
from mcpy.fleet.rewrite.goal import Class, Goal, Outcome, Tally
from mcpy.fleet.rewrite.job import Abilities, How
from mcpy.fleet.rewrite.journal import Journal
from mcpy.fleet.rewrite.leftovers import Leftovers
from mcpy.fleet.rewrite.onto import GIB, Limits
from mcpy.fleet.rewrite.rate import Brake, Rate
from mcpy.fleet.rewrite.run import Run
from mcpy.fleet.rewrite.target import assumed, look_at, would_be

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from mcpy.api.s3 import S3
    from mcpy.api.s3xml import ObjectLock
    from mcpy.fleet.inventory import Item
    from mcpy.fleet.rewrite.plan import Bucket
    from mcpy.fleet.transfer.place import Place
    from mcpy.models import Target

_HOW_TO_GUARD = {
    "": "--nobody-writes, when that is so",
    "Suspended": "--nobody-writes, when that is so, or enable the bucket's versioning",
}
MINIO_LIMIT = 5 * 1024 * GIB


class UnguardedError(UnsupportedError):
    """What others write meanwhile could be lost."""


@dataclass(frozen=True)
class Wish:
    """How a target is to be worked on.

    Attributes:
        journals: the folder of journals that have no name of their own.
        journal: the journal's file; None for one in ``journals``.
        jobs: keys at a time.
        rate: the most a second.
        whole: whether all bytes are compared.
        restart: whether what an interrupted run left is not gone on with.
        canary_inside: whether a prefix of the target may serve the canary.
        nobody_writes: whether it is sure that no one else writes meanwhile.
        copy_limit: what one copy can be, in bytes; 0 leaves it to what the canary finds.
    """

    journals: Path
    journal: Path | None = None
    jobs: int = 4
    rate: Rate = field(default_factory=Rate)
    whole: bool = False
    restart: bool = False
    canary_inside: bool = False
    nobody_writes: bool = False
    copy_limit: int = 0


@dataclass
class Told:
    """Whom to tell: of each outcome, of what is going on, and of what somebody should know."""

    outcome: Callable[[Outcome], None] = lambda _: None
    state: Callable[[str], None] = lambda _: None
    warn: Callable[[str], None] = lambda _: None


@dataclass
class Session:
    """The rewriting of one target.

    Args:
        s3: the server.
        patient: the same with more patience, for copies of many GiB.
        target: a bucket or a prefix.
        goal: what is wanted.
        wish: how.
        told: whom to tell.
        cut: breaks what waits for the server.
        known: how it is done where no canary is needed.
        tried_key: a key the canary takes an object from, where the goal names none.
        ready: called once nothing speaks against it any more, before the first object.
        working: whether objects or the default may have been touched.
        elsewhere: how to see what the server goes on with when this process ends.
        foreseen: why a run must be expected to be refused, after ``rehearse``.
    """

    s3: S3
    patient: S3
    target: Target
    goal: Goal
    wish: Wish
    told: Told = field(default_factory=Told)
    cut: Callable[[], None] = lambda: None
    known: How | None = None
    tried_key: str = ""
    ready: Callable[[], None] = lambda: None
    working: bool = False
    elsewhere: str = ""
    foreseen: UnsupportedError | None = None

    def rehearse(self) -> Tally:
        """Count what would be rewritten; nothing is tried and nothing changed.

        Raises:
            InputError: a run would be refused, whatever the objects are.
        """
        bucket, lock = look_at(self.s3, self.target)
        if self.wish.canary_inside and not self.known:
            canary.check_inside(bucket, lock)
        how = replace(self.known, lock=lock) if self.known else self._assumed(lock)
        tally = Tally()
        with closing(self.scan(bucket)) as items:
            for _, group in groupby(items, key=lambda item: item.key):
                for outcome in would_be(bucket, list(group), how):
                    tally.add(outcome)
                    self.told.outcome(outcome)
        suspended = bucket.versioning == "Suspended" and not (
            self.wish.nobody_writes or self.known
        )
        if tally.count[Class.REWRITTEN] and suspended and self.s3.is_minio:
            self.foreseen = self._unguarded(bucket)
        elif tally.count[Class.REWRITTEN] and not (self.known or self.s3.is_minio):
            self.told.warn("what this server does is tried out by a run alone, which may refuse")
        return tally

    def _assumed(self, lock: ObjectLock) -> How:
        abilities = assumed(self.s3)
        limits = Limits(single=MINIO_LIMIT if abilities.keeps_time else 5 * GIB)
        return How(self.goal, abilities, lock, limits, nobody_writes=self.wish.nobody_writes)

    def _unguarded(self, bucket: Bucket) -> UnguardedError:
        return UnguardedError(
            f"what others write to `{self.target}` meanwhile could be lost: the server does "
            "not look closely enough at what it overwrites; nothing was touched",
            hint=_HOW_TO_GUARD.get(bucket.versioning, _HOW_TO_GUARD[""]),
        )

    def _nothing_to_do(self, refusal: UnsupportedError) -> Tally:
        """Return the counts where nothing is to be rewritten; else raise ``refusal``."""
        tally = Tally()
        for told in (Told(), self.told):
            tally = replace(self, told=told).rehearse()
            if tally.count[Class.REWRITTEN]:
                raise refusal
        return tally

    def run(self) -> Tally:
        """Rewrite what is meant.

        Raises:
            UnsupportedError: the canary found that the server does harm.
            DamagedError: an object is not what it was.
        """
        bucket, lock = look_at(self.s3, self.target)
        journal = Journal(self.journal_path, self._header(), fresh=self.wish.restart)
        with closing(journal):
            if journal.resumed:
                self.told.warn(f"going on with the interrupted run of {journal.path}")
            leftovers = Leftovers(
                self.s3,
                self.target.alias,
                sorted(journal.left.scratch),
                journal.scratch_gone,
                self.told.warn,
            )
            leftovers.clean()
            try:
                how = self._how(bucket, lock, journal)
            except UnguardedError as e:
                if journal.resumed:
                    raise
                return self._nothing_to_do(e)
            self.working = True
            self.ready()
            stop = Stop()
            run = Run(
                bucket,
                replace(how, stop=stop),
                journal,
                self.told.outcome,
                self.wish.jobs,
                self.cut,
            )
            after = journal.left.after
            with closing(self.scan(bucket, after=after, stop=stop)) as items:
                tally = run.work(items)
            leftovers.clean(finally_=True)
            return tally

    def scan(
        self, bucket: Bucket, *, after: str = "", stop: Stop | None = None
    ) -> Generator[Item]:
        """Scan the target; servers stumble over version ids where there are no versions."""
        return scan(
            self.s3,
            bucket.target.bucket,
            self.target.key,
            versions=bool(bucket.versioning),
            jobs=self.wish.jobs,
            after=after,
            stop=stop,
            cut=self.cut,
        )

    def _how(self, bucket: Bucket, lock: ObjectLock, journal: Journal) -> How:
        if self.known:
            return replace(self.known, lock=lock, moved=Brake(self.wish.rate).moved)
        abilities = self._tried_out(bucket, lock, journal)
        minio = abilities.keeps_time or abilities.in_place
        usual = MINIO_LIMIT if minio else 5 * GIB
        limit = self.wish.copy_limit or usual
        return How(
            self.goal,
            abilities,
            lock,
            Limits(limit, max(MIN_PART_BYTES, min(limit, Limits.part)), min(limit, Limits.put)),
            self._patient,
            self.wish.whole,
            Brake(self.wish.rate).moved,
            self.wish.nobody_writes,
        )

    def _tried_out(self, bucket: Bucket, lock: ObjectLock, journal: Journal) -> Abilities:
        """Let the canary go, unless it was for another target like this one."""
        self.told.state("trying out what the server does")
        ground = canary.Ground(
            bucket,
            lock,
            inside=self.wish.canary_inside,
            old_key=self.goal.old_key or self.tried_key,
            note=journal.scratch,
            gone=journal.scratch_gone,
        )
        verdict = canary.try_out(self.goal, ground)
        for leftover in verdict.leftovers:
            self.told.warn(f"what was tried out could not be removed: {leftover}")
        if verdict.abilities is None:
            raise canary.refusal(verdict, self.target)
        if not verdict.guarded and not self.wish.nobody_writes:
            raise self._unguarded(bucket)
        return verdict.abilities

    def _patient(self, place: Place) -> Place:
        return replace(place, s3=self.patient)

    @property
    def journal_path(self) -> Path:
        """Where the journal is."""
        if self.wish.journal:
            return self.wish.journal
        digest = hashlib.sha256(json.dumps(self._header(), sort_keys=True).encode()).hexdigest()
        return self.wish.journals / f"{self.target.bucket}-{digest[:16]}.jsonl"

    def _header(self) -> dict[str, str]:
        return {
            "server": self.s3.http.base_url,
            "bucket": self.target.bucket,
            "prefix": self.target.key,
            **self.goal.words(),
        }
