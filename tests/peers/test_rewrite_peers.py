"""Rewriting and rotating on a real MinIO and KES, over TLS: nothing but the encryption changes."""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from mcpy.fleet.rewrite.ends import StoppedError
from mcpy.fleet.rewrite.goal import Class, Goal
from mcpy.fleet.rewrite.session import Session, Told, Wish
from mcpy.models import Alias, ObjectEncryption, Target
from tests.mixture import (
    DESCRIBED,
    Mixed,
    census,
    client,
    encryptions,
    fill,
    kms,
    locked,
    uploads,
)
from tests.peers.world import KEY, MISSING, PASSWORD, USER, World, do_the_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcpy.api.s3 import S3
    from mcpy.fleet.rewrite.goal import Outcome
    from tests.running import Mcpy

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN names no folder with {MISSING}"),
]
OTHER, THIRD = "key-two", "key-three"
S3_GOAL = Goal(ObjectEncryption("AES256"), versions=True)
KMS_GOAL = Goal(ObjectEncryption("aws:kms", OTHER), versions=True)


class TlsWorld(World):
    """The same servers; S3 over TLS, so that it takes its clients' keys."""

    @property
    def mcpy(self) -> Mcpy:
        made = super().mcpy
        made.store.put(self.alias)
        return made

    @property
    def alias(self) -> Alias:
        """The server as its root user."""
        url, ca = f"https://127.0.0.1:{self.s3_port}", str(self.folder / "server.cert")
        return Alias("play", url, USER, PASSWORD, ca=ca)

    def start_minio(self) -> None:
        certs = self.folder / "certs"
        certs.mkdir(exist_ok=True)
        shutil.copy(self.folder / "server.cert", certs / "public.crt")
        shutil.copy(self.folder / "server.key", certs / "private.key")
        super().start_minio()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsWorld]:
    with TlsWorld(tmp_path_factory.mktemp("world")) as started:
        do_the_page(started)
        for key in (OTHER, THIRD):
            assert started.mcpy("kes", "key", "create", key).exit_code == 0
        yield started


@pytest.fixture
def s3(world: TlsWorld) -> Iterator[S3]:
    made = client(world.alias, world.folder / "server.cert")
    yield made
    made.http.close()


@pytest.fixture
def bucket() -> str:
    return f"b-{uuid.uuid4().hex[:12]}"


def session(s3: S3, bucket: str, folder: Path, goal: Goal, **wish: bool) -> Session:
    return Session(s3, s3, Target("play", bucket), goal, Wish(folder / "journals", **wish))  # type: ignore[arg-type]


@pytest.mark.parametrize("versioning", ["", "Enabled", "Suspended"])
@pytest.mark.parametrize("goal", [S3_GOAL, KMS_GOAL], ids=["sse-s3", "sse-kms"])
def test_nothing_but_the_encryption_changes(
    s3: S3, bucket: str, tmp_path: Path, versioning: str, goal: Goal
) -> None:
    fill(Mixed(s3, bucket, (KEY, OTHER), customer=True), versioning)
    before = census(s3, bucket)
    suspended = versioning == "Suspended"
    tally = session(s3, bucket, tmp_path, goal, nobody_writes=suspended).run()
    assert census(s3, bucket) == before
    assert uploads(s3, bucket) == []
    assert tally.scanned == sum(map(len, before.values()))
    assert tally.count[Class.CUSTOMER] == 1
    assert tally.unsettled == 1 + tally.count[Class.UNSUPPORTED]
    assert bool(tally.count[Class.UNSUPPORTED]) == suspended
    for found in encryptions(s3, bucket).values():
        assert found
        met = goal.met_by(found) or found.customer or not goal.covers(found)
        assert met or suspended
    again = session(s3, bucket, tmp_path, goal, nobody_writes=suspended).run()
    assert again.count[Class.REWRITTEN] == 0


def test_what_is_locked_is_not_touched(s3: S3, bucket: str, tmp_path: Path) -> None:
    locked(s3, bucket)
    before = census(s3, bucket)
    tally = session(s3, bucket, tmp_path, KMS_GOAL).run()
    assert census(s3, bucket) == before
    assert (tally.count[Class.LOCKED], tally.count[Class.REWRITTEN]) == (3, 2)


