"""The sandbox's server, with an admin API and a KES, as the network of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.in_process import SECRET, Server
from tests.running import KES_API_KEY, Mcpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcpy.api.s3 import S3


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Server]:
    """A server whose buckets are all there is, and an administrator's credentials for it."""
    made = Server(tmp_path / "s3")
    yield made
    made.store.close()


@pytest.fixture
def run(world: Server, tmp_path: Path) -> Mcpy:
    """The command line with that server as ``play``, and its KES in the environment."""
    made = Mcpy(tmp_path / "config", world, env={"HOME": str(tmp_path)})
    made.env |= {"KES_SERVER": "https://kes.test:7373", "KES_API_KEY": KES_API_KEY}
    made.secrets |= {SECRET}
    made.store.put(world.alias)
    return made


@pytest.fixture
def s3(world: Server) -> S3:
    """A client of that server."""
    return world.client()
