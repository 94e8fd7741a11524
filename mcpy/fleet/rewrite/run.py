"""Rewrite all that a scan finds: one key at a time at first, then many, in the order of the scan.

The first object that is really rewritten is compared byte by byte before any other is touched. A
key is settled as a whole, and reported in the order of the listing, so that a journal needs to
remember no more than how far it is and what is on its way.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from mcpy.errors import McpyError, S3Error
from mcpy.fleet.parallel import Stop, each
from mcpy.fleet.rewrite.begun import finish_begun
from mcpy.fleet.rewrite.ends import DamagedError, StoppedError
from mcpy.fleet.rewrite.goal import Class, Outcome, Tally
from mcpy.fleet.rewrite.journal import Version
from mcpy.fleet.rewrite.one import rewrite
from mcpy.fleet.rewrite.plan import disorder, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mcpy.fleet.inventory import Item
    from mcpy.fleet.rewrite.job import How
    from mcpy.fleet.rewrite.journal import Journal
    from mcpy.fleet.rewrite.plan import Bucket, KeyPlan

_MARK_EVERY = 64
_MARK_S = 1.0
_STREAK = 25


@dataclass
class Run:
    """One pass over a bucket or prefix.

    Args:
        bucket: where.
        how: what holds for all objects.
        journal: where it is noted; its ``left`` is gone on with.
        report: told of each outcome, in the order of the scan.
        jobs: keys at a time.
        cut: breaks what waits for the server.
    """

    bucket: Bucket
    how: How
    journal: Journal
    report: Callable[[Outcome], None] = lambda _: None
    jobs: int = 4
    cut: Callable[[], None] = lambda: None
    tally: Tally = field(default_factory=Tally)
    _since_mark: int = 0
    _marked: float = 0.0
    _streak: int = 0

    def work(self, items: Iterable[Item]) -> Tally:
        """Rewrite what is meant among ``items``, which begin behind ``journal.left.after``.

        Raises:
            DamagedError: an object is not what it was.
            StoppedError: one failure follows the other.
            UnreachableError: the server is gone.
        """
        self.tally = self.journal.left.tally
        for outcome in finish_begun(self.bucket, self.how, self.journal):
            self._count(outcome)
        keys = self._keys(items)
        whole = replace(self.how, whole=True)
        for group in keys:
            outcomes = self._key(group, whole)
            self._settled(group, outcomes)
            if any(outcome.kind is Class.REWRITTEN for outcome in outcomes):
                break
        stop = Stop(self.how.stop)
        how = replace(self.how, stop=stop)
        each(
            keys,
            lambda group: self._key(group, how),
            self._settled,
            jobs=self.jobs,
            stop=stop,
            cut=self.cut,
        )
        self.journal.end(self.tally)
        return self.tally

    def _keys(self, items: Iterable[Item]) -> Iterator[list[Item]]:
        for _, group in groupby(items, key=lambda item: item.key):
            yield list(group)

    def _key(self, items: list[Item], how: How) -> list[Outcome]:
        planned = plan(self.bucket, items, how)
        outcomes = [self._as_done(outcome) for outcome in planned.settled]
        outcomes += [rewrite(job, how, self.journal) for job in planned.jobs]
        rewritten = any(outcome.kind is Class.REWRITTEN for outcome in outcomes)
        if rewritten and len(items) > 1 and how.abilities.in_place:
            self._check_order(planned)
        return outcomes

    def _check_order(self, planned: KeyPlan) -> None:
        """See that the versions of a key are in the order they were in.

        Raises:
            DamagedError: they are not: a deleted key may be back.
        """
        key, count = planned.items[0].key, len(planned.items)
        listed = self.bucket.s3.list_versions(
            self.bucket.target.bucket, key, page_size=min(1000, count + 8)
        )
        found = []
        try:
            for entry in listed:
                if entry.key != key:
                    break
                found.append(entry)
        except S3Error as e:
            if not e.api_code.startswith("kms:"):
                raise
            return  # another key, whose listing nobody can decrypt, hides it
        if wrong := disorder(planned.items, found):
            target = replace(self.bucket.target, key=key)
            raise DamagedError(
                f"`{target}`: {wrong}; nothing more is touched",
                hint=f"mcpy ls --versions {target}",
            )

    def _as_done(self, outcome: Outcome) -> Outcome:
        """Return what a run before this one did to a version, where that settled it."""
        done = self.journal.left.done.get(self._name(outcome))
        if done and outcome.kind in {Class.ALREADY, Class.OLDER, Class.UNSUPPORTED}:
            return done
        return outcome

    def _name(self, outcome: Outcome) -> Version:
        return Version(outcome.key, outcome.version_id if self.bucket.versioning else "")

    def _settled(self, items: list[Item], outcome: list[Outcome] | McpyError) -> None:
        """Count one key; several failures one after the other end the run, to be gone on with."""
        if isinstance(outcome, McpyError):
            raise outcome
        for one in outcome:
            self._count(one)
        kinds = {one.kind for one in outcome}
        if kinds & {Class.FAILED, Class.UNREADABLE}:
            self._streak += 1
        elif kinds & {Class.REWRITTEN, Class.ALREADY}:
            self._streak = 0
        if self._streak >= _STREAK and self._is_broken(outcome):
            raise StoppedError(
                f"stopped after {self._streak} failures one after the other: {outcome[-1].reason}",
                hint="run it again when the server works: it goes on from there",
            )
        self.journal.passed(self._name(one) for one in outcome)
        self._since_mark += 1
        now = time.monotonic()
        due = self._since_mark >= _MARK_EVERY or now - self._marked > _MARK_S
        if due and not self._streak:
            self.journal.mark(items[0].key, self.tally)
            self._since_mark, self._marked = 0, now

    def _is_broken(self, outcome: list[Outcome]) -> bool:
        """Whether it is the server that fails, and not objects nobody can read any more."""
        failed = any(one.kind is Class.FAILED for one in outcome)
        return failed or not self.bucket.s3.kms_ready()

    def _count(self, outcome: Outcome) -> None:
        self.tally.add(outcome)
        self.report(outcome)
