"""mcpy is killed at random moments while it rewrites objects of a real MinIO, and goes on.

``MCPY_HAMMER_KILLS`` says how often for each of the wishes; the default is small.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from mcpy.models import Alias, bare_key_id
from tests.mixture import Mixed, census, client, encryptions, fill, uploads
from tests.peers.world import KEY, MISSING, PASSWORD, USER, World, after_the_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcpy.api.s3 import S3
    from mcpy.models import ObjectEncryption

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN names no folder with {MISSING}"),
]
NOTHING = {"failed": 0, "changed": 0, "gone": 0}
KILLS = int(os.environ.get("MCPY_HAMMER_KILLS", "6"))
OTHER = "key-two"
Wish = tuple[str, str, tuple[str, ...]]
WISHES: tuple[Wish, ...] = (
    ("Enabled", "sse-s3", ("--versions",)),
    ("", "sse-s3", ("--copy-limit", "5MiB", "--include-kms")),
    ("Suspended", f"sse-kms:{OTHER}", ("--versions", "--nobody-writes")),
    ("", f"sse-kms:{OTHER}", ("--nobody-writes",)),
    ("Enabled", f"sse-kms:{KEY}", ("--versions", "--verify", "full")),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with after_the_page(tmp_path_factory.mktemp("world"), OTHER) as started:
        yield started


@pytest.fixture
def s3(world: World) -> Iterator[S3]:
    made = client(Alias("play", f"http://127.0.0.1:{world.s3_port}", USER, PASSWORD))
    yield made
    made.http.close()


def run(world: World, folder: Path, *args: str, seconds: float | None) -> tuple[int, str]:
    """Run mcpy in a process of its own, and kill it after so many seconds; -9 when that was."""
    host = f"http://{USER}:{PASSWORD}@127.0.0.1:{world.s3_port}"
    environ = {**os.environ, "MC_HOST_play": host, "HOME": str(folder)}
    command = [sys.executable, "-m", "mcpy", "-C", str(folder), "encrypt", "objects", *args]
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    return process.returncode, out + err


@pytest.mark.parametrize("wish", range(len(WISHES)))
def test_what_is_killed_again_and_again_loses_nothing(
    world: World, s3: S3, tmp_path: Path, wish: int
) -> None:
    dice = random.Random(os.environ.get("MCPY_HAMMER_SEED", str(wish)) + str(wish))
    kills = done = 0
    while kills < KILLS:
        kills += one_bucket(world, s3, tmp_path / str(done), WISHES[wish], dice)
        done += 1
    sys.stderr.write(f"{kills} kills in {done} buckets of {WISHES[wish]}\n")


def one_bucket(
    world: World,
    s3: S3,
    folder: Path,
    wish: Wish,
    dice: random.Random,
) -> int:
    versioning, wanted, options = wish
    others = canaries(s3)  # what an earlier setup left is that one's failure
    bucket = f"hammer-{uuid.uuid4().hex[:10]}"
    fill(Mixed(s3, bucket, (KEY, OTHER)), versioning, seed=dice.randrange(10**6))
    before = census(s3, bucket)
    args = (
        f"play/{bucket}",
        "--to",
        wanted,
        *options,
        "--json",
        "--jobs",
        str(dice.choice((1, 4))),
    )
    # how long a run takes is known after the first: kills then fall where the work is
    begun = time.monotonic()
    kills, longest = 0, 2.5
    code, said = -9, ""
    while code == -9 and time.monotonic() - begun < 120:
        code, said = run(world, folder, *args, seconds=dice.uniform(0.5, longest))
        kills += code == -9
        longest = min(longest + 0.05, 20)
    if code == -9:  # a busy machine: it was killed often enough
        code, said = run(world, folder, *args, seconds=None)
    assert code in {0, 8}, said
    check(s3, bucket, before, said, wish)
    assert canaries(s3) <= others, said
    again, told = run(world, folder, *args, seconds=None)
    assert again == code, told
    assert summary_of(told)["classes"]["rewritten"] == 0
    return kills


def check(
    s3: S3, bucket: str, before: dict[str, list[dict[str, object]]], said: str, wish: Wish
) -> None:
    after = census(s3, bucket)
    unversioned = all(len(versions) == 1 for versions in before.values())
    for key, versions in before.items():
        now = after[key]
        if unversioned and key == "parts":  # in parts again: its time is kept too
            assert [one["time"] for one in now] == [one["time"] for one in versions]
        assert now == versions, (key, wish)
    assert after.keys() == before.keys()
    summary = summary_of(said)
    assert summary["scanned"] == sum(map(len, before.values()))
    assert sum(summary["classes"].values()) == summary["scanned"]
    classes = summary["classes"]
    assert {name: classes[name] for name in ("failed", "changed", "gone")} == NOTHING, said
    assert not uploads(s3, bucket)
    unmet = [name for name, found in encryptions(s3, bucket).items() if not is_met(found, wish[1])]
    left = classes["unsupported"] + classes["leftAsTheyAre"] + classes["customerKey"]
    assert len(unmet) == left, (unmet, classes)


def summary_of(said: str) -> dict[str, Any]:
    objects = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    found: dict[str, Any] = next(one for one in objects if "scanned" in one)
    return found


def canaries(s3: S3) -> set[str]:
    return {one.name for one in s3.list_buckets() if one.name.startswith("mcpy-canary-")}


def is_met(found: ObjectEncryption | None, wanted: str) -> bool:
    scheme, _, key = wanted.partition(":")
    if not found or found.scheme.lower() != scheme:
        return False
    return not key or bare_key_id(found.key_id) == key
