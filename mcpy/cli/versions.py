"""Which version of an object is meant: by its id, or by what was the latest at a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from datetime import datetime

    from mcpy.api.s3 import S3
    from mcpy.models import Target


def version_of(client: S3, target: Target, version_id: str, moment: datetime | None) -> str:
    """Return the id of the version that is meant, ``""`` for the latest.

    Raises:
        InputError: both ways to say it are used.
        NotFoundError: there was no such object at ``moment``.
    """
    if version_id and moment:
        raise InputError("--version-id and --rewind exclude each other")
    if not moment:
        return version_id
    from mcpy.fleet.transfer.walk import as_of

    for entry in as_of(client.list_versions(target.bucket, target.key), moment):
        if entry.key == target.key:
            return entry.version_id
    raise NotFoundError(f"there was no `{target}` at {moment:%Y-%m-%d %H:%M:%S %Z}")
