"""Keyrotate jobs on a real server: what they do, and that mc sees the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.peers.world import MISSING, World, do_the_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Mcpy, Result

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN names no folder with {MISSING}"),
]
NEW_KEY = "tenant-b"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as started:
        do_the_page(started)
        assert started.mcpy("kes", "key", "create", "tenant-a", NEW_KEY).exit_code == 0
        yield started


@pytest.fixture
def mcpy(world: World) -> Mcpy:
    return world.mcpy


def fill(world: World, bucket: str, **objects: str) -> None:
    """Make a bucket with objects, each encrypted as its option says."""
    file = world.folder / "file"
    file.write_text("x")
    assert world.mcpy("mb", f"play/{bucket}").exit_code == 0
    for key, option in objects.items():
        target = f"play/{bucket}/{key}"
        args = [option.format(f"play/{bucket}")] if option else []
        assert world.mcpy("cp", *args, str(file), target).exit_code == 0


def start(mcpy: Mcpy, bucket: str, *options: str, more: tuple[str, ...] = ()) -> Result:
    """Generate a job and start it."""
    job = mcpy("batch", "generate", "play", "keyrotate", "--bucket", bucket, *options)
    assert job.exit_code == 0
    return mcpy("batch", "start", "play", "-", "--json", *more, stdin=job.stdout)


def test_a_generated_job_moves_objects_to_another_key(world: World, mcpy: Mcpy) -> None:
    fill(world, "moved", o="--enc-kms={}=tenant-a")
    result = start(mcpy, "moved", "--type", "sse-kms", "--key", NEW_KEY, more=("--wait",))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.objects[1]["metric"]["rotation"]["objects"] == 1
    (found,) = world.mc("stat", "play/moved/o")
    assert found["metadata"]["X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"].endswith(NEW_KEY)
    assert mcpy("cat", "play/moved/o") == (0, "x", "")


def test_mc_lists_the_same_jobs(world: World, mcpy: Mcpy) -> None:
    fill(world, "listed", o="--enc-s3={}")
    assert start(mcpy, "listed", more=("--wait",)).exit_code == 0
    (theirs,) = world.mc("batch", "list", "play")
    (ours,) = mcpy("batch", "list", "play", "--json").objects
    assert sorted(ours["jobs"], key=lambda job: job["id"]) == sorted(
        theirs["jobs"], key=lambda job: job["id"]
    )


def test_a_job_that_loses_tags_is_not_started(world: World, mcpy: Mcpy) -> None:
    fill(world, "tagged", o="--enc-s3={}")
    world.mc("tag", "set", "play/tagged/o", "team=a")
    result = start(mcpy, "tagged")
    assert result.exit_code == 2
    assert "1 object(s) lose their tags" in result.stderr
    (found,) = world.mc("tag", "list", "play/tagged/o")
    assert found["tagset"] == {"team": "a"}
    # what was refused is true: a forced job does it
    assert start(mcpy, "tagged", more=("--force", "--wait")).exit_code == 0
    (after,) = world.mc("tag", "list", "play/tagged/o")
    assert not after.get("tagset")


def test_a_job_that_brings_a_deleted_object_back_is_not_started(world: World, mcpy: Mcpy) -> None:
    fill(world, "deleted")
    world.mc("version", "enable", "play/deleted")
    file = str(world.folder / "file")
    assert mcpy("cp", "--enc-s3=play/deleted", file, "play/deleted/o").exit_code == 0
    world.mc("rm", "play/deleted/o")
    result = start(mcpy, "deleted")
    assert result.exit_code == 2
    assert "1 deleted object(s) come back, such as `o`" in result.stderr
    assert mcpy("cat", "play/deleted/o").exit_code == 5
    assert start(mcpy, "deleted", more=("--force", "--wait")).exit_code == 0
    assert mcpy("cat", "play/deleted/o") == (0, "x", "")


def test_a_job_that_meets_sse_kms_objects_is_not_started(world: World, mcpy: Mcpy) -> None:
    fill(world, "mixed", a="--enc-s3={}", b="--enc-kms={}=tenant-a", c="")
    result = start(mcpy, "mixed")
    assert result.exit_code == 2
    assert "the job fails: 1 object(s) in its reach are SSE-KMS" in result.stderr


def test_what_there_is_not_is_not_found(world: World, mcpy: Mcpy) -> None:
    assert start(mcpy, "no-such-bucket").exit_code == 5
    fill(world, "nokey", o="--enc-s3={}")
    assert start(mcpy, "nokey", "--type", "sse-kms", "--key", "no-such-key").exit_code == 5
    for verb in ("status", "describe", "cancel"):
        assert mcpy("batch", verb, "play", "nope").exit_code == 5
