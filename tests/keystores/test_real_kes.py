"""A real KES on real providers and emulators, and mcpy beside it: the same keys, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.keystores.entry import KeyEntry
from tests.keystores.real_kes import real_kes
from tests.keystores.real_providers import real_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import Mcpy

pytestmark = pytest.mark.peers

PROVIDERS = (
    "openbao-v2",
    "openbao-v1",
    "openbao-transit",
    "openbao-namespace",
    "openbao-kubernetes",
    "vault-v1",
    "vault-v2",
    "vault-transit",
    "vault-kubernetes",
    "moto",
    "google",
    "azure",
    "ciphertrust",
)


@pytest.fixture(params=PROVIDERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def config(
    name: str, mcpy: Mcpy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The file a real KES runs by, made by ``kes config new``, its provider running."""
    mcpy.transport = None
    with real_provider(name, mcpy, tmp_path) as found:
        mcpy.env |= found.env
        mcpy.secrets |= set(found.secrets)
        for variable in ("HTTPS_PROXY", "SSL_CERT_FILE"):
            if variable in found.env:
                monkeypatch.setenv(variable, found.env[variable])
        with real_kes(mcpy, tmp_path, *found.args, replaced=found.replaced) as file:
            yield file


def test_keys_are_shared_locked_unlocked_and_erased(
    name: str, config: Path, mcpy: Mcpy, tmp_path: Path
) -> None:
    at = ("--config", str(config))
    checked = mcpy("keystore", "check", *at)
    assert checked.exit_code == 0, checked
    # by mcpy, for KES
    (tmp_path / "mine").mkdir()
    for key, cipher in (("by-mcpy", "AES256"), ("chacha", "ChaCha20")):
        value = KeyEntry.of(key.encode().ljust(32), cipher).encode()  # type: ignore[arg-type]
        (tmp_path / "mine" / key).write_bytes(value)
    source = tmp_path / "mine.yml"
    source.write_text(f"keystore: {{fs: {{path: {tmp_path / 'mine'}}}}}\n")
    copied = mcpy("keystore", "copy", "--from", str(source), "--to", str(config), "--prove")
    assert (copied.exit_code, copied.stdout[:13]) == (0, "2 keys copied"), copied
    # by KES, for mcpy
    assert mcpy("kes", "key", "create", "by-kes").exit_code == 0
    listed = sorted(mcpy("keystore", "ls", *at).stdout.split())
    assert listed == mcpy("kes", "key", "ls").stdout.split() == ["by-kes", "by-mcpy", "chacha"]
    target = tmp_path / "backup.yml"
    (tmp_path / "backup").mkdir()
    target.write_text(f"keystore: {{fs: {{path: {tmp_path / 'backup'}}}}}\n")
    assert mcpy("keystore", "copy", "--from", str(config), "--to", str(target)).exit_code == 0
    made = mcpy("--json", "kes", "key", "dek", "by-kes", reveals=True).objects[0]
    if name == "ciphertrust":
        assert mcpy("keystore", "lock", "by-kes", *at, "--yes").exit_code == 7
    else:
        _lock_and_unlock(mcpy, at)
    opened = mcpy("--json", "kes", "key", "decrypt", "by-kes", made["ciphertext"], reveals=True)
    assert opened.objects[0]["plaintext"] == made["plaintext"]
    erase = ("--yes", "--confirm", "by-kes", "--prove", "--without-impact")
    erased = mcpy("keystore", "erase", "by-kes", *at, *erase)
    assert erased.exit_code == 0, erased
    # the backup brings it back, for the same KES
    again = mcpy("keystore", "copy", "--from", str(target), "--to", str(config), "--prove")
    assert again.exit_code == 0, again
    opened = mcpy("--json", "kes", "key", "decrypt", "by-kes", made["ciphertext"], reveals=True)
    assert opened.objects[0]["plaintext"] == made["plaintext"]


def _lock_and_unlock(mcpy: Mcpy, at: tuple[str, ...]) -> None:
    locked = mcpy("keystore", "lock", "by-kes", *at, "--yes", "--prove")
    assert locked.exit_code == 0, locked
    # what must never happen: a KES that makes another key of the name
    assert mcpy("kes", "key", "create", "by-kes").exit_code == 1
    assert "by-kes\tlocked" in mcpy("keystore", "ls", *at, "--state").stdout.splitlines()
    unlocked = mcpy("keystore", "unlock", "by-kes", *at, "--prove")
    assert unlocked.exit_code == 0, unlocked
