"""The work behind ``mcpy rm``: what is to go, and its going, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from mcpy.errors import McpyError, NotFoundError, S3Error
from mcpy.models import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from mcpy.api.s3 import S3
    from mcpy.api.s3listing import Entry
    from mcpy.cli.app import App


@dataclass(frozen=True)
class Which:
    """The options of one run of ``rm``; ages in seconds."""

    recursive: bool = False
    force: bool = False
    versions: bool = False
    non_current: bool = False
    version_id: str = ""
    rewind: datetime | None = None
    older_s: float | None = None
    newer_s: float | None = None
    incomplete: bool = False
    bypass: bool = False


@dataclass(frozen=True)
class Removal:
    """One thing that goes, or that went and left the delete marker ``marker_id``."""

    target: Target
    version_id: str = ""
    upload_id: str = ""
    marker_id: str = ""
    missing: bool = False


def plan(app: App, target: Target, which: Which) -> Iterator[Removal | McpyError]:
    """Yield what is to go; a target that is not there is an error, unless ``force`` is given.

    What is there and stays, for its age say, is neither.
    """
    buckets = [target]
    if not target.bucket:
        names = [bucket.name for bucket in app.s3(target.alias).list_buckets()]
        buckets = [Target(target.alias, name) for name in names]
    for bucket in buckets:
        empty = True
        try:
            for removal in _planned(app.s3(target.alias), bucket, which):
                empty = False
                if removal:
                    yield removal
        except NotFoundError as e:
            yield e
            continue
        if empty and bucket.key:
            missing = Removal(bucket, missing=True)
            yield missing if which.force else NotFoundError(f"`{bucket}` is not there")


def _planned(client: S3, target: Target, which: Which) -> Iterator[Removal | None]:
    """Yield what is to go, and None for each that is there and stays."""
    if which.version_id:
        yield Removal(target, which.version_id)
        return
    if not (which.recursive or which.versions or which.incomplete or which.rewind):
        yield from _single(client, target, which)
        return
    for entry in _listed(client, target, which):
        if not _is_meant(entry, target, which):
            continue
        place = Target(target.alias, target.bucket, entry.key)
        if not _goes(entry, which):
            yield None
        elif which.incomplete:
            yield Removal(place, upload_id=entry.version_id)
        else:
            named = which.versions or which.rewind
            yield Removal(place, entry.version_id if named else "")


def _single(client: S3, target: Target, which: Which) -> Iterator[Removal | None]:
    from mcpy.fleet.transfer.walk import seconds

    try:
        info = client.head_object(target.bucket, target.key)
    except S3Error as e:
        # an object of its owner's key (SSE-C) may go without it: 400 says that it is there
        if e.status == 404:
            return
        if e.status != 400:
            raise
        yield Removal(target)
        return
    yield Removal(target) if _of_age(seconds(info.last_modified), which) else None


def _listed(client: S3, target: Target, which: Which) -> Iterable[Entry]:
    from mcpy.api.multipart import list_uploads
    from mcpy.fleet.transfer.walk import as_of

    if which.incomplete:
        return list_uploads(client, target.bucket, target.key)
    if which.rewind:
        return as_of(client.list_versions(target.bucket, target.key), which.rewind)
    if which.versions:
        return client.list_versions(target.bucket, target.key)
    return client.list_objects(target.bucket, target.key)


def _is_meant(entry: Entry, target: Target, which: Which) -> bool:
    from mcpy.fleet.transfer.walk import is_below

    return is_below(entry.key, target.key) if which.recursive else entry.key == target.key


def _goes(entry: Entry, which: Which) -> bool:
    from mcpy.fleet.transfer.walk import seconds

    if which.non_current and entry.is_latest and not entry.is_delete_marker:
        return False
    return _of_age(seconds(entry.last_modified), which)


def _of_age(modified_s: float, which: Which) -> bool:
    from mcpy.fleet.transfer.walk import is_of_age

    return is_of_age(modified_s, older_s=which.older_s, newer_s=which.newer_s)


def remove(
    app: App, planned: Iterable[Removal | McpyError], which: Which
) -> Iterator[Removal | McpyError]:
    """Do what is planned and yield what became of each, errors in their places.

    Of one bucket up to a thousand go in one request.
    """
    for (alias, bucket, batch), group in groupby(planned, _batch):
        if batch:
            removals = (one for one in group if isinstance(one, Removal))
            yield from _in_batches(app.s3(alias), bucket, removals, which)
        else:
            for one in group:
                yield _one(app, one)


def _batch(planned: Removal | McpyError) -> tuple[str, str, bool]:
    if isinstance(planned, McpyError) or planned.missing or planned.upload_id:
        return "", "", False
    return planned.target.alias, planned.target.bucket, True


def _in_batches(
    client: S3, bucket: str, removals: Iterable[Removal], which: Which
) -> Iterator[Removal | McpyError]:
    from mcpy.fleet.transfer.remove import Name, remove_all

    if not (which.recursive or which.versions):
        for one in removals:
            yield _deleted(client, one, which)
        return
    alias = ""

    def names() -> Iterator[Name]:
        nonlocal alias
        for one in removals:
            alias = one.target.alias
            yield Name(one.target.key, one.version_id)

    for name, outcome in remove_all(client, bucket, names(), bypass=which.bypass):
        if isinstance(outcome, S3Error):
            yield outcome
            continue
        target = Target(alias, bucket, name.key)
        yield Removal(target, name.version_id, marker_id=outcome.marker_id)


def _deleted(client: S3, one: Removal, which: Which) -> Removal | McpyError:
    target = one.target
    try:
        done = client.delete_object(
            target.bucket, target.key, version_id=one.version_id, bypass=which.bypass
        )
    except McpyError as e:
        return e
    return replace(one, marker_id=done.marker_id)


def _one(app: App, planned: Removal | McpyError) -> Removal | McpyError:
    from mcpy.api.multipart import MultipartUpload

    if isinstance(planned, McpyError) or not planned.upload_id:
        return planned
    target = planned.target
    client = app.s3(target.alias)
    try:
        MultipartUpload(client, target.bucket, target.key, planned.upload_id, {}).abort()
    except McpyError as e:
        return e
    return replace(planned, version_id="")
