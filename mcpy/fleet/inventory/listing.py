"""Pages of one listing with each object's encryption, and the way around a page that fails.

MinIO adds the encryption to a listing with ``metadata=true``; other servers ignore the word. Two
things make such a page fail as a whole: a metadata name that is no XML, and an SSE-S3 object whose
ETag the KMS cannot decrypt. Both are closed in on by asking for fewer entries at a time: the first
is listed without metadata then, the second is named and stepped over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.api.s3listing import Entry, MalformedPageError, objects_page, versions_page
from mcpy.errors import DeadlineError, McpyError, S3Error, UnreachableError, UnsupportedError
from mcpy.fleet.inventory.item import is_sealed
from mcpy.fleet.inventory.naming import Namer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from mcpy.api.s3 import S3
    from mcpy.api.s3listing import Page
    from mcpy.fleet.parallel import Stop

PAGE = 1000
_FEW = 8  # so many are looked at one by one rather than asked for in ever smaller pages
_OLDER = "older versions of it cannot be listed"


class KmsDownError(UnreachableError):
    """The KMS behind a server answers nothing, so nothing encrypted with SSE-S3 can be listed."""


class NoVersionsError(UnsupportedError):
    """A server without ListObjectVersions."""


@dataclass(frozen=True)
class Place:
    """Where a listing goes on: behind a key, or behind one version of it.

    ``markers`` are the server's own words for it, which it may find sooner.
    """

    key: str = ""
    version_id: str = ""
    markers: dict[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Blocked:
    """An entry that makes every page it is on fail.

    Attributes:
        entry: with what HEAD tells of it, where it may be asked.
        why: the server's words.
        rest_unknown: more was left out: its older versions or, where its name could not be found
            and ``entry.key`` is how it begins, all names that begin so.
    """

    entry: Entry
    why: str
    rest_unknown: bool = False


class Listing:
    """The pages of one bucket or prefix, from behind the key ``after``."""

    def __init__(
        self, s3: S3, bucket: str, prefix: str, *, versions: bool, after: str, stop: Stop
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix
        self._versions = versions
        self._place = Place(after)
        self._stop = stop
        self._ready: list[Entry | Blocked] = []
        self._namer = Namer(self._peek, self._is_object, prefix)

    def pages(self) -> Generator[list[Entry | Blocked]]:
        """Yield the entries of page after page; a blocked one is a page of its own.

        Raises:
            KmsDownError: no key works, rather than one.
            NoVersionsError: the server has no versions to list.
        """
        size = PAGE
        while True:
            self._stop.check()
            try:
                page = self._page(size)
            except MalformedPageError:
                if size <= _FEW:
                    raise
                size = max(_FEW, size // 2)
                continue
            except S3Error as e:
                self._raise_unless_blocked(e)
                if size > 1:
                    size //= 2
                    continue
                yield list(self._step_over(e))
                continue
            self._namer.learn(entry.key for entry in page.entries)
            last = not page.markers
            if not last:
                self._advance(page)
            self._ready = list(page.entries)
            del page
            yield self._handed_over()
            if last:
                return
            size = min(PAGE, size * 2)

    def _handed_over(self) -> list[Entry | Blocked]:
        """Return the page that is ready, and keep nothing of it: its reader may take long."""
        ready, self._ready = self._ready, []
        return ready

    def _page(self, size: int) -> Page:
        markers = self._place.markers or self._markers(self._place)
        try:
            return self._ask(markers, size=size, metadata=True)
        except MalformedPageError:
            if size > _FEW:
                raise
            return self._ask(markers, size=size)

    def _advance(self, page: Page) -> None:
        last = page.entries[-1] if page.entries else Entry(self._place.key)
        place = Place(last.key, last.version_id if self._versions else "", page.markers)
        before = self._place
        same = (place.key, place.version_id) == (before.key, before.version_id)
        if page.markers == before.markers or (page.entries and same):
            raise McpyError(f"{self._s3.http.where} gave the same page of a listing twice")
        self._place = place

    def _ask(
        self,
        markers: dict[str, str],
        *,
        size: int,
        metadata: bool = False,
        prefix: str | None = None,
        delimiter: str = "",
    ) -> Page:
        query = {"versions": ""} if self._versions else {"list-type": "2"}
        query |= {"encoding-type": "url", "prefix": self._prefix if prefix is None else prefix}
        query |= {"metadata": "true"} if metadata else {}
        query |= {"delimiter": delimiter} if delimiter else {}
        query |= {"max-keys": str(size)} | markers
        read = versions_page if self._versions else objects_page
        try:
            return self._s3.page(self._bucket, query, read, repeatable=False)
        except DeadlineError as e:
            self._raise_if_kms_is_down(e)
            raise
        except (S3Error, UnreachableError) as e:
            # where a page is sought that does not fail, a failure need not be tried again; nor
            # one of the KMS, which the server waited for already
            if size < PAGE or (isinstance(e, S3Error) and not _passes(e)):
                raise
        return self._s3.page(self._bucket, query, read)

    def _markers(self, place: Place) -> dict[str, str]:
        if not self._versions:
            return {"start-after": place.key} if place.key else {}
        markers = {"key-marker": place.key} if place.key else {}
        return markers | ({"version-id-marker": place.version_id} if place.version_id else {})

    def _peek(
        self, place: Place | str, *, prefix: str | None = None, delimiter: str = ""
    ) -> Entry | Blocked | None:
        """Return the one entry behind ``place``; None when there is none."""
        self._stop.check()
        place = Place(place) if isinstance(place, str) else place
        # servers refuse a marker outside the prefix; all that has the prefix lies behind it then
        behind = place.key.startswith(self._prefix if prefix is None else prefix)
        markers = self._markers(place) if behind else {}
        try:
            page = self._ask(markers, size=1, prefix=prefix, delimiter=delimiter)
        except S3Error as e:
            self._raise_unless_blocked(e)
            return Blocked(Entry(""), _reason(e))
        return page.entries[0] if page.entries else None

    def _raise_unless_blocked(self, error: S3Error) -> None:
        if self._versions and error.status in {501, 405}:
            raise NoVersionsError(f"{self._s3.http.where} cannot list versions") from error
        if not error.api_code.startswith("kms:"):
            raise error
        if error.status >= 500:
            self._raise_if_kms_is_down(error)

    def _raise_if_kms_is_down(self, error: McpyError) -> None:
        try:
            ready = self._s3.kms_ready()
        except UnreachableError:
            return
        if not ready:
            raise KmsDownError(
                f"the KMS behind {self._s3.http.where} does not answer, or its default key is "
                f"locked; without it `{self._bucket}` cannot be listed: {error.message}",
                hint="see that KES runs, that the server reaches it, and that the key is unlocked",
            ) from error

    def _step_over(self, error: S3Error) -> Iterator[Blocked]:
        """Give the entry behind the present place, which cannot be listed, and go behind it."""
        place = self._place
        if place.version_id and self._is_older_version(place):
            self._place = Place(place.key)
            entry = Entry(place.key, is_latest=False)
            yield Blocked(entry, f"{_reason(error)}; {_OLDER}", rest_unknown=True)
            return
        key, whole = self._namer.name(place.key)
        if not whole:
            self._place = Place(key + "\U0010ffff")
            why = f"{_reason(error)}; it and all names that begin so cannot be listed"
            yield Blocked(Entry(key), why, rest_unknown=True)
            return
        entry = self._headed(key)
        self._place = Place(key, entry.version_id)
        rest_unknown = self._versions and not entry.version_id
        yield Blocked(entry, _reason(error), rest_unknown=rest_unknown)

    def _is_older_version(self, place: Place) -> bool:
        """Whether what cannot be listed is a version of the same key, and not the next key."""
        mine = self._peek(place, prefix=place.key)
        if not isinstance(mine, Blocked):
            return False
        if not isinstance(self._peek(place.key), Blocked):
            return True
        other, _ = self._namer.name(place.key)
        if len(other) <= len(place.key) or not other.startswith(place.key):
            return True
        # grouped, the next key shows itself; a version of this one does not
        character = other[len(place.key)]
        grouped = self._peek(place, prefix=place.key, delimiter=character)
        return isinstance(grouped, Blocked)

    def _headed(self, key: str) -> Entry:
        try:
            info = self._s3.head_object(self._bucket, key)
        except S3Error:
            return Entry(key)
        return Entry(
            key,
            info.size,
            info.etag,
            info.last_modified,
            info.metadata.get("x-amz-storage-class", "STANDARD"),
            (info.version_id or "null") if self._versions else "",
            encryption=info.encryption,
        )

    def _is_object(self, key: str) -> bool | None:
        """Whether there is an object of this name; None when it may not be asked."""
        try:
            info = self._s3.head_object(self._bucket, key)
        except S3Error as e:
            return None if e.status == 403 else False
        return is_sealed(info.etag)


def _passes(error: S3Error) -> bool:
    """Whether a failure may pass by itself."""
    return error.status >= 500 and not error.api_code.startswith("kms:")


def _reason(error: S3Error) -> str:
    return f"{error.api_code}: {error.server_message}".rstrip(".")
