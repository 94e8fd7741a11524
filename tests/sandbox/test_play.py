"""The sandbox as a whole: what it leaves on disk, how it restarts, who else may run it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from mcpy.errors import ConfigError, InputError, UnreachableError
from mcpy.sandbox import certs, daemon
from mcpy.sandbox.home import Home, State, read_environment
from mcpy.sandbox.lock import Lock
from mcpy.sandbox.play import Sandbox
from mcpy.sandbox.s3_service import S3Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "box") as running:
        yield running


def kes(sandbox: Sandbox, method: str, path: str) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=sandbox.ca)
    context.load_cert_chain(sandbox.client_cert, sandbox.client_key)
    address = urlsplit(sandbox.kes_url).netloc
    connection = http.client.HTTPSConnection(address, context=context, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def s3(sandbox: Sandbox, path: str = "/minio/health/live") -> int:
    url = urlsplit(sandbox.s3_url)
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=sandbox.ca)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            url.netloc, context=context, timeout=5
        )
    else:
        connection = http.client.HTTPConnection(url.netloc, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def use_kes(sandbox: Sandbox, key: str) -> None:
    """Write what `mcpy admin kms env --write` writes."""
    lines = {
        "MINIO_KMS_KES_ENDPOINT": sandbox.kes_url,
        "MINIO_KMS_KES_API_KEY": sandbox.minio_api_key,
        "MINIO_KMS_KES_CAPATH": str(sandbox.ca),
        "MINIO_KMS_KES_KEY_NAME": key,
    }
    with sandbox.home.env_file.open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in lines.items())


def test_a_real_minio_servers_calls_get_the_answers_it_got(sandbox: Sandbox) -> None:
    certs = sandbox.home.certs
    context = ssl.create_default_context(cafile=sandbox.ca)
    context.load_cert_chain(certs / "minio.cert", certs / "minio.key")
    connection = http.client.HTTPSConnection(
        urlsplit(sandbox.kes_url).netloc, context=context, timeout=5
    )
    made: dict[str, object] = {}
    sent: dict[str, object] = {}
    for line in (ROOT / "tests/data/kes/minio-calls.jsonl").read_text().splitlines():
        call = json.loads(line)
        if "/generate/" in call["path"] and call["status"] == 200:
            sent = json.loads(call["body"])
        body = call["body"].encode()
        if "/decrypt/" in call["path"]:
            body = json.dumps({"ciphertext": made["ciphertext"], **sent}).encode()
        # as kms-go sends it: in chunks, on a connection that is kept
        chunks = iter([body]) if body else None
        connection.request(call["method"], call["path"], chunks, encode_chunked=bool(body))
        response = connection.getresponse()
        text = response.read().decode()
        assert response.status == call["status"], call
        assert call["error"] in {"", text}
        answer = json.loads(text) if text.startswith("{") else None
        assert answer is None or call["fields"] is None or sorted(answer) == call["fields"], call
        if "/decrypt/" in call["path"]:
            assert answer == {"plaintext": made["plaintext"]}
        elif "/generate/" in call["path"] and answer and response.status == 200:
            made = answer
    connection.close()


def test_both_servers_answer_soon_and_go_with_everything_they_made() -> None:
    with Sandbox() as sandbox:
        folder = sandbox.home.path
        assert s3(sandbox) == 200
        assert kes(sandbox, "PUT", "/v1/key/create/a") == (200, b"")
        assert (folder / "keys" / "a").exists()
        began = time.monotonic()
    assert time.monotonic() - began < 1
    assert not folder.exists()


def test_every_file_with_a_secret_is_its_owners_alone(sandbox: Sandbox) -> None:
    kes(sandbox, "PUT", "/v1/key/create/a")
    home = sandbox.home
    private = [home.env_file, home.kes_yml, home.state_file, home.log_file, home.keys / "a"]
    private += list(home.certs.glob("*.key")) + list(home.data.glob("index*"))
    assert len(private) >= 9
    for path in private:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


def test_the_environment_of_a_first_start_holds_root_credentials_and_no_kms(
    sandbox: Sandbox,
) -> None:
    environment = read_environment(sandbox.home.env_file)
    assert set(environment) == {"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"}
    assert sandbox.access_key.startswith("play-")
    assert len(sandbox.secret_key) == 40


def test_no_secret_reaches_the_log(sandbox: Sandbox) -> None:
    use_kes(sandbox, "default")
    sandbox.restart_s3()
    log = sandbox.home.log_file.read_text()
    for secret in (sandbox.secret_key, sandbox.api_key, sandbox.minio_api_key):
        assert secret not in log


def test_the_servers_identity_may_use_keys_but_not_remove_them(sandbox: Sandbox) -> None:
    config = sandbox.home.kes_yml.read_text()
    assert "/v1/key/create/*" in config
    assert "delete" not in config
    pair = sandbox.home.certs / "minio.cert"
    assert certs.identity_of_pem(pair.read_bytes()) in config


def test_a_restart_reads_the_environment_anew_and_makes_the_default_key(
    sandbox: Sandbox,
) -> None:
    url = sandbox.s3_url
    use_kes(sandbox, "my-key")
    sandbox.restart_s3()
    assert (sandbox.s3_url, sandbox.failure, s3(sandbox)) == (url, None, 200)
    assert kes(sandbox, "GET", "/v1/key/list/") == (200, b'{"names":["my-key"]}\n')
    assert "KMS key my-key" in sandbox.home.log_file.read_text()


def test_a_server_whose_kms_does_not_answer_stays_down_until_it_does(sandbox: Sandbox) -> None:
    use_kes(sandbox, "my-key")
    good = sandbox.home.env_file.read_text()
    sandbox.home.env_file.write_text(good.replace(sandbox.kes_url, "https://127.0.0.1:1"))
    with pytest.raises(ConfigError, match="unable to connect to the KMS"):
        sandbox.restart_s3()
    assert sandbox.failure is not None
    assert "FATAL" in sandbox.home.log_file.read_text()
    with pytest.raises(ConnectionError):
        s3(sandbox)
    assert kes(sandbox, "GET", "/v1/ready")[0] == 200

    sandbox.home.env_file.write_text(good)
    sandbox.restart_s3()
    assert s3(sandbox) == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "MINIO_ROOT_USER needs"),
        ("MINIO_ROOT_USER=ab\nMINIO_ROOT_PASSWORD=12345678\n", "MINIO_ROOT_USER needs"),
    ],
)
def test_unusable_credentials_keep_the_server_down(
    sandbox: Sandbox, text: str, message: str
) -> None:
    sandbox.home.env_file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        sandbox.restart_s3()


def test_a_second_start_has_the_same_keys_credentials_and_addresses(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "box") as first:
        kes(first, "PUT", "/v1/key/create/a")
        before = (first.access_key, first.secret_key, first.api_key, first.s3_url, first.kes_url)
    with Sandbox(tmp_path / "box") as again:
        after = (again.access_key, again.secret_key, again.api_key, again.s3_url, again.kes_url)
        assert after == before
        assert kes(again, "GET", "/v1/key/list/") == (200, b'{"names":["a"]}\n')


def test_a_folder_has_room_for_one_sandbox(sandbox: Sandbox) -> None:
    with pytest.raises(ConfigError, match="is running in"):
        Sandbox(sandbox.home.path).start()
    assert s3(sandbox) == 200


def test_an_address_given_must_be_free(sandbox: Sandbox, tmp_path: Path) -> None:
    taken = urlsplit(sandbox.s3_url).netloc
    with pytest.raises(UnreachableError, match="cannot listen"):
        Sandbox(tmp_path / "other", s3=taken).start()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:9000", "[::]:0", "example.org:1"])
def test_addresses_others_can_reach_are_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(InputError, match="other machines"):
        Sandbox(tmp_path, s3=address)
    with pytest.raises(InputError, match="other machines"):
        Sandbox(tmp_path, kes=address)


@pytest.mark.parametrize("address", ["", "127.0.0.1", ":x", "127.0.0.1:65536"])
def test_what_is_no_address_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(InputError, match="is not an address"):
        Sandbox(tmp_path, s3=address)


def test_s3_can_speak_tls_too(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "box", tls=True) as sandbox:
        assert sandbox.s3_url.startswith("https://")
        assert s3(sandbox) == 200


def test_a_kes_configuration_of_ones_own_is_served(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "box") as sandbox:
        text = sandbox.home.kes_yml.read_text().replace(
            str(sandbox.home.keys), str(tmp_path / "mine")
        )
        text = text.replace(urlsplit(sandbox.kes_url).netloc, "127.0.0.1:0")
    config = tmp_path / "kes.yml"
    config.write_text(text + "keys: [{name: from-the-start}]\n")
    with Sandbox(tmp_path / "box", kes_config=config) as sandbox:
        assert kes(sandbox, "GET", "/v1/key/list/") == (200, b'{"names":["from-the-start"]}\n')
    assert (tmp_path / "mine" / "from-the-start").exists()


def test_the_address_in_a_kes_configuration_is_taken(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "box") as sandbox:
        text, address = sandbox.home.kes_yml.read_text(), urlsplit(sandbox.kes_url).netloc
    (tmp_path / "kes.yml").write_text(text)
    with Sandbox(tmp_path / "other", kes_config=tmp_path / "kes.yml") as sandbox:
        assert sandbox.kes_url == f"https://{address}"


def test_a_kes_configuration_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    config = tmp_path / "kes.yml"
    config.write_text("admin: {}\n")
    with pytest.raises(ConfigError, match=r"kes\.yml: kesconf: invalid admin identity"):
        Sandbox(tmp_path / "box", kes_config=config).start()
    assert not Lock(Home(tmp_path / "box")).is_held()


def test_environment_files_may_export_quote_and_comment(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text(
        "# comment\nexport A=1\nB='two words'\nC=\"x # y\"\nD=a=b\n\nno assignment\n E = f \nG=\n"
    )
    assert read_environment(path) == {
        "A": "1", "B": "two words", "C": "x # y", "D": "a=b", "E": "f", "G": "",
    }  # fmt: skip


def test_a_state_left_by_a_dead_process_is_no_sandbox(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert daemon.status(tmp_path) is None
    home.write_state(State(os.getpid(), "http://127.0.0.1:1", "https://127.0.0.1:2", "then"))
    assert daemon.status(tmp_path) is None
    assert daemon.stop(tmp_path) is False


def test_a_sandbox_in_this_process_is_found(sandbox: Sandbox) -> None:
    state = daemon.status(sandbox.home.path)
    assert state is not None
    assert (state.pid, state.s3_url) == (os.getpid(), sandbox.s3_url)


def test_in_the_foreground_it_ends_with_the_signal(tmp_path: Path) -> None:
    box = tmp_path / "box"
    seen: list[str] = []

    def ready(sandbox: Sandbox) -> None:
        seen.append(sandbox.s3_url)
        os.kill(os.getpid(), signal.SIGHUP)
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()

    before = signal.getsignal(signal.SIGTERM)
    daemon.run_foreground(Sandbox(box), ready)
    assert len(seen) == 1
    assert signal.getsignal(signal.SIGTERM) is before
    assert daemon.status(box) is None


def test_in_the_foreground_it_ends_when_its_folder_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "_LOOK_S", 0.01)
    box = tmp_path / "box"

    def ready(sandbox: Sandbox) -> None:
        assert not sandbox.has_lost_folder
        shutil.rmtree(box)

    with pytest.raises(ConfigError, match="is gone, so the sandbox that ran there ended"):
        daemon.run_foreground(Sandbox(box), ready)
    assert not box.exists()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_admin_api_restarts_and_stops_the_server_after_its_answer(tmp_path: Path) -> None:
    home, log = Home(tmp_path), list[str]()
    home.furnish()
    service = S3Service(home, ("127.0.0.1", 0), log.append, tls=False)
    service.start()
    try:
        service.on_service("restart")
        until(lambda: len(log) == 3)
        assert log == [f"s3: serving {service.url}, no KMS", "s3: restarting", log[0]]
        good = home.env_file.read_text()
        home.env_file.write_text("")
        service.on_service("restart")
        until(lambda: service.failure is not None)
        assert "FATAL" in log[-1]
        home.env_file.write_text(good)
        service.restart()
        assert service.failure is None
        service.on_service("unknown")
        service.on_service("stop")
        port = urlsplit(service.url).port
        assert port is not None
        until(lambda: is_free(port))
    finally:
        service.stop()


def is_free(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def test_it_can_run_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MCPY_CONFIG_DIR", str(tmp_path / "config"))
    box = tmp_path / "box"
    state = daemon.detach(box)
    try:
        assert daemon.status(box) == state
        with pytest.raises(ConfigError, match="is running in"):
            daemon.detach(box)
    finally:
        assert daemon.stop(box) is True
    assert daemon.status(box) is None


def test_one_that_cannot_start_in_the_background_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MCPY_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "kes.yml").write_text("admin: {}\n")
    with pytest.raises(ConfigError, match="no admin identity"):
        daemon.detach(tmp_path / "box", ["--kes-config", str(tmp_path / "kes.yml")])


PROGRAM = """
import sys
from pathlib import Path
from mcpy.sandbox import daemon
from mcpy.sandbox.play import Sandbox
daemon.run_foreground(Sandbox(Path(sys.argv[1])), lambda s: print(s.s3_url, flush=True))
"""


def test_another_process_can_stop_it_and_a_killed_one_leaves_no_trace(tmp_path: Path) -> None:
    box = tmp_path / "box"

    def launch() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, str(box)]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline().startswith("http://")
        child.stdout.close()
        return child

    child = launch()
    state = daemon.status(box)
    assert state is not None
    assert state.pid == child.pid
    child.kill()
    child.wait()
    assert daemon.status(box) is None

    child = launch()
    stopper = threading.Thread(target=child.wait)
    stopper.start()
    assert daemon.stop(box) is True
    stopper.join()
    assert child.returncode == 0
    assert json.loads((box / "state.json").read_text())["pid"] == 0
