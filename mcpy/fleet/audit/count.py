"""Versions counted folder by folder, several at a time, each exactly once.

A folder's versions are counted a key at a time: between two batches the tally holds whole keys
only, so that an audit that goes on from there counts nothing twice.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.fleet.inventory import batches, resolved, split
from mcpy.fleet.parallel import Stop, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.api.s3 import S3
    from mcpy.fleet.inventory import Item
    from mcpy.models import Target

_MOST_HELD = 10_000


@dataclass
class Shard:
    """One folder on its way: ``after`` is the last key of it that is counted."""

    prefix: str
    after: str = ""
    done: bool = False
    held: list[Item] = field(default_factory=list)
    torn: bool = False

    def whole_keys(self, batch: list[Item]) -> list[Item]:
        """Return what can be counted of ``batch``, and hold the last key back: it may go on."""
        items = [*self.held, *batch]
        last = items[-1].key
        cut = len(items)
        while cut and items[cut - 1].key == last:
            cut -= 1
        if len(items) - cut > _MOST_HELD:  # too many versions of one key to hold
            self.torn, self.held = True, []
            return items
        self.held = items[cut:]
        if cut:
            self.after, self.torn = items[cut - 1].key, False
        return items[:cut]

    def rest(self) -> list[Item]:
        """Return the last key, which is whole at the end."""
        items, self.held = self.held, []
        self.done, self.torn = True, False
        return items


def counted(  # noqa: PLR0913 - what to count, and how
    s3: S3,
    target: Target,
    shards: list[Shard],
    *,
    versions: bool,
    jobs: int,
    stop: Stop,
    cut: Callable[[], None],
) -> Iterator[list[Item]]:
    """Yield batches of whole keys; ``shards`` is filled first, and brought up to date with each.

    Raises:
        McpyError: as ``scan``.
    """
    if not shards:
        yield from _begun(s3, target, shards, versions=versions, jobs=jobs, stop=stop)
    open_ = [shard for shard in shards if not shard.done]
    workers = min(jobs, max(1, len(open_)))
    ending = Stop(stop)

    def source(shard: Shard) -> Callable[[], Iterator[list[Item]]]:
        return lambda: batches(
            s3,
            target.bucket,
            shard.prefix,
            versions=versions,
            jobs=max(1, jobs // workers),
            after=shard.after,
            stop=ending,
            look_ahead=workers == 1,
            cut=cut,
        )

    found = merged([source(shard) for shard in open_], jobs=workers, stop=ending, cut=cut)
    with closing(found):
        for index, batch in found:
            shard = open_[index]
            items = shard.rest() if batch is None else shard.whole_keys(batch) if batch else []
            if items:
                yield items


def _begun(
    s3: S3, target: Target, shards: list[Shard], *, versions: bool, jobs: int, stop: Stop
) -> Iterator[list[Item]]:
    """Fill ``shards``, and yield what lies beside the folders."""
    found = split(s3, target.bucket, target.key, versions=versions)
    if found is None:
        shards.append(Shard(target.key))
        return
    loose = list(resolved(s3, target.bucket, found.loose, jobs=jobs, stop=stop))
    # with no folder this was all, and what goes on from here has to know
    shards += [Shard(folder) for folder in found.folders] or [Shard(target.key, done=True)]
    if loose:
        yield loose
