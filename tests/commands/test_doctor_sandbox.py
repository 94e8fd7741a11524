"""``mcpy doctor`` on a sandbox over TLS: certificates that are trusted, and some that are not."""

from __future__ import annotations

import re
import socket
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from mcpy.models import Alias, KesProfile
from mcpy.sandbox.play import Sandbox
from tests.running import Mcpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import Result

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("play"), tls=True) as started:
        settings = {
            "MINIO_KMS_KES_ENDPOINT": started.kes_url,
            "MINIO_KMS_KES_API_KEY": started.minio_api_key,
            "MINIO_KMS_KES_CAPATH": str(started.ca),
            "MINIO_KMS_KES_KEY_NAME": "my-key",
        }
        with started.home.env_file.open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in settings.items())
        started.restart_s3()
        yield started


@pytest.fixture
def mcpy(sandbox: Sandbox, tmp_path: Path) -> Mcpy:
    made = Mcpy(tmp_path / "config", None, env={"HOME": str(tmp_path)})
    made.secrets = {sandbox.secret_key, sandbox.api_key}
    put(made, sandbox)
    return made


def put(mcpy: Mcpy, sandbox: Sandbox, url: str = "", **kes: str) -> None:
    files = {"client_cert": str(sandbox.client_cert), "client_key": str(sandbox.client_key)}
    profile = KesProfile(**({"server": sandbox.kes_url, "ca": str(sandbox.ca)} | files | kes))
    mcpy.store.put(
        Alias(
            "play",
            url or sandbox.s3_url,
            sandbox.access_key,
            sandbox.secret_key,
            ca=str(sandbox.ca),
            kes=profile,
        )
    )


def said(result: Result, link: str) -> tuple[str, str]:
    return next(
        (line["level"], line["message"]) for line in result.objects if line.get("link") == link
    )


def test_a_chain_over_tls_works_from_end_to_end(mcpy: Mcpy) -> None:
    result = mcpy("--json", "doctor", "play")
    assert result.exit_code == 0, result
    assert said(result, "tls")[0] == "ok"
    assert re.search(r"for .*localhost.*, is trusted and lasts until 20", said(result, "tls")[1])
    assert said(result, "kes-tls")[0] == "ok"
    assert "by a certificate that lasts until 20" in said(result, "kes-identity")[1]
    assert said(result, "key") == ("ok", "the server encrypts and decrypts by the key `my-key`")


def test_a_server_that_is_not_trusted_is_described(mcpy: Mcpy, sandbox: Sandbox) -> None:
    wrong = str(sandbox.client_cert)
    result = mcpy("--json", "--ca", wrong, "doctor", "play")
    assert result.exit_code == 6
    level, message = said(result, "tls")
    assert level == "failed"
    assert "is not trusted: unable to get local issuer certificate" in message
    assert result.objects[-1]["error"]["hint"].startswith("--ca FILE")


def test_with_insecure_no_certificate_is_called_trusted(mcpy: Mcpy) -> None:
    result = mcpy("--json", "doctor", "play", "--insecure")
    assert (result.exit_code, said(result, "tls")[0], said(result, "kes-tls")[0]) == (
        0,
        "warning",
        "warning",
    )
    assert said(result, "tls")[1].endswith("and was not judged")


def test_a_certificate_for_other_names_says_for_which(mcpy: Mcpy, sandbox: Sandbox) -> None:
    port = sandbox.s3_url.rpartition(":")[2]
    put(mcpy, sandbox, f"https://wrong.example:{port}")
    result = mcpy("--json", "doctor", "--resolve", "wrong.example=127.0.0.1", "play")
    assert result.exit_code == 6
    assert "is not trusted: hostname mismatch" in said(result, "tls")[1].lower()
    hint = next(line["hint"] for line in result.objects if line.get("link") == "tls")
    assert hint == "use one of these names in the URL, or issue it for the name in use"


