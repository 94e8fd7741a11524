"""Walking a bucket in the order of a listing, a page at a time.

Names are compared as bytes. What lies behind a delimiter is folded into common prefixes and
skipped in the index, so that a page costs what it shows. So is what lies below an object, where
the server is one that never lists it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.sandbox.store.model import ObjectVersion, decode_key, encode_key

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from mcpy.sandbox.store import Store
    from mcpy.sandbox.store.index import Row

BATCH = 1001


@dataclass(slots=True)
class Page:
    """One page of a listing.

    Attributes:
        versions: in order, each with whether it is the latest of its name.
        prefixes: common prefixes in order.
        truncated: whether more follows.
        next_key: the last name or common prefix of the page, for the next one to start behind.
        next_version: the version id of that name.
    """

    versions: list[tuple[ObjectVersion, bool]] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    next_key: str = ""
    next_version: str = ""

    def __len__(self) -> int:
        return len(self.versions) + len(self.prefixes)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list.

    Attributes:
        marker: names up to this one are left out.
        version_marker: of that name, versions up to this one are left out, the rest shown.
        limit: how many names and prefixes a page holds.
        all_versions: every version and delete marker, not only latest objects.
        below_objects: whether ``a/b`` is listed while there is an ``a``.
    """

    prefix: str = ""
    delimiter: str = ""
    marker: str = ""
    version_marker: str = ""
    limit: int = 1000
    all_versions: bool = False
    below_objects: bool = False


class _Shade:
    """What a listing never comes to, for the server looks no further where an object is.

    The server begins in the folder that the prefix names, so that objects above it hide nothing.
    """

    def __init__(self, store: Store, bucket: str, wanted: Wanted) -> None:
        self._store = store
        self._bucket = bucket
        self._start = len(encode_key(wanted.prefix).rpartition(b"/")[0])
        self._known: dict[bytes, bytes | None] = {b"": None}
        self._off = wanted.below_objects

    def over(self, key: bytes) -> bytes | None:
        """Return the start of all names hidden with ``key``, None if it is not hidden.

        An object that is a folder, ``a/``, is listed beside ``a``.
        """
        folder = key[:-1].rpartition(b"/")[0]
        if not self._off and folder not in self._known:
            self._known[folder] = self._found(folder)
        return None if self._off else self._known[folder]

    def _found(self, folder: bytes) -> bytes | None:
        end = 0
        while end < len(folder):
            end = folder.find(b"/", end + 1)
            end = len(folder) if end < 0 else end
            if end >= self._start and self._store.has_name(self._bucket, folder[:end]):
                return folder[:end] + b"/"
        return None


def walk(store: Store, bucket: str, wanted: Wanted) -> Page:
    """Return one page.

    Raises:
        NoBucketError: there is no such bucket.
    """
    page = Page()
    store.bucket(bucket)
    if wanted.limit <= 0:
        return page
    for name, row, latest in _entries(store, bucket, wanted):
        if len(page) >= wanted.limit:
            page.truncated = True
            break
        page.next_key = name
        if row is None:
            page.prefixes.append(name)
            page.next_version = ""
        else:
            version = ObjectVersion.decode(row)
            page.versions.append((version, latest))
            page.next_version = version.version_id
    return page


def _entries(store: Store, bucket: str, wanted: Wanted) -> Iterator[tuple[str, Row | None, bool]]:
    """Yield name and row of each version to show, and each common prefix with no row."""
    prefix, marker = encode_key(wanted.prefix), encode_key(wanted.marker)
    shade = _Shade(store, bucket, wanted)
    position, after = max(prefix, marker), bool(marker) and marker >= prefix
    if wanted.version_marker and wanted.marker:
        yield from _rest_of_marker(store, bucket, wanted)
    batch = min(BATCH, wanted.limit + 1)
    while True:
        rows = store.scan(bucket, position, limit=batch, after=after)
        folded = yield from _batch(store, bucket, wanted, rows, shade)
        if folded is not None:
            position, after = successor(folded), False
        elif len(rows) < batch or not rows[-1][0].startswith(prefix):
            return
        else:
            if wanted.all_versions:
                yield from _rest(store, bucket, rows[-1])
            position, after = rows[-1][0], True


def _batch(
    store: Store, bucket: str, wanted: Wanted, rows: list[Row], shade: _Shade
) -> Generator[tuple[str, Row | None, bool], None, bytes | None]:
    """Yield what ``rows`` have to show; return the start of names they broke off at."""
    prefix, delimiter = encode_key(wanted.prefix), encode_key(wanted.delimiter)
    previous: bytes | None = None
    for row in rows:
        key, marker = row[0], row[4]
        if not key.startswith(prefix):
            return None
        if (hidden := shade.over(key)) is not None:
            return hidden
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        if at >= 0:
            common: bytes = key[: at + len(delimiter)]
            if _shown(store, bucket, wanted, common, shade):
                yield decode_key(common), None, True
            return common
        latest = key != previous
        if wanted.all_versions or (latest and not marker):
            yield decode_key(key), row, latest
        previous = key
    return None


def _rest(store: Store, bucket: str, row: Row) -> Iterator[tuple[str, Row | None, bool]]:
    """Yield the versions of one name that are older than ``row``."""
    while True:
        rows = store.rest_of_key(bucket, row, limit=BATCH)
        for row in rows:  # noqa: PLR1704 - goes on behind the last one
            yield decode_key(row[0]), row, False
        if len(rows) < BATCH:
            return


def _rest_of_marker(
    store: Store, bucket: str, wanted: Wanted
) -> Iterator[tuple[str, Row | None, bool]]:
    key = encode_key(wanted.marker)
    version = store.find(bucket, wanted.marker, wanted.version_marker)
    if version is not None:
        yield from _rest(store, bucket, (key, version.mtime_ns, version.number))
        return
    rows = [row for row in store.scan(bucket, key, limit=1) if row[0] == key]
    for row in rows:
        yield wanted.marker, row, True
        yield from _rest(store, bucket, row)


def _shown(store: Store, bucket: str, wanted: Wanted, common: bytes, shade: _Shade) -> bool:
    """Tell whether a common prefix is behind the marker and holds what is listed."""
    if common <= encode_key(wanted.marker):
        return False
    if wanted.all_versions:
        return True
    position, after, previous = common, False, None
    while rows := store.scan(bucket, position, limit=100, after=after):
        for row in rows:
            if not row[0].startswith(common):
                return False
            if row[0] != previous and not row[4] and shade.over(row[0]) is None:
                return True
            previous = row[0]
        position, after = rows[-1][0], True
    return False


def successor(prefix: bytes) -> bytes:
    """Return the smallest name behind all that start with ``prefix``."""
    return (
        prefix + b"\xff" * 8
        if prefix.endswith(b"\xff")
        else prefix[:-1] + bytes((prefix[-1] + 1,))
    )
