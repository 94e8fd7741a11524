"""What every KMS has in common: data keys, contexts, failures and counters."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUCKETS_NS = tuple(
    milliseconds * 1_000_000
    for milliseconds in (10, 50, 100, 250, 500, 1000, 1500, 3000, 5000, 10_000)
)
"""Upper bounds of the response time histogram."""

KEY_NOT_FOUND = "key does not exist"
KEY_EXISTS = "key already exists"
NOT_ALLOWED = "not authorized: insufficient permissions"
NOT_AUTHENTIC = "decryption failed: ciphertext is not authentic"
NOT_SUPPORTED = "requested functionality is not supported"
KNOWN_TEXTS = frozenset({KEY_NOT_FOUND, KEY_EXISTS, NOT_ALLOWED, NOT_AUTHENTIC})


@dataclass(frozen=True)
class DataKey:
    """A data key: 32 bytes of plaintext, and what only the KMS can open again."""

    plaintext: bytes = field(repr=False)
    ciphertext: bytes


@dataclass(eq=False)
class KmsProblem(Exception):  # noqa: N818 - named like S3Problem: an answer, not a bug
    """The KMS refused or did not answer.

    Attributes:
        status: as the KES answered; 0 when it could not be reached.
        message: as the KES answered, or what kept it from answering.
    """

    status: int
    message: str

    def __str__(self) -> str:
        return self.message


class Kms(Protocol):
    """A KMS the S3 server can use. Every call may raise ``KmsProblem``.

    Attributes:
        name: what the admin API calls it.
        default_key: name of the key used when none is named.
        metrics: counts generate, decrypt and create calls.
    """

    name: str
    default_key: str
    metrics: Metrics

    def generate(self, key: str, context: Mapping[str, str]) -> DataKey:
        """Return a new data key under ``key``, bound to ``context``."""
        ...

    def decrypt(self, key: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        """Return the plaintext of a data key; ``context`` must be the one it was made with."""
        ...

    def create(self, key: str) -> None:
        """Create ``key``."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """Return the names of keys that start with ``prefix``; ``*`` means all."""
        ...

    def status(self) -> dict[str, bool]:
        """Return for each endpoint whether it answers."""
        ...

    def version(self) -> str:
        """Return the version of the KMS."""
        ...

    def apis(self) -> list[dict[str, Any]]:
        """Return what the KMS can do: Method, Path, MaxBody (bytes), Timeout (s)."""
        ...

    def describe(self, key: str) -> dict[str, Any]:
        """Return what the KMS says of ``key``."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


@dataclass(frozen=True)
class MetricsSnapshot:
    """Counters at one moment; ``latency`` is cumulative, by upper bound in nanoseconds."""

    success: int
    error: int
    failure: int
    latency: dict[int, int]


class Metrics:
    """Counts what was asked of a KMS; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes = {"success": 0, "error": 0, "failure": 0}
        self._latency = dict.fromkeys(BUCKETS_NS, 0)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Count the call made inside, by outcome and duration."""
        start = time.perf_counter_ns()
        outcome = "success"
        try:
            yield
        except KmsProblem as problem:
            outcome = "error" if problem.message in KNOWN_TEXTS else "failure"
            raise
        finally:
            self._count(outcome, time.perf_counter_ns() - start)

    def snapshot(self) -> MetricsSnapshot:
        """Return the counters."""
        with self._lock:
            return MetricsSnapshot(**self._outcomes, latency=dict(self._latency))

    def _count(self, outcome: str, elapsed_ns: int) -> None:
        with self._lock:
            self._outcomes[outcome] += 1
            for bound in BUCKETS_NS:
                # the last bucket takes what is slower than all of them
                if elapsed_ns < bound or bound == BUCKETS_NS[-1]:
                    self._latency[bound] += 1


def canonical_context(context: Mapping[str, str]) -> bytes:
    """Return the one form of ``context`` a data key is bound to.

    JSON with keys sorted by their UTF-8 bytes and Go's escapes. Other escapes of the same text
    would be another context to the KMS.
    """
    pairs = sorted((key.encode("utf-8", "surrogateescape"), key) for key in context)
    body = ",".join(f"{_quoted(key)}:{_quoted(context[key])}" for _, key in pairs)
    return f"{{{body}}}".encode()


_ESCAPES = str.maketrans(
    {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
    | {chr(code): "\\ufffd" for code in range(0xDC80, 0xDD00)}  # bytes that were not UTF-8
)
_PLAIN = re.compile(r"[\w /.,:;=+*@!?()-]*", re.ASCII)
_LONG_ESCAPES = {"b": "\\u0008", "f": "\\u000c"}


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    quoted = json.dumps(text, ensure_ascii=False).translate(_ESCAPES)
    # Go has no short escapes for backspace and form feed
    return re.sub(r"\\(.)", lambda m: _LONG_ESCAPES.get(m[1], m[0]), quoted)
