"""Fixtures of every test: the command line in-process, a scripted server, a guarded machine.

Tests see no environment of the machine, and no network unless they are marked ``sandbox`` or
``peers``, or ask for ``loopback``.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
from typing import TYPE_CHECKING

import pytest

from mcpy.models import Alias
from tests.running import ACCESS_KEY, KES_API_KEY, SECRET_KEY, URL, Mcpy
from tests.stub import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.likes import Play

_MACHINE = re.compile(r"(MC|MCPY|KES|MINIO)_|.*_PROXY$|(NO_COLOR|FORCE_COLOR|XDG_.*)$", re.I)
_KEPT = {"MCPY_PEERS_BIN"}


@pytest.fixture
def server() -> Iterator[Server]:
    """A scripted server; every reply must have been asked for at the end."""
    made = Server()
    yield made
    assert not made.replies, f"{len(made.replies)} replies were not asked for"


@pytest.fixture
def mcpy(tmp_path: Path, server: Server) -> Mcpy:
    """The command line with an alias ``play``, the environment of a KES and no network."""
    made = Mcpy(tmp_path / "config", server, env={"HOME": str(tmp_path)})
    made.store.put(Alias("play", URL, ACCESS_KEY, SECRET_KEY))
    return made


@pytest.fixture
def kes_env(mcpy: Mcpy) -> None:
    """Let ``kes`` commands know where KES is and who asks."""
    mcpy.env |= {"KES_SERVER": "https://kes.test:7373", "KES_API_KEY": KES_API_KEY}


@pytest.fixture
def play_like(tmp_path: Path) -> Iterator[Callable[[str], Play]]:
    """Starts a sandbox like the server that is named, for tests marked ``sandbox``."""
    from mcpy.sandbox.play import Sandbox
    from tests.likes import Play

    with contextlib.ExitStack() as running:

        def start(name: str) -> Play:
            folder = tmp_path / name
            folder.mkdir()
            sandbox = running.enter_context(Sandbox(folder / "box", like=name))
            return Play.of(sandbox, folder)

        yield start


@pytest.fixture
def loopback() -> None:
    """Allow sockets, for a test that brings its own server."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ.keys() - _KEPT:
        if _MACHINE.match(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    marked = any(request.node.get_closest_marker(name) for name in ("sandbox", "peers"))
    if marked or "loopback" in request.fixturenames:
        return

    def refuse(_: socket.socket, address: object) -> None:
        pytest.fail(f"a test without the marker sandbox or peers connects to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
