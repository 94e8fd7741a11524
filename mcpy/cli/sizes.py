"""Bytes for people."""

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
