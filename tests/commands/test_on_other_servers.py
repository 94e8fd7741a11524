"""Our own commands on servers that are not MinIO: no bucket lost, no object, no false success.

Exit codes: 0 done, 1 failed, 5 nothing set, 7 unsupported by this server.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from mcpy.sandbox.like import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.likes import Play
    from tests.running import Mcpy

pytestmark = pytest.mark.sandbox

BEFORE = b"here before all of it, and to be here afterwards. " * 20
SECRET = b"nobody may read this on the disk of the server. " * 20


class Codes(NamedTuple):
    """Exit codes of the commands, in the order they are run."""

    info: int
    set: int
    enc_s3: int
    info_set: int
    clear: int


EXPECTED = {
    "aws": Codes(0, 0, 0, 0, 1),  # there is always a default: it cannot be cleared
    "ceph": Codes(5, 0, 1, 0, 0),
    "ceph-pacific": Codes(7, 7, 1, 7, 7),
    "garage": Codes(7, 7, 1, 7, 7),
    "minio": Codes(5, 7, 7, 5, 0),  # a new MinIO has no KMS
    "moto": Codes(5, 0, 0, 0, 0),
    "rustfs": Codes(5, 0, 0, 0, 0),
    "s3mock": Codes(7, 7, 0, 7, 7),
    "seaweedfs": Codes(5, 0, 0, 0, 0),
    "seaweedfs-default": Codes(5, 0, 1, 0, 0),
    "versitygw": Codes(7, 7, 1, 7, 7),
}
# these say that they encrypt, and store plaintext: no client can tell
LIARS = {"moto", "s3mock"}


def run(mcpy: Mcpy, *args: str) -> int:
    """Run a command and return its exit code; a refusal is explained in a line or two."""
    code, stdout, stderr = mcpy(*args)
    assert "Traceback" not in stderr
    assert code == 0 or stderr.startswith("mcpy: error: "), (args, stdout, stderr)
    assert len(stderr.splitlines()) < 5
    return code


@pytest.mark.parametrize("name", NAMES)
def test_commands_are_safe_on(name: str, play_like: Callable[[str], Play]) -> None:
    play = play_like(name)
    mcpy, old, secret = play.mcpy, play.file("old", BEFORE), play.file("secret", SECRET)
    assert run(mcpy, "mb", "play/data") == 0
    assert run(mcpy, "mb", "play/empty") == 0
    assert run(mcpy, "cp", str(old), "play/data/old") == 0
    found = Codes(
        run(mcpy, "encrypt", "info", "play/data"),
        run(mcpy, "encrypt", "set", "sse-s3", "play/data"),
        run(mcpy, "cp", "--enc-s3", "play/data", str(secret), "play/data/secret"),
        run(mcpy, "encrypt", "info", "play/data"),
        run(mcpy, "encrypt", "clear", "play/data"),
    )
    assert found == EXPECTED[name]
    # an empty bucket goes with `DELETE ?encryption` on some servers, a full one does not
    run(mcpy, "encrypt", "clear", "play/empty")
    assert run(mcpy, "ls", "play/empty") == 0
    assert mcpy("cat", "play/data/old").stdout.encode() == BEFORE
    assert found.enc_s3 != 0 or name in LIARS or not play.on_disk(SECRET)


def test_a_default_that_cannot_be_applied_is_seen_by_the_next_upload(
    play_like: Callable[[str], Play],
) -> None:
    mcpy = (play := play_like("seaweedfs-default")).mcpy
    file = play.file("f", BEFORE)
    assert run(mcpy, "mb", "play/data") == 0
    assert run(mcpy, "cp", str(file), "play/data/before") == 0
    code, _, stderr = mcpy("encrypt", "set", "sse-s3", "play/data")
    assert (code, "try an upload" in stderr) == (0, True)
    assert run(mcpy, "cp", str(file), "play/data/after") == 1
    assert run(mcpy, "encrypt", "clear", "play/data") == 0
    assert run(mcpy, "cp", str(file), "play/data/after") == 0


@pytest.mark.parametrize("args", [("stat",), ("cat",)])
def test_the_region_is_learned_by_commands_that_begin_with_head_or_get(
    args: tuple[str, ...], play_like: Callable[[str], Play]
) -> None:
    play = play_like("garage")
    file = play.file("f", BEFORE)
    assert run(play.mcpy, "mb", "play/data") == 0
    assert run(play.mcpy, "cp", str(file), "play/data/f") == 0
    play.mcpy.store.put(replace(play.sandbox.alias(), region=""))
    assert run(play.mcpy, *args, "play/data/f") == 0


@pytest.mark.parametrize("name", ["moto", "versitygw"])
def test_admin_commands_say_that_it_is_no_minio(
    name: str, play_like: Callable[[str], Play]
) -> None:
    mcpy = play_like(name).mcpy
    expected = (7, "", "mcpy: error: `play` is no MinIO: it has no admin API\n")
    assert mcpy("admin", "info", "play") == expected
    assert mcpy("admin", "kms", "status", "play") == expected
