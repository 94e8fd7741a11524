"""``mcpy ls``: buckets and objects."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, fields, replace
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import Failures, buckets_of, jobs_option, streams
from mcpy.cli.output import in_line
from mcpy.cli.params import MOMENT, TARGETS
from mcpy.cli.sizes import human_size
from mcpy.errors import McpyError, NotFoundError, UnsupportedError
from mcpy.models import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from mcpy.api.s3 import S3
    from mcpy.api.s3listing import Entry
    from mcpy.cli.app import App

PAGE = 1000
NO_DATE = "1970-01-01T00:00:00Z"  # a prefix has none, and mc's type is a date


@dataclass(frozen=True)
class How:
    """What to list of a target."""

    recursive: bool = False
    versions: bool = False
    rewind: datetime | None = None
    incomplete: bool = False
    storage_class: str = ""

    @property
    def by_version(self) -> bool:
        """Whether the versions of a bucket are listed, and not its objects."""
        return (self.versions or self.rewind is not None) and not self.incomplete

    @classmethod
    def names(cls) -> list[str]:
        """Return the options it is made of."""
        return [one.name for one in fields(cls)]


@dataclass(frozen=True)
class Line:
    """One line of a listing; ``name`` is relative to what was listed."""

    entry: Entry
    name: str
    url: str
    versions: bool = False
    ordinal: int = 1

    def data(self) -> dict[str, Any]:
        """Return mc's fields, and the encryption where the listing tells it."""
        entry = self.entry
        found: dict[str, Any] = {
            "status": "success",
            "type": "folder" if entry.is_prefix else "file",
            "lastModified": entry.last_modified or NO_DATE,
            "size": entry.size,
            "key": self.name,
            "etag": entry.etag,
            "url": self.url,
            "versionOrdinal": self.ordinal,
        }
        if self.versions and not entry.is_prefix:
            found["versionId"] = entry.version_id
        if entry.is_delete_marker:
            found["isDeleteMarker"] = True
        if entry.storage_class:
            found["storageClass"] = entry.storage_class
        if entry.encryption is not None:
            found["encryption"] = entry.encryption.scheme
        return found

    def text(self) -> str:
        """Return date, size, class, version and name."""
        entry = self.entry
        date = entry.last_modified.replace("T", " ")[:19] + " UTC" if entry.last_modified else "-"
        parts = [f"[{date}]" if date != "-" else " " * 25, f"{human_size(entry.size):>10}"]
        parts += [entry.storage_class] if entry.storage_class else []
        if self.versions and not entry.is_prefix:
            kind = "DEL" if entry.is_delete_marker else "PUT"
            parts += [entry.version_id, f"v{self.ordinal}", kind]
        return " ".join([*parts, in_line(self.name)])


@dataclass(frozen=True)
class Summary:
    """The last line of ``ls --summarize``."""

    count: int
    size: int

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {"totalObjects": self.count, "totalSize": self.size}

    def text(self) -> str:
        """Return both sums."""
        return f"\nTotal: {human_size(self.size)}, {self.count} objects"


@click.command("ls", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=TARGETS, metavar="TARGET...")
@click.option("--recursive", "-r", is_flag=True, help="Below every prefix too.")
@click.option("--versions", is_flag=True, help="All versions and delete markers.")
@click.option("--rewind", type=MOMENT, help="What was there then.")
@click.option("--incomplete", "-I", is_flag=True, help="Uploads that were never finished.")
@click.option("--storage-class", "--sc", default="", help="Objects of this class only.")
@click.option("--summarize", is_flag=True, help="Number and size at the end.")
@click.option("--zip", "in_zip", is_flag=True, hidden=True, help="Refused: mc's option.")
@jobs_option
@pass_app
def ls(app: App, /, targets: tuple[Target, ...], **options: Any) -> None:  # noqa: ANN401 - click's
    """List buckets and objects. An alias has buckets; exit 5 when a prefix matches nothing."""
    if options["in_zip"]:
        raise UnsupportedError("ls does not look into zip archives", hint="mcpy cat, then unzip")
    app.bulk()
    how = How(**{name: options[name] for name in How.names()})
    named = buckets_of(app, targets)
    failures = Failures()
    lines = streams(app, named, lambda target: _lines(app, target, how), jobs=options["jobs"])
    with closing(lines):
        total = _write(app, lines, failures)
    if app.out.reader_left:
        return
    if options["summarize"]:
        app.out.emit(total)
    if failures.count:
        raise failures.sum_of(len(named))


