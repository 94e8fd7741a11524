"""``mcpy doctor`` against a real KES and MinIO whose links are really broken, one at a time."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mcpy.models import Alias, KesProfile
from tests.peers.world import KEY, MISSING, PASSWORD, USER, World, do_the_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import Result

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN names no folder with {MISSING}"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as started:
        do_the_page(started)
        assert started.mcpy("mb", "play/doctored").exit_code == 0
        assert started.mcpy("encrypt", "set", "sse-s3", "play/doctored").exit_code == 0
        for name, options in (("s3", ["--enc-s3"]), ("kms", ["--enc-kms"])):
            upload(started, name, options)
        yield started


def upload(world: World, name: str, options: list[str], key: str = KEY) -> None:
    place = "play/doctored" if options == ["--enc-s3"] else f"play/doctored={key}"
    done = world.mcpy("cp", *options, place, str(world.env_file), f"play/doctored/{name}")
    assert done.exit_code == 0


def levels(result: Result) -> dict[str, str]:
    """Return the level of each link; of several steps of one link, the worst."""
    order = ["ok", "unchecked", "warning", "failed"]
    found: dict[str, str] = {}
    for line in result.objects:
        if "link" in line:
            found[line["link"]] = max(
                found.get(line["link"], "ok"), line["level"], key=order.index
            )
    return found


def hint(result: Result) -> str:
    return next(str(line["error"].get("hint")) for line in result.objects if "error" in line)


@contextmanager
def policy(world: World, *allowed: str) -> Iterator[None]:
    """Run KES with another policy for MinIO."""
    config = world.folder / "kes.yml"
    before = config.read_text()
    config.write_text(re.sub(r"allow: \[.*?\]", f"allow: [{', '.join(allowed)}]", before))
    world.kill_kes()
    world.start_kes()
    try:
        yield
    finally:
        config.write_text(before)
        world.kill_kes()
        world.start_kes()


@contextmanager
def without_key(world: World, key: str) -> Iterator[None]:
    """Take a key away from KES's keystore, behind its back."""
    path = world.folder / "keys" / key
    shutil.move(path, world.folder / "away")
    world.kill_kes()
    world.start_kes()
    try:
        yield
    finally:
        shutil.move(world.folder / "away", path)
        world.kill_kes()
        world.start_kes()


def with_kes(world: World, name: str = "withkes", **changes: str) -> str:
    """Add an alias that names the KES too."""
    kes = {
        "server": f"https://127.0.0.1:{world.kes_port}",
        "client_cert": str(world.folder / "root.cert"),
        "client_key": str(world.folder / "root.key"),
        "ca": str(world.folder / "server.cert"),
    }
    url = f"http://127.0.0.1:{world.s3_port}"
    world.mcpy.store.put(Alias(name, url, USER, PASSWORD, kes=KesProfile(**(kes | changes))))
    return name


def test_a_whole_chain_is_said_to_work(world: World) -> None:
    result = world.mcpy("--json", "doctor", with_kes(world))
    assert result.exit_code == 0, result
    found = levels(result)
    assert {link for link, level in found.items() if level != "ok"} == set()
    assert found.keys() >= {"server", "clock", "s3", "kms", "key", "kes", "kes-policy", "buckets"}
    assert result.objects[-1]["healthy"] is True


def test_a_killed_kes_is_the_broken_link(world: World) -> None:
    name = with_kes(world)
    world.kill_kes()
    try:
        result = world.mcpy("--json", "doctor", name)
        seen = world.mcpy("--json", "doctor", "play/doctored/s3")
    finally:
        world.start_kes()
    assert result.exit_code == 6
    assert levels(result)["kms"] == "failed"
    assert levels(result)["key"] == "unchecked"
    assert levels(result)["kes"] == "failed"
    assert (
        hint(result)
        == "see that KES runs and the server's host reaches it; from here: mcpy kes status"
    )
    assert seen.exit_code == 6
    assert levels(seen)["object"] == "ok"


