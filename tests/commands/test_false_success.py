"""Servers that say 200 and do nothing, or nothing at all: no command takes that for done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

import mcpy as library
from mcpy.errors import DeadlineError
from mcpy.sandbox.play import Sandbox
from tests.running import Mcpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.sandbox

OLD, NEW = b"old content", b"new content"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("box"), kms_key="my-key") as running:
        yield running


@pytest.fixture
def run(sandbox: Sandbox, tmp_path: Path) -> Iterator[Mcpy]:
    """The command line, with the object ``play/two/o``, and files ``new`` and ``kept``."""
    made = Mcpy.on(sandbox, tmp_path)
    sandbox.faults.replace([])
    (tmp_path / "old").write_bytes(OLD)
    (tmp_path / "new").write_bytes(NEW)
    (tmp_path / "kept").write_bytes(OLD)
    assert made("mb", "-p", "play/two").exit_code == 0
    assert made("cp", "--enc-s3", "play/two", str(tmp_path / "old"), "play/two/o").exit_code == 0
    yield made
    sandbox.faults.replace([])


@pytest.mark.parametrize("fault", ["emptybody", "emptyjson"])
def test_an_object_that_was_not_replaced_is_an_error(
    run: Mcpy, sandbox: Sandbox, tmp_path: Path, fault: str
) -> None:
    sandbox.faults.replace([f"{fault}@PUT/two/*"])
    code, stdout, stderr = run("cp", "--enc-s3", "play/two", str(tmp_path / "new"), "play/two/o")
    assert (code, stdout) == (1, "")
    assert stderr == "mcpy: error: the server took `o` without naming its ETag: was it stored?\n"


@pytest.mark.parametrize("fault", ["emptybody", "emptyjson"])
def test_a_good_file_is_not_replaced_by_an_answer_that_is_no_object(
    run: Mcpy, sandbox: Sandbox, tmp_path: Path, fault: str
) -> None:
    sandbox.faults.replace([f"{fault}@GET/two/o"])
    code, stdout, stderr = run("cp", "play/two/o", str(tmp_path / "kept"))
    assert (code, stdout) == (1, "")
    assert stderr == "mcpy: error: the server's answer has neither ETag nor date of `o`\n"
    assert (tmp_path / "kept").read_bytes() == OLD
    assert run("cat", "play/two/o") == (1, "", stderr)


def test_what_was_not_removed_is_not_called_removed(run: Mcpy, sandbox: Sandbox) -> None:
    sandbox.faults.replace(["emptybody@DELETE/two*"])
    for command in (("rm", "play/two/o"), ("rb", "play/two")):
        code, stdout, stderr = run(*command)
        assert (code, stdout) == (1, "")
        assert "answered a deletion with HTTP 200, not 204, and does not say" in stderr
    assert run("cat", "play/two/o").stdout.encode() == OLD


def test_an_answer_about_nothing_describes_no_object(run: Mcpy, sandbox: Sandbox) -> None:
    sandbox.faults.replace(["emptybody@HEAD"])
    code, stdout, stderr = run("stat", "play/two/nosuch")
    assert (code, stdout) == (1, "")
    assert "neither ETag nor date of `nosuch`" in stderr


def test_a_timeout_bounds_what_a_transfer_waits_for(
    run: Mcpy, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.faults.replace(["hang@GET/two/*", "hang@PUT/two/*"])
    for command in (("cat", "play/two/o"), ("cp", str(tmp_path / "new"), "play/two/o")):
        started = time.monotonic()
        code, stdout, stderr = run("--timeout", "300ms", "--retries", "0", *command)
        assert (code, stdout) == (6, "")
        assert "gave no answer within 0.3 s" in stderr
        assert time.monotonic() - started < 30
    with (
        library.connect(
            sandbox.s3_url, sandbox.access_key, sandbox.secret_key, timeout_s=0.3
        ) as client,
        pytest.raises(DeadlineError, match=r"within 0\.3 s"),
    ):
        client.read("two", "o")
