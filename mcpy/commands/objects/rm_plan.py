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
            if which.force and not which.version_id:
                yield Removal(bucket, missing=True)
            else:
                version = f" has no version {which.version_id}" if which.version_id else ""
                yield NotFoundError(f"`{bucket}`{version or ' is not there'}")


def _planned(client: S3, target: Target, which: Which) -> Iterator[Removal | None]:
    """Yield what is to go, and None for each that is there and stays."""
    if not (which.recursive or which.versions or which.incomplete or which.rewind):
        yield from _single(client, target, which)
        return
    for _, entries in groupby(_listed(client, target, which), lambda entry: entry.key):
        meant = [entry for entry in entries if _is_meant(entry, target, which)]
        going = [_goes(entry, which) for entry in meant]
        for entry, goes in zip(meant, _markers_kept(meant, going), strict=True):
            yield _removal(entry, target, which) if goes else None


def _removal(entry: Entry, target: Target, which: Which) -> Removal:
    place = Target(target.alias, target.bucket, entry.key)
    if which.incomplete:
        return Removal(place, upload_id=entry.version_id)
    named = which.versions or which.rewind
    return Removal(place, entry.version_id if named else "")


def _markers_kept(entries: list[Entry], going: list[bool]) -> list[bool]:
    """Keep the marker an object was deleted by while a version stays: it would be back."""
    latest = next((i for i, entry in enumerate(entries) if entry.is_latest), None)
    if latest is None or not entries[latest].is_delete_marker or all(going):
        return going
    return [goes and i != latest for i, goes in enumerate(going)]


def _single(client: S3, target: Target, which: Which) -> Iterator[Removal | None]:
    from mcpy.fleet.transfer.walk import seconds

    removal = Removal(target, which.version_id)
    try:
        info = client.head_object(target.bucket, target.key, version_id=which.version_id)
    except S3Error as e:
        if e.status == 404:
            return
        # 400: there, and its owner's key opens it (SSE-C); 405: a delete marker, by its version
        if e.status not in {400, 405}:
            raise
        if which.older_s is None and which.newer_s is None:
            yield removal
        else:
            yield from (removal if goes else None for goes in _found(client, target, which))
        return
    yield removal if _of_age(seconds(info.last_modified), which) else None


def _found(client: S3, target: Target, which: Which) -> Iterator[bool]:
    """Yield whether the one that is meant is of the age, by a listing: a HEAD does not tell."""
    listed = client.list_versions if which.version_id else client.list_objects
    for entry in listed(target.bucket, target.key):
        if entry.key != target.key:
            return
        if entry.version_id == which.version_id or not which.version_id:
            yield _goes(entry, which)
            return


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
        yield _gone(Removal(target, name.version_id), outcome.marker_id)


def _deleted(client: S3, one: Removal, which: Which) -> Removal | McpyError:
    target = one.target
    try:
        done = client.delete_object(
            target.bucket, target.key, version_id=one.version_id, bypass=which.bypass
        )
    except McpyError as e:
        return e
    return _gone(one, done.marker_id)


def _gone(one: Removal, marker_id: str) -> Removal:
    """Say what became of it; a marker that went by its own version id was not put there."""
    return one if one.version_id else replace(one, marker_id=marker_id)


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
