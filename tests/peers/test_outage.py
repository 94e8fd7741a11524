"""A real KES that is gone: the restart that would end the server is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.peers.world import MISSING, World, do_the_page

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
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "does not work, and uploads would fail" in refused.stderr
    assert world.mcpy("encrypt", "info", "play/mybucket").exit_code == 5


def test_a_forced_restart_says_that_the_server_did_not_come_back(world: World) -> None:
    ended = world.mcpy("admin", "service", "restart", "--force", "play", "--timeout", "8s")
    assert (ended.exit_code, ended.stdout) == (6, "")
    assert "nothing listens there any more after 8 s" in ended.stderr