def test_of_several_kes_one_may_be_gone(mcpy: Mcpy, sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        gone = f"https://127.0.0.1:{unused.getsockname()[1]}"
    put(mcpy, sandbox, server=f"{gone},{sandbox.kes_url}")
    result = mcpy("--json", "doctor", "play")
    assert result.exit_code == 0
    levels = {line["level"] for line in result.objects if line.get("link") == "kes-tls"}
    assert levels == {"ok", "warning"}
    put(mcpy, sandbox, server=gone)
    result = mcpy("--json", "doctor", "play")
    assert (result.exit_code, said(result, "kes")[0]) == (6, "failed")


def test_an_identity_that_ends_soon_and_that_kes_does_not_know(
    mcpy: Mcpy, sandbox: Sandbox, tmp_path: Path
) -> None:
    cert, key = str(tmp_path / "new.cert"), str(tmp_path / "new.key")
    made = mcpy("kes", "identity", "new", "new", "--cert", cert, "--key", key, "--expiry", "30h")
    assert made.exit_code == 0
    put(mcpy, sandbox, client_cert=cert, client_key=key)
    result = mcpy("--json", "doctor", "play")
    assert (result.exit_code, said(result, "kes-identity")[0]) == (0, "warning")
    assert "our certificate for KES ends in 1 day," in said(result, "kes-identity")[1]
    assert said(result, "kes-policy")[0] == "warning"


def test_an_identity_that_has_ended_is_a_broken_link(
    mcpy: Mcpy, sandbox: Sandbox, tmp_path: Path
) -> None:
    from mcpy.api import kes_identity

    pair, now = kes_identity.new_key(), datetime.now(UTC)
    start, end = now - timedelta(days=9), now - timedelta(days=2)
    subject = kes_identity.Subject("old")
    cert, key = tmp_path / "old.cert", tmp_path / "old.key"
    cert.write_bytes(kes_identity.certificate(pair, subject, start=start, end=end))
    key.write_bytes(kes_identity.private_key_pem(pair))
    put(mcpy, sandbox, client_cert=str(cert), client_key=str(key))
    result = mcpy("--json", "doctor", "play")
    assert (result.exit_code, said(result, "kes-identity")[0]) == (4, "failed")
    assert f"our certificate for KES ended on {end:%Y-%m-%d}" in said(result, "kes-identity")[1]


def test_a_client_certificate_that_is_gone_is_a_broken_link(mcpy: Mcpy, sandbox: Sandbox) -> None:
    put(mcpy, sandbox, client_cert="/nowhere/client.cert")
    result = mcpy("--json", "doctor", "play")
    assert (result.exit_code, said(result, "kes")[0]) == (1, "failed")
    assert "/nowhere/client.cert" in said(result, "kes")[1]


def test_https_at_a_port_without_tls(mcpy: Mcpy, sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        put(mcpy, sandbox, f"https://127.0.0.1:{listening.getsockname()[1]}")
        Thread(target=answer_in_the_clear, args=[listening], daemon=True).start()
        result = mcpy("--json", "doctor", "play")
    assert (result.exit_code, said(result, "server")[0]) == (6, "failed")
    assert "does not speak TLS" in said(result, "server")[1]


def answer_in_the_clear(listening: socket.socket) -> None:
    """Answer as MinIO does where it has no certificate."""
    with listening.accept()[0] as connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def test_a_handshake_that_is_never_completed(mcpy: Mcpy, sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        put(mcpy, sandbox, f"https://127.0.0.1:{silent.getsockname()[1]}")
        result = mcpy("--json", "doctor", "play", "--timeout", "300ms")
    assert (result.exit_code, said(result, "server")[0]) == (6, "failed")
    assert "did not complete a TLS handshake in time" in said(result, "server")[1]


def test_a_proxy_hides_the_certificate(mcpy: Mcpy, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    mcpy.store.put(Alias("far", "https://s3.example.com", "access", "secret-of-nobody"))
    result = mcpy("--json", "doctor", "far")
    assert said(result, "tls") == ("unchecked", "there is a proxy in between")
    assert result.exit_code == 6
