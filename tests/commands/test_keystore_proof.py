"""``keystore lock|unlock|erase --prove``: KES is asked before, and what was done is said after."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.keystores.entry import KeyEntry, decode
from mcpy.keystores.seal import seal
from tests.stub import Server, kes_error

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy

pytestmark = pytest.mark.usefixtures("kes_env")

VALUE = KeyEntry.of(bytes(32), now_ns=1).encode()
OTHER = KeyEntry.of(bytes([1]) * 32, now_ns=1).encode()
MARK = b"locked-by-mcpy:"
FAILS = (502, "failed to read key")
MISSES = (404, "key does not exist")
DENIES = (403, "not authorized: insufficient permissions")
ASKED = "PUT /v1/key/generate/k"
ACTS = {
    "lock": ("--yes",),
    "unlock": (),
    "erase": ("--yes", "--confirm", "k", "--without-impact"),
}


def dek(value: bytes) -> httpx.Response:
    """Return a data key as a KES makes it under the key of an entry."""
    made = {"plaintext": bytes(32), "ciphertext": seal(decode(value), bytes(32))}
    return httpx.Response(200, json={n: base64.b64encode(b).decode() for n, b in made.items()})


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The file of the key ``k``, in the keystore of ``kes.yml``; the cache lasts 1 s."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "kes.yml").write_text(
        f"keystore: {{fs: {{path: {tmp_path / 'keys'}}}}}\n"
        "cache: {expiry: {any: 1s, unused: 100ms}}\n"
    )
    path = tmp_path / "keys" / "k"
    path.write_bytes(VALUE)
    return path


def prove(mcpy: Mcpy, key: Path, act: str, *more: str) -> tuple[int, str, str]:
    config = str(key.parent.parent / "kes.yml")
    args = (*ACTS[act], "--prove", "--config", config, "--retries", "0")
    return mcpy("keystore", act, "k", *args, *more)


def test_a_lock_is_proven_when_kes_used_this_key_and_then_fails_on_it(
    mcpy: Mcpy, key: Path, server: Server
) -> None:
    server.replies = [dek(VALUE), kes_error(*FAILS)]
    code, out, _ = prove(mcpy, key, "lock")
    assert (code, out) == (0, "`k` locked at fs (proven through KES).\n")
    assert (server.calls, key.read_bytes()) == ([ASKED, ASKED], MARK + VALUE)


def test_an_unlock_is_proven_when_kes_makes_a_data_key_under_this_key(
    mcpy: Mcpy, key: Path, server: Server
) -> None:
    key.write_bytes(MARK + VALUE)
    server.replies = [kes_error(*FAILS), dek(VALUE)]
    assert prove(mcpy, key, "unlock") == (0, "`k` unlocked at fs (proven through KES).\n", "")
    assert key.read_bytes() == VALUE


def test_an_erasure_is_proven_when_kes_comes_to_miss_the_key(
    mcpy: Mcpy, key: Path, server: Server
) -> None:
    server.replies = [dek(VALUE), kes_error(*MISSES)]
    code, out, _ = prove(mcpy, key, "erase")
    assert (code, out) == (0, "`k` erased at fs (proven through KES).\n")
    assert not key.exists()


@pytest.mark.parametrize("act", ["lock", "unlock", "erase"])
@pytest.mark.parametrize(
    "refusal",
    [
        (httpx.ConnectError("refused"), 6, "refused"),
        (kes_error(*DENIES), 4, "not authorized"),
        (kes_error(*MISSES), 5, "has no key `k`"),
    ],
)
def test_nothing_is_done_where_kes_could_not_prove_it(
    mcpy: Mcpy,
    key: Path,
    server: Server,
    act: str,
    refusal: tuple[httpx.Response | Exception, int, str],
) -> None:
    answer, code, words = refusal
    before = MARK + VALUE if act == "unlock" else VALUE
    key.write_bytes(before)
    server.replies = [answer]
    found = prove(mcpy, key, act)
    assert (found[0], found[1], key.read_bytes()) == (code, "", before)
    assert words in found[2]


@pytest.mark.parametrize("act", ["lock", "erase"])
def test_a_kes_with_another_key_of_the_name_uses_another_keystore(
    mcpy: Mcpy, key: Path, server: Server, act: str
) -> None:
    server.replies = [dek(OTHER)]
    code, out, err = prove(mcpy, key, act)
    assert (code, out, key.read_bytes()) == (1, "", VALUE)
    assert "kes.test:7373 uses another key of the name `k` than" in err


@pytest.mark.parametrize("act", ["lock", "erase"])
def test_a_kes_that_fails_on_a_key_that_is_not_locked_proves_nothing(
    mcpy: Mcpy, key: Path, server: Server, act: str
) -> None:
    server.replies = [kes_error(*FAILS)]
    code, out, err = prove(mcpy, key, act)
    assert (code, out, key.read_bytes()) == (1, "", VALUE)
    assert f"fails on `k`, which is not locked at {key.parent}: nothing was done" in err


def test_an_unlock_is_not_proven_by_another_key_of_the_name(
    mcpy: Mcpy, key: Path, server: Server
) -> None:
    key.write_bytes(MARK + VALUE)
    server.replies = [kes_error(*FAILS), dek(OTHER)]
    code, out, err = prove(mcpy, key, "unlock")
    assert (code, key.read_bytes()) == (1, VALUE)
    assert out == "`k` unlocked at fs (not proven through KES: see --prove).\n"
    assert "`k` is unlocked, and that is NOT proven: kes.test:7373 uses another key" in err


@pytest.mark.parametrize(
    ("act", "done"), [("lock", "locked"), ("erase", "erased"), ("unlock", "unlocked")]
)
def test_a_proof_that_fails_afterwards_says_what_was_done(
    mcpy: Mcpy, key: Path, server: Server, act: str, done: str
) -> None:
    key.write_bytes(MARK + VALUE if act == "unlock" else VALUE)
    before = kes_error(*FAILS) if act == "unlock" else dek(VALUE)
    server.replies = [before, httpx.ConnectError("refused")]
    code, out, err = prove(mcpy, key, act)
    assert code == 6
    assert out == f"`k` {done} at fs (not proven through KES: see --prove).\n"
    assert f"mcpy: error: `k` is {done}, and that is NOT proven: " in err


def test_a_script_reads_what_was_done_before_the_error(
    mcpy: Mcpy, key: Path, server: Server
) -> None:
    server.replies = [dek(VALUE), kes_error(*DENIES)]
    config = str(key.parent.parent / "kes.yml")
    result = mcpy("keystore", "lock", "k", "--yes", "--prove", "--json", "--config", config)
    acted, failed = result.objects
    assert (result.exit_code, acted["change"], acted["proven"]) == (4, "locked", False)
    assert failed["error"]["message"].startswith("`k` is locked, and that is NOT proven: ")


def test_ctrl_c_while_it_waits_says_what_was_done(mcpy: Mcpy, key: Path, server: Server) -> None:
    def interrupt(_: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    server.replies = [dek(VALUE), interrupt]
    code, out, err = prove(mcpy, key, "lock")
    assert (code, out) == (130, "`k` locked at fs (not proven through KES: see --prove).\n")
    config = key.parent.parent / "kes.yml"
    assert err.endswith(
        "mcpy: error: `k` is locked, and that is NOT proven: interrupted\n"
        f"mcpy: hint: mcpy keystore lock k --config {config} --yes --prove\n"
    )


def test_a_key_that_is_locked_already_is_waited_for_too(
    mcpy: Mcpy, key: Path, server: Server
) -> None:
    key.write_bytes(MARK + VALUE)
    server.replies = [dek(VALUE), kes_error(*FAILS)]
    assert prove(mcpy, key, "lock") == (
        0, "`k` is locked already: nothing changed (proven through KES).\n", ""
    )  # fmt: skip
    assert server.calls == [ASKED, ASKED]


def test_a_locked_key_that_kes_goes_on_with_is_not_called_proven(
    mcpy: Mcpy, key: Path, server: Server
) -> None:
    key.write_bytes(MARK + VALUE)
    server.afterwards = dek(VALUE)
    code, out, err = prove(mcpy, key, "lock", "--timeout", "1100ms")
    assert (code, out) == (1, "`k` is locked already: nothing changed.\n")
    assert "NOT proven: kes.test:7373 shows no change after 1.1 s" in err


def test_a_key_that_is_unlocked_already_is_proven_too(
    mcpy: Mcpy, key: Path, server: Server
) -> None:
    server.replies = [dek(VALUE)]
    assert prove(mcpy, key, "unlock") == (
        0, "`k` is unlocked already: nothing changed (proven through KES).\n", ""
    )  # fmt: skip


def test_a_locked_key_is_erased_with_proof(mcpy: Mcpy, key: Path, server: Server) -> None:
    key.write_bytes(MARK + VALUE)
    server.replies = [kes_error(*FAILS), kes_error(*MISSES)]
    code, out, err = prove(mcpy, key, "erase")
    assert (code, out) == (0, "`k` erased at fs (proven through KES).\n")
    assert f"`k` is locked at {key.parent}: whether it is a key of KES is not seen" in err


def test_a_kes_that_misses_a_locked_key_is_an_alarm(mcpy: Mcpy, key: Path, server: Server) -> None:
    server.replies = [dek(VALUE), kes_error(*MISSES)]
    code, out, err = prove(mcpy, key, "lock")
    assert (code, out) == (1, "`k` locked at fs (not proven through KES: see --prove).\n")
    assert "KES does not find `k` instead of failing on it: do not restart any MinIO" in err
    config = key.parent.parent / "kes.yml"
    assert err.endswith(f"mcpy: hint: mcpy keystore unlock k --config {config}\n")
