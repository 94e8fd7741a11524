"""What objects are to become, and what became of each: every one is in exactly one class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from mcpy.models import ObjectEncryption, bare_key_id

if TYPE_CHECKING:
    from collections.abc import Mapping


class Class(StrEnum):
    """What became of one version; the values are the names in JSON."""

    REWRITTEN = "rewritten"
    ALREADY = "already"
    MARKER = "deleteMarkers"
    OLDER = "olderVersions"
    OTHER = "leftAsTheyAre"
    GONE = "gone"
    CUSTOMER = "customerKey"
    LOCKED = "locked"
    UNKNOWN = "unknown"
    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    CHANGED = "changed"
    FAILED = "failed"


MEANINGS: dict[Class, str] = {
    Class.REWRITTEN: "rewritten and verified",
    Class.ALREADY: "as wanted already",
    Class.MARKER: "delete markers: nothing to encrypt",
    Class.OLDER: "older versions, not asked for (--versions)",
    Class.OTHER: "not asked for: left as they are",
    Class.GONE: "removed by others meanwhile",
    Class.CUSTOMER: "encrypted with their owner's key (SSE-C): cannot be changed",
    Class.LOCKED: "under retention or legal hold: not touched",
    Class.UNKNOWN: "their encryption cannot be seen: not touched",
    Class.UNREADABLE: "cannot be read: not touched",
    Class.UNSUPPORTED: "this server cannot rewrite them safely: not touched",
    Class.CHANGED: "changed by others again and again: not touched",
    Class.FAILED: "failed: the object is as it was",
}
_OF_ONE = {
    Class.MARKER: "delete marker: nothing to encrypt",
    Class.OLDER: "older version, not asked for (--versions)",
    Class.CUSTOMER: "encrypted with its owner's key (SSE-C): cannot be changed",
}
_OTHER = {
    True: "not asked for (not SSE-KMS, or under another key): left as they are",
    False: "SSE-KMS, not asked for (--include-kms): left as they are",
}
# what may be left at the end of a run that did all it was asked for
SETTLED = {
    *(Class.REWRITTEN, Class.ALREADY, Class.MARKER, Class.OLDER, Class.OTHER, Class.GONE),
}


@dataclass(frozen=True)
class Goal:
    """The encryption that is wanted.

    Attributes:
        encryption: ``AES256``, or ``aws:kms`` with its key.
        versions: whether versions that are not the latest are meant too.
        only_kms: whether objects that are not SSE-KMS are left as they are (a rotation).
        old_key: of those, the key to get away from; ``""`` for every other one.
        include_kms: whether SSE-KMS objects become SSE-S3 when that is wanted.
    """

    encryption: ObjectEncryption
    versions: bool = False
    only_kms: bool = False
    old_key: str = ""
    include_kms: bool = False

    def met_by(self, found: ObjectEncryption) -> bool:
        """Whether an object that says so of itself is as wanted."""
        if found.customer or found.algorithm != self.encryption.algorithm:
            return False
        return self.encryption.algorithm != "aws:kms" or same_key(found, self.encryption)

    def covers(self, found: ObjectEncryption) -> bool:
        """Whether an object that is not as wanted, and not SSE-C, is meant at all."""
        if found.scheme != "SSE-KMS":
            return not self.only_kms
        if self.only_kms:
            return not self.old_key or same_key(found, ObjectEncryption("aws:kms", self.old_key))
        return self.encryption.algorithm == "aws:kms" or self.include_kms

    def for_source(self, found: ObjectEncryption) -> ObjectEncryption:
        """Return what to ask for an object: its KMS context goes with it, or it never opens."""
        if self.encryption.algorithm != "aws:kms":
            return self.encryption
        return ObjectEncryption("aws:kms", self.encryption.key_id, context=found.context)

    def words(self) -> dict[str, str]:
        """Return what tells one wish from another, for a journal's header."""
        return {
            "to": self.encryption.algorithm,
            "key": self.encryption.key_id,
            "versions": str(self.versions),
            "from": self.old_key if self.only_kms else "",
            "only": "aws:kms" if self.only_kms else "",
            "kms": str(self.include_kms),
        }


def meaning(kind: Class, goal: Goal, number: int) -> str:
    """Return what a class of ``number`` versions means for people who wanted ``goal``."""
    if number == 1 and kind in _OF_ONE:
        return _OF_ONE[kind]
    return _OTHER[goal.only_kms] if kind is Class.OTHER else MEANINGS[kind]


def same_key(found: ObjectEncryption, wanted: ObjectEncryption) -> bool:
    """Whether both name one key: AWS answers its whole ARN, MinIO puts a prefix before it."""
    shown, asked = bare_key_id(found.key_id), bare_key_id(wanted.key_id)
    return shown == asked or ("/" not in asked and shown.rpartition("/")[2] == asked)


@dataclass(frozen=True)
class Outcome:
    """What became of one version.

    Attributes:
        reason: why it is not as wanted, for people.
        before: its scheme before, for those that were rewritten.
        etag_changed: whether clients that know the old ETag will see another.
        new_version: whether it has a new version, and the old one stays as it was.
    """

    key: str
    version_id: str
    kind: Class
    size: int = 0
    reason: str = ""
    before: str = ""
    etag_changed: bool = False
    new_version: bool = False


@dataclass
class Tally:
    """Counts and bytes by class: all that is kept of a million outcomes."""

    count: Counter[str] = field(default_factory=Counter)
    size: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    etags: int = 0
    new_versions: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one."""
        self.count[outcome.kind] += 1
        self.size[outcome.kind] += outcome.size
        if outcome.kind is Class.REWRITTEN:
            self.before[outcome.before or "plaintext"] += 1
        self.etags += outcome.etag_changed
        self.new_versions += outcome.new_version

    @property
    def scanned(self) -> int:
        """How many versions and delete markers were looked at."""
        return sum(self.count.values())

    @property
    def unsettled(self) -> int:
        """How many are not as wanted although they were meant."""
        return sum(n for kind, n in self.count.items() if Class(kind) not in SETTLED)

    def state(self) -> dict[str, object]:
        """Return it as a journal keeps it."""
        return {
            "count": dict(self.count),
            "size": dict(self.size),
            "before": dict(self.before),
            "etags": self.etags,
            "newVersions": self.new_versions,
        }

    @classmethod
    def load(cls, state: Mapping[str, object]) -> Tally:
        """Read what ``state`` gave."""
        found = cls()
        for name in ("count", "size", "before"):
            part = state.get(name)
            getattr(found, name).update(part if isinstance(part, dict) else {})
        found.etags = int(str(state.get("etags", 0)))
        found.new_versions = int(str(state.get("newVersions", 0)))
        return found
