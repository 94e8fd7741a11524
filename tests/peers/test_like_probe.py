"""The probe behind the personalities, run on real servers: it finds what was recorded there.

That proves the probe, with which the sandbox is compared. MinIO is a peer; moto is asked where
it is installed.
"""

from __future__ import annotations

import http.client
import os
import random
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.peers.world import BIN, MISSING, free_port, wait_for
from tests.s3_calls import ACCESS, SECRET, Answer, Server, joined
from tests.sandbox.like_probe import Probe
from tests.sandbox.test_like_recorded import RECORDINGS, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcpy.sandbox.message import Request

pytestmark = pytest.mark.peers

WITHOUT = "H"
"""Parts of the probe whose cells hold dates of the recording: locks."""
KEY = "key-one:bXktMzItYnl0ZS1rZXktZm9yLXRoZS1wcm9iZS0wMCE="


@dataclass
class Wire(Server):
    """A real server at ``host``, asked as the sandbox is asked in-process."""

    def __post_init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self, method: str, path: str, *args: Any, **options: Any) -> Answer:  # noqa: ANN401 - the same
        return super().__call__(method, "/" + path.removeprefix("/"), *args, **options)

    def _sent(self, request: Request) -> Answer:
        body = request.body.read()
        for _ in range(20):
            try:
                return self._once(request, body)
            except ConnectionError:
                continue  # it refused without reading the body, and reset the connection then
        raise ConnectionError(f"{request.method} {request.raw_path} is reset every time")

    def _once(self, request: Request, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        target = request.raw_path + (f"?{request.raw_query}" if request.raw_query else "")
        try:
            connection.request(request.method, target, body or None, dict(request.headers))
            answer = connection.getresponse()
            return Answer(answer.status, joined(answer.getheaders()), answer.read())
        finally:
            connection.close()


@contextmanager
def serving(folder: Path, port: int, *command: str, **env: str) -> Iterator[None]:
    """Run a server in ``folder`` until it is not needed any more."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), **env}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        wait_for(port)
        yield
    finally:
        process.kill()
        process.wait(10)


def differences(name: str, host: str, data: Path) -> list[str]:
    """Return the cells in which a live server differs from the recording of its kind."""
    random.seed(name)
    prefix = f"pb{random.getrandbits(24):06x}"
    server = Wire(data, host=host)
    end = time.monotonic() + 20
    while server("GET", "/").status != 200 and time.monotonic() < end:
        time.sleep(0.1)  # it listens before it serves
    found = Probe(server, prefix, data).run()
    recorded = {k: v for k, v in RECORDINGS[name].items() if k[0] not in WITHOUT}
    return [
        f"{cell}: {same_run(name, cell, found[cell])} is not {same_run(name, cell, text)}"
        for cell, text in recorded.items()
        if cell in found and same_run(name, cell, found[cell]) != same_run(name, cell, text)
    ]


def same_run(name: str, cell: str, text: object) -> str:
    """Return a cell without the names of buckets and the time, which are the run's."""
    return re.sub(r"pb[0-9a-f]{6}|lm=[^|;]*", "", shown(name, cell, text))


@pytest.mark.skipif("minio" in MISSING, reason="MCPY_PEERS_BIN names no folder with minio")
def test_a_real_minio_does_what_was_recorded(tmp_path: Path) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    data = tmp_path / "data"
    data.mkdir()
    command = [str(BIN / "minio"), "server", "--address", address, str(data)]
    env = {"MINIO_ROOT_USER": ACCESS, "MINIO_ROOT_PASSWORD": SECRET, "MINIO_CI_CD": "1"}
    with serving(tmp_path, port, *command, MINIO_KMS_SECRET_KEY=KEY, **env):
        assert differences("minio", address, data) == []


def test_a_real_moto_does_what_was_recorded(tmp_path: Path) -> None:
    if find_spec("moto") is None:
        pytest.skip("moto is not installed")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with serving(tmp_path, port, *command):
        assert differences("moto", f"127.0.0.1:{port}", tmp_path) == []
