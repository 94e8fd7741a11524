"""A pool of connections of our own: a request costs a third of what it takes httpx.

Whoever walks over objects sends three requests for each. Every thread takes a connection that is
idle, or opens one.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from mcpy.api.arrival import Arrival, send
from mcpy.api.failures import Failure, ProxyRefused

if TYPE_CHECKING:
    from mcpy.api.call import Origin, Outgoing
    from mcpy.api.connection import Connection
    from mcpy.api.dialing import Dialer
    from mcpy.api.proxy import Proxy

_NONE: dict[str, str] = {}


class Wire:
    """Sends requests, and keeps connections for the next ones.

    Args:
        dialer: opens connections.
        proxy: what stands between it and the servers.
    """

    def __init__(self, dialer: Dialer, proxy: Proxy | None = None) -> None:
        self._dialer = dialer
        self._proxy = proxy
        self._idle: dict[Origin, deque[Connection]] = {}
        self._open: set[Connection] = set()
        self._lock = threading.Lock()
        self._closed = False

    def send(self, request: Outgoing, moment: float | None) -> Arrival:
        """Send one request; all of it, and of its answer, has to be over by ``moment``."""
        origin = request.origin
        # a proxy is asked for the whole URL; through a tunnel it is the server that is asked
        asked = self._proxy if origin.scheme == "http" else None
        target = f"http://{origin.netloc}{request.target}" if asked else request.target
        connection = self._kept(origin) or self._opened(origin, moment)
        try:
            connection.moment = moment
            whole = send(connection, request, target, asked.headers if asked else _NONE)
            arrival = Arrival(connection, request.method, self._done, whole=whole)
        except BaseException:
            self._drop(connection)
            raise
        if asked and arrival.status == 407:
            arrival.close()
            raise ProxyRefused("HTTP 407")
        return arrival

    def close(self) -> None:
        """Close every connection; whoever waits for an answer on one is told so."""
        with self._lock:
            self._closed = True
            left, self._open = self._open, set()
        for connection in left:
            connection.close()

    def _kept(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # another thread was quicker
                break
            # a server that has something to say while nobody asks has closed it
            if not connection.is_spent():
                return connection
            self._drop(connection)
        return None

    def _opened(self, origin: Origin, moment: float | None) -> Connection:
        connection = self._dialer.open(origin, moment)
        with self._lock:
            if not self._closed:
                self._open.add(connection)
                return connection
        connection.close()
        raise Failure("it was closed")

    def _done(self, connection: Connection, keeps: bool) -> None:
        if keeps and not self._closed:
            self._idle.setdefault(connection.origin, deque()).append(connection)
        else:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()
