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
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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
    key, ca_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clouds on loopback")])
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])

    def certificate(
        subject: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
                critical=False,
            )
        )
        made = made if ca else made.add_extension(names, critical=False)
        return made.sign(ca_key, hashes.SHA256())

    leaf = certificate(x509.Name([]), key.public_key(), ca=False)
    authority = certificate(issuer, ca_key.public_key(), ca=True)
    (folder / "cloud.crt").write_bytes(leaf.public_bytes(form.Encoding.PEM))
    (folder / "cloud.key").write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
    (folder / "ca.crt").write_bytes(authority.public_bytes(form.Encoding.PEM))
    return folder / "ca.crt"
