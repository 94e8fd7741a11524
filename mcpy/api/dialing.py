"""Opens connections: to the address a name stands for, through a proxy, by TLS."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from mcpy.api.arrival import final_head
from mcpy.api.connection import Connection, soonest, within
from mcpy.api.failures import Late, LateConnect, NoSuchScheme, NotConnected, NotHttp, ProxyRefused

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from mcpy.api.call import Origin
    from mcpy.api.proxy import Proxy


class Dialer:
    """Opens connections to servers.

    Args:
        context: for ``https``; None when only ``http`` is spoken.
        resolve: ``HOST:PORT`` or ``HOST`` to the address to connect to instead.
        proxy: what stands before all of them.
        idle_s: how long a connection may stand still.
        connect_s: how long one may take to open.
    """

    def __init__(
        self,
        context: ssl.SSLContext | None,
        *,
        resolve: Mapping[str, str],
        proxy: Proxy | None,
        idle_s: float,
        connect_s: float,
    ) -> None:
        if context:
            context.set_alpn_protocols(["http/1.1"])
        self._context = context
        self._resolve, self._proxy = resolve, proxy
        self._idle_s, self._connect_s = idle_s, connect_s

    def open(self, origin: Origin, moment: float | None) -> Connection:
        """Return a connection over which ``origin`` is asked.

        Raises:
            NotConnected, LateConnect, ProxyRefused: there is none.
        """
        # without a context `https` would go out in plain text
        if origin.scheme not in {"http", "https" if self._context else "http"}:
            raise NoSuchScheme(origin.scheme)
        until = soonest(moment, self._connect_s)
        try:
            return Connection(self._opened(origin, until), origin, self._idle_s)
        except TimeoutError as e:
            raise LateConnect(str(e)) from e
        except (OSError, UnicodeError) as e:
            raise NotConnected(str(e)) from e

    def _opened(self, origin: Origin, until: float) -> socket.socket:
        host, port = (self._proxy or origin).host, (self._proxy or origin).port
        opened = dial(address_of(host, port, self._resolve), port, until)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._proxy and self._proxy.secure:
                from mcpy.api import tls

                opened = _secured(opened, tls.context(), host, until)
            if not (self._context and origin.scheme == "https"):
                return opened
            if self._proxy:
                _ask_for_a_tunnel(opened, self._proxy, origin, until)
            return _secured(opened, self._context, origin.host, until)
        except BaseException:
            opened.close()
            raise


def _secured(
    plain: socket.socket, context: ssl.SSLContext, host: str, until: float
) -> socket.socket:
    plain.settimeout(within(float("inf"), until, LateConnect))
    # an end that TLS did not announce is told from one that it did: see `Connection`
    return context.wrap_socket(plain, server_hostname=host, suppress_ragged_eofs=False)


def _ask_for_a_tunnel(opened: socket.socket, proxy: Proxy, origin: Origin, until: float) -> None:
    """Have the proxy pass on what is sent from now on: of the request it sees the server only."""
    where = f"[{origin.host}]" if ":" in origin.host else origin.host
    lines = [f"CONNECT {where}:{origin.port} HTTP/1.1", f"host: {where}:{origin.port}"]
    lines += [f"{name}: {value}" for name, value in proxy.headers.items()]
    connection = Connection(opened, origin, within(float("inf"), until, LateConnect))
    connection.moment = until
    try:
        connection.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = final_head(connection).status
    except Late as e:
        raise LateConnect(str(e)) from e
    except NotHttp as e:
        raise ProxyRefused(str(e)) from None
    if not 200 <= status < 300:
        raise ProxyRefused(f"HTTP {status}")
    if connection.is_spent():  # a server of TLS does not speak first
        raise ProxyRefused("it goes on where the server should begin")


def address_of(host: str, port: int, resolve: Mapping[str, str]) -> str:
    """Return the address that ``resolve`` has for a server, or its own name."""
    known = {name.lower(): address for name, address in resolve.items()}
    names = (f"[{host}]:{port}", f"{host}:{port}", f"[{host}]", host)
    found = next((known[name] for name in names if name in known), host)
    return found.removeprefix("[").removesuffix("]")


def dial(host: str, port: int, until: float) -> socket.socket:
    """Connect to the first address of a name that takes it, each within its share of the time.

    Raises:
        OSError, LateConnect: none does.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    last: OSError = OSError("the name has no address")
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        share_s = within(float("inf"), until, LateConnect) / (len(addresses) - tried)
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(share_s)
            opened.connect(address)
        except OSError as e:
            opened.close()
            last = e
        except BaseException:
            opened.close()
            raise
        else:
            return opened
    raise last
