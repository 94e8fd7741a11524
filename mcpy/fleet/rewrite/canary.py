"""A canary: what a server does to an object that is copied onto itself is tried on scratch ones.

Some servers answer 200 and store plaintext, keep the old key, lose metadata, or make a deleted key
come back. None is known by its name here: each has to show, for the same state of versioning and
lock as the target has, that it can be trusted. Scratch objects are always cleaned up, and what
could not be is told.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mcpy.errors import ExitCode, InputError, McpyError, S3Error, UnsupportedError, exit_code
from mcpy.fleet.rewrite import probes, times
from mcpy.fleet.rewrite.job import Abilities
from mcpy.fleet.rewrite.plan import Bucket, disorder
from mcpy.fleet.rewrite.probes import NotSafeError, Scratch
from mcpy.fleet.transfer.remove import Name, remove_all
from mcpy.models import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.api.s3xml import ObjectLock
    from mcpy.fleet.rewrite.goal import Goal

SCRATCH_PREFIX = ".mcpy-canary/"
SCRATCH_BUCKET = "mcpy-canary-"


@dataclass(frozen=True)
class Verdict:
    """What a canary found.

    Attributes:
        abilities: what the server can do; None when objects must not be rewritten there.
        passed: what was tried and went well, in words.
        problem: why not.
        guarded: whether what others write meanwhile is safe.
        leftovers: scratch objects that could not be removed.
    """

    abilities: Abilities | None = None
    passed: tuple[str, ...] = ()
    problem: str = ""
    guarded: bool = True
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ground:
    """Where and how a canary is let go.

    Attributes:
        bucket: the target's, whose versioning and lock are mirrored.
        lock: its lock.
        inside: whether a prefix of the target may be used instead of a bucket of its own.
        old_key: the key objects are to be taken from, in a rotation.
        sizes: of scratch objects, in bytes.
        parts: sizes of the parts of one.
        note: told the scratch bucket before it is made.
        gone: told it when it is not there any more.
    """

    bucket: Bucket
    lock: ObjectLock
    inside: bool = False
    old_key: str = ""
    sizes: tuple[int, ...] = probes.SIZES
    parts: tuple[int, ...] = probes.PARTS
    note: Callable[[str], None] = field(default=lambda _: None)
    gone: Callable[[str], None] = field(default=lambda _: None)


class NoScratchError(McpyError):
    """These credentials may make no bucket in which to try out what the server does."""

    code = ExitCode.DENIED


def try_out(goal: Goal, ground: Ground) -> Verdict:
    """Let a canary go and return its verdict.

    Raises:
        NoScratchError: no bucket can be made for it, and it may not use the target's.
        McpyError: the server failed in a way that says nothing of what it can do.
    """
    scratch = _inside(ground) if ground.inside else own_bucket(ground)
    scratch.encryption = goal.encryption
    passed: list[str] = []
    try:
        verdict = _tried(scratch, goal, ground, passed)
    except NotSafeError as e:
        verdict = Verdict(problem=e.message)
    finally:
        leftovers = clean_up(scratch, ground)
    return replace(verdict, passed=tuple(passed), leftovers=leftovers)


def _tried(scratch: Scratch, goal: Goal, ground: Ground, passed: list[str]) -> Verdict:
    probes.direct(scratch, goal)
    passed.append("stores objects so encrypted")
    tells_etag, tells_tags = probes.self_copies(scratch, goal)
    passed.append("copies objects onto themselves, and loses nothing of them")
    guarded = probes.guards(scratch, goal)
    tells_context = goal.encryption.algorithm == "aws:kms" and probes.context_kept(scratch, goal)
    if goal.encryption.algorithm != "aws:kms":
        tells_context = True  # none is needed for what becomes SSE-S3
    elif tells_context:
        passed.append("shows and takes KMS contexts")
    if ground.old_key:
        probes.rekeyed(scratch, goal, ground.old_key)
        passed.append("takes an object from one key to another")
    abilities = Abilities(
        in_place=_in_place(scratch, goal),
        # of a new version the time says where it belongs, and none is overwritten
        keeps_time=scratch.bucket.versioning != "Enabled" and probes.keeps_time(scratch, goal),
        tells_etag=tells_etag,
        tells_tags=tells_tags,
        tells_context=tells_context,
        copy_guarded=probes.copy_guarded(scratch),
        put_guarded=_is_put_guarded(scratch),
    )
    if abilities.in_place:
        passed.append("overwrites versions in place, in their order")
    guarded = guarded and _is_guarded(abilities, scratch.bucket.versioning)
    if guarded:
        passed.append("keeps what others write meanwhile")
    return Verdict(abilities, guarded=guarded)


def _is_put_guarded(scratch: Scratch) -> bool:
    try:
        return not scratch.bucket.versioning and probes.put_guarded(scratch)
    except S3Error:
        return False


def _is_guarded(abilities: Abilities, versioning: str) -> bool:
    """Whether nothing that others write during a run can be lost, or be buried.

    A version that is overwritten under its own id is nobody else's to write. What is overwritten
    without one may be anybody's.
    """
    if versioning == "Enabled" and abilities.in_place:
        return True
    return abilities.copy_guarded or (not versioning and abilities.put_guarded)


def _in_place(scratch: Scratch, goal: Goal) -> bool:
    """Whether versions keep their ids, order and times, and a deleted key stays deleted."""
    versioning = scratch.bucket.versioning
    if not versioning:
        return False
    key = scratch.place("versions").target.key
    s3, name = scratch.bucket.s3, scratch.bucket.target.bucket
    for _ in range(2 if versioning == "Enabled" else 1):
        scratch.put("versions", 10, {})
    if versioning == "Enabled":
        s3.delete_object(name, key)
    before = [entry for entry in s3.list_versions(name, key) if entry.key == key]
    slots = [
        times.Slot(number, entry.last_modified, not entry.is_delete_marker)
        for number, entry in enumerate(before)
    ]
    for step in times.steps(slots):
        entry = before[step.number]
        place = scratch.place("versions", entry.version_id)
        copied = probes.overwritten(place, goal, step.time)
        if copied is None or copied.version_id not in {"", entry.version_id}:
            return False
        if not goal.met_by(place.head().encryption):
            return False
    after = [entry for entry in s3.list_versions(name, key) if entry.key == key]
    return len(after) == len(before) and not disorder(before, after)


def own_bucket(ground: Ground) -> Scratch:
    """Make a bucket like the target's.

    Raises:
        NoScratchError: these credentials may make none.
    """
    name = SCRATCH_BUCKET + secrets.token_hex(8)
    s3 = ground.bucket.s3
    target = Target(ground.bucket.target.alias, name)
    ground.note(name)
    try:
        s3.make_bucket(name, region=s3.region, with_lock=bool(ground.lock.enabled))
    except S3Error as e:
        if exit_code(e) is not ExitCode.DENIED:
            raise
        ground.gone(name)
        message = f"no bucket can be made to try out what the server does: {e.message}"
        hint = f"--canary-inside, to use {ground.bucket.target}/{SCRATCH_PREFIX} for it"
        raise NoScratchError(message, hint=hint) from e
    bucket = Bucket(s3, target, ground.bucket.versioning)
    try:
        if bucket.versioning and not (ground.lock.enabled and bucket.versioning == "Enabled"):
            s3.set_versioning(name, status=bucket.versioning)
    except McpyError:
        with suppress(McpyError):
            s3.remove_bucket(name)
        raise
    return Scratch(bucket, "", ground.sizes, ground.parts)


def check_inside(bucket: Bucket, lock: ObjectLock) -> None:
    """See that scratch objects in the target's own bucket could be removed again.

    Raises:
        InputError: the bucket would lock them.
    """
    if lock.mode:
        raise InputError(
            f"`{bucket.target}` locks what is written, so a canary could not be cleaned up",
            hint="use credentials that may make a bucket",
        )


def _inside(ground: Ground) -> Scratch:
    check_inside(ground.bucket, ground.lock)
    prefix = f"{SCRATCH_PREFIX}{secrets.token_hex(8)}/"
    return Scratch(ground.bucket, prefix, ground.sizes, ground.parts)


def clean_up(scratch: Scratch, ground: Ground) -> tuple[str, ...]:
    """Remove what was written, version by version; return what is still there."""
    left = clean_bucket(scratch.bucket, scratch.prefix, scratch.names)
    if not scratch.prefix and not left:
        ground.gone(scratch.bucket.target.bucket)
    return left


def clean_bucket(bucket: Bucket, prefix: str, names: set[str]) -> tuple[str, ...]:
    """Remove scratch objects, all versions of them, and their bucket if it is the canary's own."""
    s3, name = bucket.s3, bucket.target.bucket
    if not prefix and not name.startswith(SCRATCH_BUCKET):
        raise InputError(f"`{name}` is no canary's bucket: it is not emptied")
    try:
        listed = [Name(entry.key, entry.version_id) for entry in s3.list_versions(name, prefix)]
    except McpyError:
        listed = [Name(key) for key in sorted(names)]
    left = []
    try:
        for one, outcome in remove_all(s3, name, listed):
            if isinstance(outcome, S3Error) and outcome.status != 404:
                left.append(f"{bucket.target.alias}/{name}/{one.key}")
        if not prefix:
            s3.remove_bucket(name)
    except McpyError as e:
        left.append(f"{bucket.target.alias}/{name}/{prefix} ({e.message})")
    return tuple(left)


def refusal(verdict: Verdict, target: Target) -> UnsupportedError:
    """Return the error for a server that must not be used."""
    return UnsupportedError(
        f"objects cannot be rewritten safely on `{target.alias}`: {verdict.problem}; nothing of "
        f"`{target}` was touched",
        hint=f"mcpy encrypt audit {target} shows what is encrypted and what is not",
    )
