"""The sandbox's HTTP servers: cheroot, with what S3 and KES clients need beyond WSGI.

Request targets reach the application as they were sent, a body is asked for (``100 Continue``)
only when it is read and never swallowed into memory, threads are made when they are needed, and
a server stops at once.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import sys
import threading
import time
import traceback as tracebacks
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from cheroot import server as cheroot_server

from mcpy.sandbox.exchange import converse
from mcpy.sandbox.faults.scene import ConnectionBroken
from mcpy.sandbox.message import Request
from mcpy.sandbox.pool import WorkerPool
from mcpy.sandbox.stream import PlainSocket, SocketReader, SocketWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.sandbox.kms.link import Ends
    from mcpy.sandbox.message import Handler, Readable
    from mcpy.sandbox.tls import TlsContext

IDLE_S = 90
"""How long an idle connection is kept, and how long a peer may be silent within a request."""

_STOP_S = 0.2
_WAKE_S = 0.002
_BACKLOG = 128


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reached_by(host: str) -> str:
    """Return what leads here from this machine: nobody connects to "every address"."""
    try:
        found = ip_address(host)
    except ValueError:
        return host
    if not found.is_unspecified:
        return host
    return "127.0.0.1" if found.version == 4 else "::1"


class HttpServer:
    """One listening address and the handler behind it.

    Args:
        handler: answers requests, called from many threads.
        host: IP address or name to listen on.
        port: 0 for any free one; ``port`` has the real one after ``start``.
        tls: how to speak TLS, or None for plain HTTP.
        log: gets a line for each fault; a request is none.
    """

    def __init__(
        self,
        handler: Handler,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: TlsContext | None = None,
        log: Callable[[str], None],
    ) -> None:
        self._server = Server(handler, (host, port), tls, log)
        self._thread: threading.Thread | None = None
        self._listening = False
        self.host = host
        self.port = port

    @property
    def url(self) -> str:
        """The server's address with its scheme."""
        scheme = "https" if self._server.tls else "http"
        return f"{scheme}://{_joined(_reached_by(self.host), self.port)}"

    @property
    def address(self) -> str:
        """Where it listens, as ``HOST:PORT``."""
        return _joined(self.host, self.port)

    def listen(self) -> None:
        """Take the address; clients that come wait until ``start``.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._server.prepare()
        self.port = int(self._server.bind_addr[1])
        self._listening = True

    def start(self) -> None:
        """Listen unless done already, then serve in the background.

        Raises:
            OSError: the address cannot be listened on.
        """
        if not self._listening:
            self.listen()
        self._thread = threading.Thread(target=self._server.serve, daemon=True)
        self._thread.start()

    def connection(self, ends: Ends) -> Connection | None:
        """Return the open connection between two addresses, once a request came over it."""
        connection = self._server.met.get(ends)
        if connection is not None:
            connection.last_used = time.time()
        return connection

    def stop(self, grace_s: float = _STOP_S) -> None:
        """Stop listening, let running requests end for ``grace_s`` seconds, close the rest."""
        if not self._listening:
            return
        self._listening = False
        self._server.shutdown_timeout = grace_s
        self._server.stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None


class Server(cheroot_server.HTTPServer):
    """The cheroot server below an ``HttpServer``."""

    shutdown_timeout: Any = _STOP_S

    def __init__(
        self,
        handler: Handler,
        address: tuple[str, int],
        tls: TlsContext | None,
        log: Callable[[str], None],
    ) -> None:
        super().__init__(address, None)
        self.ConnectionClass = Connection
        self.requests: Any = WorkerPool(self)
        self.handler = handler
        self.tls = tls
        self.timeout = IDLE_S
        self.request_queue_size = _BACKLOG
        self.keep_alive_conn_limit = 1_000_000
        self.expiration_interval = 0.1
        self.met: dict[Ends, Connection] = {}
        self._log = log

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:  # noqa: A002 - cheroot's signature
        """Take the address; a port this process picked can be taken again after a restart."""
        sock = socket.socket(family, type, proto)
        try:
            if sys.platform != "win32":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.bind(self.bind_addr)
        except OSError:
            sock.close()
            raise
        self.socket = sock
        self.bind_addr = sock.getsockname()[:2]
        return sock

    def stop(self) -> None:
        """Stop at once rather than at the next look at the clock."""
        threading.Thread(target=self._wake, args=(self.bind_addr,), daemon=True).start()
        base: Any = super()
        base.stop()

    def _wake(self, address: tuple[str, int]) -> None:
        time.sleep(_WAKE_S)
        with contextlib.suppress(OSError):
            socket.create_connection(address, timeout=1).close()

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:  # noqa: ARG002 - cheroot's signature
        """Pass a fault on to the log."""
        self._log(f"{msg}\n{tracebacks.format_exc()}" if traceback else str(msg))


class Connection(cheroot_server.HTTPConnection):
    """A connection whose files are fast and whose last words reach the peer."""

    def __init__(self, server: Server, sock: socket.socket, _makefile: object = None) -> None:
        wire = server.tls.wrap(sock) if server.tls else PlainSocket(sock)
        super().__init__(server, wire, lambda *_: None)
        self.rfile = SocketReader(wire)
        self.wfile = SocketWriter(wire)
        self.secure = server.tls is not None
        self.unread = False
        self._ends: Ends | None = None

    def exchange(self) -> bool:
        """Answer one request; tell whether the connection can have another."""
        try:
            keep = converse(self, self.server.handler)
        except ConnectionBroken as e:
            self._break(e)
            raise
        if keep and self._ends is None and self.secure:
            plain: socket.socket = self.socket.plain
            self._ends = plain.getpeername()[:2], plain.getsockname()[:2]
            self.server.met[self._ends] = self
        return keep

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Readable,
        length: int | None,
    ) -> Request:
        """Return what the handler is to see of a request on this connection."""
        raw_path, _, raw_query = target.partition("?")
        return Request(
            method=method,
            raw_path=raw_path,
            raw_query=raw_query,
            headers=headers,
            body=body,
            length=length,
            secure=self.secure,
            peer_certs=self.socket.peer_certs(),
            remote=self.remote_addr or "",
        )

    def speaks(self, wait_s: float) -> bool:
        """Tell whether the peer says something, or leaves, within ``wait_s`` seconds."""
        return bool(self.rfile.has_data() or _readable(self.socket.fileno(), wait_s))

    def close(self) -> None:
        """Close; what the peer still sends is waited for a moment, lest it miss the answer."""
        if self._ends is not None:
            self.server.met.pop(self._ends, None)
        with contextlib.suppress(OSError):
            if self.unread or self.socket.refused:
                self._linger()
        self.socket.close()

    def cut(self) -> None:
        """End whatever a worker is doing with this connection."""
        with contextlib.suppress(OSError):
            self.socket.plain.shutdown(socket.SHUT_RDWR)

    def _break(self, how: ConnectionBroken) -> None:
        """End as a fault demands: what is still to come from the peer is not waited for."""
        self.unread = False
        with contextlib.suppress(OSError):
            if how.last_words:
                self.wfile.write(how.last_words)
            if how.reset:
                linger = struct.pack("ii", 1, 0)
                self.socket.plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.socket.plain.close()

    def gone(self) -> bool:
        """Tell whether the peer has hung up; asks the kernel, takes nothing off the wire."""
        # a socket with a timeout waits for it in spite of MSG_DONTWAIT
        if not _readable(self.socket.fileno(), 0):
            return False
        try:
            return not self.socket.plain.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _linger(self) -> None:
        # closing with bytes unread makes the peer's kernel throw our answer away
        plain: socket.socket = self.socket.plain
        plain.shutdown(socket.SHUT_WR)
        plain.settimeout(0.1)
        end = time.monotonic() + 0.5
        while time.monotonic() < end and plain.recv(65_536):
            pass


def _readable(descriptor: int, wait_s: float) -> bool:
    """Tell whether there is something to read within ``wait_s`` seconds."""
    if not hasattr(select, "poll"):
        return bool(select.select([descriptor], [], [], wait_s)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(wait_s * 1000))
