"""One server asked what depends on some keys: its settings, its buckets, every version in them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.api.minio_account import unlisted
from mcpy.errors import Interrupted, McpyError, UnreachableError
from mcpy.fleet.audit.count import counted
from mcpy.fleet.impact.report import ServerImpact
from mcpy.fleet.inventory import NoVersionsError
from mcpy.fleet.kms_keys import default_key_of
from mcpy.models import Target, bare_key_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.s3 import S3
    from mcpy.fleet.audit import Count
    from mcpy.fleet.inventory import Item
    from mcpy.fleet.parallel import Stop

MOST_SAMPLES = 10
MOST_ROUNDS = 10


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Look:
    """How to look: requests at a time, who hears of each version, and how to end it."""

    stop: Stop
    jobs: int = 4
    seen: Callable[[int], None] = _ignore
    cut: Callable[[], None] = _ignore


def measure(s3: S3, admin: MinioAdmin, keys: Sequence[str], look: Look) -> dict[str, ServerImpact]:
    """Return what depends on each of ``keys``; what could not be seen stands in ``problems``.

    Raises:
        UnreachableError: the server, or the KMS behind it, does not answer.
    """
    base = ServerImpact(admin.alias, s3.http.base_url)
    base.default_key = _default_key(admin, base)
    _see_reach(admin, base)
    found = {key: deepcopy(base) for key in keys}
    for key, one in found.items():
        _try_key(admin, key, one)
    looked: set[str] = set()
    # a bucket may be made meanwhile: those that are new are looked at, too
    for _ in range(MOST_ROUNDS):
        names = [bucket.name for bucket in s3.list_buckets() if bucket.name not in looked]
        if not names:
            break
        for name in names:
            _bucket(s3, name, found, look)
        looked.update(names)
    else:
        for one in found.values():
            one.problems.append("buckets are made faster than they can be looked at")
    for one in found.values():
        one.buckets = len(looked)
    return found


def _default_key(admin: MinioAdmin, base: ServerImpact) -> str | None:
    try:
        found = default_key_of(admin)
    except UnreachableError:
        raise
    except McpyError as e:
        base.problems.append(f"the server's default key is not known: {e.message}")
        return None
    if found is None:
        base.problems.append("the server's default key is not known: it names none")
    return found


def _try_key(admin: MinioAdmin, key: str, one: ServerImpact) -> None:
    try:
        status = admin.key_status(key)
    except UnreachableError:
        raise
    except McpyError:
        return
    one.works, one.missing = status.works, status.missing


def _see_reach(admin: MinioAdmin, base: ServerImpact) -> None:
    """Note whether buckets may be missing in the list, and what MinIO never lists."""
    why = unlisted(admin)
    if why:
        base.problems.append(f"whether these are all its buckets is not known: {why}")
    base.never_listed = "objects below the name of another (`a/b` beside `a`) on MinIO"


def _bucket(s3: S3, bucket: str, found: dict[str, ServerImpact], look: Look) -> None:
    reasons: dict[str, None] = {}  # one refusal may meet all of them
    for part in (_default, _uploads, _versions):
        try:
            part(s3, bucket, found, look)
        except (Interrupted, UnreachableError):
            raise
        except McpyError as e:
            reasons[e.message] = None
    for one in found.values():
        one.problems += [f"{bucket}: {reason}" for reason in reasons]


def _default(s3: S3, bucket: str, found: dict[str, ServerImpact], _: Look) -> None:
    default = s3.get_bucket_encryption(bucket)
    if default is None or not default.algorithm:
        return
    for key, one in found.items():
        # without a key of its own a default takes the server's, in either scheme
        if (default.key or one.default_key) == key:
            one.defaulting.append(bucket)


def _uploads(s3: S3, bucket: str, found: dict[str, ServerImpact], _: Look) -> None:
    from mcpy.api.multipart import list_uploads

    number = sum(1 for _ in list_uploads(s3, bucket))
    for one in found.values():
        one.uploads += number


def _versions(s3: S3, bucket: str, found: dict[str, ServerImpact], look: Look) -> None:
    try:
        _count(s3, bucket, found, look, versions=True)
    except NoVersionsError as e:
        _count(s3, bucket, found, look, versions=False)
        for one in found.values():
            one.problems.append(f"{bucket}: {e.message}, so only the latest were looked at")


def _count(
    s3: S3, bucket: str, found: dict[str, ServerImpact], look: Look, *, versions: bool
) -> None:
    batches = counted(
        s3,
        Target("", bucket),
        [],
        versions=versions,
        jobs=look.jobs,
        stop=look.stop,
        cut=look.cut,
    )
    for batch in batches:
        look.seen(len(batch))
        for item in batch:
            _sort(item, bucket, found)


def _sort(item: Item, bucket: str, found: dict[str, ServerImpact]) -> None:
    for key, one in found.items():
        if item.state != "sse-kms":
            _possibly(one, item)
        # with no name it is the default of the day it was written
        elif bare_key_id(item.key_id or one.default_key or "") == key:
            _certain(one, bucket, item)
        elif not item.key_id:
            _add(one.possible, item)


def _certain(one: ServerImpact, bucket: str, item: Item) -> None:
    _add(one.certain, item)
    one.objects += item.is_latest
    if len(one.samples) < MOST_SAMPLES:
        version = f" ({item.version_id})" if item.version_id not in {"", "null"} else ""
        one.samples.append(f"{one.alias}/{bucket}/{item.key}{version}")


def _possibly(one: ServerImpact, item: Item) -> None:
    one.gaps += item.rest_unknown
    if item.state == "sse-s3":
        _add(one.possible, item)
    elif item.state == "unknown":
        _add(one.unknown, item)
    elif item.state == "unreadable":
        _add(one.unreadable, item)


def _add(count: Count, item: Item) -> None:
    count.number += 1
    count.size += item.size
