"""What ``encrypt plan`` and ``encrypt apply`` share: the file, its servers, and how items look."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli import documents
from mcpy.cli.documents import name_of
from mcpy.cli.many import Failures
from mcpy.cli.sizes import plural
from mcpy.errors import FindingError, Interrupted, McpyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mcpy.cli.app import App
    from mcpy.fleet.plan.item import Item, State
    from mcpy.fleet.plan.keys import Site

_SIGNS: dict[State, str] = {
    "same": "=",
    "change": "~",
    "finding": "!",
    "failed": "x",
    "done": "*",
    "unchecked": "?",
}
_COUNTED: dict[State, str] = {
    "done": "changed",
    "change": "to change",
    "finding": "not as wanted, and not for apply to change",
    "failed": "failed",
    "unchecked": "not looked at",
    "same": "as wanted",
}


def no_objects_option(command: Any) -> Any:  # noqa: ANN401 - click's decorators take anything
    """Add ``--no-objects``."""
    return click.option(
        "--no-objects", is_flag=True, help="Do not look at objects for `require`."
    )(command)


@dataclass(frozen=True)
class ItemShown:
    """One thing the file speaks of; ``width`` is that of the longest target."""

    op: str
    item: Item
    width: int = 0

    def data(self) -> dict[str, Any]:
        """Return the item's fields; of a policy also the statements it would get."""
        item = self.item
        found: dict[str, Any] = {
            "op": self.op,
            "status": "error" if item.state == "failed" else "success",
            "target": item.target,
            "what": item.what,
            "state": item.state,
            "have": item.have,
            "want": item.want,
        }
        if item.note:
            found["note"] = item.note
        if statements := _statements(item):
            found["statements"] = statements
        return found

    def text(self) -> str:
        """Return a sign, what, where, found and wanted, and what to know of it."""
        item = self.item
        same = item.state == "same" or item.have == item.want  # its key may be what is wrong
        sides = item.have if same else f"{item.have or '?'} -> {item.want}"
        change = sides if item.want else item.have
        note = "" if item.error else item.note  # an error is told in full, with its hint
        cells = [_SIGNS[item.state], item.what, item.target, change, note]
        if not self.width:
            return "\t".join(cells)
        sign, what, target, change, note = cells
        return f"{sign} {what:<8} {target:<{self.width}}  {change}{'  # ' if note else ''}{note}"


@dataclass(frozen=True)
class Summary:
    """How many items are in which state; ``unnamed`` buckets the file says nothing about."""

    op: str
    items: Sequence[Item]
    fingerprint: str = ""
    unnamed: int = 0

    @property
    def counts(self) -> dict[State, int]:
        """The number of items in each state, those there are none of left out."""
        states = [item.state for item in self.items]
        return {state: states.count(state) for state in _COUNTED if state in states}

    def data(self) -> dict[str, Any]:
        """Return the counts and the fingerprint."""
        found: dict[str, Any] = {"op": self.op, "status": "success", "summary": self.counts}
        found |= {"unnamedBuckets": self.unnamed} if self.unnamed else {}
        return found | ({"fingerprint": self.fingerprint} if self.fingerprint else {})

    def text(self) -> str:
        """Return one line."""
        line = ", ".join(f"{count} {_COUNTED[state]}" for state, count in self.counts.items())
        line += f"; the file says nothing of {plural(self.unnamed, 'bucket')}" * bool(self.unnamed)
        return line + (f"; fingerprint {self.fingerprint}" if self.fingerprint else "")


def compared(app: App, file: str, *, jobs: int) -> tuple[list[Item], Callable[[str], Site]]:
    """Return what a file and the servers it names are, item by item, and the servers' clients."""
    from mcpy.fleet.plan.difference import Comparison
    from mcpy.fleet.plan.document import read

    app.bulk()
    desired = read(documents.read_text(app, file), documents.name_of(file))
    opened = {alias: site(app, alias) for alias in desired.aliases}
    with app.out.spinner("read keys and buckets") as say:
        items = Comparison(desired, opened.__getitem__, jobs=jobs, say=say).items()
    return items, opened.__getitem__


