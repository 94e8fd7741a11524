"""The counters of a KES, from Prometheus's text format to the names ``kes metric`` prints.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
from typing import Any

from mcpy.errors import ProtocolError

_SAMPLE = re.compile(r'(\w+)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(\S+)')
_LE = re.compile(r'le="([^"]+)"')
_NS = 1_000_000_000
_COUNTERS = ("kes_http_request_success", "kes_http_request_error", "kes_http_request_failure")
_TIMES = "kes_http_response_time"
_UPTIME = "kes_system_up_time"


def parse(text: str, where: str) -> dict[str, Any]:
    """Return the counters; times are nanoseconds, and a counter not yet used is 0.

    ``kes_http_response_time`` holds how many answers took at most so long, by nanoseconds.

    Raises:
        ProtocolError: there is not one counter of a KES.
    """
    found: dict[str, Any] = dict.fromkeys(_COUNTERS, 0)
    times: dict[str, int] = {}
    for name, labels, value in _samples(text):
        if name == f"{_TIMES}_bucket":
            limit = _LE.search(labels)
            if limit and limit[1] != "+Inf":
                times[str(round(float(limit[1]) * _NS))] = int(value)
        elif name in _COUNTERS:
            found[name] += int(value)  # one sample for each status
        elif name.startswith("kes_") and not name.startswith(_TIMES):
            found[name] = int(value) * (_NS if name == _UPTIME else 1)  # whole seconds, as kes
    if len(found) == len(_COUNTERS):
        raise ProtocolError(f"{where} answered no counters of a KES")
    return found | {_TIMES: dict(sorted(times.items(), key=lambda item: int(item[0])))}


def _samples(text: str) -> list[tuple[str, str, float]]:
    found = []
    for line in text.splitlines():
        match = _SAMPLE.match(line)
        if match:
            try:
                found.append((match[1], match[2] or "", float(match[3])))
            except ValueError:
                continue
    return found
