"""The KES over real TLS connections: certificates, bodies, streams, stopping."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mcpy.sandbox import certs
from mcpy.sandbox.certs import KeyPair
from mcpy.sandbox.kes.service import KesService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.sandbox

ROOT, _ = certs.client("root")
OTHER, _ = certs.client("other")
PAST, _ = certs.client("past", now=datetime(2000, 1, 1, tzinfo=UTC))
AUTHORITY = certs.Authority()
CONFIG = """
admin: {{identity: {admin}}}
tls: {{key: {dir}/server.key, cert: {dir}/server.crt{tls}}}
policy:
  past: {{allow: ["/v1/key/list/*"], identities: [{past}]}}
keystore: {{fs: {{path: {dir}/keys}}}}
log: {{error: DEBUG}}
"""


@dataclass
class Kes:
    """A running KES and what clients need to reach it."""

    dir: Path
    service: KesService
    lines: list[str] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.service.server.port

    def context(self, who: KeyPair | None = ROOT) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=AUTHORITY.cert_pem.decode())
        if who is not None:
            who.save(self.dir / "who.key", self.dir / "who.cert")
            context.load_cert_chain(self.dir / "who.cert", self.dir / "who.key")
        return context

    def connect(self, who: KeyPair | None = ROOT) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(*self.address, context=self.context(who), timeout=5)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        who: KeyPair | None = ROOT,
    ) -> tuple[int, bytes]:
        connection = self.connect(who)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def raw(self, data: bytes, who: KeyPair | None = ROOT) -> bytes:
        with (
            socket.create_connection(self.address, timeout=5) as plain,
            self.context(who).wrap_socket(plain, server_hostname="127.0.0.1") as tls,
        ):
            tls.sendall(data)
            answer = b""
            while part := tls.recv(65_536):
                answer += part
            return answer


def start(tmp_path: Path, *, tls: str = "", more: str = "") -> Kes:
    AUTHORITY.server().save(tmp_path / "server.key", tmp_path / "server.crt")
    config = CONFIG.format(admin=ROOT.identity, past=PAST.identity, dir=tmp_path, tls=tls) + more
    (tmp_path / "kes.yml").write_text(config)
    lines: list[str] = []
    kes = Kes(tmp_path, KesService(tmp_path / "kes.yml", ("127.0.0.1", 0), lines.append), lines)
    kes.service.start()
    return kes


@pytest.fixture
def kes(tmp_path: Path) -> Iterator[Kes]:
    running = start(tmp_path)
    yield running
    running.service.stop()


def test_any_certificate_will_do_even_an_expired_one(kes: Kes) -> None:
    assert kes.ask("PUT", "/v1/key/create/a") == (200, b"")
    assert kes.ask("GET", "/v1/key/list/", who=PAST) == (200, b'{"names":["a"]}\n')
    status, body = kes.ask("GET", "/v1/key/list/", who=OTHER)
    assert (status, body) == (403, b'{"message":"not authorized: insufficient permissions"\n}')


def test_without_a_certificate_there_is_no_answer(kes: Kes) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError), match="certificate required"):
        kes.ask("GET", "/version", who=None)


def test_tls_12_works_and_older_does_not(kes: Kes) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = kes.context()
        context.minimum_version = context.maximum_version = version
        connection = http.client.HTTPSConnection(*kes.address, context=context, timeout=5)
        connection.request("GET", "/version")
        assert connection.getresponse().status == 200
        connection.close()


def test_a_server_with_skip_auth_asks_for_certificates_but_does_not_need_them(
    tmp_path: Path,
) -> None:
    kes = start(tmp_path, more="api: {/v1/ready: {skip_auth: true}}")
    try:
        assert kes.ask("GET", "/v1/ready", who=None) == (200, b"")
        status, body = kes.ask("GET", "/v1/status", who=None)
        assert (status, body) == (400, b'{"message":"tls: client certificate is required"\n}')
        assert kes.ask("GET", "/v1/status")[0] == 200
    finally:
        kes.service.stop()


def test_a_server_that_verifies_takes_only_what_its_authority_knows(tmp_path: Path) -> None:
    (tmp_path / "known.crt").write_bytes(ROOT.cert_pem + PAST.cert_pem)
    kes = start(tmp_path, tls=f", auth: on, ca: {tmp_path}/known.crt")
    try:
        assert kes.ask("GET", "/v1/ready")[0] == 200
        for who, alert in ((OTHER, "unknown ca"), (PAST, "expired"), (None, "required")):
            with pytest.raises((ssl.SSLError, ConnectionError), match=alert):
                kes.ask("GET", "/v1/ready", who=who)
    finally:
        kes.service.stop()


def test_plain_http_is_told_so(kes: Kes) -> None:
    with socket.create_connection(kes.address, timeout=5) as plain:
        plain.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while part := plain.recv(4096):
            answer += part
    expected = b"HTTP/1.0 400 Bad Request\r\n\r\n"
    assert answer == expected + b"Client sent an HTTP request to an HTTPS server.\n"


def test_chunked_bodies_are_read_and_the_connection_stays_in_step(kes: Kes) -> None:
    kes.ask("PUT", "/v1/key/create/a")
    connection = kes.connect()
    for number in range(3):
        message = iter([b'{"mess', b'age":"', b'YQ=="}'])
        connection.request("PUT", "/v1/key/hmac/a", message, encode_chunked=True)
        assert connection.getresponse().read().startswith(b'{"hmac"'), number
        # refused before its body is read
        connection.request("PUT", "/v1/key/hmac/-", iter([b"x" * 1000]), encode_chunked=True)
        assert connection.getresponse().read().startswith(b'{"message":"key name'), number
    connection.close()


@pytest.mark.parametrize(("size", "status"), [(999_980, 200), (1_000_001, 400), (3_000_000, 400)])
def test_a_body_has_at_most_a_million_bytes(kes: Kes, size: int, status: int) -> None:
    kes.ask("PUT", "/v1/key/create/a")
    text = '{"message":"' + "A" * ((size - 14) // 4 * 4) + '"}'
    answered, body = kes.ask("PUT", "/v1/key/hmac/a", text.rjust(size).encode())
    assert answered == status
    if status == 400:
        assert body == b'{"message":"invalid request body"\n}'


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"null", 200),
        (b'{"message":null}', 200),
        (b'{"message":[1,2,255]}', 200),
        (b'  {"MESSAGE":"YQ=="}garbage', 200),
        (b'{"message":"Y\\nQ=="}', 200),
        (b'{"message":5}', 400),
        (b'{"message":[256]}', 400),
        (b'{"message":"YQ"}', 400),
        (b'{"message":NaN}', 400),
        (b"[]", 400),
        (b'"a"', 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
    ],
)
def test_bodies_are_read_as_leniently_as_go_reads_them(kes: Kes, body: bytes, status: int) -> None:
    kes.ask("PUT", "/v1/key/create/a")
    assert kes.ask("PUT", "/v1/key/hmac/a", body)[0] == status


def test_a_client_with_two_identities_has_none(kes: Kes) -> None:
    both = KeyPair(ROOT.key_pem, ROOT.cert_pem + OTHER.cert_pem)
    status, body = kes.ask("GET", "/v1/status", who=both)
    assert status == 400
    assert body == b'{"message":"tls: received more than one client certificate"\n}'
    issued = KeyPair(ROOT.key_pem, ROOT.cert_pem + AUTHORITY.cert_pem)
    assert kes.ask("GET", "/v1/status", who=issued)[0] == 200


def test_many_clients_at_once_get_whole_answers(kes: Kes) -> None:
    kes.ask("PUT", "/v1/key/create/a")
    context, made = kes.context(), list[bytes]()

    def generate() -> None:
        connection = http.client.HTTPSConnection(*kes.address, context=context, timeout=10)
        for _ in range(20):
            connection.request("PUT", "/v1/key/generate/a", b"{}")
            made.append(connection.getresponse().read())
        connection.close()

    threads = [threading.Thread(target=generate) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({json.loads(answer)["ciphertext"] for answer in made}) == 320


def test_broken_chunks_end_the_connection(kes: Kes) -> None:
    head = b"PUT /v1/key/encrypt/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = kes.raw(head + b"zz\r\n")
    assert b'{"message":"invalid request body"\n}' in answer
    assert b"Connection: close" in answer


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("//v1/status", "/v1/status"),
        ("/x/../v1/ready", "/v1/ready"),
        ("/v1/key/list?x=1", "/v1/key/list/?x=1"),
        ("/v1/key/list/a//b", "/v1/key/list/a/b"),
    ],
)
def test_unclean_paths_are_redirected(kes: Kes, target: str, location: str) -> None:
    request = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    head, _, body = kes.raw(request.encode()).decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 307 Temporary Redirect\r\n")
    assert f"Location: {location}\r\n" in head
    assert body == f'<a href="{location}">Temporary Redirect</a>.\n\n'


def test_all_keys_come_in_one_page(kes: Kes) -> None:
    for number in range(1101):
        (kes.dir / "keys" / f"k{number:05}").write_text("x")
    status, body = kes.ask("GET", "/v1/key/list/k")
    answer = json.loads(body)
    assert (status, len(answer["names"]), answer["names"][-1]) == (200, 1101, "k01100")
    assert "continue_at" not in answer


@pytest.mark.parametrize("log", ["audit", "error"])
def test_log_streams_deliver_each_event_at_once(kes: Kes, log: str) -> None:
    connection = kes.connect()
    connection.request("GET", f"/v1/log/{log}")
    response = connection.getresponse()  # its head comes before there is an event
    assert response.headers["Content-Type"] == "application/x-ndjson"
    for path in ("/v1/key/create/a", "/v1/key/encrypt/a"):
        kes.ask("PUT", path)
    event = json.loads(response.readline())
    if log == "audit":
        assert event["request"] == {
            "ip": "127.0.0.1",
            "path": "/v1/key/create/a",
            "identity": ROOT.identity,
        }
        assert event["response"]["code"] == 200
    else:
        assert "req.path=/v1/key/encrypt/a" in event["message"]
    connection.close()


def test_a_denial_is_in_the_debug_log(kes: Kes) -> None:
    kes.ask("GET", "/v1/status", who=OTHER)
    assert any("access denied: identity not found" in line for line in kes.lines)


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "_work" in thread.name]


def test_a_server_stops_at_once_with_streams_and_idle_connections_open(kes: Kes) -> None:
    stream, idle = kes.connect(), kes.connect()
    stream.request("GET", "/v1/log/audit")
    response = stream.getresponse()
    idle.request("GET", "/version")
    idle.getresponse().read()
    began = time.monotonic()
    kes.service.stop()
    assert time.monotonic() - began < 1
    assert response.read() == b""
    stream.close()
    idle.close()
    end = time.monotonic() + 1
    while workers() and time.monotonic() < end:
        time.sleep(0.01)
    assert not workers()


def test_a_reload_takes_new_policies_and_refuses_a_broken_file(kes: Kes) -> None:
    assert kes.ask("GET", "/v1/status", who=OTHER)[0] == 403
    text = (kes.dir / "kes.yml").read_text()
    policy = f"  other: {{allow: [/v1/status], identities: [{OTHER.identity}]}}\nkeystore:"
    (kes.dir / "kes.yml").write_text(text.replace("keystore:", policy))
    kes.service.reload()
    assert kes.ask("GET", "/v1/status", who=OTHER)[0] == 200
    (kes.dir / "kes.yml").write_text("admin: {}")
    kes.service.reload()
    assert kes.ask("GET", "/v1/status", who=OTHER)[0] == 200
    assert "failed to reload" in kes.lines[-1]


def test_metrics_count_what_keys_policies_and_identities_were_asked(kes: Kes) -> None:
    kes.ask("PUT", "/v1/key/create/a")
    kes.ask("GET", "/v1/key/describe/b")
    kes.ask("GET", "/v1/ready")
    text = kes.ask("GET", "/v1/metrics")[1].decode()
    assert 'kes_http_request_success{code="200"} 1\n' in text
    assert 'kes_http_request_error{code="404"} 1\n' in text
    assert "kes_http_response_time_count 2\n" in text
    assert "kes_log_audit_events 1\n" in text
