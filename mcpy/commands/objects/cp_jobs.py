"""The work behind ``mcpy cp``: what is to be copied where, one by one, and the copying of one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.cli.ends import STREAM, End, single_target, target_below
from mcpy.cli.output import in_line
from mcpy.errors import ConfigError, InputError, NotFoundError, S3Error
from mcpy.models import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from mcpy.api.s3 import ObjectInfo
    from mcpy.cli.app import App
    from mcpy.cli.enc import EncRules
    from mcpy.fleet.transfer import Pace, Place
    from mcpy.fleet.transfer.walk import Found


NO_ALIAS = "no alias is named: both ends are files on this machine"


@dataclass(frozen=True)
class How:
    """The options of one run of ``cp``; ``headers`` are given to every object that is stored."""

    rules: EncRules
    pace: Pace
    headers: dict[str, str]
    recursive: bool = False
    version_id: str = ""
    rewind: datetime | None = None
    older_s: float | None = None
    newer_s: float | None = None
    decrypt: bool = False
    preserve: bool = False

    @property
    def by_age(self) -> bool:
        """Whether only what is of some age is copied."""
        return self.older_s is not None or self.newer_s is not None


@dataclass(frozen=True)
class Job:
    """One thing to copy; an end that is None is a standard stream.

    With ``refused`` it has no place below the target, which is given as a whole. The age of what
    was ``named`` is still to be looked at.
    """

    source: Path | Target | None
    target: Path | Target | None
    version_id: str = ""
    refused: ConfigError | None = None
    named: bool = False

    @property
    def names(self) -> tuple[str, str]:
        """Both ends as they are shown; a file to be read by its whole path, as mc has it."""
        source = self.source.absolute() if isinstance(self.source, Path) else self.source
        return str(source or STREAM), str(self.target or STREAM)


def plan(app: App, sources: Sequence[End], target: End, how: How) -> Iterator[Job]:
    """Yield what is to be done; below folders and prefixes it is found while it is copied.

    Raises:
        InputError: an end does not fit the other.
    """
    from mcpy.cli.versions import version_of

    several = len(sources) > 1
    if several and not target.folder and _is_prefix(app, target):
        target = replace(target, folder=True)
    for source in sources:
        if how.recursive and not _is_file(source):
            yield from _below(app, source, target, how)
            continue
        if how.recursive and isinstance(source.place, Path):
            yield Job(source.place, target_below(target, source.name), named=True)
            continue
        _check_single(source, target)
        if source.place is None and how.by_age:
            raise InputError("--older-than and --newer-than: what comes from stdin has no age")
        version = ""
        if isinstance(source.place, Target):
            client = app.s3(source.place.alias)
            version = version_of(client, source.place, how.version_id, how.rewind)
        goal = single_target(source, target, several=several)
        yield Job(source.place, goal, version, named=True)


def _is_prefix(app: App, target: End) -> bool:
    """Whether something lies below the target already, so that it can hold several sources."""
    place = target.place
    if not isinstance(place, Target) or not place.key:
        return False
    below = app.s3(place.alias).list_objects(place.bucket, place.key + "/", delimiter="/")
    return next(iter(below), None) is not None


def _is_file(source: End) -> bool:
    return source.place is None or (isinstance(source.place, Path) and source.place.is_file())


def _check_single(source: End, target: End) -> None:
    if not isinstance(source.place, Target) and not isinstance(target.place, Target):
        raise InputError(NO_ALIAS, hint="mcpy cp SOURCE... ALIAS/BUCKET/OBJECT")
    if isinstance(source.place, Target):
        if not source.place.key or source.folder:
            hint = f"mcpy cp --recursive {source.text} {target.text}"
            raise InputError(f"`{source.text}` is not an object", hint=hint)
    elif isinstance(source.place, Path) and not source.place.is_file():
        if source.place.is_dir():
            hint = f"mcpy cp --recursive {source.text} {target.text}"
            raise InputError(f"the file {source.text} is a folder", hint=hint)
        what = "is not a regular file" if source.place.exists() else "is not there"
        raise ConfigError(f"the file {source.text} {what}")


def _below(app: App, source: End, target: End, how: How) -> Iterator[Job]:
    for end in (source.place, target.place):
        if isinstance(end, Target) and not end.bucket:
            hint = f"mcpy cp --recursive {source.text} {target.text}"
            whole = hint.replace(f" {end}", f" {end}/BUCKET", 1)
            raise InputError(f"`{end}` names no bucket", hint=whole)
    if how.version_id:
        raise InputError("--version-id names a version of one object")
    for one in _found(app, source, target, how):
        if _wanted(one, how):
            yield _job_below(one, target)


def _job_below(one: Found, target: End) -> Job:
    try:
        return Job(one.end, target_below(target, one.relative), one.version_id)
    except ConfigError as e:  # the next has its place all the same
        return Job(one.end, target.place, one.version_id, refused=e)


def _found(app: App, source: End, target: End, how: How) -> Iterator[Found]:
    from mcpy.fleet.transfer.walk import walk_files, walk_objects

    place = source.place
    if isinstance(place, Target):
        client = app.s3(place.alias)
        return walk_objects(client, place, contents=source.folder, moment=how.rewind)
    if place is None or not place.is_dir():
        raise ConfigError(f"the folder {source.text} is not there")
    if not isinstance(target.place, Target):
        raise InputError(NO_ALIAS, hint="mcpy cp --recursive SOURCE ALIAS/BUCKET/PREFIX")

    def skipped(path: Path) -> None:
        what = "leads nowhere" if path.is_symlink() else "is not a regular file"
        app.out.warn(in_line(f"{path} {what}, and is left out"))

    return walk_files(place, contents=source.folder, skipped=skipped)


def _wanted(found: Found, how: How) -> bool:
    if found.relative.endswith("/") or not found.relative:
        return False  # the marker of an empty folder
    return _of_age(found.modified_s, how)


def _of_age(modified_s: float, how: How) -> bool:
    from mcpy.fleet.transfer.walk import is_of_age

    return is_of_age(modified_s, older_s=how.older_s, newer_s=how.newer_s)


def run(app: App, job: Job, how: How) -> ObjectInfo | None:
    """Copy one thing and return what became of it; None where it is not of the age that is asked.

    Raises:
        NotFoundError: the source is not there.
    """
    if job.refused:
        raise job.refused
    if job.named and how.by_age and not _of_age(_modified_s(app, job, how), how):
        return None
    return _copied(app, job, how)


def _modified_s(app: App, job: Job, how: How) -> float:
    from mcpy.fleet.transfer.walk import seconds

    source = job.source
    if isinstance(source, Target):
        info = _of_source(source, _place(app, source, how, job.version_id).head)
        return seconds(info.last_modified)
    assert source is not None  # noqa: S101 - stdin was refused
    try:
        return source.stat().st_mtime
    except OSError as e:
        raise ConfigError(f"cannot read {source}: {e.strerror}") from e


def _copied(app: App, job: Job, how: How) -> ObjectInfo:
    from mcpy.fleet import transfer

    if not isinstance(job.target, Target):
        return _fetch(app, job, how)
    # here and not where the job is made, so that the rest of a folder is copied
    Target.parse(str(job.target))
    wish = transfer.Wish(how.rules.wanted(job.target), how.headers, decrypt=how.decrypt)
    place = _place(app, job.target, how)
    if job.source is None:
        return transfer.upload_stream(app.read_bytes, place, wish, how.pace)
    if isinstance(job.source, Path):
        if how.preserve:
            from mcpy.fleet.transfer.attributes import of_file

            wish = replace(wish, headers={**of_file(job.source), **wish.headers})
        return transfer.upload(job.source, place, wish, how.pace)
    source = _place(app, job.source, how, job.version_id)
    return _of_source(job.source, lambda: transfer.copy(source, place, wish, how.pace))


def _place(app: App, target: Target, how: How, version_id: str = "") -> Place:
    from mcpy.fleet.transfer import Place

    return Place(app.s3(target.alias), target, version_id, how.rules.key(target))


def _fetch(app: App, job: Job, how: How) -> ObjectInfo:
    from mcpy.fleet import transfer
    from mcpy.fleet.transfer.attributes import restore
    from mcpy.fleet.transfer.download import is_stream

    if not isinstance(job.source, Target):
        raise InputError(NO_ALIAS, hint="mcpy cp SOURCE... ALIAS/BUCKET/OBJECT")
    source, goal = _place(app, job.source, how, job.version_id), job.target
    if not isinstance(goal, Path):
        return _of_source(job.source, lambda: transfer.pour(source, app.out.raw, pace=how.pace))
    try:
        goal.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise ConfigError(f"cannot make the folder {goal.parent}: {e.strerror}") from e
    if goal.is_dir():
        raise ConfigError(f"cannot write {goal}: it is a folder")
    info = _of_source(job.source, lambda: transfer.download(source, goal, how.pace))
    if how.preserve and not is_stream(goal):
        restore(goal, info.metadata)
    return info


def _of_source(source: Target, act: Callable[[], ObjectInfo]) -> ObjectInfo:
    """Say which object is missing: HEAD has no words for it."""
    try:
        return act()
    except S3Error as e:
        if e.api_code in {"", "NoSuchKey", "NoSuchVersion"} and e.status == 404:
            hint = f"mcpy ls {source.alias}/{source.bucket}"
            raise NotFoundError(f"`{source}` is not there", hint=hint) from e
        raise
