"""A sandbox killed while it writes: every object is the old one or a new one, and none is torn."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from mcpy.sandbox import daemon
from mcpy.sandbox.home import Home
from tests.bench.sandbox import Client
from tests.bench.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.sandbox

ROUNDS = int(os.environ.get("MCPY_KILL_ROUNDS", "1"))
SIZES = (1_000, 40_000, 3_000_000)
"""In the index, in a file, in a file of many packages."""


@contextmanager
def running(folder: Path) -> Iterator[tuple[Client, subprocess.Popen[bytes]]]:
    """Run a sandbox in a process of its own, whose server encrypts."""
    command = [sys.executable, "-m", "mcpy", "-q", "--config-dir", str(folder / "config")]
    command += ["sandbox", "start", "--dir", str(folder / "play")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + 20
        while (state := daemon.status(folder / "play")) is None or state.pid != process.pid:
            assert process.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.02)
        env = Home(folder / "play").environment()
        server = Server(state.s3_url, env["MINIO_ROOT_USER"], env["MINIO_ROOT_PASSWORD"], {})
        with closing(Client(server)) as client:
            yield client, process
    finally:
        process.kill()
        process.wait(10)


def content(key: str, generation: int, size: int) -> bytes:
    line = f"{key} {generation}\n".encode()
    return (line * (size // len(line) + 1))[:size]


def write(client: Client, size: int, written: dict[int, int]) -> None:
    """Write newer and newer content until the server is gone."""
    with closing(client):
        for generation in itertools.count(written[size] + 1):
            try:
                client.call("PUT", f"/bkt/{size}", content(str(size), generation, size))
            except OSError:
                return
            written[size] = generation


def test_a_kill_leaves_the_old_object_or_a_new_one(tmp_path: Path) -> None:
    written = dict.fromkeys(SIZES, 0)
    with running(tmp_path) as (client, process):
        client.call("PUT", "/bkt")
        for size in SIZES:
            client.call("PUT", f"/bkt/{size}", content(str(size), 0, size))
    secret = "MINIO_KMS_SECRET_KEY=my-key:OSMM+vkKUTCvQs9YL/CVMIMt43HFhkUpqJxTmGl6rYw=\n"
    with (tmp_path / "play/minio.env").open("a") as file:
        file.write(f"{secret}MINIO_KMS_AUTO_ENCRYPTION=on\n")
    for number in range(ROUNDS):
        with running(tmp_path) as (client, process):
            threads = [
                threading.Thread(target=write, args=(client.another(), size, written))
                for size in SIZES
            ]
            for thread in threads:
                thread.start()
            time.sleep(0.2 + 0.07 * number)
            os.kill(process.pid, signal.SIGKILL)
            for thread in threads:
                thread.join()
        with running(tmp_path) as (client, process):
            for size in SIZES:
                found = client.content(f"/bkt/{size}")
                generation = int(found.split(b"\n", 1)[0].split()[1])
                assert found == content(str(size), generation, size)
                assert generation in {written[size], written[size] + 1}
                written[size] = generation
            kept = [p for p in (tmp_path / "play/data/content").glob("??/*") if p.is_file()]
            assert len(kept) == 2, "what no object refers to is swept away"
    assert min(written.values()) > 0
