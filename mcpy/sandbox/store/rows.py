"""The statements that change rows, to be run within one transaction of the index.

Each returns the contents that nothing refers to any more, to be unlinked after the commit.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mcpy.sandbox.store.model import NoUploadError, ObjectVersion, Part, encode_key

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from mcpy.sandbox.store.content import ContentWriter

VERSION = "SELECT key, mtime, number, id, marker, document FROM version WHERE bucket=? AND key"
NEWEST_FIRST = " ORDER BY key, mtime DESC, number DESC LIMIT ?"


def latest(db: sqlite3.Connection, bucket: int, key: str) -> ObjectVersion | None:
    """Return the newest version or delete marker of ``key``."""
    row = db.execute(f"{VERSION}=?{NEWEST_FIRST}", (bucket, encode_key(key), 1)).fetchone()
    return ObjectVersion.decode(row) if row else None


def by_id(db: sqlite3.Connection, bucket: int, key: str, version_id: str) -> ObjectVersion | None:
    """Return one version of ``key``."""
    row = db.execute(f"{VERSION}=? AND id=?", (bucket, encode_key(key), version_id)).fetchone()
    return ObjectVersion.decode(row) if row else None


def insert(db: sqlite3.Connection, bucket: int, version: ObjectVersion) -> None:
    """Add a version."""
    db.execute(
        "INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            bucket,
            encode_key(version.key),
            version.mtime_ns,
            version.number,
            version.version_id,
            version.marker,
            version.encode(),
        ),
    )


def replace(db: sqlite3.Connection, bucket: int, version: ObjectVersion, number: int) -> list[int]:
    """Add a version as the ``number``-th commit, in place of one with the same id."""
    old = by_id(db, bucket, version.key, version.version_id)
    gone = drop(db, bucket, old, {part.content for part in version.parts}) if old else []
    version.number = number
    insert(db, bucket, version)
    return gone


def drop(
    db: sqlite3.Connection, bucket: int, old: ObjectVersion, kept: Collection[int] = ()
) -> list[int]:
    """Delete a version and its contents but for those in ``kept``."""
    db.execute(
        "DELETE FROM version WHERE bucket=? AND key=? AND mtime=? AND number=?",
        (bucket, encode_key(old.key), old.mtime_ns, old.number),
    )
    return _forget(db, [part.content for part in old.parts if part.content not in kept])


def keep(db: sqlite3.Connection, writer: ContentWriter) -> None:
    """Make a content last."""
    db.execute("INSERT INTO content (number, data) VALUES (?, ?)", (writer.content, writer.data))


def put_part(db: sqlite3.Connection, upload_id: str, part: Part) -> list[int]:
    """Add a part to an upload, in place of one with the same number.

    Raises:
        NoUploadError: there is no such upload any more.
    """
    if not db.execute("SELECT 1 FROM upload WHERE id=?", (upload_id,)).fetchone():
        raise NoUploadError(upload_id)
    old = db.execute(
        "SELECT document FROM part WHERE upload=? AND number=?", (upload_id, part.number)
    ).fetchone()
    db.execute(
        "INSERT OR REPLACE INTO part VALUES (?, ?, ?)",
        (upload_id, part.number, json.dumps(part.fields())),
    )
    return _forget(db, [decode_part(old[0]).content] if old else [])


def end_upload(db: sqlite3.Connection, upload_id: str, kept: Collection[int] = ()) -> list[int]:
    """Delete an upload and its parts' contents but for those in ``kept``.

    Raises:
        NoUploadError: there is no such upload any more.
    """
    if not db.execute("DELETE FROM upload WHERE id=?", (upload_id,)).rowcount:
        raise NoUploadError(upload_id)
    documents = db.execute("SELECT document FROM part WHERE upload=?", (upload_id,)).fetchall()
    db.execute("DELETE FROM part WHERE upload=?", (upload_id,))
    contents = [decode_part(row[0]).content for row in documents]
    return _forget(db, [content for content in contents if content not in kept])


def drop_uploads(db: sqlite3.Connection, bucket: int) -> list[int]:
    """Delete all uploads of a bucket."""
    found = db.execute("SELECT id FROM upload WHERE bucket=?", (bucket,)).fetchall()
    return [content for row in found for content in end_upload(db, row[0])]


def decode_part(document: str) -> Part:
    """Read a row of an upload's part."""
    return Part(*json.loads(document))


def _forget(db: sqlite3.Connection, contents: list[int]) -> list[int]:
    db.executemany("DELETE FROM content WHERE number=?", [(content,) for content in contents])
    return contents
