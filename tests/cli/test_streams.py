"""Streams that are full, closed or read by a terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from mcpy.cli.options import Settings
from mcpy.cli.output import Output

FULL = Path("/dev/full")


@dataclass
class Named:
    """A result whose name is a server's."""

    name: str

    def data(self) -> dict[str, Any]:
        return {"name": self.name}

    def text(self) -> str:
        return self.name


def mcpy(*args: str, folder: Path, stdout: IO[bytes]) -> subprocess.CompletedProcess[bytes]:
    environ = {**os.environ, "MCPY_CONFIG_DIR": str(folder), "MC_HOST_a": "http://a:secret12@h:1"}
    command = [sys.executable, "-m", "mcpy", *args]
    return subprocess.run(
        command, env=environ, check=False, timeout=30, stdout=stdout, stderr=subprocess.PIPE
    )


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_full_disk_is_one_line_and_exit_1(tmp_path: Path, option: list[str]) -> None:
    with FULL.open("wb") as full:
        done = mcpy(*option, "alias", "list", folder=tmp_path, stdout=full)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    if not option:
        assert done.stderr == b"mcpy: error: cannot write to stdout: no space left on device\n"


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("--version", 1, ""),
        ("kes --version", 1, ""),
        ("--help", 1, ""),
        ("ls --help", 1, ""),
        ("--json ls my/bucket", 5, "mcpy: error: no alias `my`\n"),
        ("--json encrypt", 2, "mcpy: error: `mcpy encrypt` wants a command\n"),
    ],
)
def test_whatever_a_full_disk_does_not_take_is_one_line(
    tmp_path: Path, line: str, code: int, told: str
) -> None:
    with FULL.open("wb") as full:
        done = mcpy(*line.split(), folder=tmp_path, stdout=full)
    said = done.stderr.decode()
    assert done.returncode == code
    assert said.startswith(f"mcpy: error: cannot write to stdout: no space left on device\n{told}")
    assert "Traceback" not in said


@pytest.mark.skipif(os.name == "nt", reason="closes descriptors as a POSIX shell does")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_stream_that_is_closed_is_no_reason_to_fail(tmp_path: Path, closed: str) -> None:
    environ = {
        **os.environ,
        "MCPY_CONFIG_DIR": str(tmp_path),
        "MC_HOST_a": "http://a:b1234567@h:1",
    }
    line = f"'{sys.executable}' -m mcpy alias list {closed}"
    done = subprocess.run(["sh", "-c", line], env=environ, check=False, timeout=30)
    assert done.returncode == 0


def test_a_name_on_a_server_does_not_steer_the_terminal() -> None:
    stdout = io.StringIO()
    Output(Settings(), stdout, io.StringIO()).emit(Named("a\x1b[2Jb"))
    assert stdout.getvalue() == "a\\x1b[2Jb\n"


def test_a_secret_is_masked_in_the_form_json_gives_it() -> None:
    stdout = io.StringIO()
    out = Output(Settings(json=True), stdout, io.StringIO())
    out.hide('pass"word\\x')
    out.emit(Named('pass"word\\x'))
    assert stdout.getvalue() == '{"name":"*REDACTED*"}\n'
