"""A pool of connections for `http.client`: a request costs less than half of what httpx takes.

Whoever walks over objects sends three requests for each. Every thread takes a connection that is
idle, or opens one.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from typing import TYPE_CHECKING

from mcpy.api.arrival import Arrival, send
from mcpy.api.connection import Connection, within
from mcpy.api.failures import LateConnect, NoSuchScheme, NotConnected

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from mcpy.api.call import Origin, Outgoing


class Wire:
    """Sends requests, and keeps connections for the next ones.

    Args:
        context: for ``https``; None when only ``http`` is spoken.
        resolve: ``HOST:PORT`` or ``HOST`` to the address to connect to instead.
        idle_s: how long a connection may stand still.
        connect_s: how long one may take to open.
    """

    def __init__(
        self,
        context: ssl.SSLContext | None,
        *,
        resolve: Mapping[str, str],
        idle_s: float,
        connect_s: float,
    ) -> None:
        if context:
            context.set_alpn_protocols(["http/1.1"])
        self._context = context
        self._resolve = resolve
        self._idle_s, self._connect_s = idle_s, connect_s
        self._idle: dict[Origin, deque[Connection]] = {}
        self._open: set[Connection] = set()
        self._lock = threading.Lock()
        self._closed = False

    def send(self, request: Outgoing, moment: float | None) -> Arrival:
        """Send one request; all of it, and of its answer, has to be over by ``moment``.

        Raises:
            Failure: there is no answer.
            InputError: a header cannot be sent.
        """
        connection = self._kept(request.origin) or self._connected(request.origin, moment)
        try:
            connection.moment = moment
            whole = send(connection, request)
            return Arrival(connection, request.method, self._done, whole=whole)
        except BaseException:
            self._drop(connection)
            raise

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

    def _connected(self, origin: Origin, moment: float | None) -> Connection:
        # without a context `https` would go out in plain text
        if origin.scheme not in {"http", "https" if self._context else "http"}:
            raise NoSuchScheme(origin.scheme)
        limit_s = within(self._connect_s, moment, LateConnect)
        opened: socket.socket | None = None
        try:
            opened = socket.create_connection(self._address(origin), limit_s)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context and origin.scheme == "https":
                opened.settimeout(within(self._connect_s, moment, LateConnect))
                opened = self._context.wrap_socket(opened, server_hostname=origin.host)
        except BaseException as e:
            if opened:
                opened.close()
            if isinstance(e, TimeoutError):
                raise LateConnect(str(e)) from e
            if isinstance(e, (OSError, UnicodeError)):
                raise NotConnected(str(e)) from e
            raise
        connection = Connection(opened, origin, self._idle_s)
        with self._lock:
            self._open.add(connection)
        return connection

    def _address(self, origin: Origin) -> tuple[str, int]:
        known = self._resolve
        named = known.get(f"{origin.host}:{origin.port}") or known.get(origin.host, origin.host)
        return named, origin.port

    def _done(self, connection: Connection, keeps: bool) -> None:
        if keeps and not self._closed:
            self._idle.setdefault(connection.origin, deque()).append(connection)
        else:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()
