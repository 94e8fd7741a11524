"""The README's commands, run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
PEERS = os.environ.get("MCPY_PEERS_BIN", "")


def shell_blocks(heading: str) -> str:
    """Return the lines of all ``sh`` blocks under a heading."""
    section = README.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^( *)```sh\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)
    assert blocks, heading
    return "".join(
        line.removeprefix(indent) for indent, text in blocks for line in text.splitlines(True)
    )


def run(script: str, folder: Path, path: str) -> tuple[int, str]:
    """Run a script in a session of its own, end all it left running; give exit code and output."""
    scripts = str(Path(sys.executable).parent)
    environment = {
        "PATH": os.pathsep.join(filter(None, [scripts, path, os.environ["PATH"]])),
        "HOME": str(folder),
    }
    with (
        (folder / "output").open("wb") as output,
        subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            code = process.wait(120)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return code, (folder / "output").read_text("utf-8")


@pytest.mark.sandbox
def test_the_quickstart_of_five_lines_works(tmp_path: Path) -> None:
    shutil.copy(README, tmp_path)
    script = shell_blocks("Quickstart")
    assert script.count("\n") == 5
    on_failure = "trap 'mcpy sandbox stop --dir sandbox' ERR\n"
    code, output = run(on_failure + script, tmp_path, "")
    assert code == 0, output
    assert "Encryption : SSE-S3" in output
    assert output.endswith(f"Stopped the sandbox in {tmp_path / 'sandbox'}.\n")


def free_port() -> str:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


@pytest.mark.peers
@pytest.mark.skipif(not PEERS, reason="MCPY_PEERS_BIN names no folder with minio, kes and mc")
def test_the_steps_on_real_servers_work_and_mc_agrees(tmp_path: Path) -> None:
    ports = {"7373": free_port(), "9000": free_port()}
    script = shell_blocks("The same on real MinIO and KES").split("mcpy alias set prod")[0]
    script = script.replace("server data &", f"server data --address 127.0.0.1:{ports['9000']} &")
    for named, free in ports.items():
        script = script.replace(f":{named}", f":{free}")
    script += f'export MC_HOST_my="http://admin:$S3_SECRET@127.0.0.1:{ports["9000"]}"\n'
    script += "mc --json stat my/mybucket/FILE\nmc --json encrypt info my/mybucket\n"
    script += "cmp FILE FILE.back\n"
    code, output = run(script, tmp_path, PEERS)
    assert code == 0, output
    assert '"X-Amz-Server-Side-Encryption":"AES256"' in output
    assert '"encryption":{"algorithm":"AES256"}' in output
    assert "warning" not in output
