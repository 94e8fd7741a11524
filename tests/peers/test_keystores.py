"""Keys locked and erased at OpenBao as a real MinIO feels it; a static key that moves."""

from __future__ import annotations

import base64
import os
import re
from typing import TYPE_CHECKING

import pytest

from mcpy.models import Alias
from mcpy.sandbox.play import Sandbox
from tests.keystores.real_providers import openbao
from tests.peers.world import KEY, MISSING, World, do_the_page
from tests.running import Mcpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.keystores.providers import Provider

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN names no folder with {MISSING}"),
]
TEXT = b"the eagle lands at midnight\n" * 64
CACHE = "cache: {expiry: {any: 2s, unused: 1s}}\n"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as started:
        yield started


@pytest.fixture
def on_openbao(world: World) -> Iterator[World]:
    """A MinIO whose KES keeps its keys in OpenBao, with one encrypted object."""
    with openbao(world.mcpy, world.folder, "v2") as provider:
        world.kill_kes()
        serve_from(world, provider)
        do_the_page(world)
        yield world


def serve_from(world: World, provider: Provider) -> None:
    """Let the KES keep its keys at a provider, by what ``kes config new`` says of it."""
    written = world.mcpy("--json", "kes", "config", "new", *provider.args).objects[0]["config"]
    section = written[written.index("\nkeystore:\n") + 1 :]
    for name, value in provider.env.items():
        section = section.replace(f"${{{name}}}", value)
    file = world.folder / "kes.yml"
    kept = re.sub(r"^keystore: .*\n", "", file.read_text(), flags=re.MULTILINE)
    file.write_text(kept + CACHE + section)
    world.start_kes()


def upload(world: World) -> None:
    file = world.folder / "secret.txt"
    file.write_bytes(TEXT)
    for step in (
        ("mb", "play/bucket"),
        ("encrypt", "set", "sse-s3", "play/bucket"),
        ("cp", str(file), "play/bucket/o"),
    ):
        result = world.mcpy(*step)
        assert result.exit_code == 0, result


def test_minio_cannot_read_while_its_key_is_locked_and_never_after_it_is_erased(
    on_openbao: World,
) -> None:
    world, at = on_openbao, ("--config", str(on_openbao.folder / "kes.yml"))
    upload(world)
    read = ("cat", "play/bucket/o")
    assert world.mcpy(*read) == (0, TEXT.decode(), "")
    token = {"MCPY_VAULT_TOKEN": "root"}
    locked = world.mcpy("keystore", "lock", KEY, *at, "--yes", "--prove", env=token)
    assert locked.exit_code == 0, locked
    refused = world.mcpy(*read)
    assert (refused.exit_code, refused.stdout) == (6, "")
    unlocked = world.mcpy("keystore", "unlock", KEY, *at, "--prove", env=token)
    assert unlocked.exit_code == 0, unlocked
    assert world.mcpy(*read) == (0, TEXT.decode(), "")
    once_more = ("--yes", "--confirm", KEY, "--prove", "--without-impact")
    erased = world.mcpy("keystore", "erase", KEY, *at, *once_more, env=token)
    assert erased.exit_code == 0, erased
    gone = world.mcpy(*read)
    assert (gone.exit_code != 0, gone.stdout) == (True, "")


def test_a_minio_of_a_static_key_goes_on_with_kes_and_reads_what_it_had(world: World) -> None:
    secret = base64.b64encode(os.urandom(32)).decode()
    assert world.minio
    world.minio.kill()
    world.minio.wait(10)
    plain = world.env_file.read_text()
    world.env_file.write_text(f"{plain}MINIO_KMS_SECRET_KEY={KEY}:{secret}\n")
    world.start_minio()
    upload(world)
    world.minio.kill()
    world.minio.wait(10)
    (world.folder / "keys").mkdir(exist_ok=True)
    static = {"MINIO_KMS_SECRET_KEY": f"{KEY}:{secret}"}
    (world.folder / "to.yml").write_text(f"keystore: {{fs: {{path: {world.folder / 'keys'}}}}}\n")
    to = ("--to", str(world.folder / "to.yml"), "--prove")
    copied = world.mcpy("keystore", "copy", "--from-static", *to, env=static)
    assert (copied.exit_code, copied.stdout[:13]) == (0, "1 keys copied"), copied
    world.env_file.write_text(plain)
    identity = ("--cert", str(world.folder / "minio.cert"),
                "--key-file", str(world.folder / "minio.key"))  # fmt: skip
    written = ("--key", KEY, "--write", str(world.env_file))
    done = world.mcpy("admin", "kms", "env", "play", *written, *identity)
    assert done.exit_code == 0, done
    world.start_minio()
    assert world.mcpy("cat", "play/bucket/o") == (0, TEXT.decode(), "")


def test_the_sandbox_runs_the_page_on_openbao(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mcpy = Mcpy(tmp_path / "mcpy", None, env={"HOME": str(tmp_path)})
    with openbao(mcpy, tmp_path, "v2") as provider:
        for name, value in provider.env.items():
            monkeypatch.setenv(name, value)
        tls = ("--tls-key", "${SANDBOX_TLS_KEY}", "--tls-cert", "${SANDBOX_TLS_CERT}")
        file = tmp_path / "kes.yml"
        written = mcpy("kes", "config", "new", *provider.args, *tls, "--out", str(file))
        assert written.exit_code == 0, written
        with Sandbox(tmp_path / "box", kes_config=file, kes="127.0.0.1:0") as box:
            mcpy.env |= box.env() | provider.env
            mcpy.store.put(Alias("play", box.s3_url, box.access_key, box.secret_key))
            (tmp_path / "secret.txt").write_bytes(TEXT)
            for step in (
                ("kes", "key", "create", KEY),
                ("admin", "kms", "env", "play", "--key", KEY, "--write", str(box.home.env_file)),
                ("admin", "service", "restart", "play"),
                ("mb", "play/bucket"),
                ("encrypt", "set", "sse-s3", "play/bucket"),
                ("cp", str(tmp_path / "secret.txt"), "play/bucket/o"),
                ("keystore", "check", "--config", str(file)),
                ("keystore", "lock", KEY, "--config", str(file), "--yes", "--prove"),
            ):
                result = mcpy(*step)
                assert result.exit_code == 0, result
            assert mcpy("cat", "play/bucket/o").exit_code == 6
            unlocked = mcpy("keystore", "unlock", KEY, "--config", str(file), "--prove")
            assert unlocked.exit_code == 0, unlocked
            assert mcpy("cat", "play/bucket/o") == (0, TEXT.decode(), "")
