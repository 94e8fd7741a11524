"""MinIO's keyrotate job as the way to another key: tried out, run, and looked at."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mcpy.api.minio_batch import NoJobError
from mcpy.api.s3info import sse_headers
from mcpy.errors import DeadlineError, McpyError
from mcpy.fleet.keyrotate import TEMPLATE
from mcpy.fleet.parallel import Stop, outcomes
from mcpy.fleet.rewrite import canary, probes
from mcpy.fleet.rewrite.ends import DamagedError
from mcpy.fleet.rewrite.snapshot import differences
from mcpy.models import ObjectEncryption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mcpy.api.minio_batch import BatchJobs
    from mcpy.api.s3 import S3
    from mcpy.fleet.inventory import Item
    from mcpy.fleet.rewrite.goal import Goal
    from mcpy.fleet.rewrite.plan import Bucket
    from mcpy.fleet.rewrite.snapshot import Snapshot

_POLL_S = 0.5
_NEWBORN_S = 10.0
_TRIAL_S = 60.0


@dataclass(frozen=True)
class Trial:
    """What a job did to scratch objects: harm in words, and headers that it drops."""

    wrong: str = ""
    drops: frozenset[str] = frozenset()


@dataclass
class Batch:
    """The jobs of a server, and the patience to wait for them."""

    jobs: BatchJobs
    say: Callable[[str], None] = lambda _: None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = field(default=time.monotonic)

    def rotate(self, bucket: str, prefix: str, key: str, *, within_s: float | None = None) -> int:
        """Run a job to its end and return how many objects it sealed anew.

        Raises:
            McpyError: it failed, or left objects out.
            DeadlineError: it is not over ``within_s``; it was stopped.
        """
        document = TEMPLATE.format(
            bucket=json.dumps(bucket), prefix=json.dumps(prefix), type="sse-kms",
            key=json.dumps(key),
        )  # fmt: skip
        job = str(self.jobs.start(document)["id"])
        begun = self.clock()
        while True:
            metric = self._status(job, begun)
            work = metric.get("rotation") or {}
            if metric.get("failed") or (metric.get("complete") and work.get("objectsFailed")):
                failed = work.get("objectsFailed", 0)
                raise McpyError(f"the job `{job}` failed on {failed} objects")
            if metric.get("complete"):
                return int(work.get("objects", 0))
            if within_s is not None and self.clock() - begun > within_s:
                self.jobs.cancel(job)
                raise DeadlineError(f"the job `{job}` was not over within {within_s:g} s")
            self.say(f"job {job}: {work.get('objects', 0)} objects")
            self.sleep(_POLL_S)

    def _status(self, job: str, begun: float) -> dict[str, Any]:
        """Ask for a job, which a server does not know in its first moments."""
        try:
            return self.jobs.status(job)
        except NoJobError:
            if self.clock() - begun > _NEWBORN_S:
                raise
            return {}

    def try_out(self, goal: Goal, ground: canary.Ground) -> Trial:
        """Rotate scratch objects by a job."""
        scratch = canary.own_bucket(ground)
        try:
            return self._tried(scratch, goal, ground.old_key)
        except McpyError as e:
            return Trial(e.message)
        finally:
            canary.clean_up(scratch, ground)

    def _tried(self, scratch: probes.Scratch, goal: Goal, old_key: str) -> Trial:
        old = ObjectEncryption("aws:kms", old_key)
        headers = {
            "plain": sse_headers(old),
            "context": sse_headers(replace(old, context=probes.CONTEXT)),
        }
        for name, asked in headers.items():
            scratch.put(name, 3_000, {**probes.METADATA, **asked})
        before = {name: probes.look(scratch.place(name), 3_000)[1] for name in headers}
        self.rotate(scratch.bucket.target.bucket, "", goal.encryption.key_id, within_s=_TRIAL_S)
        drops: set[str] = set()
        for name, was in before.items():
            _, now = probes.look(scratch.place(name), 3_000)
            lost = was.headers.keys() - now.headers.keys()
            drops |= lost
            kept = {header: value for header, value in was.headers.items() if header not in lost}
            if wrong := changed(scratch.bucket, name, replace(was, headers=kept), goal):
                return Trial(f"a job changed {wrong} of a scratch object")
        return Trial(drops=frozenset(drops))


def changed(bucket: Bucket, key: str, before: Snapshot, goal: Goal) -> str:
    """Return what is not as it was, or not as wanted, of an object a job has touched."""
    info, after = probes.look(bucket.place(key), before.size)
    if not goal.met_by(info.encryption):
        return f"the encryption ({probes.shown(info)})"
    return ", ".join(differences(before, after, keeps_context=True, keeps_time=False))


def first_with(
    s3: S3, bucket: str, items: Iterable[Item], drops: frozenset[str], *, jobs: int
) -> str:
    """Return the first object that has a header which a job drops, or ``""``."""

    def carried(item: Item) -> bool:
        return bool(drops & s3.head_object(bucket, item.key).metadata.keys())

    meant = (item for item in items if item.state == "sse-kms")
    with closing(outcomes(meant, carried, jobs=jobs, stop=Stop())) as found:
        for item, has in found:
            if isinstance(has, McpyError):
                raise has
            if has:
                return item.key
    return ""


def look_all(bucket: Bucket, keys: list[str]) -> dict[str, Snapshot]:
    """Read a sample of objects whole, before a job."""
    return {key: probes.look(bucket.place(key), 1)[1] for key in keys}


def check_all(bucket: Bucket, sample: dict[str, Snapshot], goal: Goal) -> None:
    """Hold the sample against what it was.

    Raises:
        DamagedError: one of it is not.
    """
    for key, before in sample.items():
        if wrong := changed(bucket, key, before, goal):
            target = replace(bucket.target, key=key)
            raise DamagedError(
                f"`{target}` is not what it was after the job: {wrong}",
                hint="compare it with a backup before anything else",
            )