def test_a_kes_that_is_lost_half_way_costs_nothing(
    world: TlsWorld, s3: S3, bucket: str, tmp_path: Path
) -> None:
    s3.make_bucket(bucket)
    s3.set_versioning(bucket, status="Enabled")
    for number in range(120):
        s3.put_object(bucket, f"o{number:03}", b"content %d" % number, headers=DESCRIBED)
    before = census(s3, bucket)
    made, seen = session(s3, bucket, tmp_path, S3_GOAL), list[str]()

    def lose(outcome: Outcome) -> None:
        seen.append(outcome.key)
        if len(seen) == 20:
            world.kill_kes()

    made.told = Told(outcome=lose)
    with pytest.raises(StoppedError):
        made.run()
    assert len(seen) < 120
    world.start_kes()
    tally = session(s3, bucket, tmp_path, S3_GOAL).run()
    assert (tally.scanned, tally.unsettled) == (120, 0)
    assert census(s3, bucket) == before
    assert all(found and found.algorithm for found in encryptions(s3, bucket).values())


def test_what_others_write_meanwhile_is_not_lost(
    world: TlsWorld, s3: S3, bucket: str, tmp_path: Path
) -> None:
    s3.make_bucket(bucket)
    over, lost, count = threading.Event(), list[str](), [0]

    def write(number: int) -> None:
        mine, key, turn = client(world.alias, world.folder / "server.cert"), f"o{number}", 0
        while not over.is_set():
            turn += 1
            size = (100, 200_000)[number % 2]
            content = (b"%d of %d" % (turn, number)).ljust(size, b".")
            mine.put_object(bucket, key, content)
            time.sleep(0.02)
            with mine.get_object(bucket, key) as (_, stream):
                if b"".join(stream.chunks()) != content:
                    lost.append(f"{key} {turn}")
            count[0] += 1
        mine.http.close()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    rewritten, until = 0, time.monotonic() + 8
    try:
        while time.monotonic() < until:
            goal = KMS_GOAL if rewritten % 2 else S3_GOAL
            run = session(s3, bucket, tmp_path, goal, restart=True).run()
            rewritten += run.count[Class.REWRITTEN]
    finally:
        over.set()
        for writer in writers:
            writer.join()
    assert lost == []
    assert rewritten > 3
    assert count[0] > 50


def test_a_rotation_is_done_by_a_job_where_that_does_no_harm(
    world: TlsWorld, s3: S3, bucket: str
) -> None:
    s3.make_bucket(bucket)
    for number in range(12):
        headers = {**kms(OTHER, n=str(number)), "x-amz-meta-a": "b"}
        s3.put_object(bucket, f"o{number}", b"content %d" % number, headers=headers)
    before = census(s3, bucket)
    args = ("encrypt", "rotate", f"play/{bucket}", "--to", THIRD, "--from", OTHER, "--json")
    result = world.mcpy(*args)
    assert result.exit_code == 0, result
    (found,) = result.objects
    assert (found["engine"], found["sealed"], found["proof"]["left"]) == ("batch", 12, 0)
    after = census(s3, bucket)
    for key, (one,) in after.items():
        (was,) = before[key]
        assert {**one, "time": ""} == {**was, "time": ""}


@pytest.mark.parametrize("more", [{"expires": DESCRIBED["expires"]}, {"x-amz-tagging": "a=b"}])
def test_a_rotation_is_not_done_by_a_job_that_would_drop_something(
    world: TlsWorld, s3: S3, bucket: str, more: dict[str, str]
) -> None:
    s3.make_bucket(bucket)
    s3.put_object(bucket, "o", b"content", headers={**kms(OTHER), **more})
    before = census(s3, bucket)
    result = world.mcpy("encrypt", "rotate", f"play/{bucket}", "--to", THIRD, "--json")
    assert result.exit_code == 0, result
    (found,) = result.objects
    assert (found["engine"], found["proof"]["left"]) == ("copy", 0)
    assert found["notByJob"]
    assert census(s3, bucket) == before


def test_a_rotation_keeps_all_versions_as_they_are(world: TlsWorld, s3: S3, bucket: str) -> None:
    fill(Mixed(s3, bucket, (KEY, OTHER)), "Enabled")
    before, old = census(s3, bucket), encryptions(s3, bucket)
    result = world.mcpy("encrypt", "rotate", f"play/{bucket}", "--to", THIRD, "--from", OTHER)
    assert result.exit_code == 0, result
    assert f"0 versions are under `{OTHER}`" in result.stdout
    assert census(s3, bucket) == before
    for name, now in encryptions(s3, bucket).items():
        was = old[name]
        assert now
        assert was
        assert now.key_id.endswith(THIRD) if was.key_id.endswith(OTHER) else now == was
