"""mc, kes and mcpy side by side: the same calls, in the same order, each on servers of its own.

What differs has to stand in ``docs/differences.md``, and what stands there has to differ.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.peers.world import BIN, MISSING, PASSWORD, USER, World, do_the_page
from tests.shapes import PAGE, missing, shape

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason="real kes, mc and minio: set MCPY_PEERS_BIN"),
]
CALLS = Path(__file__).parent.parent / "data" / "side-by-side.txt"
# of a failure only these are compared: before it mc prints successes that were none
_ERROR = {
    ("status", "text"),
    ("error", "object"),
    ("error.message", "text"),
    ("error.type", "text"),
}
_ASSIGNMENT = re.compile(r"[A-Za-z_0-9]+=[^ ]* ?")


class Ended(NamedTuple):
    """What a call gave back; ``objects`` is None where it is not JSON."""

    code: int
    objects: list[dict[str, Any]] | None


def prepared(world: World) -> World:
    """Give a world the page's key and the files that the calls name."""
    do_the_page(world)
    folder = world.folder
    (folder / "tree/e").mkdir(parents=True)
    for name, content in (("f.txt", b"hello\n"), ("tree/1", b"1"), ("tree/e/2", b"22")):
        (folder / name).write_bytes(content)
    (folder / "big").write_bytes(os.urandom(20 << 20))
    url = f"http://127.0.0.1:{world.s3_port}"
    alias = {"url": url, "accessKey": USER, "secretKey": PASSWORD, "api": "s3v4", "path": "auto"}
    (folder / "imp.json").write_text(json.dumps(alias))
    (folder / "mccfg").mkdir()
    config = {"version": "10", "aliases": {"cfg": alias}}
    (folder / "mccfg/config.json").write_text(json.dumps(config))
    return world


def call(world: World, line: str, *, ours: bool) -> Ended:
    """Run one line of the file, by mcpy or by the program it names."""
    line, _, stdin = line.partition(" <<< ")
    places = {
        "$DIR": str(world.folder),
        "$S3": f"http://127.0.0.1:{world.s3_port}",
        "$KES": f"https://127.0.0.1:{world.kes_port}",
    }
    for name, place in places.items():
        line = line.replace(name, place)
    ca = str(world.folder / "server.cert")
    host = f"http://{USER}:{PASSWORD}@127.0.0.1:{world.s3_port}"
    env = world.environ | {"MC_HOST_my": host, "MCPY_KES_CA": ca, "SSL_CERT_FILE": ca}
    while found := _ASSIGNMENT.match(line):
        name, _, value = found[0].strip().partition("=")
        env[name] = value
        line = line[found.end() :]
    program, *words = shlex.split(line)
    command = [str(BIN / program)]
    if ours:
        command = [sys.executable, "-m", "mcpy", *(["kes"] if program == "kes" else [])]
    done = subprocess.run(
        [*command, *words],
        env={name: value for name, value in env.items() if value},
        cwd=world.folder,
        input=stdin.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, _objects(done.stdout.decode("utf-8", "replace")))


def _objects(text: str) -> list[dict[str, Any]] | None:
    found: list[dict[str, Any]] = []
    at = 0
    while rest := text[at:].lstrip():
        try:
            value, length = json.JSONDecoder().raw_decode(rest)
        except ValueError:
            return None
        found.append(value)
        at = len(text) - len(rest) + length
    return found


def _shape(ended: Ended) -> set[tuple[str, str]]:
    return set().union(*(shape(one) for one in ended.objects or []))


def differs(theirs: Ended, ours: Ended) -> str:
    """Return how ``ours`` is not what a script of ``theirs`` expects, or ``""``."""
    if bool(theirs.code) != bool(ours.code):
        return f"{theirs.code} and {ours.code}"
    if not theirs.objects:  # nothing, or text: mc's help, or what kes prints behind its JSON
        return ""
    if ours.objects is None:
        return "no JSON"
    lacking = missing(_shape(theirs), _shape(ours))
    if theirs.code:
        lacking &= _ERROR
    return ", ".join(path for path, _ in sorted(lacking) if not path.startswith("error.cause"))


def listed() -> dict[str, str]:
    """Return the calls of the table, and how they differ."""
    text = PAGE.read_text("utf-8").partition("\n## Side by side\n")[2].partition("\n## ")[0]
    rows: list[tuple[str, str]] = re.findall(
        r"^\| `([^`]+)` \| ([^|]+?) \| [^|]+ \|$", text, re.MULTILINE
    )
    assert len(rows) == len(dict(rows)), "a call stands twice"
    return dict(rows)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, World]]:
    with (
        World(tmp_path_factory.mktemp("theirs")) as theirs,
        World(tmp_path_factory.mktemp("ours")) as ours,
    ):
        yield prepared(theirs), prepared(ours)


def test_what_differs_is_listed_and_what_is_listed_differs(worlds: tuple[World, World]) -> None:
    calls = [line for line in CALLS.read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert len(calls) > 300

    def column(world: World) -> list[Ended]:
        return [call(world, line, ours=world is worlds[1]) for line in calls]

    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(column, worlds)
    hows = map(differs, theirs, ours)
    found = {line: how for line, how in zip(calls, hows, strict=True) if how}
    assert found == listed()
