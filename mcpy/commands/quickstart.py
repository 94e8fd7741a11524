"""``mcpy quickstart``: MinIO's SSE-S3 page from start to end, on a sandbox of its own, with proof.

Every command that is shown is really run, by this Python, as somebody would type it. The aliases
and files of the user are not touched: all of it lies in one temporary folder that is removed.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.errors import ExitCode, McpyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.cli.app import App

KEY = "my-minio-sse-s3-key"
SECRET = b"the eagle lands at midnight\n" * 64
STEP_TIMEOUT_S = 60
_FOREIGN = ("MC_", "MCPY_", "KES_", "MINIO_")


@dataclass(frozen=True)
class Step:
    """One command that was run."""

    title: str
    args: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str

    def data(self) -> dict[str, Any]:
        """Return the command and what came of it."""
        return {
            "step": self.title,
            "command": shlex.join(["mcpy", *self.args]),
            "exitCode": self.exit_code,
            "stdout": self.stdout,
            "stderr": self.stderr,
        }

    def text(self) -> str:
        """Return title, command and output as a terminal would show them."""
        output = "".join(
            f"{line}\n" for line in (self.stdout + self.stderr).splitlines() if line.strip()
        )
        return f"\n# {self.title}\n$ {shlex.join(['mcpy', *self.args])}\n{output}".rstrip("\n")


@dataclass(frozen=True)
class Proof:
    """What was found at the end; every field must be True."""

    encrypted_header: bool
    plaintext_absent: bool
    search_works: bool
    unreadable_without_key: bool
    nothing_left: bool

    def data(self) -> dict[str, Any]:
        """Return the findings."""
        status = "success" if self.holds else "error"
        return {"status": status, "proof": vars(self)}

    @property
    def holds(self) -> bool:
        """Whether all of it was proven."""
        return all(vars(self).values())

    def text(self) -> str:
        """Return one finding a line."""
        rows = [
            (self.encrypted_header, "the server says SSE-S3 for the object"),
            (self.plaintext_absent, "no byte of its plaintext lies on the server's disk"),
            (self.search_works, "the same search finds an object that is not encrypted"),
            (self.unreadable_without_key, "without its key the object cannot be read"),
            (self.nothing_left, "servers stopped, files removed: nothing is left behind"),
        ]
        lines = [f"  [{'ok' if good else 'FAILED'}] {what}" for good, what in rows]
        return "\n".join(["\n# Proof", *lines])


@dataclass
class _Play:
    """The folder, the environment, and the way to run a command in them."""

    app: App
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, title: str, *args: str, expect: int | None = 0) -> Step:
        """Run ``mcpy ARGS``, show it, and return what came of it; None expects a failure."""
        done = subprocess.run(  # noqa: S603 - this Python, our own arguments
            [sys.executable, "-m", "mcpy", *args],
            env=self.environ,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=STEP_TIMEOUT_S,
            check=False,
        )
        step = Step(
            title,
            args,
            done.returncode,
            _text(done.stdout, args),
            done.stderr.decode(errors="replace"),
        )
        if title:
            self.app.out.done(step)
        if (done.returncode == 0) if expect is None else (done.returncode != expect):
            raise McpyError(f"`mcpy {shlex.join(args)}` ended with exit code {done.returncode}")
        return step

    @property
    def sandbox(self) -> Path:
        """The sandbox's own folder."""
        return self.folder / "sandbox"

    def holds(self, needle: bytes) -> bool:
        """Whether any file of the sandbox contains ``needle``."""
        files = (path for path in self.sandbox.rglob("*") if path.is_file())
        return any(needle in path.read_bytes() for path in files)


def _text(raw: bytes, args: tuple[str, ...]) -> str:
    """Return output as text; an object on stdout is only counted."""
    if args[0] == "cat" and raw:
        return f"{raw[:27].decode(errors='replace')} ... ({len(raw)} bytes)\n"
    return raw.decode(errors="replace")


