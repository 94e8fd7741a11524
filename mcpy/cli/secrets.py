"""The ways a secret comes in: prompt, stdin, environment variable, file, command.

None of them shows in a process list, and no message repeats what came in.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import click

from mcpy.cli.documents import read_text
from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from mcpy.cli.app import App

COMMAND_TIMEOUT_S = 60


def ask(app: App, what: str, *, hidden: bool = False) -> str:
    """Prompt on a terminal; otherwise read one line of stdin, ``""`` at its end."""
    if app.stdin.isatty():
        return str(click.prompt(what, hide_input=hidden, err=True, default="", show_default=False))
    return app.stdin.readline().rstrip("\r\n")


def from_variable(app: App, name: str | None) -> str:
    """Return the variable's value, ``""`` when no name was given.

    Raises:
        ConfigError: it is unset or empty, as an unset CI variable is.
    """
    if name and not app.environ.get(name):
        raise ConfigError(f"the environment variable {name} is not set")
    return app.environ[name] if name else ""


def from_file(app: App, file: Path | None) -> str:
    """Return the file's text without its last newline, a line of stdin for ``-``."""
    if file is None:
        return ""
    if str(file) == "-":
        return app.stdin.readline().rstrip("\r\n")
    return read_text(app, str(file)).rstrip("\r\n")


def from_command(command: str | None) -> str:
    """Return what a shell command prints, without its last newline."""
    if not command:
        return ""
    try:
        # the user's own command line, run by the user's own shell
        done = subprocess.run(  # noqa: S602
            command,
            shell=True,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )
    except (subprocess.SubprocessError, OSError, UnicodeDecodeError) as e:
        raise ConfigError("the command for the secret key failed") from e
    return done.stdout.rstrip("\r\n")
