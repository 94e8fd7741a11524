"""The SSE-S3 page by mcpy on a real KES and a real MinIO, and what the real mc says afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.peers.world import KEY, MISSING, World, do_the_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import Mcpy

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN names no folder with {MISSING}"),
]
TEXT = b"the eagle lands at midnight\n" * 64


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as started:
        do_the_page(started)
        assert started.mcpy("mb", "play/mybucket").exit_code == 0
        assert started.mcpy("encrypt", "set", "sse-s3", "play/mybucket").exit_code == 0
        file = started.folder / "secret.txt"
        file.write_bytes(TEXT)
        assert started.mcpy("cp", str(file), "play/mybucket/o").exit_code == 0
        yield started


@pytest.fixture
def mcpy(world: World) -> Mcpy:
    return world.mcpy


def test_mc_says_that_the_bucket_encrypts(world: World) -> None:
    (answer,) = world.mc("encrypt", "info", "play/mybucket")
    assert answer["encryption"] == {"algorithm": "AES256"}


def test_mc_says_that_the_object_is_encrypted(world: World) -> None:
    (answer,) = world.mc("stat", "play/mybucket/o")
    assert answer["metadata"]["X-Amz-Server-Side-Encryption"] == "AES256"


def test_the_object_comes_back_as_it_was(mcpy: Mcpy, tmp_path: Path) -> None:
    assert mcpy("cat", "play/mybucket/o") == (0, TEXT.decode(), "")
    assert mcpy("cp", "play/mybucket/o", str(tmp_path / "again")).exit_code == 0
    assert (tmp_path / "again").read_bytes() == TEXT


def test_the_server_uses_the_key_it_was_told(mcpy: Mcpy) -> None:
    result = mcpy("--json", "admin", "kms", "key", "status", "play")
    assert result.objects == [{"keyId": KEY, "status": "success"}]


def test_a_restart_is_proven_without_a_terminal(mcpy: Mcpy) -> None:
    restarted = mcpy("--json", "admin", "service", "restart", "play")
    assert (restarted.exit_code, restarted.stderr) == (0, "")
    assert restarted.objects[0]["nodes"][0]["state"] == "online"
    info = mcpy("--json", "admin", "info", "play")
    assert (info.exit_code, info.objects[0]["info"]["mode"]) == (0, "online")
    assert mcpy("ls", "play").exit_code == 0


def test_freeze_is_seen_and_undone(mcpy: Mcpy) -> None:
    assert mcpy("admin", "service", "freeze", "play").exit_code == 0
    assert mcpy("ls", "play", "--timeout", "1s").exit_code == 6
    assert mcpy("admin", "service", "unfreeze", "play").exit_code == 0
    assert mcpy("ls", "play").exit_code == 0


def test_a_prefix_is_refused_where_mc_changes_the_bucket(mcpy: Mcpy) -> None:
    assert mcpy("encrypt", "clear", "play/mybucket/p").exit_code == 2
    assert mcpy("encrypt", "info", "play/mybucket").exit_code == 0


def test_a_copy_on_the_server_stays_encrypted(world: World, mcpy: Mcpy) -> None:
    assert mcpy("mb", "play/plain").exit_code == 0
    assert mcpy("cp", "play/mybucket/o", "play/plain/o").exit_code == 0
    (answer,) = world.mc("stat", "play/plain/o")
    assert answer["metadata"]["X-Amz-Server-Side-Encryption"] == "AES256"


def test_sse_kms_names_its_key(world: World, mcpy: Mcpy) -> None:
    assert mcpy("admin", "kms", "key", "create", "play", "tenant-a").exit_code == 0
    assert mcpy("mb", "play/tenant").exit_code == 0
    assert mcpy("encrypt", "set", "sse-kms", "tenant-a", "play/tenant").exit_code == 0
    (answer,) = world.mc("encrypt", "info", "play/tenant")
    assert answer["encryption"]["algorithm"] == "aws:kms"
    assert "tenant-a" in answer["encryption"]["keyId"]


def test_without_its_key_an_object_is_unreadable(world: World, mcpy: Mcpy) -> None:
    assert mcpy("kes", "key", "create", "doomed").exit_code == 0
    assert mcpy("mb", "play/doomed").exit_code == 0
    file = str(world.folder / "secret.txt")
    target = "play/doomed/o"
    assert mcpy("cp", "--enc-kms", "play/doomed=doomed", file, target).exit_code == 0
    looked = ("--impact-on", "play", "--never-default")
    rm = ("kes", "key", "rm", "--yes", *looked)
    assert mcpy("kes", "key", "create", "unused").exit_code == 0
    assert mcpy(*rm, "unused").exit_code == 0
    assert mcpy(*rm, "doomed").exit_code == 3
    assert mcpy(*rm, "--impact-accepted", "1", "doomed").exit_code == 0
    gone = mcpy("cat", target)
    assert (gone.exit_code, gone.stdout) == (5, "")


@pytest.mark.parametrize(
    ("args", "left_out"),
    [
        (("alias", "list", "play"), {"src"}),
        (("ls", "play"), {"versionOrdinal"}),
        (("ls", "play/mybucket"), {"versionOrdinal"}),
        (("stat", "play/mybucket/o"), {"checksum"}),
        (("encrypt", "info", "play/mybucket"), set()),
        (("encrypt", "info", "play/nosuch"), set()),
        (("admin", "kms", "key", "list", "play"), set()),
        (("admin", "kms", "key", "status", "play"), set()),
        (("admin", "info", "play"), set()),
        (("admin", "service", "unfreeze", "play"), set()),
        (("ls", "play/nosuch"), set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_json_fields_are_those_of_mc(
    world: World, mcpy: Mcpy, args: tuple[str, ...], left_out: set[str]
) -> None:
    theirs = world.mc(*args)[0]
    ours = mcpy("--json", *args).objects[0]
    assert theirs.keys() - left_out <= ours.keys()
    for name in theirs.keys() & ours.keys() - left_out:
        assert isinstance(ours[name], type(theirs[name])), name
    assert theirs["status"] == ours["status"]


def test_making_and_removing_has_the_json_fields_of_mc(world: World, mcpy: Mcpy) -> None:
    file = str(world.folder / "secret.txt")
    steps = [
        ("mb", "play/json"),
        ("cp", file, "play/json/o"),
        ("encrypt", "set", "sse-s3", "play/json"),
        ("encrypt", "clear", "play/json"),
        ("rm", "play/json/o"),
        ("rb", "play/json"),
    ]
    theirs = [world.mc(*step)[0] for step in steps]
    ours = [mcpy("--json", *step).objects[0] for step in steps]
    for step, their, our in zip(steps, theirs, ours, strict=True):
        assert their.keys() <= our.keys(), step
        assert their["status"] == our["status"] == "success", step


def test_the_variables_of_the_page_are_in_the_file_of_the_service(world: World) -> None:
    names = [line.partition("=")[0] for line in world.env_file.read_text().splitlines()]
    assert names == [
        "MINIO_ROOT_USER",
        "MINIO_ROOT_PASSWORD",
        "MINIO_KMS_KES_ENDPOINT",
        "MINIO_KMS_KES_KEY_FILE",
        "MINIO_KMS_KES_CERT_FILE",
        "MINIO_KMS_KES_CAPATH",
        "MINIO_KMS_KES_KEY_NAME",
    ]


def test_kes_commands_agree_with_the_real_server(mcpy: Mcpy) -> None:
    assert mcpy("kes", "key", "create", KEY).exit_code == 1
    assert mcpy("kes", "key", "create", "--if-missing", KEY).exit_code == 0
    (info,) = mcpy("--json", "kes", "key", "info", KEY).objects
    assert info["name"] == KEY
    assert mcpy("kes", "key", "info", "nokey").exit_code == 5
    assert KEY in mcpy("kes", "key", "ls").stdout.splitlines()
    assert mcpy("kes", "status").exit_code == 0
