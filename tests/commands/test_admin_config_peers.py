"""``mcpy admin config`` beside the real ``mc`` on one real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.peers.world import MISSING, World

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN names no folder with {MISSING}"),
]
CONFIG = ("admin", "config")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as started:
        yield started


def both(world: World, *args: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run both; return the one object of each."""
    (theirs,) = world.mc(*CONFIG, *args)
    (ours,) = world.mcpy("--json", *CONFIG, *args).objects
    return theirs, ours


@pytest.mark.parametrize(
    "args",
    [
        ("get", "play", "scanner"),
        ("get", "play", "notify_webhook"),
        ("get", "play", "browser"),
        ("get", "play", "callhome"),
        ("export", "play"),
    ],
    ids=" ".join,
)
def test_settings_are_the_same(world: World, args: tuple[str, ...]) -> None:
    theirs, ours = both(world, *args)
    assert ours == theirs


@pytest.mark.parametrize("args", [("get", "play"), ("set", "play"), ("set", "play", "scanner")])
def test_what_can_be_set_is_the_same(world: World, args: tuple[str, ...]) -> None:
    theirs, ours = both(world, *args)
    assert [key["key"] for key in ours["help"]["keysHelp"]] == [
        key["key"] for key in theirs["help"]["keysHelp"]
    ]


def test_what_one_sets_the_other_sees(world: World) -> None:
    ours = world.mcpy("--json", *CONFIG, "set", "play", "api", "requests_max=77")
    assert ours.objects == [{"status": "success", "restartRequired": False}]
    assert ours.stderr == ""
    (theirs,) = world.mc(*CONFIG, "get", "play", "api")
    assert {"key": "requests_max", "value": "77"} in theirs["config"][0]["kv"]
    assert world.mcpy(*CONFIG, "reset", "play", "api").exit_code == 0
    theirs, again = both(world, "get", "play", "api")
    assert {"key": "requests_max", "value": "0"} in theirs["config"][0]["kv"]
    assert again == theirs


def test_a_restart_that_mc_keeps_to_itself_is_said(world: World) -> None:
    theirs, ours = both(world, "set", "play", "region", "name=us-east-1")
    assert theirs == {"status": "success"}
    assert ours == theirs | {"restartRequired": True}


def test_the_history_is_the_same(world: World) -> None:
    assert world.mcpy(*CONFIG, "set", "play", "scanner", "speed=slow").exit_code == 0
    theirs, ours = both(world, "history", "play")
    assert ours == theirs


def test_a_whole_export_is_imported_again(world: World) -> None:
    exported = world.mcpy(*CONFIG, "export", "play").stdout
    assert world.mcpy(*CONFIG, "import", "play", stdin=exported).exit_code == 0


@pytest.mark.parametrize(
    "args",
    [
        ("get", "play", "nosuch"),
        ("set", "play", "scanner", "nosuch=1"),
        ("reset", "play", "nosuch"),
        ("restore", "play", "nope"),
    ],
    ids=" ".join,
)
def test_a_refusal_has_the_code_of_the_server(world: World, args: tuple[str, ...]) -> None:
    theirs, ours = both(world, *args)
    assert ours["status"] == theirs["status"] == "error"
    codes = [answer["error"]["cause"]["error"]["Code"] for answer in (theirs, ours)]
    assert codes[0] == codes[1]
