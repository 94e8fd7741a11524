"""``cp`` where a variable of a script is empty, or its stdin is closed: refused, never guessed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcpy.cli.app import App
from mcpy.errors import InputError

if TYPE_CHECKING:
    from tests.running import Mcpy

EMPTY = (
    "mcpy: error: an argument is empty: is a variable unset?\n"
    "mcpy: hint: `.` is the current folder\n"
)


@pytest.mark.parametrize(
    "line",
    [
        ("-r", "", "play/enc-1/"),
        ("", "play/enc-1/"),
        ("play/enc-1/a", ""),
        ("-r", "play/enc-1/p/", ""),
        ("-r", "play/enc-1/p/", "", "play/enc-1/q/"),
    ],
    ids=" ".join,
)
def test_an_empty_argument_is_not_the_current_folder(
    mcpy: Mcpy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...]
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").touch()
    monkeypatch.chdir(tmp_path / "here")
    assert mcpy("cp", *line) == (2, "", EMPTY)
    assert [path.name for path in Path.cwd().iterdir()] == ["file"]


def test_a_closed_stdin_stores_no_empty_object(tmp_path: Path) -> None:
    """Over the installed command: Python has no stdin then, where an empty one is an object."""
    # nobody listens there: a request would end with exit code 6
    environ = {"HOME": str(tmp_path), "MC_HOST_play": "http://minioadmin:minioadmin@127.0.0.1:9"}
    line = 'exec "$0" -m mcpy --retries 0 cp - play/enc-1/x <&-'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "mcpy: error: stdin is closed: there is nothing to read\n",
    )


@pytest.mark.parametrize(
    "read",
    [lambda app: app.read_bytes(1), lambda app: app.stdin.readline(), lambda app: [*app.stdin]],
    ids=["bytes", "line", "lines"],
)
def test_no_way_to_read_a_closed_stdin_gives_nothing(
    read: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    app = App({})
    assert not app.stdin.isatty()
    with pytest.raises(InputError, match="stdin is closed"):
        read(app)  # type: ignore[operator]


def test_an_stdin_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with (
        (tmp_path / "file").open("w") as written,
        pytest.raises(InputError, match="cannot read stdin"),
    ):
        App({}, stdin=written).read_bytes(1)
