"""Are the objects of a bucket what the file requires? Looked at, and never rewritten."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import ApiError
from mcpy.fleet.inventory import NoVersionsError, scan
from mcpy.fleet.rewrite.goal import Class, Goal
from mcpy.fleet.rewrite.session import Session, Wish
from mcpy.fleet.rewrite.target import look_at
from mcpy.models import KeyName, ObjectEncryption, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.fleet.inventory import Item as Stored
    from mcpy.fleet.parallel import Stop
    from mcpy.fleet.plan.item import CheckObjects, Item
    from mcpy.fleet.plan.keys import Site
    from mcpy.fleet.rewrite.goal import Tally


@dataclass
class Looking:
    """One run's look at objects.

    Attributes:
        jobs: HEAD requests at a time, on servers whose listings do not tell enough.
        stop, cut: end it from outside.
        say: told how many were seen.
    """

    jobs: int
    stop: Stop
    cut: Callable[[], None] = lambda: None
    say: Callable[[str], None] = lambda _: None

    def at(self, site: Site, item: Item, act: CheckObjects) -> Item:
        """Return the item with what the objects of its bucket are."""
        try:
            seen = self._count(site, act, versions=True)
        except NoVersionsError:
            seen = self._count(site, act, versions=False)
        want, noun = str(act.requirement), "object or version" if seen.versions else "object"
        if not seen.wrong:
            want = "encrypted" if want == "any" else want
            have = f"all {seen.total} are {want}" if seen.total else f"no {noun}"
            return replace(item, state="same", have=have, note="", act=None)
        have = f"{seen.wrong} of {seen.total} {'is' if seen.wrong == 1 else 'are'} not"
        have += " encrypted" if want == "any" else ""
        note = f"{seen.words(item.target)}: {self._cure(site, item.target, act, seen)}"
        return replace(item, state="finding", have=have, note=note)

    def _cure(self, site: Site, target: str, act: CheckObjects, seen: _Seen) -> str:
        """Return what to type where that can change something, or why nothing can."""
        if seen.states.keys() <= {"sse-c", "unknown", "unreadable"}:
            return "mcpy doctor says why"
        goal = _goal(act)
        options = " --versions" if seen.older else ""
        options += " --include-kms" if goal == "sse-s3" and "sse-kms" in seen.states else ""
        line = f"mcpy encrypt objects {target} --to {goal}{options}"
        if goal.endswith(":KEY"):
            return line
        try:
            bucket, lock = look_at(site.s3, Target(act.alias, act.bucket))
        except ApiError:
            return line  # who may not see a bucket's settings is told by the command itself
        if not (lock.enabled or bucket.versioning == "Suspended"):
            return line
        rehearsed = self._rehearse(site, act, goal, options)
        return _with_obstacles(line, rehearsed.rehearse(), refused=rehearsed.foreseen is not None)

    def _rehearse(self, site: Site, act: CheckObjects, goal: str, options: str) -> Session:
        scheme, _, key = goal.partition(":")
        encryption = ObjectEncryption("AES256" if scheme == "sse-s3" else "aws:kms", KeyName(key))
        wanted = Goal(
            encryption,
            versions="--versions" in options,
            include_kms="--include-kms" in options,
        )
        target = Target(act.alias, act.bucket)
        return Session(
            site.s3, site.s3, target, wanted, Wish(Path(), jobs=self.jobs), cut=self.cut
        )

    def _count(self, site: Site, act: CheckObjects, *, versions: bool) -> _Seen:
        seen = _Seen(versions)
        found = scan(
            site.s3, act.bucket, versions=versions, jobs=self.jobs, stop=self.stop, cut=self.cut
        )
        with closing(found):
            for stored in found:
                seen.add(stored, met=act.requirement.is_met(stored))
                if seen.total % 1000 == 0:
                    self.say(f"{act.alias}/{act.bucket}: {seen.total} objects")
        return seen


@dataclass
class _Seen:
    """What was counted; ``example`` is the first that is not as it has to be."""

    versions: bool
    total: int = 0
    wrong: int = 0
    older: int = 0
    states: dict[str, int] = field(default_factory=dict)
    example: str = ""

    def add(self, stored: Stored, *, met: bool) -> None:
        """Count one; delete markers have no content."""
        if stored.is_delete_marker:
            return
        self.total += 1
        if met and not stored.rest_unknown:
            return
        self.wrong += 1
        self.older += not stored.is_latest
        state = stored.state or "unknown"
        self.states[state] = self.states.get(state, 0) + 1
        self.example = self.example or stored.key

    def words(self, target: str) -> str:
        """Return what the wrong ones are."""
        kinds = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        return f"{kinds}, such as `{target}/{self.example}`" if self.example else kinds


def _with_obstacles(line: str, tally: Tally, *, refused: bool) -> str:
    """Return the command as far as it can do something, and what stays all the same."""
    stuck = [
        f"{tally.count[kind]} {words}"
        for kind, words in (
            (Class.LOCKED, "under retention or legal hold"),
            (Class.UNSUPPORTED, "that cannot be rewritten while versioning is suspended"),
        )
        if tally.count[kind]
    ]
    if not tally.count[Class.REWRITTEN]:
        return f"nothing can change {' and '.join(stuck)}" if stuck else line
    line += " --nobody-writes, when nobody writes there meanwhile" if refused else ""
    return f"{line}, which leaves {' and '.join(stuck)}" if stuck else line


def _goal(act: CheckObjects) -> str:
    requirement = act.requirement
    if requirement.scheme == "sse-s3" or requirement.key:
        return str(requirement)
    if act.default and act.default.key_id:
        return f"sse-kms:{act.default.key}"
    return "sse-s3" if requirement.scheme == "any" else "sse-kms:KEY"