@pytest.mark.parametrize(
    ("allowed", "code", "link", "words"),
    [
        (["/v1/key/generate/*", "/v1/status"], 4, "key", "/v1/key/decrypt/* is not in its policy"),
        (["/v1/key/decrypt/*", "/v1/status"], 4, "key", "/v1/key/generate/* is not in its policy"),
        (["/v1/nothing"], 4, "key", "/v1/key/generate/* is not in its policy"),
    ],
)
def test_what_a_policy_of_kes_lacks_is_named(
    world: World, allowed: list[str], code: int, link: str, words: str
) -> None:
    with policy(world, *allowed):
        result = world.mcpy("--json", "doctor", "play")
    assert result.exit_code == code
    assert levels(result)[link] == "failed"
    assert words in result.stdout
    assert hint(result).endswith("to the policy of MinIO's identity in the config of KES")


def test_a_policy_without_list_and_status_is_warned_of(world: World) -> None:
    name = with_kes(world)
    with policy(world, "/v1/key/generate/*", "/v1/key/decrypt/*"):
        result = world.mcpy("--json", "doctor", name)
    assert result.exit_code == 0
    found = levels(result)
    assert (found["kms"], found["key"], found["permissions"], found["kes-policy"]) == (
        "warning",
        "ok",
        "warning",
        "warning",
    )
    assert "/v1/key/list/* (lists keys) and /v1/api" in result.stdout
    assert "`minio` lacks /v1/key/list/" in result.stdout


def test_an_object_that_a_policy_keeps_shut_is_explained(world: World) -> None:
    with policy(world, "/v1/key/generate/*"):
        result = world.mcpy("--json", "doctor", "play/doctored/kms")
    assert result.exit_code == 4
    assert "/v1/key/decrypt/* is not in its policy" in result.stdout


def test_a_default_key_that_is_gone_is_not_to_be_made_anew(world: World) -> None:
    with without_key(world, KEY):
        result = world.mcpy("--json", "doctor", "play")
        seen = world.mcpy("--json", "doctor", "play/doctored/kms")
    assert result.exit_code == 5
    assert levels(result)["key"] == "failed"
    assert hint(result).startswith(f"mcpy kes key import {KEY} @BACKUP")
    assert (seen.exit_code, levels(seen)["content"]) == (5, "failed")


def test_a_bucket_whose_key_is_gone_is_named(world: World) -> None:
    assert world.mcpy("kes", "key", "create", "own").exit_code == 0
    assert world.mcpy("mb", "play/owned").exit_code == 0
    assert world.mcpy("encrypt", "set", "sse-kms", "own", "play/owned").exit_code == 0
    assert world.mcpy("kes", "key", "rm", "--yes", "--without-impact", "own").exit_code == 0
    result = world.mcpy("--json", "doctor", "play")
    assert (result.exit_code, levels(result)["buckets"]) == (5, "failed")
    assert "uploads to `owned` fail: the key `own` is gone" in result.stdout
    assert world.mcpy("rb", "play/owned").exit_code == 0


def test_a_key_made_anew_under_the_old_name_is_found_out(world: World) -> None:
    assert world.mcpy("kes", "key", "create", "twice").exit_code == 0
    upload(world, "twice", ["--enc-kms"], "twice")
    assert world.mcpy("doctor", "play/doctored/twice").exit_code == 0
    assert world.mcpy("kes", "key", "rm", "--yes", "--without-impact", "twice").exit_code == 0
    assert world.mcpy("kes", "key", "create", "twice").exit_code == 0
    result = world.mcpy("--json", "doctor", "play/doctored/twice")
    assert (result.exit_code, levels(result)["content"]) == (1, "failed")
    assert "does not open it: it is another key of the same name" in result.stdout
    assert world.mcpy("rm", "play/doctored/twice").exit_code == 0


def test_a_default_key_made_anew_under_its_old_name_is_found_out(world: World) -> None:
    assert world.mcpy("doctor", "play").exit_code == 0
    with without_key(world, KEY):
        assert world.mcpy("kes", "key", "create", KEY).exit_code == 0
        result = world.mcpy("--json", "doctor", "play")
        seen = world.mcpy("--json", "doctor", "play/doctored/s3")
    assert (result.exit_code, levels(result)["key"], levels(result)["objects"]) == (
        *(1, "ok", "failed"),
    )
    assert "(sse-s3) does not open: kms:" in result.stdout
    assert (seen.exit_code, levels(seen)["content"]) == (1, "failed")
    assert f"the default key `{KEY}` works, and does not open it" in seen.stdout
    assert hint(seen).startswith(f"mcpy kes key import {KEY} @BACKUP")


