"""A report as one HTML file: its style and its charts are in it, and it asks for nothing else.

Charts are inline SVG. Colours are told apart by people with colour blindness too, and each part
also has its name and its number in words; the page follows the reader's light or dark scheme, and
prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d1d9e0; --back: #fff;
  --panel: #f6f8fa; --plain: #d55e00; --sse-s3: #0072b2; --sse-kms: #009e73; --sse-c: #a0528c;
  --unknown: #8c959f; --unreadable: #1b1f24; --bad: #b42318; --good: #116329; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --line: #3d444d;
  --back: #0d1117; --panel: #151b23; --plain: #f08c3a; --sse-s3: #4aa8e0; --sse-kms: #2cc295;
  --sse-c: #d68bc0; --unknown: #7d8590; --unreadable: #f0f6fc; --bad: #ff7b72; --good: #3fb950; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem 1.25rem 4rem; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 68rem; margin: 0 auto; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; line-height: 1.25; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .4rem 0; }
.soft { color: var(--soft); } .bad { color: var(--bad); font-weight: 600; }
.good { color: var(--good); font-weight: 600; }
code, .name { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: .92em; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem;
  margin: 1.25rem 0; }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem;
  padding: .7rem .9rem; }
.tile b { display: block; font-size: 1.45rem; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .87rem; }
.panel { border: 1px solid var(--line); border-radius: .5rem; padding: .9rem 1rem 1rem;
  margin: 0 0 1rem; break-inside: avoid; }
.head { display: flex; flex-wrap: wrap; gap: .25rem 1rem; justify-content: space-between;
  margin-bottom: .5rem; }
svg.bar { display: block; width: 100%; height: 1.4rem; border-radius: .25rem; margin: .35rem 0; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .25rem 0 .5rem; padding: 0;
  list-style: none; font-size: .87rem; color: var(--soft); }
.legend i { display: inline-block; width: .75rem; height: .75rem; border-radius: .15rem;
  margin-right: .4rem; vertical-align: -.05rem; border: 1px solid var(--line); }
.scroll { overflow-x: auto; }
.scroll + .scroll, p + .scroll { margin-top: 1rem; }
td.name { min-width: 8rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .32rem .75rem .32rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { font-weight: 600; color: var(--soft); white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: .9rem; }
@media print { body { padding: 0; font-size: 11px; } .panel, tr { break-inside: avoid; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
"""


@dataclass(frozen=True)
class Part:
    """One part of a bar; ``kind`` chooses its colour, ``value`` its width."""

    kind: str
    label: str
    value: int
    words: str


@dataclass(frozen=True)
class Cell:
    """A cell of a table: text, a name, or a number, which stands on the right."""

    text: str
    number: bool = False
    name: bool = False


def document(title: str, *, under: str, body: Iterable[str], foot: Iterable[str]) -> str:
    """Return the whole page; ``under`` and ``foot`` are text, ``body`` is HTML."""
    return "".join(pieces(title, under=under, body=body, foot=foot))


def pieces(title: str, *, under: str, body: Iterable[str], foot: Iterable[str]) -> Iterator[str]:
    """Yield what ``document`` returns, for a page that may be long."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    notes = "".join(f"<p>{escape(line)}</p>" for line in foot)
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f'<header><h1>{escape(title)}</h1><p class="soft">{escape(under)}</p></header>'
    )
    yield from body
    yield f"<footer>{notes}</footer></main></body></html>\n"


def tiles(values: Sequence[tuple[str, str, str]]) -> str:
    """Return big numbers, each as value, what it is, and ``good``, ``bad`` or ``""``."""
    shown = "".join(
        f'<div class="tile"><b class="{mood}">{escape(value)}</b><span>{escape(what)}</span></div>'
        for value, what, mood in values
    )
    return f'<div class="tiles">{shown}</div>'


def bar(parts: Sequence[Part], label: str) -> str:
    """Return a stacked bar and its legend; nothing where there is nothing to show."""
    shown = [part for part in parts if part.value > 0]
    total = sum(part.value for part in shown)
    if not total:
        return ""
    pieces, left = [], 0.0
    for part in shown:
        width = part.value * 1000 / total
        title = escape(f"{part.label}: {part.words}")
        pieces.append(
            f'<rect x="{left:.2f}" width="{max(width, 2):.2f}" height="20" '
            f'fill="var(--{part.kind})" stroke="var(--back)" stroke-width="1.5">'
            f"<title>{title}</title></rect>"
        )
        if part.kind in {"unknown", "unreadable"}:
            pieces.append(_hatching(left, width))
        left += width
    return (
        f'<svg class="bar" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{"".join(pieces)}</svg>{_legend(shown)}'
    )


def _hatching(left: float, width: float) -> str:
    steps = range(int(left) + 6, int(left + width), 12)
    lines = "".join(f"M{x} 0v20" for x in steps)
    return f'<path d="{lines}" stroke="var(--back)" stroke-width="2" opacity=".6"/>'


def _legend(parts: Sequence[Part]) -> str:
    items = "".join(
        f'<li><i style="background:var(--{part.kind})"></i>{escape(part.label)}: '
        f"{escape(part.words)}</li>"
        for part in parts
    )
    return f'<ul class="legend">{items}</ul>'


def table(headers: Sequence[Cell], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table that scrolls by itself where the page is narrow."""
    return "".join(long_table(headers, rows))


def long_table(headers: Sequence[Cell], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Yield what ``table`` returns, row by row."""
    head = "".join(f"<th{_class(cell)}>{escape(cell.text)}</th>" for cell in headers)
    yield f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>'
    for row in rows:
        cells = "".join(f"<td{_class(cell)}>{escape(cell.text)}</td>" for cell in row)
        yield f"<tr>{cells}</tr>"
    yield "</tbody></table></div>"


def _class(cell: Cell) -> str:
    kind = "number" if cell.number else "name" if cell.name else ""
    return f' class="{kind}"' if kind else ""


def panel(title: str, right: str, inner: Iterable[str]) -> str:
    """Return a framed part with a title, and a remark on its right."""
    return (
        f'<section class="panel"><div class="head"><h3 class="name">{escape(title)}</h3>'
        f'<span class="soft">{escape(right)}</span></div>{"".join(inner)}</section>'
    )


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph; ``kind`` is ``good``, ``bad``, ``soft`` or ``""``."""
    return f'<p class="{kind}">{escape(text)}</p>'


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f"<h2>{escape(text)}</h2>"
