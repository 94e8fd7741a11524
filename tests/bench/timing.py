"""Pairs of timings: A B A B, so that what slows the machine slows both."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def paired(acts: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Run every act once a round, in turn; return the seconds each took, by its name."""
    taken_s: dict[str, list[float]] = {name: [] for name in acts}
    for act in acts.values():
        act()  # files into the cache, bytecode written
    for _ in range(rounds):
        for name, act in acts.items():
            start = time.perf_counter()
            act()
            taken_s[name].append(time.perf_counter() - start)
    return taken_s


def row(title: str, taken_s: Mapping[str, list[float]]) -> str:
    """Return one line: the median of each in ms, and the first as a multiple of the others.

    The ratio is the median of the rounds' own ratios: the machine's moods cancel out.
    """
    cells = [f"{name} {statistics.median(times) * 1000:.0f} ms" for name, times in taken_s.items()]
    first, *others = taken_s
    for other in others:
        ratios = [a / b for a, b in zip(taken_s[first], taken_s[other], strict=True)]
        cells.append(f"{first}/{other} {statistics.median(ratios):.2f}")
    return f"{title:<14}" + "   ".join(cells)
