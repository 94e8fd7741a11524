"""``cp --continue`` on a real MinIO: what arrived before a kill is not sent or fetched again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.peers.world import BIN, MISSING, World, do_the_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"{BIN} has no {', '.join(MISSING)}"),
]
MIB = 1024**2
SIZE = 40 * MIB
PARTS = 8


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as started:
        do_the_page(started)
        assert started.mcpy("mb", "play/resumed").exit_code == 0
        yield started


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "big"
    path.write_bytes(os.urandom(SIZE))
    return path


def killed_when(world: World, until: Callable[[], bool], *words: str) -> None:
    """Run ``cp --continue`` slowly, and kill it when something arrived."""
    environ = {**world.mcpy.env, "MCPY_CONFIG_DIR": str(world.mcpy.folder)}
    environ["MC_UPLOAD_MULTIPART_SIZE"] = "5MiB"
    line = [sys.executable, "-m", "mcpy", "cp", "--continue", "--parallel", "1", *words]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(line, env=environ, cwd=root, stderr=subprocess.PIPE)
    try:
        give_up = time.monotonic() + 30
        while not until():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < give_up
            time.sleep(0.05)
    finally:
        process.kill()
        process.communicate(timeout=10)


@pytest.mark.parametrize("encryption", [(), ("--enc-s3", "play/resumed")])
def test_an_upload_goes_on_with_its_parts(
    world: World, big: Path, encryption: tuple[str, ...]
) -> None:
    key = f"play/resumed/up{len(encryption)}"

    def two_parts() -> bool:
        left = world.mcpy("--json", "ls", "--incomplete", key).objects
        return bool(left) and left[0]["size"] >= 0 and _parts(world, key) >= 2

    killed_when(world, two_parts, *encryption, "--limit-upload", "10MiB", str(big), key)
    have = _parts(world, key)
    env = {"MC_UPLOAD_MULTIPART_SIZE": "5MiB"}
    done = world.mcpy("--debug", "cp", "--continue", *encryption, str(big), key, env=env)
    assert done.exit_code == 0, done
    sent = sum("PUT" in line and "partNumber" in line for line in done.stderr.splitlines())
    assert sent == PARTS - have
    back = big.with_name("back")
    assert world.mcpy("cp", key, str(back)).exit_code == 0
    assert back.read_bytes() == big.read_bytes()
    assert world.mcpy("ls", "--incomplete", key).stdout == ""


def _parts(world: World, key: str) -> int:
    from mcpy.api.multipart import MultipartUpload, list_uploads
    from mcpy.client import connect

    bucket, _, name = key.removeprefix("play/").partition("/")
    with connect("play", config_dir=world.mcpy.folder) as client:
        uploads = [entry for entry in list_uploads(client.s3, bucket, name) if entry.key == name]
        if not uploads:
            return 0
        upload = MultipartUpload(client.s3, bucket, name, uploads[0].version_id, {})
        return sum(1 for _ in upload.parts())


def test_a_download_goes_on_behind_what_is_there(world: World, big: Path) -> None:
    key = "play/resumed/down"
    assert world.mcpy("cp", str(big), key).exit_code == 0
    target = big.with_name("down")

    def some() -> bool:
        found = list(target.parent.glob(".down.*.part"))
        return bool(found) and found[0].stat().st_size > 5 * MIB

    killed_when(world, some, "--limit-download", "10MiB", key, str(target))
    (part,) = target.parent.glob(".down.*.part")
    have = part.stat().st_size
    assert 0 < have < SIZE
    done = world.mcpy("--json", "cp", "--continue", key, str(target))
    assert done.exit_code == 0, done
    assert target.read_bytes() == big.read_bytes()
    assert not list(target.parent.glob(".down.*"))
