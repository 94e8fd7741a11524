"""The server's counters, in Prometheus' text format 0.0.4."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"

_BOUNDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 3.0, 5.0, 10.0)
_STACK = 8192 * 16
_OUTCOMES = {
    2: ("success", "Number of requests that have been served successfully."),
    4: ("error", "Number of request that failed due to some error. (HTTP 4xx status code)"),
    5: (
        "failure",
        "Number of request that failed due to some internal failure. (HTTP 5xx status code)",
    ),
}


class Metrics:
    """What the key, policy and identity endpoints did since the server started."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.active = 0
        self._statuses: Counter[int] = Counter()
        self._buckets = [0] * len(_BOUNDS)
        self._seconds = 0.0
        self._lock = threading.Lock()

    def begin(self) -> float:
        """Count a request in; pass what this returns to ``end``."""
        with self._lock:
            self.active += 1
        return time.monotonic()

    def end(self, began: float, status: int) -> None:
        """Count a request out."""
        took = time.monotonic() - began
        with self._lock:
            self.active -= 1
            self._statuses[status] += 1
            self._seconds += took
            for index, bound in enumerate(_BOUNDS):
                self._buckets[index] += took <= bound

    def uptime_s(self) -> float:
        """Return the seconds since the server started."""
        return time.monotonic() - self.started

    def text(self, *, audit_events: int, error_events: int) -> str:
        """Return all metrics; families are sorted by name, counters absent until they count."""
        with self._lock:
            families = dict(self._http())
        families |= {
            "kes_log_audit_events": _family(
                "counter",
                "Number of audit log events written to the audit log targets.",
                audit_events,
            ),
            "kes_log_error_events": _family(
                "counter",
                "Number of error log events written to the error log targets.",
                error_events,
            ),
        }
        families |= self._system()
        return "".join(_render(name, families[name]) for name in sorted(families))

    def _http(self) -> Iterator[tuple[str, _Family]]:
        yield (
            "kes_http_request_active",
            _family("gauge", "Number of active requests that are not finished, yet.", self.active),
        )
        for hundred, (name, text) in _OUTCOMES.items():
            counts = {s: n for s, n in sorted(self._statuses.items()) if s // 100 == hundred}
            if counts:
                samples = [(f'{{code="{status}"}}', float(n)) for status, n in counts.items()]
                yield f"kes_http_request_{name}", ("counter", text, samples)
        yield (
            "kes_http_response_time",
            (
                "histogram",
                "Histogram of request response times spawning from 10ms to 10s.",
                list(self._histogram()),
            ),
        )

    def _histogram(self) -> Iterator[tuple[str, float]]:
        total = sum(self._statuses.values())
        for bound, count in zip(_BOUNDS, self._buckets, strict=True):
            yield f'_bucket{{le="{go_float(bound)}"}}', count
        yield '_bucket{le="+Inf"}', total
        yield "_sum", self._seconds
        yield "_count", total

    def _system(self) -> dict[str, _Family]:
        gauges = {
            "mem_heap_objects": (
                "The number of objects that are currently allocated on the heap memory.",
                sys.getallocatedblocks(),
            ),
            "mem_heap_used": (
                "The number of bytes that are currently allocated on the heap memory.",
                memory_used(),
            ),
            "mem_stack_used": ("The bytes of stack memory obtained from the OS.", stack_used()),
            "num_cpu": (
                "The number of logical CPUs available on the system. "
                "It may be larger than the number of usable CPUs.",
                os.cpu_count() or 1,
            ),
            "num_cpu_used": (
                "The number of logical CPUs usable by the server. "
                "It may be smaller than the number of available CPUs.",
                usable_cpus(),
            ),
            "num_threads": (
                "The number of concurrent co-routines/threads that currently exists.",
                threading.active_count(),
            ),
            "up_time": (
                "The time the server has been up and running in seconds.",
                int(self.uptime_s() * 100) / 100,
            ),
        }
        return {f"kes_system_{name}": _family("gauge", *rest) for name, rest in gauges.items()}


_Family = tuple[str, str, list[tuple[str, float]]]


def _family(kind: str, text: str, value: float) -> _Family:
    return kind, text, [("", value)]


def _render(name: str, family: _Family) -> str:
    kind, text, samples = family
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{suffix} {go_float(value)}" for suffix, value in samples]
    return "\n".join(lines) + "\n"


def go_float(value: float) -> str:
    """Format a number as Go's ``%g`` does: the fewest digits, an exponent from 1e+06 on."""
    number = float(value)
    if number and (abs(number) >= 1e21 or abs(number) < 1e-4 or abs(number) >= 1e6):
        digits, _, exponent = f"{number:.17e}".partition("e")
        for precision in range(17):
            if float(shorter := f"{number:.{precision}e}") == number:
                digits, _, exponent = shorter.partition("e")
                break
        return f"{digits}e{exponent}"
    return repr(int(number)) if number.is_integer() else repr(number)


def usable_cpus() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_used() -> int:
    """Return the most bytes of memory this process had so far."""
    try:
        import resource
    except ImportError:
        return sys.getallocatedblocks() * 64
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def stack_used() -> int:
    """Return a rough figure for the stacks of all threads, in bytes."""
    return threading.active_count() * _STACK
