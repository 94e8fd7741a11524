"""The tables that ``encrypt audit --csv`` writes."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from mcpy.commands.encrypt.audit_report import TargetReport, cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mcpy.commands.encrypt.audit_report import AuditSummary

COLUMNS = (
    *("target", "default", "default_key", "scheme", "key", "objects", "objects_bytes"),
    *("older_versions", "older_versions_bytes", "opened", "not_opened", "complete", "problem"),
)
VERSION_COLUMNS = (
    *("kind", "url", "version_id", "latest", "size", "last_modified"),
    *("scheme", "key", "violation", "why"),
)


def rows(summary: AuditSummary, listed: Iterable[dict[str, Any]] | None) -> Iterator[str]:
    """Yield a line for each scheme and key of each target, or for each version ``listed``.

    What may be missing has a line of its own in either.
    """
    if listed is None:
        return _table(COLUMNS, _counted(summary))
    return _table(VERSION_COLUMNS, _listed(summary, listed))


def _counted(summary: AuditSummary) -> Iterator[tuple[str, ...]]:
    for audited in summary.targets:
        report = TargetReport(audited, summary.wish)
        head = (str(audited.target), report.scheme, report.key)
        tail = ("yes" if audited.complete else "no", report.problem)
        found = [cells(group) for group in audited.tally.sorted()]
        for row in found or [("", "", *["0"] * 6)]:
            yield (*head, *row, *tail)
    for alias, why in summary.unlisted.items():
        yield (alias, *[""] * (len(COLUMNS) - 3), "no", why)


def _listed(summary: AuditSummary, listed: Iterable[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for line in listed:
        yield (
            "delete marker" if line["isDeleteMarker"] else "version",
            line["url"],
            line["versionId"],
            "yes" if line["isLatest"] else "no",
            str(line["size"]),
            line["lastModified"],
            line["scheme"],
            line["keyId"],
            "yes" if line["violation"] else "no",
            line.get("why", ""),
        )
    lacking = {str(one.target): TargetReport(one, summary.wish).problem for one in summary.targets}
    for url, why in (lacking | dict(summary.unlisted)).items():
        if why:
            yield ("incomplete", url, *[""] * (len(VERSION_COLUMNS) - 3), why)


class _Lines:
    """What a CSV writer writes to, that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    writer = csv.writer(_Lines())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([_harmless(cell) for cell in row])


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
