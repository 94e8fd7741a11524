"""``mcpy stat``: what a server says of an object or a bucket, its encryption above all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import for_each
from mcpy.cli.output import printable
from mcpy.cli.params import BUCKET
from mcpy.cli.sizes import human_size
from mcpy.errors import NotFoundError, S3Error

if TYPE_CHECKING:
    from mcpy.api.s3 import ObjectInfo
    from mcpy.cli.app import App
    from mcpy.cli.output import Result
    from mcpy.models import BucketEncryption, Target


@dataclass(frozen=True)
class ObjectStat:
    """One object."""

    info: ObjectInfo

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        info = self.info
        found = {
            "status": "success",
            "name": info.key.rpartition("/")[2] or info.key,
            "lastModified": info.last_modified,
            "size": info.size,
            "etag": info.etag,
            "type": "file",
            "metadata": {_title(name): value for name, value in sorted(info.metadata.items())},
        }
        return found | ({"versionID": info.version_id} if info.version_id else {})

    def text(self) -> str:
        """Return one fact a line."""
        info = self.info
        rows = [
            ("Name", info.key),
            ("Date", info.last_modified.replace("T", " ").replace("Z", " UTC")),
            ("Size", f"{human_size(info.size)} ({info.size} bytes)"),
            ("ETag", info.etag),
            ("VersionID", info.version_id),
            ("Encryption", _encryption(info)),
        ]
        lines = [f"{name:<11}: {value}" for name, value in rows if value]
        lines += [f"{_title(name)}: {value}" for name, value in sorted(info.metadata.items())]
        return printable("\n".join(lines))


@dataclass(frozen=True)
class BucketStat:
    """One bucket; ``encryption`` is None when it has no default."""

    target: Target
    encryption: BucketEncryption | None

    def data(self) -> dict[str, Any]:
        """Return mc's fields, as far as they concern encryption."""
        encryption: dict[str, str] = {}
        if self.encryption:
            encryption = {"algorithm": self.encryption.algorithm}
            encryption |= {"keyId": self.encryption.key_id} if self.encryption.key_id else {}
        return {
            "status": "success",
            "name": self.target.bucket + "/",
            "lastModified": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "size": 0,
            "type": "folder",
            "Encryption": encryption,
        }

    def text(self) -> str:
        """Return name and default encryption."""
        found = self.encryption
        shown = "none"
        if found:
            shown = f"{found.algorithm}{f' ({found.key})' if found.key_id else ''}"
        return f"Name      : {self.target.bucket}\nType      : bucket\nEncryption: {shown}"


def _title(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def _encryption(info: ObjectInfo) -> str:
    key = f" ({info.encryption.key_id})" if info.encryption.key_id else ""
    return (info.encryption.scheme or "none") + key


@click.command("stat", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=BUCKET, metavar="TARGET...")
@click.option("--version-id", "--vid", default="", help="This version.")
@pass_app
def stat(app: App, targets: tuple[Target, ...], *, version_id: str) -> None:
    """Show size, date, metadata and encryption of objects, the default encryption of buckets."""
    for_each(app, targets, lambda target: _stat(app, target, version_id), data=True)


def _stat(app: App, target: Target, version_id: str) -> Result:
    client = app.s3(target.alias)
    if not target.key:
        return BucketStat(target, client.get_bucket_encryption(target.bucket))
    try:
        return ObjectStat(client.head_object(target.bucket, target.key, version_id=version_id))
    except S3Error as e:
        if e.status == 404:
            raise NotFoundError(f"`{target}` is not there", hint=_list_hint(target)) from e
        raise


def _list_hint(target: Target) -> str:
    return f"mcpy ls {target.alias}/{target.bucket}"
