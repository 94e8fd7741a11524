"""Every object below a bucket or prefix, streamed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from mcpy.errors import McpyError
from mcpy.fleet.inventory.head import headed
from mcpy.fleet.inventory.item import Item, item_of
from mcpy.fleet.inventory.listing import Blocked, Listing
from mcpy.fleet.parallel import Stop, ahead, outcomes
from mcpy.fleet.transfer.walk import is_below
from mcpy.models import ObjectEncryption

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from mcpy.api.s3 import S3
    from mcpy.api.s3listing import Entry

_NONE = ObjectEncryption()


def scan(  # noqa: PLR0913 - what to scan, and how
    s3: S3,
    bucket: str,
    prefix: str = "",
    *,
    versions: bool = True,
    jobs: int = 4,
    after: str = "",
    stop: Stop | None = None,
    cut: Callable[[], None] = lambda: None,
) -> Generator[Item]:
    """Yield what is stored below ``prefix``, in key order, newest version first.

    Closing the generator ends its threads.

    Args:
        s3: the server.
        bucket: the bucket.
        prefix: as for ``ls``: the object of that name and all below the folder of that name,
            never its namesakes; below ``logs`` lies ``logs/1``, and not ``logs-of-others``.
        versions: every version and delete marker; else the latest versions only.
        jobs: HEAD requests at a time, where the listing does not tell enough.
        after: the key behind which to begin.
        stop: ends the scan with Interrupted.
        cut: breaks what still waits for the server.

    Raises:
        KmsDownError: the KMS behind the server fails as a whole.
        NoVersionsError: the server cannot list versions.
        S3Error: the bucket cannot be listed.
        UnreachableError: no answer.
    """
    found = batches(
        s3, bucket, prefix, versions=versions, jobs=jobs, after=after, stop=stop, cut=cut
    )
    with closing(found):
        for items in found:
            yield from items


def batches(  # noqa: PLR0913 - as scan
    s3: S3,
    bucket: str,
    prefix: str = "",
    *,
    versions: bool = True,
    jobs: int = 4,
    after: str = "",
    stop: Stop | None = None,
    look_ahead: bool = True,
    cut: Callable[[], None] = lambda: None,
) -> Generator[list[Item]]:
    """Yield what ``scan`` does, a page at a time; with ``look_ahead`` a thread lists on."""
    ending = Stop(stop)
    pages = Listing(s3, bucket, prefix, versions=versions, after=after, stop=ending).pages()
    if look_ahead:
        pages = ahead(pages, stop=ending, cut=cut)
    with closing(pages):
        for page in pages:
            listed = [one for one in page if is_below(_entry(one).key, prefix)]
            items = list(resolved(s3, bucket, listed, jobs=jobs, stop=ending))
            del page, listed  # the reader may take long, and need not keep them
            yield items


def _entry(one: Entry | Blocked) -> Entry:
    return one.entry if isinstance(one, Blocked) else one


def resolved(
    s3: S3, bucket: str, page: Sequence[Entry | Blocked], *, jobs: int, stop: Stop
) -> Generator[Item]:
    """Yield the items of listed entries, asking for each that the listing does not tell."""
    silent = [one for one in page if not isinstance(one, Blocked) and _is_silent(one)]
    heads = outcomes(silent, lambda entry: headed(s3, bucket, entry), jobs=jobs, stop=Stop(stop))
    with closing(heads):
        for one in page:
            if isinstance(one, Blocked):
                yield _blocked(one)
            elif _is_silent(one):
                _, found = next(heads)
                if isinstance(found, McpyError):
                    raise found
                yield found
            else:
                yield item_of(one, one.encryption or _NONE)


def _is_silent(entry: Entry) -> bool:
    return entry.encryption is None and not entry.is_delete_marker


def _blocked(one: Blocked) -> Item:
    encryption = one.entry.encryption or ObjectEncryption("AES256")
    return item_of(one.entry, encryption, why=one.why, rest_unknown=one.rest_unknown)
