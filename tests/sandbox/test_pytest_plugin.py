"""The pytest plugin in test suites of others, each in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).parents[2]
PLUGIN = "mcpy.sandbox.pytest_plugin"
FIXTURES = {
    "mcpy_sandbox",
    "mcpy_sandbox_session",
    "mcpy_sandbox_factory",
    "mcpy_sandbox_options",
}
HEAVY = {"cheroot", "OpenSSL", "cryptography", "yaml", "httpx", "ssl", "click", "sqlite3"}


def pytest_of(
    folder: Path, program: str, *args: str, conftest: str = "", plugins: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a test file as somebody else's suite would be run, with our plugin and ``plugins``."""
    (folder / "test_theirs.py").write_text(program)
    if conftest:
        (folder / "conftest.py").write_text(conftest)
    loaded = [word for name in (PLUGIN, *plugins) for word in ("-p", name)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--strict-markers", *loaded, *args, str(folder)],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "PYTHONPATH": str(ROOT),
            # as declared for installed packages, and no other plugin
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_pytest_finds_it_where_it_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"mcpy_sandbox": PLUGIN}


def test_it_loads_nothing_that_is_not_used(tmp_path: Path) -> None:
    program = f"""
import sys
def test_nothing_heavy():
    assert "{PLUGIN}" in sys.modules
    assert "mcpy.sandbox.play" not in sys.modules
    assert not {HEAVY!r} - {{"ssl", "sqlite3"}} & set(sys.modules)
"""
    done = pytest_of(tmp_path, program)
    assert (done.returncode, " 1 passed" in done.stdout) == (0, True), done.stdout
    assert [path.name for path in tmp_path.glob("mcpy-sandbox-*")] == []


def test_importing_it_takes_no_time_worth_mentioning() -> None:
    program = f"import pytest, sys; before = set(sys.modules); import {PLUGIN}; "
    program += "print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert set(done.stdout.split()) <= {"mcpy", "mcpy.sandbox", PLUGIN}


def test_a_test_has_a_sandbox_of_its_own_and_the_run_has_one(tmp_path: Path) -> None:
    program = """
import pytest, urllib.request
seen = []

def alive(url):
    return urllib.request.urlopen(url + "/minio/health/live", timeout=5).status == 200

@pytest.mark.parametrize("n", [1, 2])
def test_one(mcpy_sandbox, mcpy_sandbox_session, n):
    assert alive(mcpy_sandbox.s3_url) and alive(mcpy_sandbox_session.s3_url)
    seen.append((mcpy_sandbox.s3_url, mcpy_sandbox_session.s3_url))

def test_two():
    (first, shared), (second, same) = seen
    assert first != second and shared == same
    with pytest.raises(OSError):
        alive(first)
    assert alive(shared)
"""
    done = pytest_of(tmp_path, program)
    assert (done.returncode, " 3 passed" in done.stdout) == (0, True), done.stdout
    assert [path.name for path in tmp_path.glob("mcpy-sandbox-*")] == []


def test_markers_and_options_say_how_it_is_started(tmp_path: Path) -> None:
    program = """
import pytest
pytestmark = pytest.mark.mcpy_sandbox(like="aws", faults=["busy"])

@pytest.mark.mcpy_sandbox(like="garage")
def test_the_nearest_marker_counts(mcpy_sandbox):
    assert (mcpy_sandbox.like, mcpy_sandbox.faults.texts) == ("garage", ["busy"])

def test_options(mcpy_sandbox_session, mcpy_sandbox_factory):
    assert mcpy_sandbox_session.like == "moto"
    assert mcpy_sandbox_factory(like="ceph").like == "ceph"
    assert mcpy_sandbox_factory().home.environment()["MINIO_KMS_KES_KEY_NAME"] == "my-key"
    assert "MINIO_KMS_KES_KEY_NAME" not in mcpy_sandbox_factory(kms_key=None).home.environment()
"""
    conftest = """
import pytest

@pytest.fixture(scope="session")
def mcpy_sandbox_options():
    return {"like": "moto"}
"""
    done = pytest_of(tmp_path, program, conftest=conftest)
    assert (done.returncode, " 2 passed" in done.stdout) == (0, True), done.stdout


def test_workers_of_xdist_have_one_each(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    program = """
import pytest

@pytest.mark.parametrize("n", range(4))
def test_one(mcpy_sandbox_session, mcpy_sandbox, worker_id, n):
    print()
    with open(f"{worker_id}.urls", "a") as file:
        print(mcpy_sandbox_session.s3_url, file=file)
    assert mcpy_sandbox.s3_url != mcpy_sandbox_session.s3_url
"""
    done = pytest_of(tmp_path, program, "-n", "2", "--dist", "each", plugins=("xdist",))
    assert (done.returncode, " 8 passed" in done.stdout) == (0, True), done.stdout
    urls = [set(path.read_text().split()) for path in tmp_path.glob("gw*.urls")]
    assert [len(found) for found in urls] == [1, 1]
    assert not urls[0] & urls[1]


def test_its_fixtures_are_told_by_pytest(tmp_path: Path) -> None:
    done = pytest_of(tmp_path, "", "--fixtures", "-v")
    told = re.findall(r"^(mcpy_sandbox\w*)", done.stdout, re.MULTILINE)
    assert set(told) == FIXTURES
    assert "@pytest.mark.mcpy_sandbox(**options)" in pytest_of(tmp_path, "", "--markers").stdout
