"""The store: buckets, object versions and multipart uploads under one folder."""

from __future__ import annotations

import itertools
import json
import threading
from typing import TYPE_CHECKING

from mcpy.sandbox.store import rows
from mcpy.sandbox.store.content import ContentFiles, ContentReader, ContentWriter
from mcpy.sandbox.store.index import Index
from mcpy.sandbox.store.model import (
    Bucket,
    BucketExistsError,
    BucketNotEmptyError,
    NoBucketError,
    ObjectVersion,
    encode_key,
)
from mcpy.sandbox.store.rows import NEWEST_FIRST, VERSION
from mcpy.sandbox.store.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from mcpy.sandbox.store.index import Row

BATCH = 1000


class Store(Uploads):
    """Everything the S3 server remembers, in ``folder`` (made 0700, files 0600).

    Safe to use from many threads of one process. ``durable`` waits for the disk at every commit;
    without it a kill of the process loses nothing, a crash of the machine may.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._index = Index(folder / "index.db", durable=durable)
        self._files = ContentFiles(folder / "content", durable=durable)
        self._lock = threading.Lock()
        self._buckets: dict[str, Bucket] = {}
        for number, name, created, config in self._index.read(
            "SELECT number, name, created, config FROM bucket"
        ):
            self._buckets[name] = Bucket(number, name, created, json.loads(config))
        known = {row[0] for row in self._index.read("SELECT number FROM content")}
        self._files.sweep(known)
        self._contents = itertools.count(max(known, default=0) + 1)
        newest = self._index.read_one("SELECT max(number) FROM version")
        self._numbers = itertools.count(((newest and newest[0]) or 0) + 1)

    def close(self) -> None:
        """Let go of the folder."""
        self._index.close()

    # buckets

    def buckets(self) -> list[Bucket]:
        """Return all buckets by name."""
        return sorted(self._buckets.values(), key=lambda bucket: bucket.name)

    def bucket(self, name: str) -> Bucket:
        """Return one bucket.

        Raises:
            NoBucketError: there is none of that name.
        """
        try:
            return self._buckets[name]
        except KeyError:
            raise NoBucketError(name) from None

    def create_bucket(self, name: str, created_ns: int, config: dict[str, str]) -> Bucket:
        """Make an empty bucket.

        Raises:
            BucketExistsError: there is one of that name.
        """
        with self._index.change() as db:
            if name in self._buckets:
                raise BucketExistsError(name)
            cursor = db.execute(
                "INSERT INTO bucket (name, created, config) VALUES (?, ?, ?)",
                (name, created_ns, json.dumps(config)),
            )
            bucket = Bucket(cursor.lastrowid or 0, name, created_ns, config)
            self._buckets[name] = bucket
        return bucket

    def configure(self, name: str, part: str, value: str | None) -> None:
        """Set one sub-resource of a bucket, or remove it with None.

        Raises:
            NoBucketError: there is none of that name.
        """
        with self._index.change() as db:
            old = self.bucket(name)
            config = {k: v for k, v in old.config.items() if k != part}
            if value is not None:
                config[part] = value
            db.execute(
                "UPDATE bucket SET config=? WHERE number=?", (json.dumps(config), old.number)
            )
            self._buckets[name] = Bucket(old.number, name, old.created_ns, config)

    def delete_bucket(self, name: str, *, force: bool = False) -> None:
        """Delete a bucket and its unfinished uploads; ``force`` deletes its objects too.

        Raises:
            NoBucketError: there is none of that name.
            BucketNotEmptyError: it holds something.
        """
        gone: list[int] = []
        with self._index.change() as db:
            number = self.bucket(name).number
            held = db.execute(f"{VERSION}>=x'' LIMIT ?", (number, -1 if force else 1)).fetchall()
            if held and not force:
                raise BucketNotEmptyError(name)
            for row in held:
                gone += rows.drop(db, number, ObjectVersion.decode(row))
            gone += rows.drop_uploads(db, number)
            db.execute("DELETE FROM bucket WHERE number=?", (number,))
            del self._buckets[name]
        self._files.remove(gone)

    # objects

    def find(self, bucket: str, key: str, version_id: str | None = None) -> ObjectVersion | None:
        """Return a version, the latest without ``version_id``; delete markers are returned too.

        Raises:
            NoBucketError: there is no such bucket.
        """
        number = self.bucket(bucket).number
        if version_id is None:
            row = self._index.read_one(f"{VERSION}=?{NEWEST_FIRST}", (number, encode_key(key), 1))
        else:
            row = self._index.read_one(
                f"{VERSION}=? AND id=?", (number, encode_key(key), version_id)
            )
        return ObjectVersion.decode(row) if row else None

    def has_name(self, bucket: str, key: bytes) -> bool:
        """Tell whether there is a version or a delete marker of exactly this name.

        Raises:
            NoBucketError: there is no such bucket.
        """
        number = self.bucket(bucket).number
        sql = "SELECT 1 FROM version WHERE bucket=? AND key=? LIMIT 1"
        return self._index.read_one(sql, (number, key)) is not None

    def scan(self, bucket: str, start: bytes, *, limit: int, after: bool = False) -> list[Row]:
        """Return up to ``limit`` rows for ``ObjectVersion.decode``, from name ``start`` on.

        With ``after``, from behind that name on.

        Raises:
            NoBucketError: there is no such bucket.
        """
        number = self.bucket(bucket).number
        compare = ">?" if after else ">=?"
        return self._index.read(f"{VERSION}{compare}{NEWEST_FIRST}", (number, start, limit))

    def rest_of_key(self, bucket: str, row: Row, *, limit: int) -> list[Row]:
        """Return up to ``limit`` rows of the same object that are older than ``row``."""
        number = self.bucket(bucket).number
        return self._index.read(
            f"{VERSION}=? AND (mtime, number) < (?, ?){NEWEST_FIRST}",
            (number, row[0], row[1], row[2], limit),
        )

    def versions(self, bucket: str) -> Iterator[ObjectVersion]:
        """Yield every version and delete marker, by name, then from new to old.

        Raises:
            NoBucketError: there is no such bucket.
        """
        rows = self.scan(bucket, b"", limit=BATCH)
        while rows:
            yield from map(ObjectVersion.decode, rows)
            older = self.rest_of_key(bucket, rows[-1], limit=BATCH)
            rows = older or self.scan(bucket, rows[-1][0], limit=BATCH, after=True)

    def writer(self) -> ContentWriter:
        """Return a place for the bytes of a new content."""
        return ContentWriter(self._files, next(self._contents))

    def reader(self, stretches: list[tuple[int, int, int]]) -> ContentReader:
        """Return the stored bytes of ``stretches`` (content, offset, length), 1 MiB at a time.

        Raises:
            LookupError: a content is gone, because its object was replaced since it was found.
        """
        return ContentReader(self._files, stretches, self._inline)

    def commit(
        self,
        bucket: str,
        version: ObjectVersion,
        contents: Iterable[ContentWriter] = (),
        *,
        check: Callable[[ObjectVersion | None], None] | None = None,
    ) -> ObjectVersion:
        """Make ``version`` exist, in place of one with the same version id.

        ``check`` sees the latest version within the transaction and may raise to refuse.

        Raises:
            NoBucketError: the bucket is gone.
        """
        try:
            with self._index.change() as db:
                number = self.bucket(bucket).number
                if check is not None:
                    check(rows.latest(db, number, version.key))
                gone = rows.replace(db, number, version, next(self._numbers))
                for writer in contents:
                    rows.keep(db, writer)
        except BaseException:
            for writer in contents:
                writer.discard()
            raise
        self._files.remove(gone)
        return version

    def remove(
        self,
        bucket: str,
        key: str,
        version_id: str,
        *,
        check: Callable[[ObjectVersion], None] | None = None,
    ) -> ObjectVersion | None:
        """Delete one version for good and return it, None if there was none.

        Raises:
            NoBucketError: there is no such bucket.
        """
        with self._index.change() as db:
            number = self.bucket(bucket).number
            old = rows.by_id(db, number, key, version_id)
            if old is None:
                return None
            if check is not None:
                check(old)
            gone = rows.drop(db, number, old)
        self._files.remove(gone)
        return old

    def update(
        self,
        bucket: str,
        key: str,
        version_id: str,
        change: Callable[[ObjectVersion], ObjectVersion],
    ) -> ObjectVersion | None:
        """Replace metadata of a version in one step; content and version id stay.

        Raises:
            NoBucketError: there is no such bucket.
        """
        with self._index.change() as db:
            number = self.bucket(bucket).number
            old = rows.by_id(db, number, key, version_id)
            if old is None:
                return None
            new = change(old)
            rows.drop(db, number, old, {part.content for part in old.parts})
            rows.insert(db, number, new)
        return new

    def _inline(self, content: int) -> bytes | None:
        row = self._index.read_one("SELECT data FROM content WHERE number=?", (content,))
        if row is None:
            raise LookupError(f"content {content} is gone")
        data: bytes | None = row[0]
        return data
