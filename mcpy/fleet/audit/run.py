"""The audit of one bucket or prefix: what its default says, what its objects say, what opens.

Three things are told apart: the default a bucket encrypts new objects with, how each object says
it is encrypted, and whether a byte of it can be read. None of them shows what is on a disk.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING

from mcpy.errors import McpyError, NotFoundError, S3Error, UnreachableError, UnsupportedError
from mcpy.fleet.audit.count import Shard, counted
from mcpy.fleet.audit.tally import Tally
from mcpy.fleet.inventory import KmsDownError, NoVersionsError
from mcpy.fleet.inventory.head import unreadable
from mcpy.fleet.parallel import Stop, outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mcpy.api.s3 import S3
    from mcpy.fleet.audit.requirement import Requirement
    from mcpy.fleet.inventory import Item
    from mcpy.models import BucketEncryption, Target

ALL = -1
_ENCRYPTED = {"sse-s3", "sse-kms"}


@dataclass(frozen=True)
class Wish:
    """How to look.

    Attributes:
        versions: every version; else the latest only.
        open: how many versions of each scheme and key to open; ``ALL`` for every one.
        jobs: requests at a time where a listing is not enough.
    """

    versions: bool = True
    requirement: Requirement | None = None
    open: int = 0
    jobs: int = 4


@dataclass
class AuditedTarget:
    """How far the audit of one target is, and what it found.

    Attributes:
        default: the bucket's default encryption; None for none, or when it is not known.
        default_problem: why it is not known; ``""`` once it was read.
        versions: whether all versions were looked at.
        shards: its folders, and how far each is counted.
        listed: how many of its versions were put on a list beside the state.
        done: whether that is all.
        problem: the error that ended it.
    """

    target: Target
    default: BucketEncryption | None = None
    default_problem: str = "nobody asked for it"
    versions: bool = True
    tally: Tally = field(default_factory=Tally)
    shards: list[Shard] = field(default_factory=list)
    listed: int = 0
    done: bool = False
    problem: str = ""

    @property
    def complete(self) -> bool:
        """Whether every version was seen, except those that could not even be listed."""
        return self.done and not self.problem and not self.tally.gaps


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Watch:
    """Who is told what while an audit runs.

    Attributes:
        item: each version, and whether it violates the requirement.
        keys: each time when what is counted are whole keys.
        warn: something the reader of the report has to know.
    """

    item: Callable[[Item, bool], None] = _ignore
    keys: Callable[[], None] = _ignore
    warn: Callable[[str], None] = _ignore


def audit_target(
    s3: S3,
    audited: AuditedTarget,
    wish: Wish,
    *,
    watch: Watch,
    stop: Stop,
    cut: Callable[[], None] = _ignore,
) -> None:
    """Count what lies below a target, going on from where ``audited`` is.

    Raises:
        NotFoundError: nothing is there, where the target names more than a bucket.
        McpyError: the bucket cannot be listed to its end; ``audited`` is true up to there.
    """
    _read_default(s3, audited)
    # what goes on goes on as it began: the latest were counted already where no versions are told
    audited.versions = audited.versions and wish.versions
    try:
        _count(s3, audited, wish, watch, stop, cut)
    except NoVersionsError as e:
        watch.warn(f"{e.message}: only the latest of `{audited.target}` are looked at")
        audited.versions = False
        audited.tally = Tally()
        audited.shards.clear()
        _count(s3, audited, wish, watch, stop, cut)
    except S3Error as e:
        if e.status == 403 and audited.versions:
            e.hint = e.hint or "--latest needs s3:ListBucket only"
        raise
    _open_sample(s3, audited, wish, watch, stop)
    tally = audited.tally
    if audited.target.key and not (tally.total().number or tally.delete_markers):
        raise NotFoundError(
            f"`{audited.target}` is neither an object nor a folder",
            hint=f"mcpy ls {audited.target.alias}/{audited.target.bucket}",
        )
    audited.done = True


def _read_default(s3: S3, audited: AuditedTarget) -> None:
    try:
        audited.default = s3.get_bucket_encryption(audited.target.bucket)
    except McpyError as e:
        audited.default_problem = e.message
        told = isinstance(e, S3Error) and e.api_code != "NoSuchBucket"
        if not (told or isinstance(e, UnsupportedError)):
            raise
    else:
        audited.default_problem = ""


def _count(
    s3: S3,
    audited: AuditedTarget,
    wish: Wish,
    watch: Watch,
    stop: Stop,
    cut: Callable[[], None],
) -> None:
    batches = counted(
        s3,
        audited.target,
        audited.shards,
        versions=audited.versions,
        jobs=wish.jobs,
        stop=stop,
        cut=cut,
    )
    for batch in batches:
        for item, problem in _opened(s3, audited.target.bucket, batch, wish, stop):
            _add(audited.tally, item, problem, wish, watch)
        if not any(shard.torn for shard in audited.shards):
            watch.keys()


def _add(tally: Tally, item: Item, problem: str | None, wish: Wish, watch: Watch) -> None:
    if problem:
        item = item._replace(state="unreadable", why=problem)
    violates = tally.add(
        item, wish.requirement, sample=max(0, wish.open), opened=problem is not None
    )
    watch.item(item, violates)


def _opened(
    s3: S3, bucket: str, batch: list[Item], wish: Wish, stop: Stop
) -> Iterable[tuple[Item, str | None]]:
    """Return each item with what went wrong in opening it; None where it was not tried."""
    if wish.open != ALL:
        return zip(batch, repeat(None), strict=False)
    return _tried(s3, bucket, batch, wish, stop)


def _tried(
    s3: S3, bucket: str, items: Iterable[Item], wish: Wish, stop: Stop
) -> Iterator[tuple[Item, str | None]]:
    def open_(item: Item) -> str | None:
        if item.state not in _ENCRYPTED:
            return None
        problem = unreadable(s3, bucket, item.key, version_id=item.version_id)
        if problem.startswith("kms:DecryptionFailed") and not s3.kms_ready():
            raise KmsDownError(
                f"the KMS behind {s3.http.where} does not answer: {problem}",
                hint="see that KES runs and that the server reaches it",
            )
        return problem

    found = outcomes(items, open_, jobs=wish.jobs, stop=Stop(stop))
    with closing(found):
        for item, outcome in found:
            if isinstance(outcome, UnreachableError):
                raise outcome
            yield item, outcome.message if isinstance(outcome, McpyError) else outcome


def _open_sample(s3: S3, audited: AuditedTarget, wish: Wish, watch: Watch, stop: Stop) -> None:
    if wish.open <= 0:
        return
    sample = list(audited.tally.sampled())
    for item, problem in _tried(s3, audited.target.bucket, sample, wish, stop):
        broken = audited.tally.checked(item, problem or "", wish.requirement)
        if broken:
            watch.item(broken, wish.requirement is not None)
