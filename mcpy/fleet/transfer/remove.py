"""Remove many objects: in batches, each with its own outcome."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mcpy.api.deletes import MAX_KEYS, delete_objects
from mcpy.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mcpy.api.s3 import S3
    from mcpy.api.s3xml import Deletion


class Name(NamedTuple):
    """An object, or one version of it, in a bucket."""

    key: str
    version_id: str = ""


def remove_all(
    s3: S3, bucket: str, names: Iterable[Name], *, bypass: bool = False
) -> Iterator[tuple[Name, Deletion | S3Error]]:
    """Delete ``names`` and yield what became of each, in order."""
    remaining = iter(names)
    while batch := list(islice(remaining, MAX_KEYS)):
        yield from zip(batch, delete_objects(s3, bucket, batch, bypass=bypass), strict=True)


def remove_bucket_contents(s3: S3, bucket: str, advance: Callable[[int], None]) -> int:
    """Delete every version and delete marker in ``bucket``; return how many there were.

    Raises:
        S3Error: one of them could not be deleted.
    """
    count = 0
    names = (Name(entry.key, entry.version_id) for entry in s3.list_versions(bucket))
    for _, outcome in remove_all(s3, bucket, names):
        if isinstance(outcome, S3Error):
            raise outcome
        advance(1)
        count += 1
    return count
