"""What ``mcpy stat`` shows of one object, and of what has no metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcpy.cli.output import in_line
from mcpy.cli.sizes import human_size

if TYPE_CHECKING:
    from mcpy.api.s3 import ObjectInfo
    from mcpy.api.s3listing import Entry

EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class ObjectStat:
    """One object; ``name`` is relative to what was asked for."""

    info: ObjectInfo
    name: str = ""

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        info = self.info
        found = {
            "status": "success",
            "name": self.name or info.key.rpartition("/")[2] or info.key,
            "lastModified": info.last_modified,
            "size": info.size,
            "etag": info.etag,
            "type": "file",
            "metadata": {_title(name): value for name, value in sorted(info.metadata.items())},
        }
        found |= {"versionID": info.version_id} if info.version_id else {}
        return found | ({"checksum": dict(info.checksums)} if info.checksums else {})

    def text(self) -> str:
        """Return one fact a line."""
        info = self.info
        rows = [
            ("Name", self.name or info.key),
            ("Date", info.last_modified.replace("T", " ").replace("Z", " UTC")),
            ("Size", f"{human_size(info.size)} ({info.size} bytes)"),
            ("ETag", info.etag),
            ("VersionID", info.version_id),
            ("Encryption", _encryption(info)),
        ]
        lines = [f"{name:<11}: {value}" for name, value in rows if value]
        lines += [f"{_title(name)}: {value}" for name, value in sorted(info.metadata.items())]
        return "\n".join(map(in_line, lines))


@dataclass(frozen=True)
class FolderStat:
    """A prefix, a bucket by name alone, or a delete marker: what has no metadata."""

    name: str
    marker: Entry | None = None

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        found: dict[str, Any] = {
            "status": "success",
            "name": self.name,
            "lastModified": self.marker.last_modified if self.marker else EPOCH,
            "size": 0,
            "etag": "",
            "type": "file" if self.marker else "folder",
        }
        if self.marker:
            found |= {"versionID": self.marker.version_id, "isDeleteMarker": True}
        return found

    def text(self) -> str:
        """Return name and kind."""
        kind = f"delete marker {self.marker.version_id}" if self.marker else "folder"
        return f"{'Name':<11}: {in_line(self.name)}\n{'Type':<11}: {kind}"


def _title(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def _encryption(info: ObjectInfo) -> str:
    key = f" ({info.encryption.key_id})" if info.encryption.key_id else ""
    return (info.encryption.scheme or "none") + key
