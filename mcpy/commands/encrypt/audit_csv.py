"""The tables that ``encrypt audit --csv`` writes."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from mcpy.commands.encrypt.audit_report import TargetReport, cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mcpy.commands.encrypt.audit_report import AuditSummary

COLUMNS = (
    *("target", "default", "default_key", "scheme", "key", "objects", "objects_bytes"),
    *("older_versions", "older_versions_bytes", "opened", "not_opened", "complete", "problem"),
)


def counts(summary: AuditSummary) -> str:
    """Return one row for each scheme and key of each target, and one for what may be missing."""
    return _table(COLUMNS, _counted(summary))


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


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_harmless(cell) for cell in row])
    return file.getvalue()


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
