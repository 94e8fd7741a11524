"""What the canaries of runs that were killed left behind: removed, or named where it is another's.

The journal knows the buckets of its own runs. One may come into being only after its run was
killed, for the server works on what it was asked for: they are looked for once more at the end.
A bucket of a run with another journal may be in use, and is named once it is old.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mcpy.errors import McpyError, S3Error, UnreachableError
from mcpy.fleet.rewrite import canary
from mcpy.fleet.rewrite.plan import Bucket
from mcpy.models import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mcpy.api.s3 import S3

_OLD = timedelta(hours=1)  # a canary takes seconds


@dataclass
class Leftovers:
    """The scratch buckets of earlier runs on one server.

    Args:
        s3: the server.
        alias: its name.
        own: those that the journal tells of.
        gone: told of each that is not there any more.
        warn: told what could not be removed, and what is another's.
    """

    s3: S3
    alias: str
    own: Iterable[str] = ()
    gone: Callable[[str], None] = lambda _: None
    warn: Callable[[str], None] = lambda _: None
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def clean(self, *, finally_: bool = False) -> None:
        """Remove the own ones; what cannot be removed is told when it is the last time."""
        for name in self.own:
            left = self._clean(name)
            if not finally_:
                continue
            if left:
                self.warn(f"what was tried out earlier could not be removed: {left[0]}")
            else:
                self.gone(name)
        if finally_:
            self._name_others()

    def _clean(self, name: str) -> tuple[str, ...]:
        if not name.startswith(canary.SCRATCH_BUCKET):
            return ()
        target = Target(self.alias, name)
        try:
            if not self.s3.bucket_exists(name):
                return ()
        except S3Error as e:  # what was to be done is done: this is no reason to fail
            return (f"{target} ({e.message})",)
        return canary.clean_bucket(Bucket(self.s3, target), "", set())

    def _name_others(self) -> None:
        try:
            buckets = self.s3.list_buckets()
        except UnreachableError:
            raise
        except McpyError:
            return  # who may not list them is not told of them
        for one in buckets:
            strange = one.name.startswith(canary.SCRATCH_BUCKET) and one.name not in self.own
            if strange and self._is_old(one.created):
                target = f"{self.alias}/{one.name}"
                left = f"`{target}` is perhaps left by a run that was killed"
                self.warn(f"{left}: mcpy rb --force {target}")

    def _is_old(self, created: str) -> bool:
        try:
            moment = datetime.fromisoformat(created.replace("Z", "+00:00"))
        except ValueError:
            return False
        return moment.tzinfo is not None and self.now() - moment > _OLD
