"""The proxy of the environment: its credentials go to it, and one that is none is said to be."""

from __future__ import annotations

import base64
import socket
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.running import Mcpy

INFO = ("encrypt", "info", "play/enc-1")
PASSWORD = "p:ss-of-the-proxy"


def answer_one(listener: socket.socket, asked: list[str]) -> None:
    connection, _ = listener.accept()
    with connection:
        asked.append(connection.recv(65536).decode())
        connection.sendall(b"HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_credentials_of_a_proxy_are_sent_to_it_decoded(
    mcpy: Mcpy, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = f"{scheme}us%40er:p%3Ass-of-the-proxy@127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv("http_proxy", proxy)
        thread = threading.Thread(target=answer_one, args=(listener, asked))
        thread.start()
        mcpy.transport = None
        mcpy.secrets.add(PASSWORD)
        assert mcpy(*INFO).exit_code == 7
        thread.join()
    credentials = base64.b64encode(f"us@er:{PASSWORD}".encode()).decode()
    assert asked[0].startswith("GET http://s3.test:9000/enc-1?encryption= HTTP/1.1\r\n")
    assert f"Proxy-Authorization: Basic {credentials}\r\n".lower() in asked[0].lower()


@pytest.mark.parametrize("proxy", ["socks5://h:1", "http://", "http://u:hush@h:99999", "http://["])
def test_what_is_no_http_proxy_is_named_and_not_repeated(
    mcpy: Mcpy, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    mcpy.transport = None
    assert mcpy(*INFO) == (
        1,
        "",
        "mcpy: error: http_proxy is not http://[USER:PASSWORD@]HOST:PORT\n",
    )
