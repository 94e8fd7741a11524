"""What ``encrypt audit`` prints: a version, a bucket or prefix, the sum of all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpy.cli.output import printable, table
from mcpy.cli.sizes import are, human_size, plural
from mcpy.models import scheme_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcpy.fleet.audit import AuditedTarget, Group, Tally, Wish
    from mcpy.fleet.inventory import Item
    from mcpy.models import BucketEncryption, Target

COLUMNS = ("Scheme", "Key", "Objects", "Size", "Older versions", "Size", "Opened")


def default_scheme(default: BucketEncryption | None, problem: str) -> str:
    """Return a bucket's default by the name of its scheme; ``none``, or ``unknown``."""
    if problem:
        return "unknown"
    if default is None or not default.algorithm:
        return "none"
    scheme = scheme_of(default.algorithm)
    return default.algorithm if scheme == "unknown" else scheme


@dataclass(frozen=True)
class VersionLine:
    """One version that somebody wants to see by its name."""

    target: Target
    item: Item
    violates: bool

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self.target.alias}/{self.target.bucket}/{self.item.key}"

    def data(self) -> dict[str, Any]:
        """Return all that is known of it."""
        item = self.item
        found: dict[str, Any] = {
            "status": "success",
            "type": "version",
            "url": self.url,
            "key": item.key,
            "versionId": item.version_id,
            "isLatest": item.is_latest,
            "isDeleteMarker": item.is_delete_marker,
            "size": item.size,
            "lastModified": item.last_modified,
            "scheme": item.state,
            "keyId": item.key_id,
            "violation": self.violates,
        }
        found |= {"context": item.context} if item.context else {}
        found |= {"why": item.why} if item.why else {}
        return found | ({"olderVersionsUnknown": True} if item.rest_unknown else {})

    def text(self) -> str:
        """Return it as tab-separated columns."""
        item = self.item
        state = "delete marker" if item.is_delete_marker else item.state
        row = (state, item.key_id, str(item.size), item.version_id, self.url, item.why)
        return "\t".join(["version", *(printable(cell) for cell in row)])


@dataclass(frozen=True)
class TargetReport:
    """One bucket or prefix: its default, beside what is in it."""

    audited: AuditedTarget
    wish: Wish
    aligned: bool = False

    @property
    def scheme(self) -> str:
        """The default's scheme."""
        return default_scheme(self.audited.default, self.audited.default_problem)

    @property
    def key(self) -> str:
        """The default's key."""
        return self.audited.default.key if self.audited.default else ""

    @property
    def problem(self) -> str:
        """Why not every version was seen; ``""`` where all were."""
        gaps = self.audited.tally.gaps
        hidden = f"at {plural(gaps, 'place')} more versions could not even be listed"
        return self.audited.problem or (hidden if gaps else "")

    def data(self) -> dict[str, Any]:
        """Return default, counts, and the first versions worth naming."""
        audited = self.audited
        found: dict[str, Any] = {
            "status": "error" if audited.problem else "success",
            "type": "bucket",
            "url": str(audited.target),
            "default": {"scheme": self.scheme, "keyId": self.key},
            "versions": audited.versions,
            "complete": audited.complete,
            **_counts(audited.tally, self.wish),
            "named": [
                VersionLine(audited.target, item, _violates(self.wish, item)).data()
                for item in audited.tally.named
            ],
            "unnamed": audited.tally.unnamed,
        }
        found |= {"defaultProblem": audited.default_problem} if audited.default_problem else {}
        return found | ({"problem": audited.problem} if audited.problem else {})

    def text(self) -> str:
        """Return a paragraph for a person, or one row for each scheme and key."""
        return self._paragraph() if self.aligned else "\n".join(self._rows())

    def _rows(self) -> list[str]:
        head = ("bucket", str(self.audited.target), self.scheme, self.key)
        groups = self.audited.tally.sorted()
        rows = [(*head, *cells(group)) for group in groups]
        if self.problem:  # zeros would say that nothing is there
            rows.append(("incomplete", str(self.audited.target), " ".join(self.problem.split())))
        rows = rows or [(*head, "", "", "0", "0", "0", "0", "0", "0")]
        lines = ["\t".join(printable(cell) for cell in row) for row in rows]
        tally = self.audited.tally
        lines += [VersionLine(self.audited.target, item, False).text() for item in tally.named]
        return lines + ([f"more\t{tally.unnamed}"] if tally.unnamed else [])

    def _paragraph(self) -> str:
        audited, tally = self.audited, self.audited.tally
        lines = [str(audited.target), f"  {'Default':<10}{self._default_words()}"]
        if audited.problem:
            lines.append(f"  {'Not all':<10}{audited.problem}")
        lines += [f"  {line}" for line in _aligned(tally).splitlines()]
        lines += _remarks(tally, self.wish, aside=self.beside_default())
        lines += [f"  {_named(audited.target, item)}" for item in tally.named]
        if tally.unnamed:
            lines.append(f"  ... and {tally.unnamed:,} more: --list violations names them all")
        return "\n".join(printable(line) for line in lines) + "\n"

    def _default_words(self) -> str:
        if self.audited.default_problem:
            return f"unknown: {self.audited.default_problem}"
        return self.scheme + (f" with key `{self.key}`" if self.key else "")

    def beside_default(self) -> int:
        """Return how many objects are not as the default would make them now; 0 without one."""
        if self.scheme in {"none", "unknown"}:
            return 0
        groups = self.audited.tally.groups.values()
        return sum(
            group.latest.number
            for group in groups
            if group.state != self.scheme or (self.key and group.key_id != self.key)
        )