def unnamed(items: Iterable[Item], sites: Callable[[str], Site]) -> int:
    """Return how many buckets no item is about: what changes there is no drift of the file.

    Those of servers that do not let their buckets be listed are not counted.
    """
    targets = {item.target for item in items}
    count = 0
    for alias in {target.partition("/")[0] for target in targets}:
        with suppress(McpyError):
            names = [bucket.name for bucket in sites(alias).s3.list_buckets()]
            count += sum(f"{alias}/{name}" not in targets for name in names)
    return count


def looked(
    app: App, items: Iterable[Item], sites: Callable[[str], Site], *, jobs: int
) -> Iterator[Item]:
    """Yield the items, each look at objects done; what cannot be looked at failed."""
    from mcpy.fleet.parallel import Stop
    from mcpy.fleet.plan.item import CheckObjects
    from mcpy.fleet.plan.objects import Looking

    with app.out.spinner("look at objects") as say:
        looking = Looking(jobs, Stop(), app.cut, say)
        for item in items:
            if not isinstance(item.act, CheckObjects):
                yield item
                continue
            try:
                yield looking.at(sites(item.act.alias), item, item.act)
            except Interrupted:
                raise
            except McpyError as e:
                yield item.failed(e)


def site(app: App, alias: str) -> Site:
    """Return the clients of an alias."""
    from mcpy.cli.kes_access import KesOptions, connect
    from mcpy.fleet.plan.keys import Site

    has_kes = app.alias(alias).kes is not None
    kes = cache(lambda: connect(app, KesOptions(alias=alias))) if has_kes else None
    return Site(alias, app.s3(alias), app.admin(alias), kes)


def width_of(app: App, items: Sequence[Item]) -> int:
    """Return the width of the targets' column, 0 where nobody reads columns."""
    return max((len(item.target) for item in items), default=0) if app.out.tables else 0


def tell_summary(app: App, summary: Summary) -> None:
    """Write the summary: the last line of JSON, a note for people."""
    if app.out.json:
        app.out.emit(summary)
    else:
        app.out.note(summary.text())


def hint_for(command: str, file: str) -> str:
    """Return the command for the same file; stdin is used up."""
    return shlex.join(["mcpy", "encrypt", command, "FILE" if file == "-" else file])


def raise_outcome(items: Sequence[Item], file: str, *, tried: int, hint: str) -> None:
    """Raise what the items amount to: failures first, then what is not as wanted.

    Raises:
        McpyError: the common exit code of all ``tried``, or PartialError.
        FindingError: something differs.
    """
    failures = Failures()
    for item in items:
        if item.error:
            failures.add(item.error)
    if failures.count:
        only = [item.error for item in items if item.error]
        raise only[0] if tried == 1 else failures.sum_of(tried)
    differing = [item for item in items if item.state in {"change", "finding"}]
    if differing:
        count = len(differing)
        changes = sum(item.state == "change" for item in differing)
        line = f"{count} thing{'s differ' if count > 1 else ' differs'} from {name_of(file)}"
        line += (
            f", {f'{changes} of them' if changes else 'none'} for apply to change"
            if changes < count
            else ""
        )
        raise FindingError(line, hint=hint if changes else None)


def tell_failure(app: App, item: Item) -> None:
    """Say why an item failed, with its hint."""
    if item.error and not app.out.json:
        app.out.error(_named(item, item.error), kind="error")


def _named(item: Item, error: McpyError) -> McpyError:
    return McpyError(f"{item.target}: {error.message}", hint=error.hint)


def _statements(item: Item) -> list[dict[str, Any]]:
    from mcpy.fleet.plan.item import SetUploads
    from mcpy.fleet.plan.uploads import statements

    if not isinstance(item.act, SetUploads):
        return []
    return statements(item.act.bucket, item.act.wanted, item.act.mode)
