"""Every mode of a broken server, for six commands: one line, the right exit code, bounded time."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

from mcpy.api.tls import certificate_from_api_key
from mcpy.models import Alias
from mcpy.sandbox.certs import Authority
from tests import faulty
from tests.faulty import Faulty
from tests.running import ACCESS_KEY, KES_API_KEY, SECRET_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faulty import Mode
    from tests.running import Mcpy, Result

pytestmark = pytest.mark.usefixtures("loopback")

COMMANDS = {
    "ls": ("ls", "broken"),
    "alias set": ("alias", "set", "new", "URL", ACCESS_KEY, SECRET_KEY),
    "admin info": ("admin", "info", "broken"),
    "kes key ls": ("kes", "key", "ls"),
    "kes status": ("kes", "status"),
    "kes key create": ("kes", "key", "create", "k"),
}
BOUND_S = 8.0
SILENT = {"hang", "hang-http", "slow"}
ANSWERS = {
    b" /v1/key/list/": b'{"names":["a"]}',
    b" /v1/key/create/": b"",
    b" /v1/key/describe/": b'{"name":"k"}',
    b" /v1/status": b'{"version":"v1"}',
    b" /v1/ready": b"",
    b" /minio/admin/v3/info": b'{"mode":"online","servers":[]}',
    b" / ": b"<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>",
}


def answer(request: bytes) -> bytes:
    return next(body for path, body in ANSWERS.items() if path in request)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key, a certificate for 127.0.0.1 and the authority above it, in one file."""
    authority = Authority()
    pair = authority.server(("127.0.0.1",))
    file = tmp_path_factory.mktemp("tls") / "faulty.pem"
    file.write_bytes(pair.key_pem + pair.cert_pem + authority.cert_pem)
    return file


def ask(mcpy: Mcpy, command: str, port: int, certificate: Path | None, *options: str) -> Result:
    """Run ``command`` against the server on ``port``, by the network itself."""
    mcpy.transport = None
    scheme = "https" if certificate else "http"
    url = f"{scheme}://127.0.0.1:{port}"
    env = {
        "KES_SERVER": f"127.0.0.1:{port}",
        "KES_API_KEY": KES_API_KEY,
        "MC_HOST_broken": f"{scheme}://{ACCESS_KEY}:{SECRET_KEY}@127.0.0.1:{port}",
    }
    args = [url if arg == "URL" else arg for arg in COMMANDS[command]]
    ca = ["--ca", str(certificate)] if certificate else []
    return mcpy(*args, "--retries", "1", *ca, *options, env=env)


def check(result: Result, code: int, words: str) -> None:
    assert (result.exit_code, result.stdout) == (code, ""), result
    assert words in result.stderr
    assert 1 <= result.stderr.count("\n") <= 2
    assert "<h1>" not in result.stderr


