"""The package: its name, its dependencies, what a wheel of it holds."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import mcpy

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
# of an index that is not there, or does not have the build backend
NO_BACKEND = ("Could not find a version that satisfies the requirement hatchling", "No module")


def run(*args: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run this Python in a process of its own."""
    return subprocess.run(
        [sys.executable, *args], cwd=cwd, capture_output=True, text=True, check=False, timeout=300
    )


def test_the_module_and_the_command_tell_the_one_version(tmp_path: Path) -> None:
    done = run("-m", "mcpy", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"mcpy {mcpy.__version__}\n", "")
    assert metadata.version("mcpy-admin") == mcpy.__version__


def test_the_version_stands_in_one_place() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert "version" not in PROJECT["project"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "mcpy/__init__.py"
    literal = f'"{mcpy.__version__}"'
    sources = [p for p in (ROOT / "mcpy").rglob("*.py") if literal in p.read_text("utf-8")]
    assert sources == [ROOT / "mcpy" / "__init__.py"]


def test_six_packages_and_no_more_are_needed_to_run() -> None:
    names = {re.split(r"[<>=! ]", line)[0] for line in PROJECT["project"]["dependencies"]}
    assert names == {"click", "cryptography", "httpx", "platformdirs", "rich", "tomli-w"}
    required = [line for line in metadata.requires("mcpy-admin") or [] if "extra ==" not in line]
    assert len(required) == 6


def test_the_command_is_called_mcpy() -> None:
    scripts = metadata.entry_points(group="console_scripts", name="mcpy")
    assert [script.value for script in scripts] == ["mcpy.__main__:main"]


def test_command_groups_do_not_import_each_other() -> None:
    # files of one group, `kes/key.py` and `kes/ls.py`, may share what is theirs
    commands = ROOT / "mcpy" / "commands"
    crossing = [
        f"{path.relative_to(commands)} imports {other}"
        for path in commands.rglob("*.py")
        for other in re.findall(r"mcpy\.commands\.(\w+)[\w.]* import", path.read_text("utf-8"))
        if path.relative_to(commands).parts[0] != other
    ]
    assert crossing == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel of this checkout, built as a user would, by the backend that pip fetches."""
    folder = tmp_path_factory.mktemp("wheel")
    done = run("-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    if done.returncode and any(words in done.stderr for words in NO_BACKEND):
        pytest.skip("pip, or an index that has hatchling, is not there: no wheel can be built")
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("mcpy_admin-*-py3-none-any.whl")))


def test_a_wheel_holds_the_package_and_its_type_marker(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "mcpy").rglob("*.py")}
    assert modules <= names
    assert "mcpy/py.typed" in names
    assert not any(name.startswith("tests") for name in names)


def test_a_wheel_brings_man_pages_and_completions(wheel: zipfile.ZipFile) -> None:
    shared = {n.partition(".data/data/")[2] for n in wheel.namelist() if ".data/data/" in n}
    assert {
        "share/bash-completion/completions/mcpy",
        "share/zsh/site-functions/_mcpy",
        "share/fish/vendor_completions.d/mcpy.fish",
    } <= shared
    pages = {f"share/man/man1/{page.name}" for page in (ROOT / "man").glob("*.1")}
    assert pages
    assert pages <= shared


def test_nothing_tells_anyone_to_install_the_other_mcpy() -> None:
    # the name belongs to an unrelated project on the package index
    wrong = re.compile(
        r"\b(pip|pipx|uv|uvx)\b[^\n`;&|]*?\b(install|add|run)\s[^\n`;&|]*?(?<![\w./-])mcpy\b(?![-_/])"
    )
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:
        pytest.skip("this is no git checkout: nobody can say which files are the project's")
    found = [
        f"{name}: {match[0]}"
        for name in tracked
        if name != "tests/test_package.py" and not name.startswith("tests/data/")
        for match in wrong.finditer((ROOT / name).read_text("utf-8", errors="replace"))
    ]
    assert found == []
