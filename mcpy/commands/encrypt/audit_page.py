"""The page that ``encrypt audit --html`` writes."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from mcpy import __version__
from mcpy.cli import page as html
from mcpy.cli.output import printable
from mcpy.cli.page import Cell, Part
from mcpy.cli.sizes import are, human_size, plural
from mcpy.commands.encrypt.audit_report import TargetReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mcpy.commands.encrypt.audit_report import AuditSummary
    from mcpy.fleet.audit import AuditedTarget, Group, Tally
    from mcpy.fleet.inventory import Item

_HEADERS = (
    Cell("Scheme"),
    Cell("Key"),
    Cell("Objects", number=True),
    Cell("Size", number=True),
    Cell("Older versions", number=True),
    Cell("Size", number=True),
    Cell("Opened", number=True),
)
_HONEST = (
    "Three different things stand side by side. The default is what the server says it does with "
    "new objects. The scheme and key of an object are what the server says of that object. "
    "Opened is how many were really read, one byte of each, in this audit.",
    "None of them shows what is on a disk: a server may say what it does not do, and old copies "
    "may stay until it cleans up. Of an SSE-S3 object no server tells the KMS key.",
    "Unknown: the server did not show the encryption, mostly for want of s3:GetObject. "
    "Unreadable: its KMS could not open the object.",
)


def page(summary: AuditSummary, listed: Iterable[dict[str, Any]] | None = None) -> Iterator[str]:
    """Yield the whole page as HTML; with a table of what was ``listed``."""
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    versions = "every version" if summary.wish.versions else "the latest versions only"
    names = [str(one.target) for one in summary.targets]
    what = names[0] if len(names) == 1 else f"{len(names)} buckets and prefixes"
    return html.pieces(
        f"Encryption audit of {printable(what)}",
        under=f"{when} · {versions} · mcpy {__version__}",
        body=chain(_body(summary), () if listed is None else _list(listed)),
        foot=_HONEST,
    )


def _body(summary: AuditSummary) -> Iterator[str]:
    tally, wish = summary.tally, summary.wish
    yield html.tiles(_tiles(summary))
    total = tally.total().number
    if wish.requirement:
        number = tally.violations
        yield html.paragraph(
            f"{are(number, 'version', of=total)} not {wish.requirement.words}."
            if number
            else f"Every version seen is {wish.requirement.words}.",
            "bad" if number else "good",
        )
    if wish.open and tally.unreadable:
        yield html.paragraph(f"{are(tally.unreadable, 'version', of=total)} unreadable.", "bad")
    for problem in summary.problems:
        yield html.paragraph(printable(problem), "bad")
    if not summary.complete:
        yield html.paragraph("This audit is not complete: see below what is missing.", "bad")
    if len(summary.targets) > 1:
        yield html.heading("All together, by size")
        yield html.bar(_parts(tally), "Bytes by scheme")
        yield html.heading("By scheme and key")
        yield html.table(_HEADERS, [_row(group) for group in tally.sorted()])
        yield html.heading("Each bucket or prefix, by size")
    for audited in summary.targets:
        yield _panel(audited, TargetReport(audited, summary.wish))


def _list(listed: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield html.heading("Each version that was asked for by --list")
    yield from html.long_table(
        [Cell("State"), Cell("Name"), Cell("Version"), Cell("Key"), Cell("Reason")],
        (
            [
                Cell(line["scheme"] or "delete marker"),
                Cell(printable(line["url"]), name=True),
                Cell(line["versionId"], name=True),
                Cell(line["keyId"], name=True),
                Cell(printable(line.get("why", ""))),
            ]
            for line in listed
        ),
    )


def _tiles(summary: AuditSummary) -> list[tuple[str, str, str]]:
    total = summary.tally.total()
    size: dict[str, int] = {}
    number: dict[str, int] = {}
    for group in summary.tally.groups.values():
        number[group.state] = number.get(group.state, 0) + group.total.number
        size[group.state] = size.get(group.state, 0) + group.total.size
    plain = number.get("plain", 0)
    found = [
        (f"{total.number:,}", "versions with content", ""),
        (human_size(total.size), "their size", ""),
        (f"{plain:,}", f"not encrypted ({human_size(size.get('plain', 0))})", _mood(plain)),
    ]
    shown = [state for state in ("unknown", "unreadable") if number.get(state)] or ["unreadable"]
    return found + [(f"{n:,}", state, _mood(n)) for state in shown for n in [number.get(state, 0)]]


def _mood(number: int) -> str:
    return "bad" if number else "good"


def _panel(audited: AuditedTarget, report: TargetReport) -> str:
    default = report.scheme + (f" with {report.key}" if report.key else "")
    return html.panel(
        printable(str(audited.target)), f"default: {default}", _inner(audited, report)
    )


def _inner(audited: AuditedTarget, report: TargetReport) -> Iterator[str]:
    tally = audited.tally
    if audited.problem:
        yield html.paragraph(f"Not complete: {printable(audited.problem)}", "bad")
    if not audited.versions and report.wish.versions:
        yield html.paragraph("This server lists no versions: the latest only.", "bad")
    if not tally.groups:
        yield html.paragraph("Nothing is stored here.", "soft")
    else:
        yield html.bar(_parts(tally), f"Bytes of {audited.target} by scheme")
        yield html.table(_HEADERS, [_row(group) for group in tally.sorted()])
    yield from _remarks(audited, report)
    if tally.named:
        yield html.table(
            [Cell("State"), Cell("Name"), Cell("Version"), Cell("Reason")],
            [_named(item) for item in tally.named],
        )
    if tally.unnamed:
        yield html.paragraph(f"... and {tally.unnamed:,} more: --list names them all.", "soft")


def _remarks(audited: AuditedTarget, report: TargetReport) -> Iterator[str]:
    tally = audited.tally
    if aside := report.beside_default():
        yield html.paragraph(
            f"Not as the default would store them now: {plural(aside, 'object')}."
        )
    if tally.delete_markers:
        yield html.paragraph(f"{plural(tally.delete_markers, 'delete marker')}.", "soft")
    if tally.gaps:
        yield html.paragraph(f"{plural(tally.gaps, 'place')} hid more from the listing.", "bad")


def _named(item: Item) -> list[Cell]:
    return [
        Cell(item.state),
        Cell(printable(item.key), name=True),
        Cell(item.version_id, name=True),
        Cell(printable(item.why)),
    ]


def _parts(tally: Tally) -> list[Part]:
    by_size = any(group.total.size for group in tally.groups.values())
    return [
        Part(
            group.state,
            group.state + (f" {group.key_id}" if group.key_id else ""),
            # what is empty has a place in the bar all the same
            max(group.total.size, 1) if by_size else group.total.number,
            f"{plural(group.total.number, 'version')}, {human_size(group.total.size)}",
        )
        for group in tally.sorted()
    ]


def _row(group: Group) -> list[Cell]:
    opened = f"{group.checked - group.failed:,} of {group.checked:,}" if group.checked else "-"
    return [
        Cell(group.state),
        Cell(group.key_id or "-", name=True),
        Cell(f"{group.latest.number:,}", number=True),
        Cell(human_size(group.latest.size), number=True),
        Cell(f"{group.older.number:,}", number=True),
        Cell(human_size(group.older.size), number=True),
        Cell(opened, number=True),
    ]