@dataclass(frozen=True)
class AuditSummary:
    """The sum over all targets."""

    targets: Sequence[AuditedTarget]
    wish: Wish
    tally: Tally
    aligned: bool = False
    unlisted: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        targets: Sequence[AuditedTarget],
        wish: Wish,
        *,
        aligned: bool = False,
        unlisted: Mapping[str, str] | None = None,
    ) -> AuditSummary:
        """Add up what was found; ``unlisted`` says for an alias why buckets may be missing."""
        from mcpy.fleet.audit import Tally

        tally = Tally()
        for one in targets:
            tally.include(one.tally)
        return cls(targets, wish, tally, aligned, unlisted or {})

    @property
    def complete(self) -> bool:
        """Whether every version of every target was seen, and every bucket of an alias."""
        return not self.unlisted and all(one.complete for one in self.targets)

    @property
    def problems(self) -> list[str]:
        """Why buckets may be missing."""
        return [f"{alias}: {why}" for alias, why in self.unlisted.items()]

    def data(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "status": "success" if self.complete else "error",
            "type": "summary",
            "targets": len(self.targets),
            "targetsFailed": sum(bool(one.problem) for one in self.targets),
            "complete": self.complete,
            **({"problems": self.problems} if self.unlisted else {}),
            **_counts(self.tally, self.wish),
        }

    def text(self) -> str:
        """Return a table for a person, or rows."""
        if not self.aligned:
            head = ("sum", str(len(self.targets)), "", "")
            rows = [(*head, *cells(group)) for group in self.tally.sorted()]
            rows += [("incomplete", alias, why) for alias, why in self.unlisted.items()]
            return "\n".join("\t".join(printable(cell) for cell in row) for row in rows)
        lines = [f"All {plural(len(self.targets), 'target')}"]
        lines += [f"  {'Not all':<10}{printable(problem)}" for problem in self.problems]
        lines += [f"  {line}" for line in _aligned(self.tally).splitlines()]
        lines += _remarks(self.tally, self.wish, aside=0)
        return "\n".join(lines)


def _counts(tally: Tally, wish: Wish) -> dict[str, Any]:
    found: dict[str, Any] = {
        "objects": sum(group.latest.number for group in tally.groups.values()),
        "olderVersions": sum(group.older.number for group in tally.groups.values()),
        "deleteMarkers": tally.delete_markers,
        "size": tally.total().size,
        "gaps": tally.gaps,
        "encryption": [_group(group) for group in tally.sorted()],
    }
    if wish.requirement:
        found |= {"required": str(wish.requirement), "violations": tally.violations}
    return found


def _group(group: Group) -> dict[str, Any]:
    return {
        "scheme": group.state,
        "keyId": group.key_id,
        "objects": group.latest.number,
        "objectsSize": group.latest.size,
        "olderVersions": group.older.number,
        "olderVersionsSize": group.older.size,
        "opened": group.checked - group.failed,
        "notOpened": group.failed,
    }


def cells(group: Group) -> tuple[str, ...]:
    """Return scheme, key and the six numbers of a group, unformatted."""
    numbers = (group.latest.number, group.latest.size, group.older.number, group.older.size)
    opened = (group.checked - group.failed, group.failed)
    return (group.state, group.key_id, *(str(number) for number in (*numbers, *opened)))


def _aligned(tally: Tally) -> str:
    rows = [
        [
            group.state,
            group.key_id or "-",
            f"{group.latest.number:,}".rjust(7),
            human_size(group.latest.size).rjust(9),
            f"{group.older.number:,}".rjust(14),
            human_size(group.older.size).rjust(9),
            f"{group.checked - group.failed:,} of {group.checked:,}" if group.checked else "-",
        ]
        for group in tally.sorted()
    ]
    headers = [name.rjust({2: 7, 3: 9, 5: 9}.get(i, 0)) for i, name in enumerate(COLUMNS)]
    return table(headers, rows, aligned=True) if rows else "empty"


def _remarks(tally: Tally, wish: Wish, *, aside: int) -> list[str]:
    lines = []
    if tally.delete_markers:
        lines.append(f"  {plural(tally.delete_markers, 'delete marker')}, without content")
    if aside:
        lines.append(f"  {are(aside, 'object')} not as the default would store now")
    if tally.gaps:
        lines.append(f"  at {plural(tally.gaps, 'place')} more versions could not even be listed")
    if wish.open:
        lines.append(f"  {are(tally.unreadable, 'version')} unreadable")
    if wish.requirement:
        lines.append(f"  {are(tally.violations, 'version')} not {wish.requirement.words}")
    return lines


def _named(target: Target, item: Item) -> str:
    version = f" ({item.version_id})" if item.version_id not in {"", "null"} else ""
    name = f"{target.alias}/{target.bucket}/{item.key}{version}"
    return f"{item.state:<11}{name}" + (f": {item.why}" if item.why else "")


def _violates(wish: Wish, item: Item) -> bool:
    return wish.requirement is not None and not wish.requirement.is_met(item)
