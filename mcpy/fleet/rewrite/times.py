"""Which modification time a version is given when it is rewritten under its own id, on MinIO.

MinIO orders the versions of a key by their times, which it keeps to the nanosecond and shows to
the millisecond. A version that is rewritten with the millisecond alone may so trade places with
one that shares it: with an older version, or with the delete marker above it.

Of versions that share a millisecond the true times are unknown, but their order is not: the k-th
newest is at least k ns before the end of the millisecond, the k-th oldest at least k ns after its
beginning. So a version is put at its rank from the end, as long as nothing that cannot be moved
lies above it, and otherwise at its rank from the beginning; versions are rewritten from both ends
towards what cannot be moved. Then the order holds after each single step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
_LAST_NS = 999_999


@dataclass(frozen=True)
class Slot:
    """One version in a key's order: its time as listed, and whether it is to be rewritten."""

    number: int
    time: str
    movable: bool


@dataclass(frozen=True)
class Step:
    """A version to rewrite, and the time to give it; ``""`` when none keeps the order for sure."""

    number: int
    time: str


def steps(slots: Sequence[Slot]) -> list[Step]:
    """Return the versions to rewrite, in the order to do it; ``slots`` are newest first."""
    found: list[Step] = []
    for time, group in groupby(slots, key=lambda slot: _millisecond(slot.time)):
        found += _of_group(time, list(group))
    return found


def _of_group(time: str, slots: list[Slot]) -> Iterable[Step]:
    if len(slots) == 1:
        return [Step(slots[0].number, _at(time, 0))] if slots[0].movable else []
    fixed = [place for place, slot in enumerate(slots) if not slot.movable]
    first = fixed[0] if fixed else len(slots)
    last = fixed[-1] if fixed else len(slots)
    above = [Step(slots[i].number, _at(time, _LAST_NS - i)) for i in range(first)]
    below = [
        Step(slots[i].number, _at(time, len(slots) - 1 - i))
        for i in range(len(slots) - 1, last, -1)
    ]
    between = [Step(slot.number, "") for slot in slots[first:last] if slot.movable]
    return [*above, *below, *between]


def _millisecond(time: str) -> str:
    match = _TIME.fullmatch(time)
    if not match:
        return ""
    return f"{match[1]}.{(match[2] or '').ljust(3, '0')[:3]}"


def _at(time: str, ns: int) -> str:
    return f"{time}{ns:06d}Z" if time else ""


def exact(time: str) -> str:
    """Return a listed time as RFC 3339 with nanoseconds, or ``""`` when it is none."""
    return _at(_millisecond(time), 0)
