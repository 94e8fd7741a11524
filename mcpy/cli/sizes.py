"""Bytes and numbers for people."""

from __future__ import annotations

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def human_size(count: int) -> str:
    """Return ``6 B``, ``1.5 KiB``, ``3.0 GiB``."""
    if count < 1024:
        return f"{count} B"
    size, unit = float(count), "B"
    for unit in _UNITS:  # noqa: B007 - the last one stays
        size /= 1024
        if size < 1024:
            break
    return f"{size:.1f} {unit}"


def plural(number: int, noun: str, several: str = "") -> str:
    """Return ``1 version``, ``2,000 versions``; ``several`` is the plural of an odd noun."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def are(number: int, noun: str, *, of: int | None = None) -> str:
    """Return ``1 version is``, ``2 versions are``; with ``of``, ``1 of 2 versions is``."""
    what = plural(number, noun) if of is None else f"{number:,} of {plural(of, noun)}"
    return f"{what} {'is' if number == 1 else 'are'}"
