"""``mcpy kes`` beside the real ``kes`` on one real server: exit status, JSON fields, effect."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.peers.world import BIN, MISSING, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Mcpy

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN names no folder with {MISSING}"),
]


class Pair:
    """The same words said to both programs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.mcpy: Mcpy = world.mcpy

    def kes(self, *args: str) -> tuple[int, str]:
        """Run the real kes; return its exit code and stdout."""
        trusted = {"SSL_CERT_FILE": str(self.world.folder / "server.cert")}
        done = subprocess.run(
            [BIN / "kes", *args],
            env=self.world.environ | trusted,
            cwd=self.world.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout

    def both(self, *args: str) -> tuple[Any, Any]:
        """Run both; return the first JSON document of each."""
        code, stdout = self.kes(*args)
        ours = self.mcpy("kes", *args)
        assert (code, ours.exit_code) == (0, 0)
        return json.loads(stdout.splitlines()[0]), json.loads(ours.stdout.splitlines()[0])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    # the real kes needs no MinIO
    with World(tmp_path_factory.mktemp("world")) as world:
        made = Pair(world)
        assert made.kes("key", "create", "k")[0] == 0
        yield made


LISTS = [
    ("key", "ls", "--json"),
    ("policy", "ls", "--json"),
    ("identity", "ls", "--json"),
    ("ls", "--json"),
    ("ls", "-i", "--json"),
    ("ls", "-p", "--json"),
    ("ls", "--json", "k"),
    ("policy", "info", "--json", "minio"),
]
FIELDS = [
    ("status", "--json"),
    ("status", "--short", "--json"),
    ("key", "info", "--json", "k"),
    ("key", "dek", "k"),
    ("key", "dek", "k", "Y3R4"),
    ("key", "encrypt", "k", "Hello World"),
    ("policy", "show", "--json", "minio"),
]
FAILURES = [
    ("key", "create", "k"),
    ("key", "create"),
    ("key", "info", "nokey"),
    ("key", "encrypt", "nokey", "x"),
    ("key", "decrypt", "k", "***"),
    ("key", "decrypt", "k", "AAAA"),
    ("key", "import", "k", "AAEC"),
    ("key", "ls", "a.b"),
    ("policy", "info", "nope"),
    ("policy", "show", "nope"),
    ("identity", "info", "nope"),
    ("identity", "of", "/nope"),
    ("identity", "new", "--key", "x.key"),
    ("ls", "-i", "-p"),
    ("status", "extra"),
    ("metric", "--rate", "x"),
]


@pytest.mark.parametrize("args", LISTS, ids=" ".join)
def test_what_is_listed_is_the_same(pair: Pair, args: tuple[str, ...]) -> None:
    theirs, ours = pair.both(*args)
    assert ours == theirs


@pytest.mark.parametrize("args", FIELDS, ids=" ".join)
def test_every_field_of_kes_is_there_with_its_type(pair: Pair, args: tuple[str, ...]) -> None:
    theirs, ours = pair.both(*args)
    assert {name: type(value) for name, value in theirs.items()}.items() <= {
        name: type(value) for name, value in ours.items()
    }.items()


@pytest.mark.parametrize("args", FAILURES, ids=" ".join)
def test_what_fails_fails_in_both(pair: Pair, args: tuple[str, ...]) -> None:
    code, _ = pair.kes(*args)
    ours = pair.mcpy("kes", *args)
    assert code != 0
    assert ours.exit_code != 0
    assert ours.stdout == ""


def test_an_api_list_is_the_same_whatever_its_order(pair: Pair) -> None:
    theirs, ours = pair.both("status", "--api", "--json")
    assert ours == sorted(theirs, key=lambda api: str(api["path"]))


def test_what_one_encrypts_the_other_decrypts(pair: Pair) -> None:
    theirs, ours = pair.both("key", "encrypt", "k", "Hello World")
    clear = "SGVsbG8gV29ybGQ="
    assert pair.both("key", "decrypt", "k", ours["ciphertext"])[0] == {"plaintext": clear}
    assert pair.both("key", "decrypt", "k", theirs["ciphertext"])[1] == {"plaintext": clear}


def test_kes_reads_the_identity_of_a_certificate_of_ours(pair: Pair) -> None:
    files = [str(pair.world.folder / name) for name in ("ours.key", "ours.crt")]
    args = ("--key", files[0], "--cert", files[1], "--json", "--show-secrets")
    (made,) = pair.mcpy("kes", "identity", "new", *args).objects
    assert pair.kes("identity", "of", files[1]) == (0, made["identity"])
    assert pair.kes("identity", files[0]) == (0, made["api_key"])
    assert pair.kes("identity", "of", made["api_key"]) == (0, made["identity"])


def test_the_real_server_lists_all_of_more_keys_than_it_shows_at_once(pair: Pair) -> None:
    keys = pair.world.folder / "keys"
    content = (keys / "k").read_bytes()
    names = [f"many-{number}" for number in range(1000, 2101)]
    for name in names:
        (keys / name).write_bytes(content)
    try:
        assert pair.mcpy("kes", "key", "ls", "many-", "--json").stdout == (
            json.dumps(names, separators=(",", ":")) + "\n"
        )
        assert pair.mcpy("kes", "ls").stdout.split() == ["k", *names]
    finally:
        for name in names:
            (keys / name).unlink()
