"""``mcpy ls``: buckets and objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.output import printable
from mcpy.cli.params import TARGET
from mcpy.cli.sizes import human_size
from mcpy.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.api.s3xml import Entry
    from mcpy.cli.app import App
    from mcpy.models import Target


@dataclass(frozen=True)
class Line:
    """One line of a listing; ``name`` is relative to what was listed."""

    entry: Entry
    name: str
    url: str
    versions: bool = False

    def data(self) -> dict[str, Any]:
        """Return mc's fields, and the encryption where the listing tells it."""
        entry = self.entry
        found: dict[str, Any] = {
            "status": "success",
            "type": "folder" if entry.is_prefix else "file",
            "lastModified": entry.last_modified,
            "size": entry.size,
            "key": self.name,
            "etag": entry.etag,
            "url": self.url,
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
            parts += [entry.version_id, "DEL" if entry.is_delete_marker else "PUT"]
        return " ".join([*parts, printable(self.name)])


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
@click.argument("targets", nargs=-1, required=True, type=TARGET, metavar="TARGET...")
@click.option("--recursive", "-r", is_flag=True, help="Below every prefix too.")
@click.option("--versions", is_flag=True, help="All versions and delete markers.")
@click.option("--summarize", is_flag=True, help="Number and size at the end.")
@pass_app
def ls(app: App, /, targets: tuple[Target, ...], *, summarize: bool, **how: bool) -> None:
    """List buckets (TARGET is an alias) or objects; exit 5 when a prefix matches nothing."""
    count = size = 0
    for target in targets:
        for line in _lines(app, target, **how):
            app.out.emit(line)
            count += not line.entry.is_prefix
            size += line.entry.size
            if app.out.reader_left:
                return
    if summarize:
        app.out.emit(Summary(count, size))


def _lines(app: App, target: Target, *, recursive: bool, versions: bool) -> Iterator[Line]:
    client = app.s3(target.alias)
    if not target.bucket and not recursive:
        yield from _buckets(app, target)
        return
    url = f"{client.http.base_url}/{target.bucket}/"
    listing = client.list_versions if versions else client.list_objects
    folder, _, _ = target.key.rpartition("/")
    skip = len(folder) + 1 if folder else 0
    empty = True
    for entry in listing(target.bucket, target.key, delimiter="" if recursive else "/"):
        empty = False
        yield Line(entry, entry.key[skip:], url + (f"{folder}/" if folder else ""), versions)
    if empty and target.key:
        raise NotFoundError(f"nothing in `{target.alias}/{target.bucket}` begins `{target.key}`")


def _buckets(app: App, target: Target) -> Iterator[Line]:
    from mcpy.api.s3xml import Entry

    client = app.s3(target.alias)
    for bucket in client.list_buckets():
        entry = Entry(key=bucket.name, last_modified=bucket.created, is_prefix=True)
        yield Line(entry, bucket.name + "/", client.http.base_url + "/")