def test_a_server_without_a_kms_is_told_what_to_do(tmp_path: Path) -> None:
    with World(tmp_path) as bare:
        result = bare.mcpy("--json", "doctor", "play")
    assert (result.exit_code, levels(result)["kms"]) == (7, "failed")
    assert hint(result).startswith("mcpy admin kms env play --key KEY")


def test_a_wrong_secret_key_is_the_broken_link(world: World) -> None:
    url = f"http://127.0.0.1:{world.s3_port}"
    world.mcpy.store.put(Alias("wrong", url, USER, "not-the-secret"))
    result = world.mcpy("--json", "doctor", "wrong")
    assert (result.exit_code, levels(result)["s3"]) == (4, "failed")
    assert levels(result)["kms"] == "unchecked"
    assert hint(result) == f"mcpy alias set wrong {url} {USER}"


def test_a_kes_that_is_not_trusted_is_described(world: World) -> None:
    name = with_kes(world, "mistrusting", ca=str(world.folder / "root.cert"))
    result = world.mcpy("--json", "doctor", name)
    assert (result.exit_code, levels(result)["kes-tls"]) == (6, "failed")
    assert "the certificate `server` by `server`, for 127.0.0.1, is not trusted" in result.stdout


def test_an_identity_that_kes_does_not_know_is_denied(world: World) -> None:
    cert, key = str(world.folder / "new.cert"), str(world.folder / "new.key")
    made = world.mcpy("kes", "identity", "new", "new", "--force", "--key", key, "--cert", cert)
    assert made.exit_code == 0
    files = {"client_cert": cert, "client_key": key}
    result = world.mcpy("--json", "doctor", with_kes(world, "stranger", **files))
    assert (result.exit_code, levels(result)["kes-policy"]) == (0, "warning")
    assert "the policy of our identity does not allow /v1/key/generate/" in result.stdout


def test_a_kes_that_the_server_does_not_trust_is_told_from_one_that_is_gone(
    world: World,
) -> None:
    config = world.folder / "kes.yml"
    before = config.read_text()
    pair = ["--key", str(world.folder / "new.key"), "--cert", str(world.folder / "new.cert")]
    made = world.mcpy("kes", "identity", "new", "new", "--ip", "127.0.0.1", "--force", *pair)
    assert made.exit_code == 0
    config.write_text(
        before.replace("key: server.key, cert: server.cert", "key: new.key, cert: new.cert")
    )
    world.kill_kes()
    world.start_kes()
    try:
        result = world.mcpy("--json", "doctor", "play")
    finally:
        config.write_text(before)
        world.kill_kes()
        world.start_kes()
    assert (result.exit_code, levels(result)["kms"]) == (6, "failed")
    assert "the server and KES do not trust each other" in result.stdout
    assert hint(result) == "MINIO_KMS_KES_CAPATH has to name who issued KES's certificate"


def test_a_frozen_server_is_told_from_a_dead_one(world: World) -> None:
    assert world.mcpy("admin", "service", "freeze", "play").exit_code == 0
    try:
        result = world.mcpy("--json", "doctor", "play")
    finally:
        assert world.mcpy("admin", "service", "unfreeze", "play").exit_code == 0
    assert (result.exit_code, levels(result)["s3"]) == (6, "failed")
    assert hint(result) == "mcpy admin service unfreeze play"


def test_a_misspelled_variable_is_found(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        with world.env_file.open("a") as file:
            file.write("MINIO_KMS_KES_CA_PATH=/nowhere\n")
        do_the_page(world)
        result = world.mcpy("--json", "doctor", "play")
    assert (result.exit_code, levels(result)["settings"]) == (0, "warning")
    assert "has MINIO_KMS_KES_CA_PATH, which MinIO does not read" in result.stdout
    assert "MINIO_KMS_KES_CAPATH is meant" in result.stdout
