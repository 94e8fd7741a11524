"""Proofs by a real KES: of the wrong one nothing is done, and of the right one what was done."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mcpy.keystores.entry import KeyEntry
from tests.keystores.real_kes import real_kes
from tests.keystores.real_providers import openbao

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import Mcpy, Result

pytestmark = pytest.mark.peers

SAME = KeyEntry.of(bytes(32)).encode()
ERASE = ("--yes", "--without-impact", "--confirm")


def folder_of(tmp_path: Path, name: str, **keys: bytes) -> str:
    """Return a KES config whose folder holds keys."""
    (tmp_path / name).mkdir()
    for key, value in keys.items():
        (tmp_path / name / key).write_bytes(value)
    path = tmp_path / f"{name}.yml"
    path.write_text(f"keystore: {{fs: {{path: {tmp_path / name}}}}}\n")
    return str(path)


@contextmanager
def served(kind: str, mcpy: Mcpy, tmp_path: Path) -> Iterator[str]:
    """Run a real KES on a folder or OpenBao, with a key ``ours`` in it; give its config."""
    if kind == "fs":
        with real_kes(mcpy, tmp_path, "fs", "--path", str(tmp_path / "of-kes")) as file:
            assert mcpy("kes", "key", "create", "ours").exit_code == 0
            yield str(file)
        return
    mcpy.transport = None
    with openbao(mcpy, tmp_path, "v2") as found:
        mcpy.env |= found.env
        mcpy.secrets |= set(found.secrets)
        with real_kes(mcpy, tmp_path, *found.args) as file:
            assert mcpy("kes", "key", "create", "ours").exit_code == 0
            yield str(file)


@pytest.fixture(params=["fs", "openbao"])
def config(request: pytest.FixtureRequest, mcpy: Mcpy, tmp_path: Path) -> Iterator[str]:
    with served(request.param, mcpy, tmp_path) as file:
        yield file


@pytest.fixture
def on_openbao(mcpy: Mcpy, tmp_path: Path) -> Iterator[str]:
    with served("openbao", mcpy, tmp_path) as file:
        yield file


def test_with_what_kes_may_do_itself_a_check_names_what_locking_lacks(
    mcpy: Mcpy, on_openbao: str
) -> None:
    del mcpy.env["MCPY_VAULT_TOKEN"]  # as KES, by its AppRole
    checked = mcpy("keystore", "check", "--config", on_openbao)
    steps = {line.split("\t")[0]: line.split("\t")[1:] for line in checked.stdout.splitlines()}
    assert (checked.exit_code, checked.stderr.rpartition(": ")[2]) == (3, "lock failed\n"), checked
    assert steps["lock"][0] == "FAILED"
    assert "`delete` on `keys/data/kes/mcpy-probe-" in steps["lock"][1]
    assert steps["unlock"] == ["not tried", "nothing is locked"]
    assert steps["delete"] == ["ok"]


def erase(mcpy: Mcpy, key: str, config: str, **env: str) -> Result:
    return mcpy("keystore", "erase", key, "--config", config, *ERASE, key, "--prove", env=env)


def works(mcpy: Mcpy, key: str) -> bool:
    return mcpy("kes", "key", "dek", key, reveals=True).exit_code == 0


def test_a_kes_that_is_away_or_denies_leaves_the_key_alone(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    away = erase(mcpy, "ours", config, KES_SERVER="https://127.0.0.1:1")
    made = ("kes", "identity", "new", "--key", str(tmp_path / "n.key"),
            "--cert", str(tmp_path / "n.crt"))  # fmt: skip
    assert mcpy(*made, reveals=True).exit_code == 0
    nobody = {
        "KES_CLIENT_KEY": str(tmp_path / "n.key"),
        "KES_CLIENT_CERT": str(tmp_path / "n.crt"),
    }
    denied = erase(mcpy, "ours", config, **nobody)
    lock = ("keystore", "lock", "ours", "--config", config, "--yes", "--prove")
    codes = [away.exit_code, denied.exit_code, mcpy(*lock, env=nobody).exit_code]
    assert codes == [6, 4, 4], (away, denied)
    assert works(mcpy, "ours")


@pytest.mark.usefixtures("config")
def test_a_kes_on_another_keystore_proves_nothing(mcpy: Mcpy, tmp_path: Path) -> None:
    """The other keystore has a key of the same name, and one that this KES never had."""
    other = folder_of(tmp_path, "other", ours=SAME, theirs=SAME)
    unknown, same_name = erase(mcpy, "theirs", other), erase(mcpy, "ours", other)
    assert (unknown.exit_code, same_name.exit_code) == (5, 1), (unknown, same_name)
    assert "it uses another keystore; nothing was done" in unknown.stderr
    assert "uses another key of the name `ours`" in same_name.stderr
    assert (tmp_path / "other" / "ours").read_bytes() == SAME
    at = ("--config", other)
    assert mcpy("keystore", "lock", "ours", *at, "--yes").exit_code == 0
    unlocked = mcpy("keystore", "unlock", "ours", *at, "--prove")
    assert (unlocked.exit_code, "NOT proven" in unlocked.stderr) == (1, True), unlocked


def test_a_lock_is_proven_later_and_an_erasure_of_a_locked_key_too(
    mcpy: Mcpy, config: str
) -> None:
    at = ("--config", config)
    assert works(mcpy, "ours")
    assert mcpy("keystore", "lock", "ours", *at, "--yes").exit_code == 0
    again = mcpy("keystore", "lock", "ours", *at, "--yes", "--prove")
    assert (again.exit_code, "(proven through KES)" in again.stdout) == (0, True), again
    assert not works(mcpy, "ours")
    erased = erase(mcpy, "ours", config)
    assert (erased.exit_code, "erased" in erased.stdout) == (0, True), erased
    assert mcpy("kes", "key", "info", "ours").exit_code == 5


def test_a_key_of_either_cipher_is_known_by_what_kes_makes_with_it(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    chacha = KeyEntry.of(bytes([7]) * 32, "ChaCha20").encode()
    source = folder_of(tmp_path, "source", chacha=chacha, aes=SAME)
    assert mcpy("keystore", "copy", "--from", source, "--to", config).exit_code == 0
    for key in ("chacha", "aes"):
        found = mcpy("keystore", "unlock", key, "--config", config, "--prove")
        assert (found.exit_code, "(proven through KES)" in found.stdout) == (0, True), found


def test_a_copy_foretells_what_it_does_and_a_kes_elsewhere_opens_none_of_it(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    keys = {f"k{i}": KeyEntry.of(bytes([i]) * 32).encode() for i in range(12)}
    source = folder_of(tmp_path, "source", **keys)
    to = ("keystore", "copy", "--from", source, "--to", config)
    planned = mcpy(*to, "--dry-run")
    assert (planned.exit_code, planned.stdout.count("would be copied\n")) == (0, 12), planned
    assert mcpy("keystore", "ls", "--config", config).stdout == "ours\n"
    copied = mcpy(*to, "--prove")
    assert (copied.exit_code, copied.stdout[:15]) == (0, "12 keys copied,"), copied
    # the same KES, which has not got the keys of this copy of the folder under other names
    for name in keys:
        (tmp_path / "source" / name).rename(tmp_path / "source" / f"other-{name}")
    elsewhere = folder_of(tmp_path, "elsewhere")
    wrong = mcpy("keystore", "copy", "--from", source, "--to", elsewhere, "--prove")
    assert wrong.exit_code == 5, wrong
    assert "gave up after 8 keys in a row: key does not exist" in wrong.stderr
    assert "0 failed, 8 there and not proven, 4 not tried, of 12" in wrong.stdout
    assert mcpy("keystore", "copy", "--from", config, "--to", config).exit_code == 2
