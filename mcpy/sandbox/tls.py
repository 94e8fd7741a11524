"""TLS as a KES server speaks it: any client certificate will do, and the application sees it.

The standard library's ``ssl`` can only demand certificates it can verify. Clients of a KES make
theirs up, so this goes through pyOpenSSL.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

_PARTIAL_CHAIN = 0x80000
"""OpenSSL's X509_V_FLAG_PARTIAL_CHAIN: what is named as an authority is trusted as such."""

_PLAIN_HTTP = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


class TlsFaultError(ConnectionResetError):
    """The TLS handshake or the connection failed; there is nobody to answer to."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.ECONNRESET, message)


@dataclass(frozen=True)
class ClientCertificates:
    """What the server wants to see of its clients.

    Attributes:
        ask: whether to ask for a certificate at all.
        need: whether to refuse clients without one.
        verify: whether a certificate must be signed by ``ca`` and be within its dates.
        ca: file or folder of authorities.
    """

    ask: bool = False
    need: bool = False
    verify: bool = False
    ca: Path | None = None


class TlsContext:
    """A certificate and rules for clients; wraps accepted sockets.

    Args:
        key: path of the private key in PEM.
        cert: path of the certificate chain in PEM.
        password: of an encrypted private key.
        clients: what to demand of clients.
    """

    def __init__(
        self,
        key: Path,
        cert: Path,
        *,
        password: str = "",
        clients: ClientCertificates = ClientCertificates(),
    ) -> None:
        # typed as Any: the stubs of older releases contradict newer ones
        context: Any = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.use_certificate_chain_file(str(cert))
        context.use_privatekey(_private_key(key, password))
        context.check_privatekey()
        context.set_session_id(b"mcpy-sandbox")
        context.set_alpn_select_callback(_choose_protocol)
        _demand(context, clients)
        self._context = context

    def wrap(self, sock: socket.socket) -> TlsSocket:
        """Return ``sock`` with TLS around it; the handshake waits for the first read."""
        return TlsSocket(self._context, sock)


def _private_key(path: Path, password: str) -> Any:  # noqa: ANN401 - any kind of key
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(path.read_bytes(), password.encode() or None)


def _choose_protocol(_: object, offered: list[bytes]) -> Any:  # noqa: ANN401 - bytes or a mark
    return b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _demand(context: Any, clients: ClientCertificates) -> None:  # noqa: ANN401 - as above
    if not clients.ask:
        return
    mode = SSL.VERIFY_PEER
    if clients.need:
        mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    if not clients.verify:
        context.set_verify(mode, lambda *_: True)
        return
    context.set_default_verify_paths()
    for path in _authority_files(clients.ca):
        context.load_verify_locations(str(path))
    store = context.get_cert_store()
    if store is not None:
        store.set_flags(_PARTIAL_CHAIN)
    context.set_verify(mode)


def _authority_files(path: Path | None) -> list[Path]:
    if path is None:
        return []
    return sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]


class TlsSocket:
    """A TLS connection with a socket's methods.

    Attributes:
        plain: the socket below.
        refused: whether the handshake failed after the peer began to talk.
    """

    def __init__(self, context: SSL.Context, sock: socket.socket) -> None:
        self.plain = sock
        self.refused = False
        self._timeout_s = sock.gettimeout()
        sock.setblocking(False)
        self._tls: Any = SSL.Connection(context, sock)
        self._tls.set_accept_state()
        self._shaken = False
        self._peer_certs: tuple[bytes, ...] | None = None

    def peer_certs(self) -> tuple[bytes, ...]:
        """Return the peer's certificates in DER, its own first."""
        if self._peer_certs is None:
            self._peer_certs = self._read_peer_certs()
        return self._peer_certs

    def _read_peer_certs(self) -> tuple[bytes, ...]:
        from cryptography.hazmat.primitives.serialization import Encoding

        own = self._tls.get_peer_certificate()
        if own is None:
            return ()
        chain = [own, *(self._tls.get_peer_cert_chain() or [])]
        ders = [c.to_cryptography().public_bytes(Encoding.DER) for c in chain]
        return tuple(dict.fromkeys(ders))

    def recv_into(self, buffer: bytearray | memoryview, /) -> int:
        """Fill ``buffer``; 0 at the end. The first call shakes hands."""
        if not self._shaken:
            self._handshake()
        try:
            return self._wait(lambda: self._tls.recv_into(buffer))
        except SSL.ZeroReturnError:
            return 0
        except SSL.SysCallError:
            return 0
        except SSL.Error as e:
            raise TlsFaultError(str(e)) from e

    def sendall(self, data: bytes, /) -> None:
        """Send all of ``data``."""
        view = memoryview(data)
        try:
            while view:
                view = view[self._send(view[:65_536]) :]
        except SSL.Error as e:
            raise TlsFaultError(str(e)) from e

    def _send(self, part: memoryview) -> int:
        return self._wait(lambda: self._tls.send(part))

    def pending(self) -> int:
        """Return how many bytes were decrypted but not read."""
        return int(self._tls.pending())

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self.plain.fileno()

    def settimeout(self, timeout_s: float | None) -> None:
        """Set how long a read or write may wait for the peer."""
        self._timeout_s = timeout_s

    def close(self) -> None:
        """Say goodbye if the peer still listens, and close."""
        with contextlib.suppress(SSL.Error, OSError):
            if self._shaken:
                self._tls.shutdown()
        self.plain.close()

    def _handshake(self) -> None:
        try:
            self._wait(self._tls.do_handshake)
        except SSL.Error as e:
            self.refused = True
            reasons = e.args[0] if e.args and isinstance(e.args[0], list) else []
            if any(reason[-1] == "http request" for reason in reasons):
                with contextlib.suppress(OSError):
                    self.plain.send(_PLAIN_HTTP)
            raise TlsFaultError(f"TLS handshake: {e}") from e
        self._shaken = True

    def _wait(self, call: Callable[[], int | None]) -> int:
        """Repeat ``call`` until it need not wait for the peer any more."""
        while True:
            try:
                return call() or 0
            except SSL.WantReadError:
                self._until(selectors.EVENT_READ)
            except SSL.WantWriteError:
                self._until(selectors.EVENT_WRITE)

    def _until(self, event: int) -> None:
        with _Selector() as selector:
            try:
                selector.register(self.plain, event)
            except ValueError as e:
                raise TlsFaultError("closed") from e
            start = time.monotonic()
            if not selector.select(self._timeout_s) and self._timeout_s is not None:
                waited = time.monotonic() - start
                raise TimeoutError("timed out", f"after {waited:.0f} s")


# a selector without a descriptor of its own: one is made for each wait
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
