"""The audit and the error log: lines for the log file, events for whoever listens.

A real server counts the events of its log streams but drops their bytes; here they arrive.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mcpy.sandbox.kes.wire import format_time, go_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEBUG, INFO, WARN, ERROR = -4, 0, 4, 8
_LEVEL_NAMES = {DEBUG: "DEBUG", INFO: "INFO", WARN: "WARN", ERROR: "ERROR"}
_PULSE_S = 0.5
_PLAIN = re.compile(r"[!#-<>-~]+")


@dataclass(frozen=True)
class Call:
    """The request an event is about."""

    method: str
    path: str
    ip: str
    identity: str
    received: float

    def attributes(self) -> list[tuple[str, str]]:
        """Return what log lines say of the request."""
        identity = self.identity or "<unknown>"
        names = ("req.method", "req.path", "req.ip", "req.identity")
        return list(zip(names, (self.method, self.path, self.ip, identity), strict=True))


class EventLog:
    """One log: a level, a sink for lines and any number of listeners for events."""

    def __init__(self, level: int, sink: Callable[[str], None]) -> None:
        self.level = level
        self.events = 0
        self._sink = sink
        self._lock = threading.Lock()
        self._listeners: set[queue.SimpleQueue[bytes | None]] = set()
        self._closed = False

    def error(self, message: str, call: Call, *, level: int = ERROR) -> None:
        """Log something that went wrong with a request."""
        if level < self.level:
            return
        line = _line(level, message, call.attributes())
        self._publish(line, go_json({"message": line}))

    def audit(self, message: str, call: Call, *, status: int) -> None:
        """Log that a request changed something."""
        if self.level > INFO:
            return
        took = time.monotonic() - call.received
        result = [("res.code", str(status)), ("res.time", f"{took * 1000:.6f}ms")]
        request = {"ip": call.ip, "path": call.path, "identity": call.identity}
        event = {
            "time": format_time(time.time_ns()),
            "request": {name: value for name, value in request.items() if value},
            "response": {"code": status, "time": int(took * 1000)},
        }
        self._publish(_line(INFO, message, call.attributes() + result), go_json(event))

    def stream(self) -> Iterator[bytes]:
        """Yield events as they come, one JSON object a line, until the log is closed.

        Empty items send the response's head before there is an event and make the server
        notice listeners that left.
        """
        events: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        with self._lock:
            if self._closed:
                return
            self._listeners.add(events)
        try:
            event: bytes | None = b""
            while event is not None:
                yield event
                try:
                    event = events.get(timeout=_PULSE_S)
                except queue.Empty:
                    event = b""
        finally:
            with self._lock:
                self._listeners.discard(events)

    def close(self) -> None:
        """End all streams."""
        with self._lock:
            self._closed = True
            for listener in self._listeners:
                listener.put(None)

    def _publish(self, line: str, event: str) -> None:
        self._sink(line)
        with self._lock:
            self.events += 1
            for listener in self._listeners:
                listener.put(event.encode() + b"\n")


def _line(level: int, message: str, attributes: list[tuple[str, str]]) -> str:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    pairs = [("time", moment), ("level", _LEVEL_NAMES[level]), ("msg", message), *attributes]
    return " ".join(f"{name}={_quoted(value)}" for name, value in pairs)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    safe = value.encode("utf-8", "backslashreplace").decode()
    inner = safe.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inner}"'
