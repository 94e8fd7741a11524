"""The hosts of clouds on loopback: a proxy that answers CONNECT for them with a TLS of its own.

A real KES takes no other address for Google, and no plain HTTP for Azure. It does take a proxy and
a file of authorities from its environment, and so does mcpy.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcpy.sandbox.certs import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Ports = dict[str, int]
"""The port behind each protocol TLS may agree on: ``h2``, and ``http/1.1`` for all else."""


@contextmanager
def clouds(folder: Path, hosts: Mapping[str, Ports]) -> Iterator[dict[str, str]]:
    """Serve hosts through a proxy, and give the environment that leads to it."""
    authority = certify(folder, list(hosts))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = threading.Thread(target=_accept, args=(listener, folder, hosts), daemon=True)
        proxy.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield {"HTTPS_PROXY": url, "SSL_CERT_FILE": str(authority)}
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    proxy.join(5)


def _accept(listener: socket.socket, folder: Path, hosts: Mapping[str, Ports]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_tunnel, args=(client, folder, hosts), daemon=True).start()


def _tunnel(client: socket.socket, folder: Path, hosts: Mapping[str, Ports]) -> None:
    with contextlib.suppress(OSError), client:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1) or b"\r\n\r\n"
        host = head.split()[1].decode().partition(":")[0]
        if host not in hosts:
            client.sendall(b"HTTP/1.1 502 no such host here\r\n\r\n")
            return
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cloud.crt", folder / "cloud.key")
        context.set_alpn_protocols(sorted(hosts[host], reverse=False))
        with context.wrap_socket(client, server_side=True) as secure:
            chosen = secure.selected_alpn_protocol() or "http/1.1"
            with socket.create_connection(("127.0.0.1", hosts[host][chosen])) as behind:
                back = threading.Thread(target=_pump, args=(behind, secure), daemon=True)
                back.start()
                _pump(secure, behind)
                back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := source.recv(65_536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def certify(folder: Path, hosts: list[str]) -> Path:
    """Write a key and a certificate for hosts; return the file of the authority above it."""
    authority = Authority()
    authority.server(tuple(hosts)).save(folder / "cloud.key", folder / "cloud.crt")
    (folder / "ca.crt").write_bytes(authority.cert_pem)
    return folder / "ca.crt"
