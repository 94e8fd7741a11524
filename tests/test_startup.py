"""What is asked for often starts quickly: heavy modules stay unloaded."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"httpx", "httpcore", "rich", "cryptography", "ssl"}
PROGRAM = """
import sys
from mcpy.__main__ import main
try:
    main()
finally:
    print(" ".join(sorted(sys.modules)), file=sys.stderr)
"""


def start(folder: Path, *args: str, **env: str) -> tuple[int, str, set[str]]:
    """Run mcpy in a process of its own; return exit code, stdout and the modules it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *args],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(folder), "MCPY_CONFIG_DIR": str(folder), **env},
        timeout=60,
    )
    return done.returncode, done.stdout, set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (["--help"], "Usage: mcpy "),
        (["--version"], "mcpy 0."),
        (["encrypt", "--help"], "Usage: mcpy encrypt "),
        (["encrypt", "set", "--help"], "Usage: mcpy encrypt set "),
        (["encrypt", "audit", "--help"], "Usage: mcpy encrypt audit "),
        (["kes", "key", "create", "--help"], "Usage: mcpy kes key create "),
        (["admin", "service", "restart", "--help"], "Usage: mcpy admin service restart "),
        (["alias", "list"], "play\n"),
    ],
    ids=" ".join,
)
def test_it_loads_nothing_heavy(tmp_path: Path, args: list[str], shown: str) -> None:
    (tmp_path / "config.toml").write_text('[aliases.play]\nurl = "http://s3.test"\n')
    code, stdout, loaded = start(tmp_path, *args)
    assert code == 0
    assert stdout.startswith(shown)
    assert not HEAVY & loaded


@pytest.mark.parametrize(
    ("words", "offered"), [("mcpy enc", "encrypt"), ("mcpy kes key cre", "create")]
)
def test_completion_loads_nothing_heavy(tmp_path: Path, words: str, offered: str) -> None:
    env = {
        "_MCPY_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    code, stdout, loaded = start(tmp_path, **env)
    assert code == 0
    assert f"plain,{offered}\n" in stdout
    assert not HEAVY & loaded


def test_a_usage_error_loads_nothing_heavy(tmp_path: Path) -> None:
    code, _, loaded = start(tmp_path, "encrypt", "set", "aes256", "play/bucket")
    assert code == 2
    assert not HEAVY & loaded
