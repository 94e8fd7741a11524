"""``keystore lock`` says what becomes unreadable before it does so, wherever it can know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.keystores.entry import KeyEntry
from mcpy.models import Alias, KesProfile
from tests.in_process import ACCESS, SECRET
from tests.running import KES_API_KEY, Mcpy, Result, Terminal
from tests.s3_calls import kms_with

if TYPE_CHECKING:
    from pathlib import Path

    from mcpy.api.s3 import S3

VALUE = KeyEntry.of(bytes(32), now_ns=1).encode()
SAID = "Without `tenant-a`, 1 version is unreadable"


@pytest.fixture
def key(tmp_path: Path, s3: S3) -> Path:
    """The file of a key, under which there is one object on ``play``."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "kes.yml").write_text(f"keystore: {{fs: {{path: {tmp_path / 'keys'}}}}}\n")
    path = tmp_path / "keys" / "tenant-a"
    path.write_bytes(VALUE)
    s3.make_bucket("b-1")
    s3.put_object("b-1", "a", b"content", headers=kms_with("tenant-a"))
    return path


def lock(run: Mcpy, key: Path, *more: str) -> Result:
    config = str(key.parent.parent / "kes.yml")
    return run("keystore", "lock", "tenant-a", "--config", config, *more)


def test_it_is_said_and_the_lock_is_made_all_the_same(run: Mcpy, key: Path) -> None:
    code, out, err = lock(run, key, "--yes", "--impact-on", "play")
    assert (code, out) == (0, "`tenant-a` locked at fs (not proven through KES: see --prove).\n")
    assert err.index(SAID) < err.index("every KES may use")
    assert key.read_bytes().startswith(b"locked-by-mcpy:")


def test_a_script_reads_it_with_what_was_done(run: Mcpy, key: Path) -> None:
    (acted,) = lock(run, key, "--yes", "--json", "--impact-on", "play").objects
    assert (acted["change"], acted["impact"][0]["certain"]) == ("locked", 1)


def test_the_alias_of_the_kes_is_looked_at_unasked(run: Mcpy, key: Path) -> None:
    profile = KesProfile("kes.test:7373", api_key=KES_API_KEY)
    run.store.put(Alias("prod", "https://prod.test", ACCESS, SECRET, kes=profile))
    assert SAID in lock(run, key, "--yes", "--alias", "prod").stderr


def test_it_is_said_before_anybody_is_asked(
    run: Mcpy, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin, stderr = Terminal("n\n"), Terminal()
    monkeypatch.setattr("sys.stdin", stdin)
    monkeypatch.setattr("sys.stderr", stderr)
    config = str(key.parent.parent / "kes.yml")
    line = ("keystore", "lock", "tenant-a", "--config", config, "--impact-on", "play")
    code, out, err = run(*line, stdin=stdin, stderr=stderr)
    assert (code, out, key.read_bytes()) == (1, "", VALUE)
    assert err.index(SAID) < err.index("Lock tenant-a?")
    assert "does not start" in err[: err.index("Lock tenant-a?")]
    assert "every KES may use" not in err


def test_an_alias_that_was_named_and_cannot_be_looked_at_stops_it(run: Mcpy, key: Path) -> None:
    code, out, err = lock(run, key, "--yes", "--impact-on", "ghost")
    assert (code, out, key.read_bytes()) == (5, "", VALUE)
    assert "mcpy: error: what it encrypted could not be looked for: no alias `ghost`" in err


def test_an_alias_that_was_found_and_cannot_be_looked_at_does_not(run: Mcpy, key: Path) -> None:
    profile = KesProfile("kes.test:7373", api_key=KES_API_KEY)
    run.store.put(Alias("prod", "https://prod.test", ACCESS, "wrong-throw-away", kes=profile))
    code, _, err = lock(run, key, "--yes", "--alias", "prod")
    assert (code, key.read_bytes()) == (0, b"locked-by-mcpy:" + VALUE)
    assert "warning: what it encrypted could not be looked for: " in err


def test_without_a_terminal_the_hint_repeats_what_was_given(run: Mcpy, key: Path) -> None:
    code, out, err = lock(run, key, "--impact-on", "play", "--prove", "--server", "kes.test:7373")
    assert (code, out, key.read_bytes()) == (2, "", VALUE)
    config = key.parent.parent / "kes.yml"
    assert err.endswith(
        f"mcpy: hint: mcpy keystore lock tenant-a --config {config} --yes --impact-on play "
        "--prove --server kes.test:7373\n"
    )
