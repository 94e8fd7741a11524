"""What depends on a key, for certain and possibly, and what could not be seen.

Of an SSE-S3 object no S3 server tells the KMS key: it is the one that was the server's default
when the object was written. So SSE-S3 objects depend on a key possibly, unless somebody who knows
says that the key never was a default.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from mcpy.errors import ConfigError
from mcpy.fleet.audit import Count
from mcpy.jsontext import loads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FRESH_S = 3600.0
_AHEAD_S = 300.0  # clocks differ
VERSION = 1
Verdict = Literal["none", "some", "incomplete"]


@dataclass
class ServerImpact:
    """What depends on a key on one server.

    Attributes:
        default_key: the server's default key; None when nobody may tell.
        works: whether the server could use the key just now; None when it was not told.
        missing: whether the server's KMS said that it has no such key.
        buckets: how many were looked at.
        defaulting: buckets that encrypt new objects with the key.
        certain: versions whose own headers name the key.
        objects: how many of those are the latest of their name.
        possible: SSE-S3 versions; ``unknown``: versions whose encryption may not be seen;
            ``unreadable``: versions that the KMS cannot open now.
        gaps: places where versions could not even be listed.
        uploads: multipart uploads under way, whose key nobody tells.
        samples: some of the certain versions by name.
        problems: what could not be looked at, each in words.
        never_listed: what the server holds and lists for nobody, in words.
    """

    alias: str
    url: str
    default_key: str | None = None
    works: bool | None = None
    missing: bool = False
    buckets: int = 0
    defaulting: list[str] = field(default_factory=list)
    certain: Count = field(default_factory=Count)
    objects: int = 0
    possible: Count = field(default_factory=Count)
    unknown: Count = field(default_factory=Count)
    unreadable: Count = field(default_factory=Count)
    gaps: int = 0
    uploads: int = 0
    samples: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    never_listed: str = ""


@dataclass
class Impact:
    """The whole answer for one key.

    Attributes:
        created: when it was measured, RFC 3339.
        never_default: somebody vouched that the key never was a server's default.
    """

    key: str
    created: str
    never_default: bool = False
    servers: list[ServerImpact] = field(default_factory=list)

    def is_default(self, server: ServerImpact) -> bool:
        """Whether the key is the server's default now."""
        return server.default_key == self.key

    def possible(self, server: ServerImpact) -> int:
        """Return how many versions may depend on the key beyond the certain ones."""
        sealed = 0 if self._cleared(server) else server.possible.number
        # what cannot be opened while this key works is not this key's
        closed = 0 if server.works else server.unreadable.number
        return sealed + closed + server.unknown.number

    def lacks(self, server: ServerImpact) -> bool:
        """Whether the server cannot use the key, or does not tell: it may be another's key."""
        return not server.works

    def may_seal_settings(self, server: ServerImpact) -> bool:
        """Whether the key may have been the default, which seals IAM and settings too.

        MinIO seals each with the default key of the day, and no change of key seals them anew.
        """
        return not (self.never_default or self.is_default(server))

    def _cleared(self, server: ServerImpact) -> bool:
        return self.never_default and not self.is_default(server)

    @property
    def certain(self) -> int:
        """Versions that depend on the key by their own headers."""
        return sum(server.certain.number for server in self.servers)

    @property
    def at_stake(self) -> int:
        """Versions that depend on the key, certainly or possibly."""
        return self.certain + sum(self.possible(server) for server in self.servers)

    @property
    def complete(self) -> bool:
        """Whether all that the servers list was seen and nothing is merely possible."""
        return bool(self.servers) and not any(
            self.possible(one)
            or one.gaps
            or one.uploads
            or one.problems
            or self.lacks(one)
            or self.may_seal_settings(one)
            for one in self.servers
        )

    @property
    def unknown_key(self) -> bool:
        """Whether no KMS has such a key, and nothing that was seen can be under it."""
        return (
            bool(self.servers)
            and self.verdict != "some"
            and all(one.missing for one in self.servers)
            # SSE-S3 objects that open are under a key that is there
            and not any(
                one.unreadable.number or one.unknown.number or one.gaps or one.problems
                for one in self.servers
            )
        )

    @property
    def verdict(self) -> Verdict:
        """``some`` once anything depends on it; ``none`` only where the answer is complete."""
        for one in self.servers:
            if one.certain.number or one.defaulting or self.is_default(one):
                return "some"
        return "none" if self.complete else "incomplete"

    @property
    def answer(self) -> str:
        """What to type back to go on: the number at stake, with ``+`` where it may be more."""
        return f"{self.at_stake}" + ("" if self.complete else "+")

    def age_s(self, now: datetime) -> float:
        """Return how old it is in seconds."""
        return (now - datetime.fromisoformat(self.created.replace("Z", "+00:00"))).total_seconds()

    def is_fresh(self, now: datetime) -> bool:
        """Whether it is of the last hour."""
        return -_AHEAD_S <= self.age_s(now) <= FRESH_S


def stamp(now: datetime | None = None) -> str:
    """Return a moment as a report has it."""
    return f"{now or datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def save(reports: Sequence[Impact]) -> str:
    """Return reports as the text of a file."""
    document = {"version": VERSION, "impact": [asdict(report) for report in reports]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def load(path: Path) -> list[Impact]:
    """Read the reports that ``save`` wrote.

    Raises:
        ConfigError: it cannot be read, or is something else.
    """
    try:
        found = loads(path.read_text("utf-8"))
        if found["version"] != VERSION:
            raise ConfigError(f"{path} is an impact report of another version of mcpy")
        return [_impact(one) for one in found["impact"]]
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}") from e
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise ConfigError(
            f"{path} is not an impact report", hint="mcpy encrypt impact KEY ALIAS --save FILE"
        ) from e


def _impact(data: dict[str, Any]) -> Impact:
    """Raise TypeError where a value is not of the type that ``save`` wrote."""
    servers = [_server(one) for one in data.pop("servers")]
    made = Impact(**data, servers=servers)
    _see(made, ("key", "created"), str)
    _see(made, ("never_default",), bool)
    made.age_s(datetime.now(UTC))  # a time that is none is found here
    return made


def _server(data: dict[str, Any]) -> ServerImpact:
    counts = {name: Count(**data.pop(name)) for name in _COUNTS}
    made = ServerImpact(**data)
    for name, count in counts.items():
        _see(count, ("number", "size"), int)
        setattr(made, name, count)
    _see(made, ("alias", "url", "never_listed"), str)
    _see(made, ("default_key",), str, type(None))
    _see(made, ("works",), bool, type(None))
    _see(made, ("buckets", "objects", "gaps", "uploads"), int)
    for name in ("defaulting", "samples", "problems"):
        _see(made, (name,), list)
        if not all(type(text) is str for text in getattr(made, name)):
            raise TypeError(name)
    return made


def _see(made: object, names: tuple[str, ...], *types: type) -> None:
    for name in names:
        value = getattr(made, name)
        # `isinstance` would take a bool for an int; and fewer than none opened the gate
        if type(value) not in types or (type(value) is int and value < 0):
            raise TypeError(name)


_COUNTS = ("certain", "possible", "unknown", "unreadable")
