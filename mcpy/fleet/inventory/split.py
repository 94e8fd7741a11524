"""A bucket cut into folders that can be listed at the same time.

MinIO looks at each object twice to add its encryption to a listing, one object after the other:
several listings at a time are several times as fast where the server has the cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.api.s3listing import objects_page, versions_page
from mcpy.errors import ProtocolError, S3Error
from mcpy.fleet.transfer.walk import is_below

if TYPE_CHECKING:
    from mcpy.api.s3 import S3
    from mcpy.api.s3listing import Entry

MOST_FOLDERS = 256
_DEEPEST = 4
_ASKED = 2 * MOST_FOLDERS


@dataclass(frozen=True)
class Split:
    """What lies loose at the top, and the folders below it."""

    loose: tuple[Entry, ...]
    folders: tuple[str, ...]


def split(s3: S3, bucket: str, prefix: str, *, versions: bool) -> Split | None:
    """Return how to cut what lies below ``prefix``; None where it is better listed in one.

    That is where there is one folder, where there are so many that each is small, where
    something on the way cannot be listed, and on servers other than MinIO: they gain nothing, and
    not all of them group as they should. Without any folder all there is lies loose.
    """
    if not s3.is_minio:
        return None
    for _ in range(_DEEPEST):
        found = _level(s3, bucket, prefix, versions=versions)
        if found is None or len(found.folders) > MOST_FOLDERS:
            return None
        if len(found.folders) != 1 or found.loose:
            return None if len(found.folders) == 1 else found
        prefix = found.folders[0]
    return None


def _level(s3: S3, bucket: str, prefix: str, *, versions: bool) -> Split | None:
    query = {"versions": ""} if versions else {"list-type": "2"}
    query |= {"encoding-type": "url", "prefix": prefix, "delimiter": "/", "metadata": "true"}
    query["max-keys"] = str(_ASKED)
    read = versions_page if versions else objects_page
    try:
        page = s3.page(bucket, query, read, repeatable=False)
    except (ProtocolError, S3Error):
        return None  # the listing itself finds its way around, or says why not
    if page.markers:
        return None
    below = [entry for entry in page.entries if is_below(entry.key, prefix)]
    return Split(
        tuple(entry for entry in below if not entry.is_prefix),
        tuple(entry.key for entry in below if entry.is_prefix),
    )
