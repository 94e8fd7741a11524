"""The proxy of the environment: its credentials go to it, and one that is none is said to be."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from mcpy.api.call import Call, HttpOptions
from mcpy.api.dialing import address_of
from mcpy.api.http import HttpClient
from mcpy.api.proxy import proxy_for
from mcpy.api.refusals import s3_refusal
from mcpy.errors import ConfigError, DeadlineError, ProtocolError, UnreachableError
from mcpy.sandbox.certs import Authority
from tests.api.scripted import OK, read_request

if TYPE_CHECKING:
    from pathlib import Path

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


def tunnelled(listener: socket.socket, answer: bytes, asked: list[bytes], pem: Path) -> None:
    """Be a proxy that answers CONNECT, and the server behind it."""
    plain, _ = listener.accept()
    with plain:
        asked.append(read_request(plain))
        plain.sendall(answer)
        if not answer.startswith(b"HTTP/1.1 200 OK\r\n\r\n"):
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        with context.wrap_socket(plain, server_side=True) as secured:
            asked.append(read_request(secured))
            secured.sendall(OK)


def through_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> tuple[bytes | Exception, list[bytes]]:
    """Return what a GET by https through a proxy gives, and what proxy and server were asked."""
    authority = Authority()
    pair = authority.server(("minio.test",))
    (tmp_path / "server.pem").write_bytes(pair.key_pem + pair.cert_pem)
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem)
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("https_proxy", f"http://u:hush@127.0.0.1:{listener.getsockname()[1]}")
        given = (listener, answer, asked, tmp_path / "server.pem")
        thread = threading.Thread(target=tunnelled, args=given)
        thread.start()
        options = HttpOptions(ca=tmp_path / "ca.pem", retries=2, sleep=lambda _: None)
        client = HttpClient("https://minio.test", options, refusal=s3_refusal)
        try:
            return client.request(Call("GET", "/secret-bucket/key?versionId=1")).body, asked
        except (UnreachableError, ProtocolError) as e:
            return e, asked
        finally:
            client.close()
            thread.join()


@pytest.mark.usefixtures("loopback")
def test_by_https_a_proxy_learns_the_server_and_nothing_of_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, asked = through_a_proxy(tmp_path, monkeypatch, b"HTTP/1.1 200 OK\r\n\r\n")
    assert body == b"hello"
    assert asked[0] == (
        b"CONNECT minio.test:443 HTTP/1.1\r\nhost: minio.test:443\r\n"
        b"proxy-authorization: Basic dTpodXNo\r\n\r\n"
    )
    assert asked[1].startswith(
        b"GET /secret-bucket/key?versionId=1 HTTP/1.1\r\nhost: minio.test\r"
    )
    assert b"proxy-authorization" not in asked[1]


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"HTTP/1.1 407 hush\r\nContent-Length: 0\r\n\r\n",
            "the proxy refused the way to minio.test: HTTP 407",
        ),
        (
            b"HTTP/1.1 200 K\r\n\r\nmore",
            "the proxy refused the way to minio.test: it goes on where the server should begin",
        ),
        (
            b"SSH-2.0\r\n",
            "the proxy refused the way to minio.test: the answer does not begin like one of HTTP",
        ),
    ],
)
def test_a_proxy_that_makes_no_tunnel_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, words: str
) -> None:
    error, asked = through_a_proxy(tmp_path, monkeypatch, answer)
    assert str(error) == words
    assert len(asked) == 1


@pytest.mark.usefixtures("loopback")
def test_a_proxy_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{listener.getsockname()[1]}")
        options = HttpOptions(connect_s=0.1)
        client = HttpClient("https://minio.test", options, refusal=s3_refusal)
        with pytest.raises(
            DeadlineError, match=r"cannot connect to minio\.test: no answer in time"
        ):
            client.request(Call("GET", "/"))
        client.close()


@pytest.mark.usefixtures("loopback")
def test_a_proxy_by_tls_is_asked_for_the_whole_url_and_its_certificate_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority()
    pair = authority.server()
    (tmp_path / "server.pem").write_bytes(pair.key_pem + pair.cert_pem)
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    asked: list[bytes] = []

    def serve() -> None:
        for _ in range(2):
            plain, _ = listener.accept()
            with suppress(OSError), context.wrap_socket(plain, server_side=True) as secured:
                asked.append(read_request(secured))
                secured.sendall(OK)
            plain.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("http_proxy", f"https://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=serve)
        thread.start()
        client = HttpClient("http://minio.test", HttpOptions(), refusal=s3_refusal)
        with pytest.raises(UnreachableError, match="is not trusted"):
            client.request(Call("GET", "/b"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert client.request(Call("GET", "/b")).body == b"hello"
        client.close()
        thread.join()
    assert asked[0].startswith(b"GET http://minio.test/b HTTP/1.1\r\nhost: minio.test\r\n")


@pytest.mark.usefixtures("loopback")
def test_a_proxy_that_wants_other_credentials_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bytes] = []

    def refuse() -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(read_request(connection))
            connection.sendall(b"HTTP/1.1 407 hush\r\nContent-Length: 4\r\n\r\nhush")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=refuse)
        thread.start()
        client = HttpClient("http://minio.test", HttpOptions(), refusal=s3_refusal)
        with pytest.raises(UnreachableError, match=r"way to minio\.test: HTTP 407$"):
            client.request(Call("GET", "/"))
        client.close()
        thread.join()
    assert asked[0].startswith(b"GET http://minio.test/ HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("exceptions", "url", "direct"),
    [
        ("minio.test:9000", "http://minio.test:9000", True),
        ("minio.test:9000", "http://minio.test:9001", False),
        ("minio.test", "http://a.minio.test", True),
        (".minio.test", "http://a.minio.test", True),
        ("*.minio.test", "http://a.minio.test", True),
        ("minio.test", "http://aminio.test", False),
        ("10.0.0.0/8", "http://10.1.2.3:9000", True),
        ("10.0.0.0/8", "http://11.1.2.3:9000", False),
        ("10.0.0.0/x", "http://10.1.2.3", False),
        ("10.1.2.3", "http://10.1.2.3", True),
        ("0.1.2.3", "http://10.1.2.3", False),
        ("[fd00::9]", "http://[fd00::9]:9000", True),
        ("[fd00::9]:9000", "http://[fd00::9]:9000", True),
        ("[fd00::9]:9001", "http://[fd00::9]:9000", False),
        ("fd00::/8", "http://[fd00::9]", True),
        ("fd00::9", "http://[fd00::9]", True),
        ("other.test, MINIO.test", "http://minio.test", True),
        ("*", "http://minio.test", True),
        ("", "http://localhost.:9000", True),
        ("", "http://[::ffff:127.0.0.1]:9000", True),
        ("", "http://0.0.0.0:9000", True),
        ("", "http://127.0.0.1:9000", True),
        (",", "http://minio.test", False),
    ],
)
def test_no_proxy_is_obeyed_as_mc_obeys_it(
    monkeypatch: pytest.MonkeyPatch, exceptions: str, url: str, direct: bool
) -> None:
    monkeypatch.setenv("http_proxy", "proxy.test:3128")
    monkeypatch.setenv("no_proxy", exceptions)
    assert (proxy_for(url) is None) is direct


def test_a_proxy_by_tls_serves_http_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "https://proxy.test")
    monkeypatch.setenv("https_proxy", "https://proxy.test")
    found = proxy_for("http://minio.test")
    assert found is not None
    assert (found.host, found.port, found.secure) == ("proxy.test", 443, True)
    with pytest.raises(ConfigError, match="by https, which is not supported"):
        proxy_for("https://minio.test")


@pytest.mark.parametrize(
    ("known", "host", "found"),
    [
        ("name", "name", "::1"),
        ("NAME.test", "name.test", "::1"),
        ("name.test:9000", "name.test", "::1"),
        ("name.test:9001", "name.test", "name.test"),
        ("[fd00::9]:9000", "fd00::9", "::1"),
        ("fd00::9", "fd00::9", "::1"),
    ],
)
def test_resolve_knows_names_however_they_are_written(known: str, host: str, found: str) -> None:
    assert address_of(host, 9000, {known: "[::1]"}) == found
