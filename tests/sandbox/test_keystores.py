"""The SSE-S3 page on a sandbox whose KES keeps its keys at each provider, locked and unlocked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.errors import ConfigError
from mcpy.models import Alias
from mcpy.sandbox.play import Sandbox
from tests.keystores.providers import NAMES, provider
from tests.running import Mcpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.keystores.providers import Provider

pytestmark = pytest.mark.sandbox

KEY = "my-minio-sse-s3-key"
TEXT = b"the eagle lands at midnight\n"
OWN_TLS = ("--tls-key", "${SANDBOX_TLS_KEY}", "--tls-cert", "${SANDBOX_TLS_CERT}")


@pytest.fixture(scope="module", params=NAMES)
def provided(request: pytest.FixtureRequest) -> Iterator[Provider]:
    with provider(request.param) as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.env.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture(scope="module")
def config(provided: Provider, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``kes config new`` writes for the provider and the sandbox."""
    folder = tmp_path_factory.mktemp("new")
    file = folder / "kes.yml"
    args = ("kes", "config", "new", *provided.args, *OWN_TLS, "--out", str(file))
    result = Mcpy(folder, None)(*args)
    assert result.exit_code == 0, result
    text = file.read_text()
    for old, new in provided.replaced.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def mcpy(
    config: Path, provided: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mcpy]:
    """The command line after steps 1 to 3 of the page."""
    folder = tmp_path_factory.mktemp("box")
    with Sandbox(folder / "box", kes_config=config, kes="127.0.0.1:0") as box:
        made = Mcpy(folder / "mcpy", None, env={"HOME": str(folder), **box.env(), **provided.env})
        made.secrets = {box.secret_key, box.api_key, *provided.secrets}
        made.store.put(Alias("play", box.s3_url, box.access_key, box.secret_key))
        written = ("--key", KEY, "--write", str(box.home.env_file))
        for step in (
            ("kes", "key", "create", KEY),
            ("admin", "kms", "env", "play", *written),
            ("admin", "service", "restart", "play"),
        ):
            result = made(*step)
            assert result.exit_code == 0, result
        yield made


def test_the_whole_page_runs_with_the_provider_behind_it(
    mcpy: Mcpy, config: Path, tmp_path: Path, provided: Provider
) -> None:
    (tmp_path / "secret.txt").write_bytes(TEXT)
    for step in (
        ("mb", "play/bucket"),
        ("encrypt", "set", "sse-s3", "play/bucket"),
        ("cp", str(tmp_path / "secret.txt"), "play/bucket/o"),
    ):
        result = mcpy(*step)
        assert result.exit_code == 0, result
    assert "SSE-S3" in mcpy("stat", "play/bucket/o").stdout
    assert mcpy("cat", "play/bucket/o") == (0, TEXT.decode(), "")
    at = ("--config", str(config))
    assert KEY in mcpy("keystore", "ls", *at).stdout.split()
    locked = mcpy("keystore", "lock", KEY, *at, "--yes", "--prove")
    if provided.args[0] == "ciphertrust":
        assert (locked.exit_code, mcpy("cat", "play/bucket/o").exit_code) == (7, 0)
        return
    assert locked.exit_code == 0, locked
    assert mcpy("cat", "play/bucket/o").exit_code == 6
    again = mcpy("kes", "key", "create", KEY)
    assert (again.exit_code, again.stdout) == (1, "")
    assert mcpy("keystore", "unlock", KEY, *at, "--prove").exit_code == 0
    assert mcpy("cat", "play/bucket/o") == (0, TEXT.decode(), "")


def test_keys_made_at_the_provider_and_by_the_sandbox_are_the_same(
    mcpy: Mcpy, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "keys").mkdir()
    backup = tmp_path / "backup.yml"
    backup.write_text(f"keystore: {{fs: {{path: {tmp_path / 'keys'}}}}}\n")
    assert mcpy("kes", "key", "create", "other").exit_code == 0
    away = mcpy("keystore", "copy", "--from", str(config), "--to", str(backup))
    assert away.exit_code == 0, away
    made = mcpy("--json", "kes", "key", "dek", "other", reveals=True).objects[0]
    assert mcpy("kes", "key", "rm", "--yes", "--without-impact", "other").exit_code == 0
    assert mcpy("kes", "key", "dek", "other", reveals=True).exit_code == 5
    back = mcpy("keystore", "copy", "--from", str(backup), "--to", str(config), "--prove")
    assert (back.exit_code, back.stdout.split(":")[0]) == (
        0, "1 keys copied, 1 there already, 0 failed, of 2"
    )  # fmt: skip
    opened = mcpy("--json", "kes", "key", "decrypt", "other", made["ciphertext"], reveals=True)
    assert opened.objects[0]["plaintext"] == made["plaintext"]
    assert mcpy("keystore", "check", "--config", str(config)).exit_code == 0
    assert mcpy("kes", "status").exit_code == 0


@pytest.mark.parametrize("name", ["vault", "ciphertrust"])
def test_a_provider_that_is_not_there_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S", "throw-away")
    sections = {
        "vault": "{endpoint: 'http://127.0.0.1:1', approle: {id: a, secret: '${S}'}}",
        "ciphertrust": (
            "{keysecure: {endpoint: 'http://127.0.0.1:1', credentials: {token: '${S}'}}}"
        ),
    }
    kind = {"ciphertrust": "gemalto"}.get(name, name)
    (tmp_path / "kes.yml").write_text(
        "admin: {identity: disabled}\n"
        "tls: {key: '${SANDBOX_TLS_KEY}', cert: '${SANDBOX_TLS_CERT}'}\n"
        f"keystore: {{{kind}: {sections[name]}}}\n"
    )
    with pytest.raises(ConfigError, match=r"kes: keystore unreachable: 127\.0\.0\.1:1"):
        Sandbox(tmp_path / "box", kes_config=tmp_path / "kes.yml").start()
