"""Buckets before the host, and Signature Version 2, on a real MinIO."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.models import Alias
from tests.peers.world import MISSING, PASSWORD, USER, World, do_the_page

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN names no folder with {MISSING}"),
]
NAMES = ("minio.test", "by-host.minio.test")
RESOLVE = tuple(word for name in NAMES for word in ("--resolve", f"{name}=127.0.0.1"))
MIB = 1024**2


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as started:
        with started.env_file.open("a") as file:
            file.write("MINIO_DOMAIN=minio.test\n")
        do_the_page(started)
        yield started


@pytest.mark.parametrize("api", ["s3v4", "s3v2"])
@pytest.mark.parametrize("path", ["on", "off"])
def test_objects_and_settings_are_the_same_in_every_way(world: World, api: str, path: str) -> None:
    mcpy = world.mcpy
    url = f"http://minio.test:{world.s3_port}"
    mcpy.store.put(Alias("way", url, USER, PASSWORD, path=path, api=api))
    big = world.folder / "big"
    big.write_bytes(bytes(range(256)) * (20 * MIB // 256))
    for line in (
        ("mb", "way/by-host"),
        ("encrypt", "set", "sse-s3", "way/by-host"),
        ("encrypt", "info", "way/by-host"),
        ("cp", str(big), "way/by-host/a b/ü+c"),
        ("cp", "way/by-host/a b/ü+c", "way/by-host/copy"),
        ("stat", "way/by-host/copy"),
        ("ls", "-r", "way/by-host"),
        ("encrypt", "clear", "way/by-host"),
        ("cp", "way/by-host/copy", str(world.folder / "back")),
        ("rm", "-r", "--force", "way/by-host"),
        ("rb", "way/by-host"),
    ):
        done = mcpy(*RESOLVE, *line)
        assert done.exit_code == 0, (line, done)
    assert (world.folder / "back").read_bytes() == big.read_bytes()
