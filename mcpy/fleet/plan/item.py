"""One thing that a file speaks of: what it is, what it should be, and what would change it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from mcpy.fleet.plan import uploads
from mcpy.models import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcpy.errors import McpyError
    from mcpy.fleet.audit.requirement import Requirement
    from mcpy.fleet.plan.document import Uploads
    from mcpy.models import BucketEncryption

What = Literal["key", "bucket", "default", "uploads", "objects"]
State = Literal["same", "change", "finding", "failed", "done", "unchecked"]


@dataclass(frozen=True)
class CreateKey:
    """Make a key that is missing."""

    alias: str
    name: str


@dataclass(frozen=True)
class SetDefault:
    """Set or clear (``NONE``) a bucket's default; ``seen`` is what it was when compared."""

    alias: str
    bucket: str
    wanted: BucketEncryption
    seen: BucketEncryption | None


@dataclass(frozen=True)
class SetUploads:
    """Put our statements into a bucket's policy; ``seen`` is the policy when compared."""

    alias: str
    bucket: str
    wanted: BucketEncryption
    mode: Uploads
    seen: str


@dataclass(frozen=True)
class CheckObjects:
    """Look whether every object of a bucket is as it has to be; ``default`` is the wanted one."""

    alias: str
    bucket: str
    requirement: Requirement
    default: BucketEncryption | None = None


Act = CreateKey | SetDefault | SetUploads | CheckObjects


@dataclass(frozen=True)
class Item:
    """One thing the file speaks of.

    Attributes:
        target: ``ALIAS/BUCKET`` or ``ALIAS/KEY``.
        state: ``same``; ``change``, what ``apply`` would do; ``finding``, what it cannot do;
            ``failed``; ``done`` by ``apply``; ``unchecked``.
        have: what was found, in words.
        want: what the file says, in words.
        note: why, or what to type.
        act: what ``apply`` would do, or a look at the objects that is still to come.
        error: why it failed.
    """

    target: str
    what: What
    state: State
    have: str = ""
    want: str = ""
    note: str = ""
    act: Act | None = None
    error: McpyError | None = field(default=None, compare=False)

    def failed(self, error: McpyError) -> Item:
        """Return the item with why it failed."""
        return replace(self, state="failed", note=error.message, error=error)


def words(encryption: BucketEncryption | None) -> str:
    """Return an encryption as the file spells it: ``sse-kms:finance``, ``none``."""
    if encryption is None:
        return "none"
    if not encryption.algorithm:
        return "a rule that names no algorithm"
    names: dict[str, str] = {algorithm: scheme for scheme, algorithm in ALGORITHMS.items()}
    scheme = names.get(encryption.algorithm, encryption.algorithm)
    return f"{scheme}:{encryption.key}" if encryption.key_id else scheme


def fingerprint(items: Iterable[Item]) -> str:
    """Return 16 hex digits that change with what the file wants and what was found.

    Objects do not count: they come and go all the time.
    """
    lines = sorted(
        "\t".join((item.target, item.what, item.have, item.want, _policy(item)))
        for item in items
        if item.what != "objects"
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _policy(item: Item) -> str:
    return uploads.normal(item.act.seen) if isinstance(item.act, SetUploads) else ""
