"""A real KES with a configuration of ours, for tests marked ``peers``."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Mcpy


@contextmanager
def real_kes(mcpy: Mcpy, folder: Path, *args: str) -> Iterator[Path]:
    """Serve what ``kes config new ARGS`` writes, and give that file; caches last 2 s.

    The environment of ``mcpy`` names the server and its admin afterwards.
    """
    if not os.environ.get("MCPY_PEERS_BIN"):
        pytest.skip("MCPY_PEERS_BIN names no folder with the real kes")
    kes = str(Path(os.environ["MCPY_PEERS_BIN"], "kes"))
    for key, cert in (("private.key", "public.crt"), ("root.key", "root.crt")):
        command = [kes, "identity", "new", "--key", key, "--cert", cert, "--ip", "127.0.0.1"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    admin = mcpy("kes", "identity", "of", str(folder / "root.crt")).stdout.strip()
    file = folder / "kes.yml"
    mcpy("kes", "config", "new", *args, "--admin", admin, "--minio", "a" * 64, "--out", str(file))
    file.write_text(file.read_text().replace("any: 5m0s", "any: 2s").replace("20s", "1s"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    mcpy.env |= {
        "KES_SERVER": f"https://{address}",
        "KES_CLIENT_KEY": str(folder / "root.key"),
        "KES_CLIENT_CERT": str(folder / "root.crt"),
        "MCPY_KES_CA": str(folder / "public.crt"),
    }
    mcpy.transport = None
    command = [kes, "server", "--config", str(file), "--addr", address]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, cwd=folder, env=mcpy.env, stdout=quiet, stderr=quiet)
    try:
        _wait(mcpy)
        yield file
    finally:
        server.terminate()
        server.wait()


def _wait(mcpy: Mcpy) -> None:
    for _ in range(100):
        if mcpy("kes", "status", "--retries", "0").exit_code == 0:
            return
        time.sleep(0.1)
    pytest.fail("the real kes does not start")
