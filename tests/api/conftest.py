"""What the tests of the HTTP client share."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from mcpy.sandbox.certs import Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's context, and the file of its authority."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority()
    pair = authority.server()
    (folder / "server.pem").write_bytes(pair.key_pem + pair.cert_pem)
    (folder / "ca.pem").write_bytes(authority.cert_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, folder / "ca.pem"
