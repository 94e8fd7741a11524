"""Worker threads made when they are needed, for cheroot."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


MAX_WORKERS = 256
"""Requests served at once; more wait. Frozen S3 calls and log streams hold a worker each."""

_LINGER_S = 0.05
"""How long a worker stays with a connection that was answered: the next request often follows."""


class Connection(Protocol):
    """What a worker has to do with a connection."""

    def exchange(self) -> bool:
        """Answer one request; tell whether there can be another."""
        ...

    def speaks(self, wait_s: float) -> bool:
        """Tell whether the peer says something, or leaves, within ``wait_s`` seconds."""
        ...

    def cut(self) -> None:
        """End whatever a worker is doing with it."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Server(Protocol):
    """Whose connections they are."""

    @property
    def put_conn(self) -> Callable[[Connection], None]:
        """Wait for the next request of a connection."""
        ...

    @property
    def error_log(self) -> Callable[..., None]:
        """Log a fault; with ``traceback``, where it happened."""
        ...


class WorkerPool:
    """A thread for each connection that has something to say, up to ``MAX_WORKERS``.

    Has the methods cheroot's own pool has; unlike it, starting takes no time and stopping does
    not wait for a handler that hangs.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._queue: queue.SimpleQueue[Connection | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._busy: dict[int, Connection] = {}
        self._waiting = 0
        self._stopping = False

    @property
    def idle(self) -> int:
        """How many workers have nothing to do."""
        return len(self._threads) - len(self._busy)

    @property
    def qsize(self) -> int:
        """How many connections wait for a worker."""
        return self._queue.qsize()

    def start(self) -> None:
        """Do nothing: workers start with the first connection."""

    def put(self, connection: Connection) -> None:
        """Serve the next request of ``connection``."""
        if self._stopping:
            connection.close()
            return
        with self._lock:
            self._waiting += 1
            if self._waiting > self.idle and len(self._threads) < MAX_WORKERS:
                thread = threading.Thread(target=self._work, daemon=True)
                self._threads.append(thread)
                thread.start()
        self._queue.put(connection)

    def stop(self, timeout: float = 0) -> None:
        """Wait ``timeout`` seconds for running requests, then cut them off."""
        self._stopping = True
        end = time.monotonic() + timeout
        while self._busy and time.monotonic() < end:
            time.sleep(0.005)
        with self._lock:
            threads, busy = list(self._threads), list(self._busy.values())
        for connection in busy:
            connection.cut()
        self._close_waiting()
        for _ in threads:
            self._queue.put(None)
        end = time.monotonic() + 0.5
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0, end - time.monotonic()))

    def _work(self) -> None:
        while (connection := self._queue.get()) is not None:
            with self._lock:
                self._waiting -= 1
                self._busy[threading.get_ident()] = connection
            keep = self._serve(connection)
            while keep and self._stays_with(connection):
                keep = self._serve(connection)
            with self._lock:
                del self._busy[threading.get_ident()]
            if keep and not self._stopping:
                self._server.put_conn(connection)
            else:
                connection.close()

    def _stays_with(self, connection: Connection) -> bool:
        """Tell whether the same worker has the next request: a hand-over costs more than it."""
        return not self._stopping and not self._waiting and connection.speaks(_LINGER_S)

    def _serve(self, connection: Connection) -> bool:
        """Answer one request; tell whether there can be another."""
        try:
            return connection.exchange()
        except ConnectionError:
            return False  # the peer has left, as peers do
        except OSError as e:
            self._server.error_log(f"connection lost: {e}")
        except BaseException as e:  # noqa: BLE001 - one broken request must not end the worker
            self._server.error_log(repr(e), traceback=True)
        return False

    def _close_waiting(self) -> None:
        while True:
            try:
                connection = self._queue.get_nowait()
            except queue.Empty:
                return
            if connection is not None:
                connection.close()
