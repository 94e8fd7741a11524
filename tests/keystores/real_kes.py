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
    from collections.abc import Iterator, Mapping

    from tests.running import Mcpy


@contextmanager
def real_kes(
    mcpy: Mcpy, folder: Path, *args: str, replaced: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """Serve what ``kes config new ARGS`` writes, and give that file; caches last 2 s.

    ``replaced`` are texts to replace in the file, which ``kes config new`` has no option for.
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
    text = file.read_text()
    for old, new in ({"any: 5m0s": "any: 2s", "20s": "1s"} | dict(replaced or {})).items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
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
    with (folder / "kes.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=mcpy.env, stdout=log, stderr=log)
    try:
        _wait(mcpy, folder / "kes.log")
        yield file
    finally:
        server.terminate()
        server.wait()


def _wait(mcpy: Mcpy, log: Path) -> None:
    for _ in range(100):
        if mcpy("kes", "status", "--retries", "0").exit_code == 0:
            return
        time.sleep(0.1)
    pytest.fail(f"the real kes does not start: {log.read_text()}")
