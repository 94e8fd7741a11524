"""Who may do what: names, patterns, policies and the identities they are given to."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MAX_LENGTH = 80
_NAME = re.compile(r"(?!_\Z)(?!-)[0-9A-Za-z_-]+(?<!-)")
_PATTERN = re.compile(r"(?!_\Z)(?!-)[0-9A-Za-z_-]*(?:\*|(?<!-))")


@dataclass(frozen=True)
class Policy:
    """What the identities of one policy may call.

    Attributes:
        name: as in the configuration.
        allow: path patterns; one that matches is needed.
        deny: path patterns; one that matches is enough to refuse.
        identities: each belongs to at most one policy.
    """

    name: str
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    identities: tuple[str, ...] = ()

    def permits(self, path: str) -> bool:
        """Tell whether ``path``, decoded, may be called; denials go first."""
        if any(_matches(pattern, path) for pattern in self.deny):
            return False
        return any(_matches(pattern, path) for pattern in self.allow)


def _matches(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return path == pattern


def valid_name(name: str) -> bool:
    """Tell whether ``name`` can name a key, a policy or an identity."""
    return len(name) <= _MAX_LENGTH and _NAME.fullmatch(name) is not None


def valid_pattern(pattern: str) -> bool:
    """Tell whether ``pattern`` can select names; it may be empty or end in ``*``."""
    return len(pattern) <= _MAX_LENGTH and _PATTERN.fullmatch(pattern) is not None
