"""Runs the scripts beside this file over the installed command.

One line is one step; ``#`` begins a comment:

    env NAME=VALUE          set a variable for what follows; $WORK is a folder of the script's own
    file NAME TEXT          write a file in $WORK, \\n in TEXT is a line break
    exec COMMAND...         run it; it must succeed
    ! exec COMMAND...       run it; it must fail
    exit N                  the exit code of the last command was N
    stdout REGEX            its stdout matches somewhere; ``! stdout REGEX``: nowhere
    stderr REGEX            the same for stderr
    stdin TEXT              what the next command reads
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SCRIPTS = sorted(Path(__file__).parent.glob("*.txt"))
INSTALLED = Path(sys.executable).with_name("mcpy")
PROGRAM = [str(INSTALLED)] if INSTALLED.is_file() else [sys.executable, "-m", "mcpy"]


@dataclass
class Script:
    """One script on its way: its folder, its environment, what its last command gave."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    stdin: str = ""
    code: int = 0
    stdout: str = ""
    stderr: str = ""

    def step(self, line: str) -> None:
        wanted = not line.startswith("! ")
        word, _, rest = line.removeprefix("! ").partition(" ")
        act = getattr(self, f"do_{word}", None)
        assert act, f"no such step: {word}"
        act(rest.strip().replace("$WORK", str(self.folder)), wanted=wanted)

    def do_env(self, rest: str, *, wanted: bool) -> None:
        assert wanted
        name, _, value = rest.partition("=")
        self.environ[name] = value

    def do_file(self, rest: str, *, wanted: bool) -> None:
        assert wanted
        name, _, text = rest.partition(" ")
        (self.folder / name).write_text(text.replace("\\n", "\n"))

    def do_stdin(self, rest: str, *, wanted: bool) -> None:
        assert wanted
        self.stdin = rest.replace("\\n", "\n")

    def do_exec(self, rest: str, *, wanted: bool) -> None:
        program, *args = shlex.split(rest)
        command = [*PROGRAM, *args] if program == "mcpy" else [program, *args]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ,
            input=self.stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.code, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr
        self.stdin = ""
        assert "Traceback" not in self.stderr
        assert (self.code == 0) is wanted, f"exit {self.code}\n{self.stdout}{self.stderr}"

    def do_exit(self, rest: str, *, wanted: bool) -> None:
        assert (self.code == int(rest)) is wanted, f"exit {self.code}\n{self.stderr}"

    def do_stdout(self, rest: str, *, wanted: bool) -> None:
        assert bool(re.search(rest, self.stdout, re.MULTILINE)) is wanted, self.stdout

    def do_stderr(self, rest: str, *, wanted: bool) -> None:
        assert bool(re.search(rest, self.stderr, re.MULTILINE)) is wanted, self.stderr


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.stem)
def test_the_script_holds(file: Path, tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COLUMNS": "80"}
    script = Script(tmp_path, environ)
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            script.step(text)
        except AssertionError as e:
            pytest.fail(f"{file.name}:{number}: {text}\n{e}", pytrace=False)


@pytest.mark.parametrize(
    "line",
    ["exec mcpy --no-such-option", "! exec mcpy --version", "exit 7", "stdout x", "! stderr ^"],
)
def test_a_step_that_does_not_hold_fails(tmp_path: Path, line: str) -> None:
    script = Script(tmp_path, {"HOME": str(tmp_path), "PATH": os.environ["PATH"]})
    with pytest.raises(AssertionError):
        script.step(line)
