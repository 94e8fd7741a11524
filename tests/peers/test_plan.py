"""``encrypt plan`` and ``apply`` against a real MinIO and KES, and a real server that obeys."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from mcpy.models import Alias
from tests.peers.world import BIN, KEY, MISSING, World, do_the_page, free_port, wait_for
from tests.running import Mcpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import Result

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN names no folder with {MISSING}"),
]
BOB = "bob-throw-away"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as started:
        do_the_page(started)
        started.mc("admin", "user", "add", "play", "bob", BOB)
        url = f"http://127.0.0.1:{started.s3_port}"
        started.mcpy.store.put(Alias("bob", url, "bob", BOB))
        yield started


def states(result: Result) -> dict[tuple[str, str], tuple[str, str]]:
    return {
        (line["target"].partition("/")[2], line["what"]): (line["state"], line["have"])
        for line in result.objects
        if "what" in line
    }


def test_a_file_is_applied_once_and_mc_sees_it(world: World, tmp_path: Path) -> None:
    file = tmp_path / "encryption.toml"
    file.write_text(
        '[keys."play/finance"]\ncreate = true\n'
        '[buckets."play/money"]\nencryption = "sse-kms"\nkey = "finance"\n'
        'require = "sse-kms:finance"\n'
        '[buckets."play/mo*"]\nencryption = "sse-s3"\n'
    )
    assert world.mcpy("mb", "play/money", "play/moon").exit_code == 0
    upload = ("cp", str(world.env_file), "play/money/before")
    assert world.mcpy(*upload).exit_code == 0
    planned = world.mcpy("--json", "encrypt", "plan", str(file))
    assert planned.exit_code == 3
    assert states(planned) == {
        ("finance", "key"): ("change", "missing"),
        ("money", "default"): ("change", "none"),
        ("moon", "default"): ("change", "none"),
        ("money", "objects"): ("finding", "1 of 1 is not"),
    }
    expected = planned.objects[-2]["fingerprint"]
    applied = world.mcpy("--json", "encrypt", "apply", "--expect", expected, str(file))
    assert applied.exit_code == 3  # the object that was there is not for apply to change
    assert world.mc("encrypt", "info", "play/money")[0]["encryption"] == {
        "algorithm": "aws:kms",
        "keyId": "finance",
    }
    assert world.mc("encrypt", "info", "play/moon")[0]["encryption"] == {"algorithm": "AES256"}
    assert world.mcpy("rm", "play/money/before").exit_code == 0
    assert world.mcpy(*upload).exit_code == 0
    again = world.mcpy("encrypt", "apply", str(file))
    assert (again.exit_code, again.stdout) == (0, "")
    exported = world.mcpy("encrypt", "plan", "--export", "play/money", "play/moon")
    file.write_text(exported.stdout)
    assert world.mcpy("encrypt", "plan", str(file)).exit_code == 0


def test_minio_keeps_to_no_such_policy_of_a_bucket_and_gets_none(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "encryption.toml"
    assert world.mcpy("mb", "play/shut").exit_code == 0
    file.write_text(
        f'[buckets."play/shut"]\nencryption = "sse-kms"\nkey = "{KEY}"\n'
        'uploads = "same-or-default"\n'
    )
    applied = world.mcpy("--json", "encrypt", "apply", str(file))
    assert applied.exit_code == 8
    assert states(applied)["shut", "default"][0] == "done"
    assert states(applied)["shut", "uploads"][0] == "failed"
    assert "does not keep to it: an upload with AES256 was let in" in applied.stdout
    assert "mcpy-canary" not in world.mcpy("ls", "play").stdout
    assert "Policy" not in json.dumps(world.mc("anonymous", "get-json", "play/shut")[0])


@pytest.mark.parametrize(("mode", "none"), [("same-or-default", 0), ("same", 4)])
def test_minio_keeps_to_the_policy_for_users(
    world: World, tmp_path: Path, mode: str, none: int
) -> None:
    bucket = f"users-{none}"
    assert world.mcpy("mb", f"play/{bucket}").exit_code == 0
    assert world.mcpy("encrypt", "set", "sse-kms", KEY, f"play/{bucket}").exit_code == 0
    text = (
        f'[buckets."play/{bucket}"]\nencryption = "sse-kms"\nkey = "{KEY}"\nuploads = "{mode}"\n'
    )
    shown = world.mcpy("encrypt", "plan", "--user-policy", "-", "--json")
    assert shown.exit_code == 1  # there is nothing on stdin
    made = run_with_stdin(world, text)
    policy = json.loads(made.stdout)
    policy["Statement"].append(
        {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
    )
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy))
    world.mc("admin", "policy", "create", "play", bucket, str(file))
    world.mc("admin", "policy", "attach", "play", bucket, "--user", "bob")
    try:
        codes = {name: put(world, bucket, *options) for name, options in uploads(bucket).items()}
    finally:
        world.mc("admin", "policy", "detach", "play", bucket, "--user", "bob")
    assert codes == {"none": none, "asked": 0, "other": 4, "key": 4}


def run_with_stdin(world: World, text: str) -> Result:
    made = world.mcpy("encrypt", "plan", "--user-policy", "-", stdin=text)
    assert made.exit_code == 0
    return made


def uploads(bucket: str) -> dict[str, list[str]]:
    place = f"bob/{bucket}"
    return {
        "none": [],
        "asked": ["--enc-kms", f"{place}={KEY}"],
        "other": ["--enc-s3", place],
        "key": ["--enc-kms", f"{place}=another"],
    }


def put(world: World, bucket: str, *options: str) -> int:
    return world.mcpy("cp", *options, str(world.env_file), f"bob/{bucket}/o").exit_code


def test_what_fails_half_way_is_done_by_the_next_run(world: World, tmp_path: Path) -> None:
    file = tmp_path / "encryption.toml"
    for bucket in ("half-1", "half-2"):
        assert world.mcpy("mb", f"play/{bucket}").exit_code == 0
    file.write_text(
        '[keys."play/half"]\ncreate = true\n'
        '[buckets."play/half-1"]\nencryption = "sse-kms"\nkey = "half"\n'
        '[buckets."play/half-2"]\nencryption = "none"\n'
    )
    assert world.mcpy("encrypt", "set", "sse-s3", "play/half-2").exit_code == 0
    config = world.folder / "kes.yml"
    before = config.read_text()
    config.write_text(re.sub(r"allow: \[/v1/key/\*", "allow: [/v1/key/generate/*", before))
    world.kill_kes()
    world.start_kes()
    try:
        failed = world.mcpy("--json", "encrypt", "apply", str(file))
    finally:
        config.write_text(before)
        world.kill_kes()
        world.start_kes()
    assert failed.exit_code == 8
    assert states(failed)["half", "key"][0] == "failed"
    assert states(failed)["half-1", "default"][0] == "failed"
    assert states(failed)["half-2", "default"][0] == "done"
    assert world.mcpy("encrypt", "apply", str(file)).exit_code == 0
    assert world.mc("encrypt", "info", "play/half-1")[0]["encryption"]["keyId"] == "half"


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mcpy]:
    """A SeaweedFS: of the servers at hand, the one that keeps to policies of buckets."""
    if not (BIN / "weed").is_file():
        pytest.skip("MCPY_PEERS_BIN has no `weed`")
    folder = tmp_path_factory.mktemp("weed")
    access, secret = "weed", "weed-throw-away"
    identity: dict[str, Any] = {
        "name": "admin",
        "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(BIN / "weed", "server", f"-dir={folder}", "-ip=127.0.0.1", "-filer", "-s3"),
                f"-s3.config={folder / 's3.json'}",
                "-s3.iam=false",
                "-volume.max=200",
                *(f"-{name}.port={port}" for name, port in ports.items()),
                *(f"-{name}.port.grpc={free_port()}" for name in ports),
            ],
            env={"HOME": str(folder), "WEED_S3_SSE_KEK": secrets.token_hex(32)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(ports["s3"])
        made = Mcpy(folder / "mcpy", None, env={"HOME": str(folder)})
        made.secrets = {secret}
        made.store.put(Alias("weed", f"http://127.0.0.1:{ports['s3']}", access, secret))
        yield made
    finally:
        server.kill()
        server.wait(10)


def test_a_server_that_obeys_refuses_other_uploads(weed: Mcpy, tmp_path: Path) -> None:
    file = tmp_path / "encryption.toml"
    text = '[buckets."weed/kept"]\nencryption = "sse-s3"\nuploads = "{}"\nrequire = "any"\n'
    assert weed("mb", "weed/kept").exit_code == 0
    file.write_text(text.format("same-or-default"))
    done = weed("encrypt", "apply", str(file))
    assert (done.exit_code, "left behind" in done.stderr) == (0, False), done
    assert weed("cp", str(file), "weed/kept/default").exit_code == 0
    assert weed("cp", "--enc-s3", "weed/kept", str(file), "weed/kept/asked").exit_code == 0
    assert weed("cp", "--enc-kms", "weed/kept=k", str(file), "weed/kept/other").exit_code == 4
    assert weed("encrypt", "plan", str(file)).exit_code == 0
    file.write_text(text.format("same"))
    refused = weed("encrypt", "apply", str(file))
    assert refused.exit_code == 7
    assert "refuses a multipart upload as it should be too" in refused.stderr
    file.write_text(text.format("any"))
    done = weed("encrypt", "apply", str(file))
    assert (done.exit_code, "left behind" in done.stderr) == (0, False), done
    assert weed("cp", "--enc-kms", "weed/kept=k", str(file), "weed/kept/other").exit_code != 4
    assert "mcpy-canary" not in weed("ls", "weed").stdout
