"""Counts of versions by scheme and key, of bounded size, and the few versions worth naming."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mcpy.fleet.inventory import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.fleet.audit.requirement import Requirement

MOST_NAMED = 20
ORDER = ("plain", "sse-s3", "sse-kms", "sse-c", "unknown", "unreadable")


@dataclass
class Count:
    """Versions and their bytes."""

    number: int = 0
    size: int = 0

    def add(self, other: Count) -> None:
        """Add another count."""
        self.number += other.number
        self.size += other.size


@dataclass
class Group:
    """The versions of one scheme and key.

    Attributes:
        latest: versions that are the latest of their key.
        older: versions that lie behind others.
        checked: how many were opened to see whether they can be decrypted.
        failed: how many of those could not: then they are counted as ``unreadable``.
        sample: key, version id, size and whether it is the latest, of some to be opened.
    """

    state: str
    key_id: str = ""
    latest: Count = field(default_factory=Count)
    older: Count = field(default_factory=Count)
    checked: int = 0
    failed: int = 0
    sample: list[tuple[str, str, int, bool]] = field(default_factory=list)

    @property
    def total(self) -> Count:
        """All versions."""
        return Count(self.latest.number + self.older.number, self.latest.size + self.older.size)

    def place(self, item: Item) -> Count:
        """Return where a version is counted."""
        return self.latest if item.is_latest else self.older


@dataclass
class Tally:
    """What was counted of one target.

    Attributes:
        groups: by state and key.
        violations: versions that are not as required.
        named: the first violations, and the first versions nobody could see or read.
        unnamed: how many more there were.
        gaps: places where more versions could not even be listed.
    """

    groups: dict[tuple[str, str], Group] = field(default_factory=dict)
    delete_markers: int = 0
    violations: int = 0
    named: list[Item] = field(default_factory=list)
    unnamed: int = 0
    gaps: int = 0

    def add(
        self,
        item: Item,
        requirement: Requirement | None,
        *,
        sample: int = 0,
        opened: bool = False,
    ) -> bool:
        """Count one version, perhaps one that was ``opened``; return whether it is a violation."""
        if item.is_delete_marker:
            self.delete_markers += 1
            return False
        group = self._group(item)
        group.place(item).add(Count(1, item.size))
        if opened:
            group.checked += 1
            group.failed += item.state == "unreadable"
        self.gaps += item.rest_unknown
        if sample and item.state in {"sse-s3", "sse-kms"}:
            _keep(group, item, sample)
        violates = requirement is not None and not requirement.is_met(item)
        if violates or item.state in {"unknown", "unreadable"}:
            self._name(item, violates=violates)
        return violates

    def checked(self, item: Item, problem: str, requirement: Requirement | None) -> Item | None:
        """Count one of the sample that was opened; return it as unreadable when it could not be.

        Such a one is taken from where it was counted, to what is unreadable.
        """
        group = self._group(item)
        if not problem:
            group.checked += 1
            return None
        group.place(item).add(Count(-1, -item.size))
        if not group.total.number:
            del self.groups[group.state, group.key_id]
        broken = item._replace(state="unreadable", why=problem)
        group = self._group(broken)
        group.place(broken).add(Count(1, broken.size))
        group.checked += 1
        group.failed += 1
        if requirement is None or requirement.is_met(item):
            self._name(broken, violates=requirement is not None)
        else:
            self._rename(broken)
        return broken

    def sampled(self) -> Iterator[Item]:
        """Yield what was kept of each scheme and key, to be opened."""
        for group in self.groups.values():
            for key, version_id, size, latest in group.sample:
                yield Item(
                    key,
                    version_id,
                    latest,
                    size=size,
                    state=group.state,  # type: ignore[arg-type]  # from JSON
                    key_id=group.key_id,
                )

    def sorted(self) -> list[Group]:
        """Return the groups from plain to unreadable, keys by name."""
        return sorted(self.groups.values(), key=lambda g: (ORDER.index(g.state), g.key_id))

    @property
    def unreadable(self) -> int:
        """How many versions the KMS could not open, in listing them or when they were opened."""
        return self.number_of("unreadable")

    @property
    def hidden(self) -> int:
        """How many versions do not show how they are encrypted, or cannot be read."""
        return self.number_of("unreadable", "unknown")

    def number_of(self, *states: str) -> int:
        """Return how many versions are in one of these states."""
        return sum(g.total.number for g in self.groups.values() if g.state in states)

    def total(self) -> Count:
        """Return all versions and bytes."""
        total = Count()
        for group in self.groups.values():
            total.add(group.total)
        return total

    def include(self, other: Tally) -> None:
        """Add the counts of another target; what it names stays its own."""
        for key, group in other.groups.items():
            mine = self.groups.setdefault(key, Group(*key))
            mine.latest.add(group.latest)
            mine.older.add(group.older)
            mine.checked += group.checked
            mine.failed += group.failed
        self.delete_markers += other.delete_markers
        self.violations += other.violations
        self.unnamed += other.unnamed + len(other.named)
        self.gaps += other.gaps

    def data(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        found = {name: getattr(self, name) for name in _NUMBERS}
        groups = [asdict(group) for group in self.groups.values()]
        return found | {"groups": groups, "named": [item._asdict() for item in self.named]}

    @classmethod
    def of(cls, data: dict[str, Any]) -> Tally:
        """Return the tally that ``data`` was made of; raises KeyError or TypeError."""
        made = cls(named=[Item(**item) for item in data["named"]])
        for name in _NUMBERS:
            setattr(made, name, int(data[name]))
        for one in data["groups"]:
            group = Group(**one)
            group.latest, group.older = Count(**one["latest"]), Count(**one["older"])
            group.sample = [
                (str(key), str(version), int(size), bool(latest))
                for key, version, size, latest in one["sample"]
            ]
            made.groups[group.state, group.key_id] = group
        return made

    def _group(self, item: Item) -> Group:
        key = (item.state, item.key_id)
        if key not in self.groups:
            self.groups[key] = Group(*key)
        return self.groups[key]

    def _name(self, item: Item, *, violates: bool) -> None:
        self.violations += violates
        if len(self.named) < MOST_NAMED:
            self.named.append(item)
        else:
            self.unnamed += 1

    def _rename(self, item: Item) -> None:
        """Say of a version that was named before what is known now."""
        for place, one in enumerate(self.named):
            if (one.key, one.version_id) == (item.key, item.version_id):
                self.named[place] = item


_NUMBERS = ("delete_markers", "violations", "unnamed", "gaps")


def _keep(group: Group, item: Item, most: int) -> None:
    """Keep a sample in which every version is as likely (reservoir sampling)."""
    one = (item.key, item.version_id, item.size, item.is_latest)
    if len(group.sample) < most:
        group.sample.append(one)
        return
    place = random.randrange(group.total.number)  # noqa: S311 - a sample, not a secret
    if place < most:
        group.sample[place] = one
