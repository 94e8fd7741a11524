"""``sandbox`` and ``quickstart`` as somebody would type them, in processes of their own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcpy.models import Alias
from mcpy.sandbox.play import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Mcpy

pytestmark = pytest.mark.sandbox


class Shell:
    """Runs mcpy in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home)}

    def __call__(self, *args: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "mcpy", *args],
            env=self.env,
            cwd=self.home,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def started(shell: Shell) -> Iterator[Shell]:
    """A sandbox in the background, and the environment it prints."""
    addresses = ("--s3", "127.0.0.1:0", "--kes", "127.0.0.1:0")
    code, _, stderr = shell("sandbox", "start", "--detach", "--dir", "box", *addresses)
    assert code == 0, stderr
    code, exports, _ = shell("sandbox", "env", "--dir", "box")
    assert code == 0
    for line in exports.splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        shell.env[name] = "".join(shlex.split(value))
    yield shell
    shell("sandbox", "stop", "--dir", "box")


def test_quickstart_proves_the_page_and_leaves_nothing_behind(
    mcpy: Mcpy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    mcpy.env["PATH"] = os.environ["PATH"]
    before = mcpy.store.path.read_bytes()
    result = mcpy("quickstart")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "$ mcpy encrypt set sse-s3 play/mybucket\n" in result.stdout
    assert "$ mcpy encrypt impact my-minio-sse-s3-key play --save impact.json\n" in result.stdout
    assert result.stdout.count("[ok]") == 5
    assert "FAILED" not in result.stdout
    assert list(folder.iterdir()) == []
    assert mcpy.store.path.read_bytes() == before


def test_a_quiet_quickstart_that_proves_all_says_nothing(mcpy: Mcpy) -> None:
    mcpy.env["PATH"] = os.environ["PATH"]
    assert mcpy("quickstart", "--quiet") == (0, "", "")


class TestInThisProcess:
    """What the commands say of a sandbox that this process runs."""

    @pytest.fixture
    def sandbox(self, tmp_path: Path) -> Iterator[Sandbox]:
        with Sandbox(tmp_path / "box") as running:
            yield running

    def test_status_names_both_addresses(self, mcpy: Mcpy, sandbox: Sandbox) -> None:
        result = mcpy("sandbox", "status", "--dir", str(sandbox.home.path))
        assert (result.exit_code, result.stderr) == (0, "")
        assert sandbox.s3_url in result.stdout
        assert sandbox.kes_url in result.stdout

    def test_env_unsets_what_would_lead_to_another_kes(self, mcpy: Mcpy, sandbox: Sandbox) -> None:
        production = {"MINIO_KES_SERVER": "https://kes.example:7373", "KES_API_KEY": "kes:v1:x"}
        args = ("sandbox", "env", "--dir", str(sandbox.home.path))
        result = mcpy(*args, env=production)
        assert result.stdout.splitlines()[0] == "unset MINIO_KES_SERVER KES_API_KEY"
        assert len(result.stdout.splitlines()) == 1 + len(sandbox.env())
        found = mcpy(*args, "--json", env=production).objects[0]
        assert found["unset"] == ["MINIO_KES_SERVER", "KES_API_KEY"]

    def test_env_prints_exports_for_a_shell(self, mcpy: Mcpy, sandbox: Sandbox) -> None:
        result = mcpy("sandbox", "env", "--dir", str(sandbox.home.path))
        assert result.stdout.splitlines() == [
            f"export {name}={value}" for name, value in sandbox.env().items()
        ]

    def test_env_in_json_names_the_same_variables(self, mcpy: Mcpy, sandbox: Sandbox) -> None:
        (answer,) = mcpy("--json", "sandbox", "env", "--dir", str(sandbox.home.path)).objects
        assert sandbox.env().items() <= (answer.get("env") or answer).items()


class TestInTheBackground:
    """``sandbox start --detach``: the alias ``play`` means what was started."""

    @pytest.fixture
    def folder(self, mcpy: Mcpy, tmp_path: Path) -> Iterator[str]:
        mcpy.transport = None
        folder = str(tmp_path / "box")
        yield folder
        mcpy("sandbox", "stop", "--dir", folder)

    def test_it_writes_the_alias_and_serves(self, mcpy: Mcpy, folder: str) -> None:
        mcpy.store.remove("play")
        started = mcpy("--json", "sandbox", "start", "--detach", "--dir", folder)
        assert (started.exit_code, started.stderr) == (0, "")
        assert mcpy.store.get("play").url in started.stdout
        assert mcpy("ls", "play") == (0, "", "")
        assert mcpy("kes", "key", "create", "k", "--alias", "play").exit_code == 0

    def test_it_may_speak_tls(self, mcpy: Mcpy, folder: str) -> None:
        mcpy.store.remove("play")
        assert mcpy("sandbox", "start", "-d", "--tls", "--dir", folder).exit_code == 0
        assert mcpy.store.get("play").url.startswith("https://127.0.0.1:")
        assert mcpy("ls", "play").exit_code == 0

    def test_an_alias_of_somebody_s_server_stays(self, mcpy: Mcpy, folder: str) -> None:
        result = mcpy("sandbox", "start", "--detach", "--dir", folder)
        assert result.exit_code == 0
        assert "the alias `play` is s3.test:9000, and stays so" in result.stderr
        assert "--alias NAME" in result.stderr
        assert "(no alias)" in result.stdout
        assert mcpy.store.get("play").url == "http://s3.test:9000"

    def test_an_alias_of_a_server_on_this_machine_stays_too(self, mcpy: Mcpy, folder: str) -> None:
        theirs = Alias("play", "http://127.0.0.1:9000", "admin", "throw-away")
        mcpy.store.put(theirs)
        result = mcpy("--json", "sandbox", "start", "--detach", "--dir", folder)
        assert result.exit_code == 0
        assert "the alias `play` is 127.0.0.1:9000, and stays so" in result.stderr
        assert result.objects[0]["alias"] == ""
        assert mcpy.store.get("play").secret_key == "throw-away"

    def test_mc_s_public_sandbox_that_is_gone_makes_room(self, mcpy: Mcpy, folder: str) -> None:
        mcpy.store.put(Alias("play", "https://play.min.io", "Q", "throw-away"))
        result = mcpy("--json", "sandbox", "start", "--detach", "--dir", folder)
        assert (result.exit_code, result.stderr) == (0, "")
        assert mcpy.store.get("play").url == result.objects[0]["s3"]

    def test_an_alias_of_the_environment_is_said_to_hide_it(self, mcpy: Mcpy, folder: str) -> None:
        env = {"MC_HOST_play": "http://a:throw-away@h.test:9000"}
        result = mcpy("sandbox", "start", "--detach", "--dir", folder, env=env)
        assert result.exit_code == 0
        assert "the alias `play` is set by MC_HOST_play, and stays so" in result.stderr

    def test_it_keeps_the_alias_it_was_given(self, mcpy: Mcpy, folder: str) -> None:
        begun = mcpy("sandbox", "start", "-d", "--dir", folder, "--alias", "mine")
        assert begun.exit_code == 0
        assert "warning" not in begun.stderr
        assert "(alias mine)" in mcpy("sandbox", "status", "--dir", folder).stdout
        assert mcpy("sandbox", "stop", "--dir", folder).exit_code == 0
        assert "mine" in {alias.name for alias in mcpy.store.all()}
        assert "(alias mine)" in mcpy("sandbox", "start", "-d", "--dir", folder).stdout
        assert mcpy("ls", "mine").exit_code == 0
        assert mcpy.store.get("play").url == "http://s3.test:9000"

    def test_a_name_no_alias_can_have_is_refused(self, mcpy: Mcpy, folder: str) -> None:
        result = mcpy("sandbox", "start", "-d", "--dir", folder, "--alias", "9")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "`9` is not an alias name" in result.stderr
        assert not Path(folder).exists()

    def test_an_alias_that_was_asked_for_and_cannot_be_had_is_an_error(
        self, mcpy: Mcpy, folder: str
    ) -> None:
        result = mcpy("sandbox", "start", "-d", "--dir", folder, "--alias", "play")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == (
            "mcpy: error: the alias `play` is s3.test:9000, and stays so\n"
            "mcpy: hint: --alias ANOTHER_NAME\n"
        )
        assert not Path(folder).exists()

    @pytest.mark.parametrize("option", ["--kms-key", "--dir", "--s3", "--kes", "--alias"])
    def test_an_empty_value_is_an_unset_variable(
        self, mcpy: Mcpy, folder: str, option: str
    ) -> None:
        result = mcpy("sandbox", "start", "-d", "--dir", folder, option, "")
        assert (result.exit_code, result.stdout) == (2, "")
        assert not Path(folder).exists()

    def test_a_link_to_its_folder_is_its_folder(
        self, mcpy: Mcpy, folder: str, tmp_path: Path
    ) -> None:
        link = tmp_path / "link"
        link.symlink_to(folder)
        assert mcpy("sandbox", "start", "-d", "--dir", folder, "--alias", "mine").exit_code == 0
        assert mcpy("sandbox", "stop", "--dir", str(link)).exit_code == 0
        begun = mcpy("sandbox", "start", "-d", "--dir", str(link))
        assert "(alias mine)" in begun.stdout
        assert "warning" not in begun.stderr
        assert "(alias mine)" in mcpy("sandbox", "status", "--dir", folder).stdout

    def test_what_others_can_get_at_is_said(self, mcpy: Mcpy, folder: str) -> None:
        mcpy.store.remove("play")
        mcpy("sandbox", "start", "-d", "--dir", folder)
        mcpy("sandbox", "stop", "--dir", folder)
        key = Path(folder, "certs", "root.key")
        Path(folder).chmod(0o777)
        key.chmod(0o666)
        stderr = mcpy("sandbox", "start", "-d", "--dir", folder).stderr
        assert f"others can get at {folder} (mode 777): chmod go= {folder}" in stderr
        assert f"others can get at {key} (mode 666)" in stderr

    def test_a_sandbox_that_runs_keeps_its_alias(
        self, mcpy: Mcpy, folder: str, tmp_path: Path
    ) -> None:
        mcpy.store.remove("play")
        mcpy("sandbox", "start", "-d", "--dir", folder)
        first, second = mcpy.store.get("play").url, str(tmp_path / "second")
        result = mcpy("sandbox", "start", "-d", "--dir", second)
        assert mcpy("sandbox", "stop", "--dir", second).exit_code == 0
        assert f"is the sandbox running in {folder}, and stays so" in result.stderr
        assert mcpy.store.get("play").url == first
        # and one that does not run lets it go
        assert mcpy("sandbox", "stop", "--dir", folder).exit_code == 0
        result = mcpy("sandbox", "start", "-d", "--dir", second)
        assert mcpy("sandbox", "stop", "--dir", second).exit_code == 0
        assert "(alias play)" in result.stdout

    def test_the_alias_of_a_sandbox_that_was_removed_is_free(
        self, mcpy: Mcpy, folder: str
    ) -> None:
        mcpy.store.remove("play")
        mcpy("sandbox", "start", "-d", "--dir", folder)
        mcpy("sandbox", "stop", "--dir", folder)
        shutil.rmtree(folder)
        result = mcpy("sandbox", "start", "-d", "--dir", folder + "2")
        assert mcpy("sandbox", "stop", "--dir", folder + "2").exit_code == 0
        assert "(alias play)" in result.stdout

    def test_a_port_that_is_taken_is_the_error_and_leaves_no_folder(
        self, mcpy: Mcpy, folder: str
    ) -> None:
        with Sandbox() as other:
            address = other.s3_url.removeprefix("http://")
            result = mcpy("sandbox", "start", "-d", "--dir", folder, "--s3", address)
        assert (result.exit_code, result.stdout) == (6, "")
        assert result.stderr.startswith("mcpy: error: cannot listen on port")
        assert not Path(folder).exists()

    def test_a_folder_of_something_else_is_refused(self, mcpy: Mcpy, folder: str) -> None:
        Path(folder).mkdir()
        Path(folder, "minio.env").write_text("MINIO_ROOT_USER=admin\n")
        for detach in (["--detach"], []):
            assert mcpy("sandbox", "start", *detach, "--dir", folder) == (
                1,
                "",
                f"mcpy: error: {folder} is not empty and not a sandbox's: it was left as it is\n"
                "mcpy: hint: mcpy sandbox start --dir AN_EMPTY_FOLDER\n",
            )
        assert [path.name for path in Path(folder).iterdir()] == ["minio.env"]

    @pytest.mark.parametrize("detach", [["--detach"], []])
    def test_a_folder_that_cannot_be_made_is_one_line(
        self, mcpy: Mcpy, tmp_path: Path, detach: list[str]
    ) -> None:
        (tmp_path / "file").write_text("x")
        place = tmp_path / "file" / "box"
        assert mcpy("sandbox", "start", *detach, "--dir", str(place)) == (
            1,
            "",
            f"mcpy: error: cannot use {place} for a sandbox: Not a directory\n",
        )

    def test_stop_says_that_it_stopped(self, mcpy: Mcpy, folder: str) -> None:
        assert mcpy("sandbox", "start", "--detach", "--dir", folder).exit_code == 0
        stopped = mcpy("sandbox", "stop", "--dir", folder)
        assert (stopped.exit_code, stopped.stderr) == (0, "")
        assert folder in stopped.stdout
        assert mcpy("sandbox", "status", "--dir", folder).exit_code == 5

    def test_an_address_others_can_reach_is_refused(self, mcpy: Mcpy, folder: str) -> None:
        result = mcpy("sandbox", "start", "-d", "--dir", folder, "--s3", "0.0.0.0:0")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "error: `0.0.0.0` can be reached by other machines" in result.stderr
        assert "hint: --allow-remote if you mean it" in result.stderr
        assert not Path(folder).exists()


@pytest.mark.parametrize("command", ["status", "env"])
def test_a_sandbox_that_does_not_run_is_not_found(
    mcpy: Mcpy, tmp_path: Path, command: str
) -> None:
    result = mcpy("sandbox", command, "--dir", str(tmp_path / "box"))
    assert result == (
        5,
        "",
        f"mcpy: error: no sandbox is running in {tmp_path / 'box'}\n"
        f"mcpy: hint: mcpy sandbox start --detach --dir {tmp_path / 'box'}\n",
    )


def test_the_environment_it_prints_is_all_that_kes_needs(started: Shell) -> None:
    assert {"KES_SERVER", "KES_CLIENT_KEY", "KES_CLIENT_CERT", "MCPY_KES_CA"} <= set(started.env)
    assert started("kes", "key", "create", "k")[:2] == (0, "Created key `k`.\n")


def test_the_alias_play_is_there(started: Shell) -> None:
    assert started("mb", "play/mybucket")[:2] == (0, "Made bucket `play/mybucket`.\n")
    assert "play/" not in started("ls", "play")[2]


def test_status_tells_whether_it_runs(started: Shell) -> None:
    code, stdout, _ = started("--json", "sandbox", "status", "--dir", "box")
    assert code == 0
    assert "http://127.0.0.1:" in json.dumps(json.loads(stdout))
    assert started("sandbox", "stop", "--dir", "box")[0] == 0
    assert started("sandbox", "status", "--dir", "box")[0] != 0


def test_what_was_stored_survives_a_stop_and_a_start(started: Shell) -> None:
    assert started("kes", "key", "create", "lasting")[0] == 0
    assert started("mb", "play/lasting")[0] == 0
    assert started("sandbox", "stop", "--dir", "box")[0] == 0
    assert started("sandbox", "start", "--detach", "--dir", "box")[0] == 0
    assert "lasting" in started("kes", "key", "ls")[1]
    assert "lasting/" in started("ls", "play")[1]


def test_a_second_one_in_the_same_folder_is_refused(started: Shell) -> None:
    code, stdout, stderr = started("sandbox", "start", "--detach", "--dir", "box")
    assert (code, stdout) == (1, "")
    assert "running in" in stderr
    assert f"hint: mcpy sandbox status --dir {started.home / 'box'}" in stderr


def test_stopping_what_does_not_run_is_said(shell: Shell) -> None:
    assert shell("sandbox", "stop", "--dir", "box") == (
        0,
        f"No sandbox is running in {shell.home / 'box'}: nothing to stop.\n",
        "",
    )


def test_packages_that_are_missing_are_named(
    mcpy: Mcpy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cheroot", None)
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert mcpy("sandbox", "start", "--dir", str(tmp_path / "box")) == (
        1,
        "",
        "mcpy: error: the sandbox needs cheroot and PyYAML, which the extra `sandbox` brings\n"
        "mcpy: hint: pip install cheroot PyYAML\n",
    )


def test_whom_it_is_like_is_remembered_and_told(shell: Shell) -> None:
    try:
        code, stdout, _ = shell("sandbox", "start", "-d", "--dir", "box", "--like", "garage")
        assert code == 0
        assert "\nlike     garage\n" in stdout
        assert shell("mb", "play/data")[0] == 0
        assert shell("encrypt", "info", "play/data")[0] == 7
        assert shell("sandbox", "stop", "--dir", "box")[0] == 0
        assert shell("sandbox", "start", "-d", "--dir", "box")[0] == 0
        status = json.loads(shell("--json", "sandbox", "status", "--dir", "box")[1])
        assert status["like"] == "garage"
        assert shell("sandbox", "stop", "--dir", "box")[0] == 0
        assert shell("sandbox", "start", "-d", "--dir", "box", "--like", "minio")[0] == 0
        assert "\nlike " not in shell("sandbox", "status", "--dir", "box")[1]
        assert shell("admin", "info", "play")[0] == 0
    finally:
        shell("sandbox", "stop", "--dir", "box")


def test_it_is_like_nobody_it_does_not_know(shell: Shell) -> None:
    code, stdout, stderr = shell("sandbox", "start", "--dir", "box", "--like", "ghost")
    assert (code, stdout) == (2, "")
    assert "'ghost' is not one of 'minio', 'aws'" in stderr
    assert not (shell.home / "box").exists()


def test_faults_are_there_from_the_start_and_switched_while_it_runs(shell: Shell) -> None:
    fault = "busy=0@GET/data*:2x"
    try:
        started = shell("sandbox", "start", "-d", "--dir", "box", "--fault", fault)
        assert started[0] == 0
        assert shell("mb", "play/data")[0] == 0
        assert shell("ls", "play/data")[0] == 0
        assert shell("sandbox", "fault", "--dir", "box") == (0, f"{fault}  (2 requests)\n", "")
        assert shell("sandbox", "fault", "--dir", "box", "reset@PUT", "kes-down")[0] == 0
        assert shell("--retries", "0", "mb", "play/other")[0] == 6
        assert shell("kes", "status", "--alias", "play")[0] in {2, 6}
        code, stdout, _ = shell("--json", "sandbox", "fault", "--dir", "box", "--clear")
        assert (code, json.loads(stdout)) == (0, {"status": "success", "faults": [], "seed": 0})
        assert shell("sandbox", "fault", "--dir", "box") == (0, "Nothing goes wrong.\n", "")
        assert shell("mb", "play/other")[0] == 0
    finally:
        shell("sandbox", "stop", "--dir", "box")


def test_a_fault_that_is_none_is_refused(shell: Shell) -> None:
    error = (
        "mcpy: error: `ghost` is no fault of the sandbox\nmcpy: hint: one of delay, slow, hang,"
    )
    for args in (("start", "-d", "--fault", "ghost"), ("fault", "ghost")):
        code, stdout, stderr = shell("sandbox", args[0], "--dir", "box", *args[1:])
        assert (code, stdout) == (2, "")
        assert stderr.startswith(error)
        assert not (shell.home / "box").exists()
    code, _, stderr = shell("sandbox", "fault", "--clear", "busy")
    assert (code, stderr) == (2, "mcpy: error: --clear ends all faults: it takes none\n")
    assert shell("sandbox", "fault", "--dir", "box")[0] == 5
