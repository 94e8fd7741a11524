"""The index: one SQLite file that makes every change of the store whole or not at all.

A row per object version, sorted by name (bytes) and then from new to old, so that a listing reads
each row once. SQLite's write-ahead log gives the safety against a kill; readers never wait.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = tuple[Any, ...]

SCHEMA = """
CREATE TABLE IF NOT EXISTS bucket (
  number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, created INTEGER, config TEXT);
CREATE TABLE IF NOT EXISTS version (
  bucket INTEGER, key BLOB, mtime INTEGER, number INTEGER, id TEXT, marker INTEGER, document TEXT,
  PRIMARY KEY (bucket, key, mtime DESC, number DESC)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS upload (
  id TEXT PRIMARY KEY, bucket INTEGER, key BLOB, started INTEGER, document TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS upload_by_key ON upload (bucket, key, started);
CREATE TABLE IF NOT EXISTS part (
  upload TEXT, number INTEGER, document TEXT, PRIMARY KEY (upload, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS content (number INTEGER PRIMARY KEY, data BLOB);
"""


class Index:
    """A connection for each thread that reads, and one, behind a lock, that writes."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        # before SQLite does: its log files take the mode of this one
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._path = path
        self._durable = durable
        self._local = threading.local()
        self._lock = threading.RLock()
        self._readers: weakref.WeakSet[_Reader] = weakref.WeakSet()
        self._writer = self._connect()
        self._writer.executescript(SCHEMA)

    def close(self) -> None:
        """Close all connections; no thread may use the index any more."""
        with self._lock:
            for reader in list(self._readers):
                reader.close()
            self._writer.close()

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[Row]:
        """Return all rows of a query."""
        return self._reader().execute(sql, values).fetchall()

    def read_one(self, sql: str, values: tuple[Any, ...] = ()) -> Row | None:
        """Return the first row of a query."""
        row: Row | None = self._reader().execute(sql, values).fetchone()
        return row

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction: all of the block's statements take effect, or none if it raises."""
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    def _reader(self) -> sqlite3.Connection:
        reader: _Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = _Reader(self._connect())
            with self._lock:
                self._readers.add(reader)
        return reader.connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=30, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'OFF'}")
        return connection


class _Reader:
    """The connection of one thread, closed when the thread or the index ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def close(self) -> None:
        self.connection.close()

    __del__ = close
