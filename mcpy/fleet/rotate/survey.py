"""What is stored below a target, by key: counted in one pass, with nothing held in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpy.models import bare_key_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcpy.fleet.inventory import Item

_SAMPLES = 16


@dataclass
class Survey:
    """Counts of versions.

    Attributes:
        by_key: of SSE-KMS, by the bare name of the key.
        states: by how they say they are encrypted.
        markers: delete markers.
        older: versions that are not the latest.
        tagged: that have tags.
        incomplete: why more could not be seen.
        sample: some keys of SSE-KMS objects.
    """

    by_key: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    markers: int = 0
    older: int = 0
    tagged: int = 0
    incomplete: str = ""
    sample: list[str] = field(default_factory=list)

    def under_other(self, new: str, old: str) -> int:
        """Return how many are under ``old``, or for ``""`` under any other key than ``new``."""
        return sum(
            count
            for key, count in self.by_key.items()
            if (is_key(key, old) if old else not is_key(key, new))
        )

    @property
    def unseen(self) -> int:
        """How many may be under any key, for all anybody knows."""
        return self.states["unknown"] + self.states["unreadable"]

    def data(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "byKey": dict(self.by_key),
            "byState": dict(self.states),
            "deleteMarkers": self.markers,
            "complete": not (self.incomplete or self.unseen),
            **({"incomplete": self.incomplete} if self.incomplete else {}),
        }


def is_key(found: str, wanted: str) -> bool:
    """Whether a key that an object names is the one wanted, however each is spelled."""
    shown, asked = bare_key_id(found), bare_key_id(wanted)
    return shown == asked or shown.rpartition("/")[2] == asked.rpartition("/")[2]


def survey(items: Iterable[Item]) -> Survey:
    """Count ``items``."""
    found = Survey()
    for item in items:
        if item.rest_unknown:
            found.incomplete = item.why or "more could not be listed"
        if item.is_delete_marker:
            found.markers += 1
            continue
        found.states[item.state] += 1
        found.older += not item.is_latest
        found.tagged += bool(item.tags)
        if item.state == "sse-kms":
            found.by_key[item.key_id] += 1
            if len(found.sample) < _SAMPLES:
                found.sample.append(item.key)
    return found
