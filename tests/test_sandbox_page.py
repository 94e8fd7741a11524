"""The examples of docs/sandbox.md, run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcpy.sandbox import daemon
from mcpy.sandbox.faults import KINDS
from mcpy.sandbox.like import PERSONALITIES
from tests.sandbox.test_pytest_plugin import FIXTURES, pytest_of
from tests.test_readme import run

PAGE = (Path(__file__).parents[1] / "docs/sandbox.md").read_text("utf-8")

pytestmark = pytest.mark.sandbox


def blocks(language: str) -> list[str]:
    """Return the examples in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def rows(heading: str) -> set[str]:
    """Return the first cells of the table below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))


@pytest.mark.parametrize("script", blocks("sh"), ids=lambda text: text.splitlines()[0][:60])
def test_the_shell_example_works(script: str, tmp_path: Path) -> None:
    try:
        code, output = run(script, tmp_path, "")
    finally:
        daemon.stop(tmp_path / "box")
    assert code == 0, output


@pytest.mark.parametrize("program", blocks("python"), ids=lambda text: text.splitlines()[0])
def test_the_python_example_works(program: str, tmp_path: Path) -> None:
    if "import boto3" in program:
        pytest.importorskip("boto3")  # no part of any extra: who uses it has it
    done = pytest_of(tmp_path, program)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_the_tables_name_all_there_is() -> None:
    assert rows("Like another server") == PERSONALITIES.keys()
    assert rows("Faults on demand") == KINDS.keys()
    assert rows("In a test suite") >= FIXTURES
