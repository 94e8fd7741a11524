"""A real KES that is gone: the restart that would end the server is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.peers.world import KEY, MISSING, World, do_the_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN names no folder with {MISSING}"),
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as started:
        do_the_page(started)
        started.kill_kes()
        yield started


def test_a_restart_is_refused_while_kes_is_gone_and_done_when_it_is_back(world: World) -> None:
    refused = world.mcpy("admin", "service", "restart", "play")
    assert (refused.exit_code, refused.stdout) == (6, "")
    assert "a restart would end 127.0.0.1:" in refused.stderr
    assert world.minio
    assert world.minio.poll() is None
    assert world.mcpy("admin", "info", "play").exit_code == 0
    world.start_kes()
    assert world.mcpy("admin", "service", "restart", "play").exit_code == 0


def test_encryption_is_not_set_while_kes_is_gone(world: World) -> None:
    assert world.mcpy("mb", "play/mybucket").exit_code == 0
    refused = world.mcpy("encrypt", "set", "sse-s3", "play/mybucket")
    assert (refused.exit_code, refused.stdout) == (6, "")
    assert "does not work, and uploads would fail" in refused.stderr
    assert world.mcpy("encrypt", "info", "play/mybucket").exit_code == 5


def test_a_forced_restart_says_that_the_server_did_not_come_back(world: World) -> None:
    ended = world.mcpy("admin", "service", "restart", "--force", "play", "--timeout", "8s")
    assert (ended.exit_code, ended.stdout) == (6, "")
    assert "nothing listens there any more after 8 s" in ended.stderr


def test_whatever_needs_the_kms_says_that_it_is_away(world: World) -> None:
    world.start_kes()
    file = world.folder / "file"
    file.write_text("hello")
    for line in (
        ("mb", "play/mybucket"),
        ("cp", "--enc-s3", "play/mybucket", str(file), "play/mybucket/s3"),
        ("cp", "--enc-kms", f"play/mybucket={KEY}", str(file), "play/mybucket/kms"),
    ):
        assert world.mcpy(*line).exit_code == 0
    world.kill_kes()
    for words in (
        ("cat", "play/mybucket/s3"),
        ("cat", "play/mybucket/kms"),
        ("cp", "play/mybucket/kms", str(world.folder / "back")),
        ("cp", "--enc-s3", "play/mybucket", str(file), "play/mybucket/new"),
        ("cp", "play/mybucket/s3", "play/mybucket/copy"),
        ("ls", "play/mybucket"),
        ("admin", "kms", "status", "play"),
        ("admin", "kms", "key", "status", "play"),
        ("admin", "kms", "key", "list", "play"),
        ("admin", "kms", "key", "create", "play", "another"),
    ):
        refused = world.mcpy("--retries", "0", *words)
        assert refused.exit_code == 6, (words, refused)
    shown = world.mcpy("admin", "info", "play")
    assert shown.exit_code == 0
    assert "is offline: what is encrypted cannot be read or written" in shown.stderr
