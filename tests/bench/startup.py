"""How long commands take from start to end, beside bare Python, and `mc` where it is there.

    python -m tests.bench.startup [ROUNDS]

MCPY_PEERS_BIN names a folder with `mc`. `encrypt info` asks a sandbox, which is started for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.servers import MCPY, sandbox
from tests.bench.timing import paired, row

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = ("--version", "--help", "alias list", "encrypt info play/bench", "admin info play")


def caller(argv: list[str], env: dict[str, str]) -> Callable[[], object]:
    """Return what runs a command and fails as it does."""
    return lambda: subprocess.run(argv, env=env, check=True, capture_output=True)


def main(rounds: int) -> None:
    """Print one line a command."""
    mc = Path(os.environ.get("MCPY_PEERS_BIN", "/nowhere"), "mc")
    with sandbox() as server:
        for command in COMMANDS:
            acts = {"mcpy": caller([*MCPY, *command.split()], server.env)}
            acts["python"] = caller([sys.executable, "-c", "pass"], server.env)
            if mc.exists():
                acts["mc"] = caller([str(mc), *command.split()], server.env)
            line = row(command.partition(" play")[0], paired(acts, rounds=rounds))
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