MODES: dict[str, tuple[Mode, int, str]] = {
    "hang": (faulty.hang, 6, "in time"),
    "hang-http": (faulty.hang_after_request, 6, "gave no answer within 0.4 s"),
    "close": (faulty.close, 6, ""),
    "reset": (faulty.reset, 6, ""),
    "reset-mid": (faulty.reset_in_the_middle, 6, ""),
    "truncate": (faulty.truncate, 6, "closed the connection before its answer was complete"),
    "slow": (faulty.trickle, 6, "gave no answer within 0.4 s"),
    "503": (faulty.busy, 6, "HTTP 503"),
    "429": (faulty.limited, 6, "HTTP 429"),
    "500-html": (faulty.broken_page, 1, "HTTP 500 internal server error, with a page of type"),
    "403-html": (faulty.forbidden_page, 4, "HTTP 403 forbidden, with a page of type text/html"),
    "badbody": (faulty.cut_off_body, 1, "answered something other than"),
    "emptybody": (faulty.empty_body, 1, "answered an empty body"),
    "emptyjson": (faulty.empty_json, 1, "answered"),
    "hugeheader": (faulty.huge_header, 1, "is not an HTTP server"),
    "redirect": (faulty.redirect, 1, "credentials are not sent on"),
    "garbage": (faulty.garbage, 1, "is not an HTTP server"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("mode", MODES)
def test_a_broken_server_is_one_clear_error_in_bounded_time(
    mcpy: Mcpy, certificate: Path, command: str, mode: str
) -> None:
    act, code, words = MODES[mode]
    tls = certificate if command.startswith("kes") else None
    if mode == "hang" and not tls:
        words = "gave no answer within 0.4 s"
    started = time.monotonic()
    with Faulty(act, answer, certificate=tls) as server:
        # a busy machine must not turn another failure into a silence
        timeout = "400ms" if mode in SILENT else "10s"
        result = ask(mcpy, command, server.port, tls, "--timeout", timeout)
    assert time.monotonic() - started < BOUND_S
    check(result, code, words)
    assert command != "alias set" or [alias.name for alias in mcpy.store.all()] == ["play"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_is_busy_once_is_asked_again(
    mcpy: Mcpy, certificate: Path, command: str
) -> None:
    tls = certificate if command.startswith("kes") else None
    with Faulty(faulty.busy_once, answer, certificate=tls) as server:
        result = ask(mcpy, command, server.port, tls)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_endless_answer_is_refused(mcpy: Mcpy, certificate: Path, command: str) -> None:
    tls = certificate if command.startswith("kes") else None
    with Faulty(faulty.huge, answer, certificate=tls) as server:
        result = ask(mcpy, command, server.port, tls)
    check(result, 1, "an answer of more than 33554432 bytes was refused")


@pytest.mark.parametrize("command", COMMANDS)
def test_nobody_listening_is_said_at_once(mcpy: Mcpy, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    started = time.monotonic()
    result = ask(mcpy, command, port, None)
    assert time.monotonic() - started < 1
    check(result, 6, f"cannot connect to 127.0.0.1:{port}: connection refused")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (faulty.tls_abort, "the TLS handshake with 127.0.0.1:"),
        (faulty.plain_http, "does not speak TLS, the URL says https"),
    ],
)
def test_a_handshake_that_fails_is_named(
    mcpy: Mcpy, certificate: Path, command: str, mode: Mode, words: str
) -> None:
    with Faulty(mode, answer, certificate=certificate) as server:
        result = ask(mcpy, command, server.port, certificate)
    check(result, 6, words)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_certificate_of_an_unknown_issuer_is_not_trusted(
    mcpy: Mcpy, certificate: Path, command: str
) -> None:
    other = mcpy.folder / "other.pem"
    other.write_bytes(certificate_from_api_key(KES_API_KEY)[0])
    with Faulty(faulty.works, answer, certificate=certificate) as server:
        result = ask(mcpy, command, server.port, certificate, "--ca", str(other))
    check(result, 6, "is not trusted: ")
    assert "mcpy: hint: --ca FILE to trust its issuer, or --insecure" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("options", [(), ("--insecure",)])
def test_a_server_that_works_is_no_error(
    mcpy: Mcpy, certificate: Path, command: str, options: tuple[str, ...]
) -> None:
    with Faulty(faulty.works, answer, certificate=certificate) as server:
        result = ask(mcpy, command, server.port, certificate, *options)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize("command", ["ls", "alias set", "admin info"])
def test_http_on_a_tls_port_says_which_url_to_use(mcpy: Mcpy, command: str) -> None:
    with Faulty(faulty.tls_port, answer) as server:
        result = ask(mcpy, command, server.port, None)
    check(result, 6, "speaks TLS, the URL says http")
    assert f"mcpy: hint: use https://127.0.0.1:{server.port}\n" in result.stderr


def test_a_creation_that_was_reset_is_sent_once(mcpy: Mcpy, certificate: Path) -> None:
    with Faulty(faulty.reset, answer, certificate=certificate) as server:
        result = ask(mcpy, "kes key create", server.port, certificate)
    assert result.exit_code == 6
    assert server.connections == 1


def test_a_read_that_was_reset_is_sent_twice(mcpy: Mcpy, certificate: Path) -> None:
    with Faulty(faulty.reset, answer, certificate=certificate) as server:
        result = ask(mcpy, "kes key ls", server.port, certificate)
    assert result.exit_code == 6
    assert server.connections == 2


def test_resolve_connects_somewhere_else(mcpy: Mcpy) -> None:
    mcpy.transport = None
    with Faulty(faulty.works, answer) as server:
        url = f"http://{ACCESS_KEY}:{SECRET_KEY}@named.test:{server.port}"
        resolve = f"named.test:{server.port}=127.0.0.1"
        result = mcpy("ls", "named", "--resolve", resolve, env={"MC_HOST_named": url})
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_a_failure_in_json_is_on_stdout(mcpy: Mcpy) -> None:
    with Faulty(faulty.forbidden_page, answer) as server:
        result = ask(mcpy, "ls", server.port, None, "--json")
    assert (result.exit_code, result.stderr) == (4, "")
    assert json.loads(result.stdout)["status"] == "error"
    assert "Corporate" not in result.stdout


def _slow_but_sure(server: Faulty, connection: socket.socket) -> None:
    head = faulty.read_request(connection)
    if head.startswith(b"PUT") and not head.endswith(b"hello\n"):
        connection.recv(64)
    server.stopped.wait(0.7)
    content = b"" if head.startswith(b"PUT") else b"hello\n"
    connection.sendall(faulty.reply("200 OK", content, headers='ETag: "e"\r\n'))


def test_a_transfer_longer_than_the_timeout_is_still_looked_at(mcpy: Mcpy, tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("hello\n")
    mcpy.transport = None
    with Faulty(_slow_but_sure, answer) as server:
        url = f"http://127.0.0.1:{server.port}"
        mcpy.store.put(Alias("slow", url, ACCESS_KEY, SECRET_KEY))
        args = ("--timeout", "1s", "cp", str(tmp_path / "hello"), "slow/enc-1/o")
        assert mcpy(*args) == (0, f"`{tmp_path}/hello` -> `slow/enc-1/o` (6 B)\n", "")
