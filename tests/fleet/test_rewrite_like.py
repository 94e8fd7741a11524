"""The canary on servers that are like others: who does harm is refused, and nothing is harmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.fleet.rewrite.canary import Ground, Verdict, try_out
from mcpy.fleet.rewrite.goal import Class, Goal
from mcpy.fleet.rewrite.session import Session, Wish
from mcpy.fleet.rewrite.target import look_at
from mcpy.models import Alias, ObjectEncryption, Target
from mcpy.sandbox.like import NAMES
from mcpy.sandbox.play import Sandbox
from tests.mixture import census, client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcpy.api.s3 import S3

pytestmark = pytest.mark.sandbox
GOAL = Goal(ObjectEncryption("AES256"), versions=True)
# what is said of each: without versions, and with
VERDICTS = {
    "minio": ("", ""),
    "aws": ("", "others write"),
    "ceph": ("refuses to store", "refuses to store"),
    "ceph-pacific": ("stores it unencrypted", "stores it unencrypted"),
    "garage": ("stores it unencrypted", None),
    "moto": ("others write", "others write"),
    "rustfs": ("cannot be copied onto itself and read again", "others write"),
    "s3mock": ("", ""),  # it shows a header for what it stores as it comes: nobody can see that
    "seaweedfs": ("", ""),
    "seaweedfs-default": ("refuses to store", "refuses to store"),
    "versitygw": ("stores it unencrypted", "stores it unencrypted"),
}


def server(folder: Path, name: str) -> Iterator[tuple[Sandbox, S3]]:
    with Sandbox(folder, tls=False, like=name, kms_key="my-key") as running:
        region = "garage" if name == "garage" else ""
        account = (running.access_key, running.secret_key)
        s3 = client(Alias("play", running.s3_url, *account, region=region))
        yield running, s3
        s3.http.close()


@pytest.fixture(params=NAMES)
def like(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, S3]]:
    """A server that is like another, with the name of that."""
    for _, s3 in server(tmp_path / "play", request.param):
        yield request.param, s3


def bucket(s3: S3, name: str, versioning: str = "") -> str:
    s3.make_bucket(name)
    if versioning:
        s3.set_versioning(name, status=versioning)
    s3.put_object(name, "o", b"content", headers={"x-amz-meta-a": "b", "content-type": "a/b"})
    s3.put_object(name, "empty", b"")
    return name


def verdict(s3: S3, name: str, goal: Goal = GOAL, old_key: str = "") -> Verdict:
    found, lock = look_at(s3, Target("play", name))
    return try_out(goal, Ground(found, lock, old_key=old_key, sizes=(0, 3_000), parts=()))


def content(s3: S3, name: str, key: str) -> tuple[bytes, str]:
    with s3.get_object(name, key) as (info, stream):
        return b"".join(stream.chunks()), info.metadata.get("x-amz-meta-a", "")


def test_who_does_harm_is_refused_and_who_does_not_rewrites_without_harm(
    like: tuple[str, S3], tmp_path: Path
) -> None:
    name, s3 = like
    for versioning, expected in zip(("", "Enabled"), VERDICTS[name], strict=True):
        if expected is None:
            continue
        target = bucket(s3, f"box-{versioning.lower() or 'none'}", versioning)
        found = verdict(s3, target)
        said = found.problem or ("" if found.guarded else "others write")
        assert (said == expected) if not expected else (expected in said), (name, versioning)
        assert found.leftovers == ()
        assert not [one for one in s3.list_buckets() if one.name.startswith("mcpy-canary-")]
        assert content(s3, target, "o") == (b"content", "b")
        if found.abilities:
            rewritten_without_harm(s3, target, tmp_path, versioning)


def rewritten_without_harm(s3: S3, target: str, folder: Path, versioning: str) -> None:
    before = census(s3, target) if versioning else {}
    wish = Wish(folder / "journals", nobody_writes=True, jobs=2)
    made = Session(s3, s3, Target("play", target), GOAL, wish)
    tally = made.run()
    assert tally.count[Class.REWRITTEN] + tally.count[Class.ALREADY] == 2
    assert tally.unsettled == 0
    assert content(s3, target, "o") == (b"content", "b")
    assert content(s3, target, "empty") == (b"", "")
    assert s3.head_object(target, "o").encryption.scheme == "SSE-S3"
    after = census(s3, target) if versioning else {}
    for key, versions in before.items():  # what was there before is there still, below
        assert [one["digest"] for one in after[key]][-1] == versions[-1]["digest"]
        assert len(after[key]) - len(versions) <= 1


def test_a_server_that_keeps_the_old_key_is_found_out_by_a_rotation(tmp_path: Path) -> None:
    goal = Goal(ObjectEncryption("aws:kms", "new-key"), versions=True, only_kms=True)
    for _, s3 in server(tmp_path / "play", "seaweedfs"):
        kept = verdict(s3, bucket(s3, "box-one"), goal, "old-key")
        assert "under the key `old-key` was copied onto itself, and shows SSE-KMS" in kept.problem
        assert "old-key" in kept.problem
        # where there are versions the key does change, and so does a context of the server's own
        other = verdict(s3, bucket(s3, "box-two", "Enabled"), goal, "old-key")
        assert other.problem.endswith("lost what it had when it was copied: its KMS context")