@click.command("quickstart", cls=Command)
@pass_app
def quickstart(app: App) -> None:
    """Run MinIO's SSE-S3 page on a sandbox. It is its own, and each claim is proven."""
    with tempfile.TemporaryDirectory(prefix="mcpy-quickstart-") as name:
        play = _Play(app, Path(name), _environment(app.environ, Path(name)))
        stopped = False
        try:
            findings = _page(play)
        finally:
            stopped = _stop(play)
    proof = Proof(**findings, nothing_left=stopped and not Path(name).exists())
    app.out.done(proof)
    if not proof.holds:
        raise McpyError("the quickstart did not prove what it should")


def _environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    own = {name: value for name, value in environ.items() if not name.startswith(_FOREIGN)}
    # the package may be running from a checkout that is not installed
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, own.get("PYTHONPATH"))))
    return own | {"MCPY_CONFIG_DIR": str(folder / "config"), "PYTHONPATH": path}


def _page(play: _Play) -> dict[str, bool]:
    (play.folder / "secret.txt").write_bytes(SECRET)
    sandbox = ("--dir", str(play.sandbox))
    play.run("0. A KES and an S3 server", "sandbox", "start", "--detach", *sandbox)
    _export(play, play.run("", "--json", "sandbox", "env", *sandbox))
    play.run("1. A key for SSE-S3, made through KES", "kes", "key", "create", KEY)
    settings = ("--key", KEY, "--write", str(play.sandbox / "minio.env"))
    play.run("2. The server is told to use it", "admin", "kms", "env", "play", *settings)
    play.run("3. The service is restarted", "admin", "service", "restart", "play")
    play.run("   and its key works", "admin", "kms", "key", "status", "play")
    play.run("4. A bucket", "mb", "play/mybucket")
    play.run("   that encrypts by default", "encrypt", "set", "sse-s3", "play/mybucket")
    play.run("5. An object", "cp", "secret.txt", "play/mybucket/secret.txt")
    play.run("   as the server sees it", "stat", "play/mybucket/secret.txt")
    play.run("   and as its reader does", "cat", "play/mybucket/secret.txt")
    return _proof(play)


def _proof(play: _Play) -> dict[str, bool]:
    stat = play.run("", "--json", "stat", "play/mybucket/secret.txt")
    header = json.loads(stat.stdout)["metadata"].get("X-Amz-Server-Side-Encryption")
    needle = SECRET.splitlines()[0]
    absent = not play.holds(needle)
    play.run("", "mb", "play/plain")
    play.run("", "cp", "secret.txt", "play/plain/secret.txt")
    found = play.holds(needle)
    _erase(play)
    gone = play.run("   and the object with it", "cat", "play/mybucket/secret.txt", expect=None)
    return {
        "encrypted_header": header == "AES256",
        "plaintext_absent": absent,
        "search_works": found,
        "unreadable_without_key": not gone.stdout,
    }


def _erase(play: _Play) -> None:
    """Look what needs the key, and delete it all the same."""
    from mcpy.fleet.impact.report import load

    report = "impact.json"
    asked = ("encrypt", "impact", KEY, "play", "--save", report)
    play.run("6. Secure erasure: what needs the key", *asked, expect=ExitCode.FINDING)
    (found,) = load(play.folder / report)
    accepted = ("--impact-report", report, "--impact-accepted", found.answer)
    play.run("   the key goes", "kes", "key", "rm", "--yes", *accepted, KEY)


def _export(play: _Play, step: Step) -> None:
    variables = json.loads(step.stdout)["env"]
    play.environ.update({str(name): str(value) for name, value in variables.items()})
    if not (play.app.out.json or play.app.settings.quiet):
        play.app.out.lines(
            "\n".join(f"$ export {n}={shlex.quote(v)}" for n, v in variables.items())
        )


def _stop(play: _Play) -> bool:
    """Stop the sandbox if it runs; return whether it is down."""
    if not play.sandbox.exists():
        return True
    done = play.run("", "sandbox", "stop", "--dir", str(play.sandbox))
    return done.exit_code == 0
