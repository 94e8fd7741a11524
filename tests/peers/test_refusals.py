"""Refusals of a real MinIO: foreseen by a dry run, told by themselves, with what was missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from mcpy.models import Alias, BucketEncryption
from tests.mixture import client, kms, locked
from tests.peers.world import KEY, MISSING, PASSWORD, USER, World, after_the_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcpy.api.s3 import S3

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"not in MCPY_PEERS_BIN: {', '.join(MISSING)}"),
]
OTHER = "key-two"
SECRET = "throw-away-secret"
OBJECTS = ("encrypt", "objects", "--to", "sse-s3")
ROTATE = ("encrypt", "rotate", "--to", OTHER, "--engine", "copy")
DENIED = (
    ("s3:ListBucketVersions", 4),
    ("s3:GetBucketVersioning", 4),
    ("s3:GetBucketObjectLockConfiguration", 4),
    ("s3:CreateBucket", 4),
    ("s3:GetObject", 8),
    ("s3:PutObject", 8),
    ("s3:GetEncryptionConfiguration", 0),
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


def bucket(s3: S3, *, versioning: str = "") -> str:
    name = f"b-{uuid.uuid4().hex[:12]}"
    s3.make_bucket(name)
    if versioning:
        s3.set_versioning(name, status="Enabled")
    for number in range(3):
        s3.put_object(name, f"plain-{number}", b"content")
        s3.put_object(name, f"kms-{number}", b"content", headers=kms(KEY))
    if versioning == "Suspended":
        s3.set_versioning(name, status=versioning)
        for key, headers in (("plain-new", {}), ("kms-new", kms(KEY))):
            s3.put_object(name, key, b"content", headers=headers)
    return name


def held(s3: S3) -> str:
    name = f"b-{uuid.uuid4().hex[:12]}"
    locked(s3, name)
    s3.put_object(
        name, "held-kms", b"x", headers={**kms(KEY), "x-amz-object-lock-legal-hold": "ON"}
    )
    return name


@pytest.mark.parametrize("command", [OBJECTS, ROTATE], ids=["objects", "rotate"])
@pytest.mark.parametrize(
    ("kind", "code"), [("", 0), ("Enabled", 0), ("Suspended", 7), ("held", 8)]
)
def test_a_dry_run_ends_as_the_run_does(
    world: World, s3: S3, command: tuple[str, ...], kind: str, code: int
) -> None:
    target = f"play/{held(s3) if kind == 'held' else bucket(s3, versioning=kind)}"
    planned = world.mcpy(*command, target, "--dry-run", "--json")
    done = world.mcpy(*command, target, "--json")
    assert (planned.exit_code, done.exit_code) == (code, code), (planned, done)
    foreseen = next(one for one in planned.objects if "scanned" in one)
    if code != 7:
        became = next(one for one in done.objects if "scanned" in one)
        assert foreseen["classes"] == became["classes"]
    else:
        assert planned.objects[-1] == done.objects[-1]


def test_a_bucket_that_is_refused_does_not_keep_the_others_from_being_done(
    world: World, s3: S3
) -> None:
    first, last = bucket(s3, versioning="Suspended"), bucket(s3)
    s3.put_bucket_encryption(first, BucketEncryption("AES256"), current=None)
    targets = (f"play/{first}", "play/not-there-at-all", f"play/{last}")
    result = world.mcpy(*OBJECTS, *targets, "--json")
    assert result.exit_code == 8
    errors = [one["error"]["message"] for one in result.objects if "error" in one]
    assert [message.partition(":")[0] for message in errors] == [
        f"`play/{first}` is not done",
        "`play/not-there-at-all` is not done",
        "not done",
    ]
    assert s3.head_object(last, "plain-0").encryption.algorithm == "AES256"
    assert s3.head_object(first, "plain-0").encryption.algorithm == ""


@pytest.mark.parametrize(("action", "code"), DENIED, ids=[action for action, _ in DENIED])
def test_the_permission_that_is_missing_is_named(
    world: World, s3: S3, action: str, code: int
) -> None:
    name, user = bucket(s3, versioning="Enabled"), f"u-{uuid.uuid4().hex[:8]}"
    file = world.folder / f"{user}.json"
    bucket_alone = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    resources = ["arn:aws:s3:::*"] if action == "s3:CreateBucket" else bucket_alone
    # MinIO lists versions for who may do the one or the other
    actions = [action, "s3:ListBucket"] if action == "s3:ListBucketVersions" else [action]
    allowed = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
    denied = {"Effect": "Deny", "Action": actions, "Resource": resources}
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [allowed, denied]}))
    world.mc("admin", "policy", "create", "play", user, str(file))
    world.mc("admin", "user", "add", "play", user, SECRET)
    world.mc("admin", "policy", "attach", "play", user, "--user", user)
    mcpy = world.mcpy
    mcpy.store.put(Alias("asked", f"http://127.0.0.1:{world.s3_port}", user, SECRET))
    result = mcpy(*OBJECTS, f"asked/{name}")
    assert result.exit_code == code, result
    assert f"{action} is needed" in result.stderr.replace(" and s3:GetObject of the source", "")
    assert "goes on where it was" not in result.stderr


def test_a_key_that_is_not_there_is_not_found(world: World, s3: S3) -> None:
    target = f"play/{bucket(s3)}"
    rotated = world.mcpy(*ROTATE, "--from", "odl", target)
    assert rotated.exit_code == 5, rotated
    assert "the KMS of `play` has no key `odl`, and nothing was under it" in rotated.stderr
    impact = world.mcpy("encrypt", "impact", "odl", "play")
    assert impact.exit_code == 5, impact
    assert "the KMS of `play` has no key `odl`, and no object is under it" in impact.stderr


def test_a_key_that_is_not_there_is_removed_by_nobody(world: World) -> None:
    rm = ("kes", "key", "rm", "--yes", "nokey", "--impact-on", "play", "--never-default")
    missing = world.mcpy(*rm)
    assert (missing.exit_code, missing.stdout) == (5, "")
    assert "key `nokey`: key does not exist" in missing.stderr
    absent = world.mcpy(*rm, "--if-exists")
    assert absent == (0, "Key `nokey` was not there: nothing changed.\n", "")


def test_a_plan_names_a_command_that_works_where_versioning_is_suspended(
    world: World, s3: S3, tmp_path: Path
) -> None:
    target = f"play/{bucket(s3, versioning='Suspended')}"
    file = tmp_path / "plan.toml"
    file.write_text(f'[buckets."{target}"]\nrequire = "any"\n')
    planned = world.mcpy("--json", "encrypt", "plan", str(file))
    note = planned.objects[0]["note"]
    assert note.endswith("3 that cannot be rewritten while versioning is suspended")
    line = note.split(": mcpy ")[-1].split(",")[0]
    assert line.endswith("--nobody-writes")
    assert world.mcpy(*line.split()).exit_code == 8  # what has a version id stays


def test_ctrl_c_says_how_far_it_was_and_the_same_command_goes_on(
    world: World, s3: S3, tmp_path: Path
) -> None:
    name = f"b-{uuid.uuid4().hex[:12]}"
    s3.make_bucket(name)
    for number in range(300):
        s3.put_object(name, f"o{number:03}", b"content")
    host = f"http://{USER}:{PASSWORD}@127.0.0.1:{world.s3_port}"
    environ = {**os.environ, "MC_HOST_play": host, "HOME": str(tmp_path)}
    args = ("-C", str(tmp_path), *OBJECTS, f"play/{name}", "--list", "--max-rate", "40/s")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "mcpy", *args],
            env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout
    process.stdout.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert f"that were looked at in `play/{name}`" in said
    assert "hint: the same command goes on where it was; the journal is " in said
    mcpy = world.mcpy
    mcpy.folder = tmp_path
    mcpy.store.put(Alias("play", f"http://127.0.0.1:{world.s3_port}", USER, PASSWORD))
    again = mcpy(*OBJECTS, f"play/{name}", "--json")
    assert again.exit_code == 0, again
    assert "going on with the interrupted run" in again.stderr
    assert again.objects[-1]["scanned"] == 300
    assert again.objects[-1]["classes"]["rewritten"] == 300
