"""What became of objects that were to be rewritten, as a line each and as a sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcpy.cli.output import printable
from mcpy.cli.sizes import human_size, plural

if TYPE_CHECKING:
    from mcpy.fleet.rewrite.goal import Class, Goal, Outcome, Tally
    from mcpy.models import Target


@dataclass(frozen=True)
class Line:
    """What became of one version, for ``--list`` and for those that are not as wanted."""

    target: Target
    outcome: Outcome
    dry_run: bool

    def data(self) -> dict[str, Any]:
        """Return it as JSON."""
        from mcpy.fleet.rewrite.goal import SETTLED

        one = self.outcome
        found = {
            "status": "success" if one.kind in SETTLED else "error",
            "class": one.kind,
            "url": f"{self.target.alias}/{self.target.bucket}/{one.key}",
            "versionID": one.version_id,
            "size": one.size,
            "dryRun": self.dry_run,
        }
        found |= {"before": one.before} if one.before else {}
        return found | ({"reason": one.reason} if one.reason else {})

    def text(self) -> str:
        """Return one line."""
        from mcpy.fleet.rewrite.goal import Class

        one = self.outcome
        version = f" ({one.version_id})" if one.version_id not in {"", "null"} else ""
        word = "would be rewritten" if self.dry_run and one.kind is Class.REWRITTEN else one.kind
        reason = f": {one.reason}" if one.reason else ""
        if one.kind is Class.CUSTOMER:
            word, reason = "is SSE-C", ": only who has its owner's key can change it"
        name = f"`{self.target.alias}/{self.target.bucket}/{one.key}`{version}"
        return printable(f"{name} {word}{reason}")


def _class_line(kind: Class, tally: Tally, goal: Goal, *, dry_run: bool) -> str:
    from mcpy.fleet.rewrite.goal import Class, meaning

    would = dry_run and kind is Class.REWRITTEN
    words = "would be rewritten" if would else meaning(kind, goal, tally.count[kind])
    size = f", {human_size(tally.size[kind])}" if tally.size[kind] else ""
    return f"  {tally.count[kind]:>8} {words}{size}"


def not_as_wanted(tally: Tally, goal: Goal) -> list[str]:
    """Return a line for each class that is not as wanted."""
    from mcpy.fleet.rewrite.goal import SETTLED, Class

    kinds = [kind for kind in Class if kind not in SETTLED and tally.count[kind]]
    return [_class_line(kind, tally, goal, dry_run=True) for kind in kinds]


def totals(tally: Tally) -> dict[str, Any]:
    """Return a tally as JSON; the classes add up to ``scanned``."""
    from mcpy.fleet.rewrite.goal import Class

    return {
        "scanned": tally.scanned,
        "classes": {kind.value: tally.count[kind] for kind in Class},
        "bytes": {kind.value: tally.size[kind] for kind in Class},
        "rewrittenFrom": dict(tally.before),
        "etagsChanged": tally.etags,
        "newVersions": tally.new_versions,
    }


def lines(target: Target, tally: Tally, goal: Goal, *, dry_run: bool) -> list[str]:
    """Return a tally for people, a line for each class that has something in it."""
    from mcpy.fleet.rewrite.goal import Class

    looked_at = plural(tally.scanned, "version or delete marker", "versions and delete markers")
    found = [f"`{target}`: {looked_at} {'was' if tally.scanned == 1 else 'were'} looked at."]
    for kind in Class:
        if not tally.count[kind]:
            continue
        found.append(_class_line(kind, tally, goal, dry_run=dry_run))
        if kind is Class.REWRITTEN:
            found += [f"           {n} from {scheme}" for scheme, n in tally.before.items()]
    word = "would change" if dry_run else "changed"
    if tally.etags:
        found.append(f"The ETag of {tally.etags} {word}: tools that compare it copy these again.")
    if tally.new_versions:
        found.append(
            f"{tally.new_versions} {'would have' if dry_run else 'have'} a new version; "
            "what was there before stays below it as it was."
        )
    if tally.count[Class.REWRITTEN] and not dry_run:
        found.append("The bytes of before may stay on the server's disks until it clears them.")
    return found