def _write(app: App, lines: Iterable[Line | McpyError], failures: Failures) -> Summary:
    """Write the lines as long as somebody reads them, and return their numbers."""
    count = size = 0
    for line in lines:
        if isinstance(line, McpyError):
            app.out.error(line, kind="error")
            failures.add(line)
            continue
        app.out.emit(line)
        count += not line.entry.is_prefix
        size += line.entry.size
        if app.out.reader_left:
            break
    return Summary(count, size)


def _lines(app: App, target: Target, how: How) -> Iterator[Line]:
    client = app.s3(target.alias)
    if target.bucket:
        yield from _objects(client, target, how)
    elif not how.recursive:
        yield from _buckets(client)
    else:
        for bucket in client.list_buckets():
            below = Target(target.alias, bucket.name)
            for line in _objects(client, below, how):
                name = f"{bucket.name}/{line.name}"
                yield replace(line, name=name, url=client.http.base_url + "/")


def _objects(client: S3, target: Target, how: How) -> Iterator[Line]:
    folder, entries = _listed(client, target, how)
    place = Target(target.alias, target.bucket, folder)
    skip = len(folder.rpartition("/")[0]) + 1 if "/" in folder else 0
    url = f"{client.http.base_url}/{target.bucket}/{place.key}"
    empty = True
    for entry, ordinal in _numbered(entries, how):
        empty = False
        if entry.is_prefix or how.storage_class in {"", entry.storage_class}:
            yield Line(entry, entry.key[skip:], url, how.by_version, ordinal)
    if empty and target.key and not how.incomplete:  # that no upload was left is no error
        raise NotFoundError(f"nothing in `{target.alias}/{target.bucket}` begins `{target.key}`")


def _listed(client: S3, target: Target, how: How) -> tuple[str, Iterable[Entry]]:
    """Return the prefix that is listed, and what is there: a folder's name lists the folder."""
    entries = _entries(client, target.bucket, target.key, how)
    if not target.key or target.key.endswith("/"):
        return target.key, entries
    folder = target.key + "/"
    # what sorts before the slash comes first: one page of it is looked through
    first = list(islice(entries, PAGE))
    if any(entry.key.startswith(folder) for entry in first):
        return folder, _entries(client, target.bucket, folder, how)
    return target.key, chain(first, entries)


def _entries(client: S3, bucket: str, prefix: str, how: How) -> Iterator[Entry]:
    from mcpy.api.multipart import list_uploads

    delimiter = "" if how.recursive else "/"
    if how.incomplete:
        return list_uploads(client, bucket, prefix, delimiter=delimiter)
    if how.by_version:
        return client.list_versions(bucket, prefix, delimiter=delimiter)
    return client.list_objects(bucket, prefix, delimiter=delimiter)


def _numbered(entries: Iterable[Entry], how: How) -> Iterator[tuple[Entry, int]]:
    """Number the versions of each key from its oldest, as mc does.

    Of a moment, the one that was the latest then is taken, were it a delete marker.
    """
    from mcpy.fleet.transfer.walk import was_there

    if not how.by_version:
        yield from ((entry, 1) for entry in entries)
        return
    for _, group in groupby(entries, lambda entry: entry.key):
        together = [entry for entry in group if was_there(entry, how.rewind)]
        numbered = zip(together, range(len(together), 0, -1), strict=True)
        yield from numbered if how.versions else islice(numbered, 1)


def _buckets(client: S3) -> Iterator[Line]:
    from mcpy.api.s3listing import Entry

    for bucket in client.list_buckets():
        entry = Entry(key=bucket.name, last_modified=bucket.created, is_prefix=True)
        yield Line(entry, bucket.name + "/", client.http.base_url + "/")
