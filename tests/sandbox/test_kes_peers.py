"""The sandbox's KES with the real programs: the kes client, a kes server, a MinIO server.

Opt-in: MCPY_PEERS_BIN is a folder with ``kes``, ``minio`` and ``mc``.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcpy.sandbox.play import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.peers, pytest.mark.sandbox]

BIN = Path(os.environ.get("MCPY_PEERS_BIN", ""))


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    if not os.environ.get("MCPY_PEERS_BIN"):
        pytest.skip("MCPY_PEERS_BIN is not set")
    with Sandbox(tmp_path / "box") as running:
        yield running


def run(sandbox: Sandbox, program: str, *args: str, server: str = "") -> tuple[int, str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(sandbox.home.path), **sandbox.env()}
    environ["SSL_CERT_FILE"] = str(sandbox.ca)
    if server:
        environ["KES_SERVER"] = server
    done = subprocess.run(
        [BIN / program, *args],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def process(args: list[str | Path], env: dict[str, str], port: int) -> Iterator[None]:
    child = subprocess.Popen(args, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(400):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield
    finally:
        child.terminate()
        child.wait(20)


def test_the_kes_client_can_do_everything(sandbox: Sandbox) -> None:
    def kes(*args: str) -> str:
        code, text = run(sandbox, "kes", *args)
        assert code == 0, text
        return text

    assert kes("key", "create", "a", "b") == ""
    assert run(sandbox, "kes", "key", "create", "a") == (
        1,
        'Error: failed to create key "a": key already exists\n',
    )
    ciphertext = json.loads(kes("key", "encrypt", "a", "hello"))["ciphertext"]
    plaintext = json.loads(kes("key", "decrypt", "a", ciphertext))["plaintext"]
    assert base64.b64decode(plaintext) == b"hello"
    data_key = json.loads(kes("key", "dek", "a", "Y3R4"))
    opened = json.loads(kes("key", "decrypt", "a", data_key["ciphertext"], "Y3R4"))
    assert opened["plaintext"] == data_key["plaintext"]
    kes("key", "import", "c", base64.b64encode(bytes(32)).decode())
    assert kes("key", "ls") == "Key\na\nb\nc\n"
    assert "AES256" in kes("key", "info", "a")
    kes("key", "rm", "a", "b", "c")
    assert "minio" in kes("policy", "ls")
    assert "/v1/key/generate/*" in kes("policy", "show", "minio")
    assert "Admin" in kes("identity", "info")
    assert kes("identity", "ls").count("\n") == 3
    assert "Latency" in kes("status")
    assert len(json.loads(kes("status", "--api", "--json"))) == 22


def test_a_real_server_and_the_sandbox_read_each_others_keys_and_ciphertexts(
    sandbox: Sandbox,
) -> None:
    port = free_port()
    real = f"https://127.0.0.1:{port}"
    args: list[str | Path] = [BIN / "kes", "server", "--addr", f"127.0.0.1:{port}"]
    with process([*args, "--config", sandbox.home.kes_yml], dict(os.environ), port):
        for maker, other in (("", real), (real, "")):
            name = "real" if maker else "ours"
            assert run(sandbox, "kes", "key", "create", name, server=maker)[0] == 0
            made = json.loads(run(sandbox, "kes", "key", "encrypt", name, "hi", server=maker)[1])
            _, text = run(sandbox, "kes", "key", "decrypt", name, made["ciphertext"], server=other)
            assert base64.b64decode(json.loads(text)["plaintext"]) == b"hi"
        assert run(sandbox, "kes", "key", "ls", server=real)[1] == "Key\nours\nreal\n"


def test_a_real_minio_server_lives_on_the_sandboxs_kes(sandbox: Sandbox, tmp_path: Path) -> None:
    port, certs = free_port(), sandbox.home.certs
    env = dict(os.environ) | {
        "MINIO_ROOT_USER": "minioadmin",
        "MINIO_ROOT_PASSWORD": "minioadmin",
        "MINIO_KMS_KES_ENDPOINT": sandbox.kes_url,
        "MINIO_KMS_KES_KEY_NAME": "minio-default",
        "MINIO_KMS_KES_CAPATH": str(sandbox.ca),
        "MINIO_KMS_KES_KEY_FILE": str(certs / "minio.key"),
        "MINIO_KMS_KES_CERT_FILE": str(certs / "minio.cert"),
        "MINIO_CI_CD": "1",
        "MINIO_BROWSER": "off",
    }
    args: list[str | Path] = [BIN / "minio", "server", "--address", f"127.0.0.1:{port}"]
    (tmp_path / "hello").write_text("hello")

    def mc(*words: str) -> str:
        code, text = run(sandbox, "mc", "-C", str(tmp_path / "mc"), *words)
        assert code == 0, text
        return text

    with process([*args, tmp_path / "data"], env, port):
        mc("alias", "set", "real", f"http://127.0.0.1:{port}", "minioadmin", "minioadmin")
        mc("ready", "real")
        mc("mb", "real/bucket")
        mc("encrypt", "set", "sse-s3", "real/bucket")
        mc("cp", str(tmp_path / "hello"), "real/bucket/hello")
        assert "SSE-S3" in mc("stat", "real/bucket/hello")
        assert "✔" in mc("admin", "kms", "key", "status", "real")
        assert "minio-default" in mc("admin", "kms", "key", "list", "real")
    with process([*args, tmp_path / "data"], env, port):
        mc("ready", "real")
        assert mc("cat", "real/bucket/hello") == "hello"
        run(sandbox, "kes", "key", "rm", "minio-default")
        assert (
            "does not exist"
            in run(sandbox, "mc", "-C", str(tmp_path / "mc"), "cat", "real/bucket/hello")[1]
        )
