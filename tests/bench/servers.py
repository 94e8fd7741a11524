"""Servers to measure: a sandbox of its own folder, and moto's server where moto is installed."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MCPY = [sys.executable, "-m", "mcpy"]
START_TIMEOUT_S = 30


@dataclass(frozen=True)
class Server:
    """An S3 server on loopback; ``env`` makes mcpy and mc talk to it as the alias ``play``.

    ``pid`` is its process, 0 where nobody needs to know.
    """

    url: str
    access_key: str
    secret_key: str
    env: dict[str, str]
    pid: int = 0


@contextmanager
def sandbox() -> Iterator[Server]:
    """Run a sandbox that encrypts, with an encrypted bucket ``bench``."""
    with _sandbox() as (folder, env):
        yield _encrypting(folder, env)


@contextmanager
def plain() -> Iterator[Server]:
    """Run a sandbox without encryption, with a bucket ``bench``."""
    with _sandbox() as (folder, env):
        _mcpy(env, "mb", "play/bench")
        yield _server(folder, env)


@contextmanager
def _sandbox() -> Iterator[tuple[Path, dict[str, str]]]:
    with tempfile.TemporaryDirectory(prefix="mcpy-bench-") as name:
        folder = Path(name, "sandbox")
        env = {n: v for n, v in os.environ.items() if not n.startswith(("MC_", "MCPY_", "KES_"))}
        env |= {"MCPY_CONFIG_DIR": str(Path(name, "mcpy")), "MC_CONFIG_DIR": str(Path(name, "mc"))}
        _mcpy(env, "sandbox", "start", "--detach", "--dir", str(folder))
        try:
            env |= json.loads(_mcpy(env, "--json", "sandbox", "env", "--dir", str(folder)))["env"]
            yield folder, env
        finally:
            _mcpy(env, "sandbox", "stop", "--dir", str(folder))


def _encrypting(folder: Path, env: dict[str, str]) -> Server:
    _mcpy(env, "kes", "key", "create", "bench-key")
    settings = ("--key", "bench-key", "--write", str(folder / "minio.env"))
    _mcpy(env, "admin", "kms", "env", "play", *settings)
    _mcpy(env, "admin", "service", "restart", "play")
    _mcpy(env, "mb", "play/bench")
    _mcpy(env, "encrypt", "set", "sse-s3", "play/bench")
    return _server(folder, env)


def _server(folder: Path, env: dict[str, str]) -> Server:
    status = json.loads(_mcpy(env, "--json", "sandbox", "status", "--dir", str(folder)))
    alias = json.loads(_mcpy(env, "--json", "--show-secrets", "alias", "list", "play"))
    server = Server(alias["URL"], alias["accessKey"], alias["secretKey"], env, status["pid"])
    scheme, _, host = server.url.partition("://")
    env["MC_HOST_play"] = f"{scheme}://{server.access_key}:{server.secret_key}@{host}"
    return server


def _mcpy(env: dict[str, str], *args: str) -> str:
    done = subprocess.run([*MCPY, "-q", *args], env=env, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


@contextmanager
def moto() -> Iterator[Server | None]:
    """Run moto's server, or give None where moto and its server are not installed."""
    if find_spec("moto") is None or find_spec("flask") is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield Server(f"http://127.0.0.1:{port}", "bench", "bench-secret", {}, process.pid)
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


@contextmanager
def minio() -> Iterator[Server | None]:
    """Run a real MinIO with a key of its own, if MCPY_PEERS_BIN names a folder that holds it."""
    program = Path(os.environ.get("MCPY_PEERS_BIN", "/nowhere"), "minio")
    if not program.exists():
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="mcpy-bench-") as folder:
        user, password = "bench", "bench-secret"
        env = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "MINIO_CI_CD": "1",
            "MINIO_ROOT_USER": user,
            "MINIO_ROOT_PASSWORD": password,
            "MINIO_KMS_SECRET_KEY": f"bench-key:{base64.b64encode(os.urandom(32)).decode()}",
            "MINIO_KMS_AUTO_ENCRYPTION": "on",
        }
        argv = [str(program), "server", "--address", f"127.0.0.1:{port}", f"{folder}/data"]
        nowhere = subprocess.DEVNULL
        process = subprocess.Popen(argv, env=env, stdout=nowhere, stderr=nowhere)
        try:
            _wait_for(port)
            yield Server(f"http://127.0.0.1:{port}", user, password, {}, process.pid)
        finally:
            process.terminate()
            process.wait(START_TIMEOUT_S)


def _wait_for(port: int) -> None:
    give_up = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)
        else:
            return
