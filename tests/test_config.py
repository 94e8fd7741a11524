"""The alias store: private, atomic, complete, and honest about files it cannot read."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from mcpy import config
from mcpy.config import AliasStore
from mcpy.errors import ConfigError, NoAliasError
from mcpy.models import Alias, KesProfile
from tests.running import SECRET_KEY

if TYPE_CHECKING:
    from tests.running import Mcpy

PLAY = Alias("play", "http://s3.test:9000", "access", SECRET_KEY)


@pytest.fixture
def store(tmp_path: Path) -> AliasStore:
    return AliasStore(tmp_path / "config", {})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_put_is_read_again(store: AliasStore) -> None:
    kes = KesProfile("https://kes.test:7373", "c.pem", "k.pem")
    alias = Alias("a", "https://s3.test", "access", SECRET_KEY, "token", region="eu", kes=kes)
    store.put(alias)
    found = store.get("a")
    assert (found.secret_key, found.session_token, found.region) == (SECRET_KEY, "token", "eu")
    assert found.kes == kes
    assert found.source == str(store.path)


def test_the_folder_and_the_file_are_their_owners_alone(store: AliasStore) -> None:
    os.umask(0)
    try:
        store.put(PLAY)
    finally:
        os.umask(0o022)
    assert mode(store.folder) == 0o700
    assert mode(store.path) == 0o600


def test_the_file_is_private_before_its_first_byte(
    store: AliasStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    fdopen = os.fdopen

    def looked_at(handle: int, how: str) -> IO[Any]:
        seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        return fdopen(handle, how)

    monkeypatch.setattr(os, "fdopen", looked_at)
    store.put(PLAY)
    assert seen == [0o600]


def test_an_open_file_becomes_private_at_the_next_change(store: AliasStore) -> None:
    store.put(PLAY)
    store.path.chmod(0o644)
    store.put(PLAY)
    assert mode(store.path) == 0o600


def test_a_change_leaves_nothing_but_the_file_and_its_lock(store: AliasStore) -> None:
    store.put(PLAY)
    store.remove("play")
    assert {path.name for path in store.folder.iterdir()} == {"config.toml", ".config.toml.lock"}


def test_unknown_keys_and_tables_are_kept(store: AliasStore) -> None:
    store.put(PLAY)
    text = store.path.read_text() + 'colour = "blue"\n\n[future]\nanswer = 42\n'
    store.path.write_text(text)
    store.put(Alias("play", "http://other.test", "access", SECRET_KEY))
    store.put(Alias("more", "http://more.test"))
    document = tomllib.loads(store.path.read_text())
    assert document["future"] == {"answer": 42}
    assert document["aliases"]["play"]["colour"] == "blue"
    assert document["aliases"]["play"]["url"] == "http://other.test"


def test_a_linked_file_stays_a_link(store: AliasStore, tmp_path: Path) -> None:
    store.put(PLAY)
    real = tmp_path / "dotfiles.toml"
    store.path.rename(real)
    store.path.symlink_to(real)
    store.put(Alias("more", "http://more.test"))
    assert store.path.is_symlink()
    assert set(tomllib.loads(real.read_text())["aliases"]) == {"play", "more"}


def test_twelve_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """The real mc loses two of twelve."""
    folder = tmp_path / "config"
    command = [sys.executable, "-m", "mcpy", "-C", str(folder), "alias", "set", "--no-verify"]
    started = [
        subprocess.Popen([*command, f"a{i}", f"http://s{i}.test", "access", SECRET_KEY])
        for i in range(12)
    ]
    assert [process.wait(60) for process in started] == [0] * 12
    found = AliasStore(folder, {}).all()
    assert {alias.name for alias in found} == {f"a{i}" for i in range(12)}


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_an_end_between_write_and_replace_leaves_the_old_file(
    store: AliasStore, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    store.put(PLAY)
    before = store.path.read_bytes()

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os if broken == "fsync" else Path, broken, end)
    with pytest.raises(KeyboardInterrupt):
        store.put(Alias("more", "http://more.test"))
    monkeypatch.undo()
    assert store.path.read_bytes() == before
    assert {path.name for path in store.folder.iterdir()} == {"config.toml", ".config.toml.lock"}


def test_a_killed_process_leaves_the_old_file_and_the_next_one_goes_on(
    store: AliasStore,
) -> None:
    store.put(PLAY)
    before = store.path.read_bytes()
    program = (
        "import os, sys; from pathlib import Path; from mcpy.config import AliasStore\n"
        "from mcpy.models import Alias\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "AliasStore(Path(sys.argv[1]), {}).put(Alias('more', 'http://more.test'))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(store.folder)], check=False)
    assert ended.returncode == -9
    assert store.path.read_bytes() == before
    store.put(Alias("third", "http://third.test"))
    assert {alias.name for alias in store.all()} == {"play", "third"}


def test_a_full_disk_is_an_error_that_changes_nothing(
    store: AliasStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(PLAY)
    before = store.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match=r"cannot write .*: No space left on device"):
        store.put(Alias("more", "http://more.test"))
    assert store.path.read_bytes() == before


def test_a_lock_that_is_held_is_not_waited_for_without_end(
    store: AliasStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    store.put(PLAY)
    monkeypatch.setattr(config, "LOCK_TIMEOUT_S", 0.05)
    with (store.folder / ".config.toml.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="is held by another process"):
            store.put(PLAY)


def test_without_a_file_there_are_no_aliases(store: AliasStore) -> None:
    assert store.all() == []
    with pytest.raises(NoAliasError):
        store.get("play")


BAD_FILES = {
    "corrupt": (b"[aliases", "is not valid TOML: "),
    "not text": (b"\xff\xfe\x00", "is not valid TOML: not UTF-8 text"),
    "aliases a list": (b"aliases = []", "`aliases` must hold one table for each alias"),
    "an alias a string": (b'[aliases]\nplay = "x"', "`aliases` must hold one table"),
    "a key a number": (
        b'[aliases.play]\nurl = "http://s"\nsecret_key = 12345678',
        "aliases.play.secret_key must be a string",
    ),
    "no url": (b'[aliases.play]\naccess_key = "abc"', "aliases.play has no url"),
    "a url that is none": (b'[aliases.play]\nurl = "s3.test"', "the URL must be http://"),
}


@pytest.mark.parametrize(("content", "words"), BAD_FILES.values(), ids=BAD_FILES)
@pytest.mark.parametrize("command", [["ls", "play"], ["alias", "list"], ["mb", "play/bucket"]])
def test_a_file_that_is_wrong_is_named_in_one_line(
    mcpy: Mcpy, command: list[str], content: bytes, words: str
) -> None:
    mcpy.store.path.write_bytes(content)
    result = mcpy(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"mcpy: error: {mcpy.store.path}")
    assert words in result.stderr
    assert result.stderr.count("error:") == 1
    assert mcpy.store.path.read_bytes() == content


@pytest.mark.parametrize("content", [b"[aliases", b"\xff\xfe", b"aliases = []"])
def test_a_file_that_is_wrong_is_not_written_over(mcpy: Mcpy, content: bytes) -> None:
    mcpy.store.path.write_bytes(content)
    result = mcpy("alias", "set", "new", "http://n.test", "access", SECRET_KEY, "--no-verify")
    assert (result.exit_code, result.stdout) == (1, "")
    assert mcpy.store.path.read_bytes() == content


def test_a_kes_that_is_no_table_gives_way_to_one(store: AliasStore) -> None:
    store.put(PLAY)
    store.path.write_text(store.path.read_text() + 'kes = "x"\n')
    assert store.get("play").kes is None
    store.put(Alias("play", "http://s3.test", kes=KesProfile("https://kes.test")))
    assert store.get("play").kes == KesProfile("https://kes.test")


def test_a_folder_in_place_of_the_file_is_named(mcpy: Mcpy) -> None:
    mcpy.store.path.unlink()
    mcpy.store.path.mkdir()
    assert mcpy("alias", "list") == (
        1,
        "",
        f"mcpy: error: cannot read {mcpy.store.path}: Is a directory\n",
    )


def test_a_config_folder_that_is_a_file_is_named(mcpy: Mcpy, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    result = mcpy(
        "-C", str(file), "alias", "set", "a", "http://a.test", "access", SECRET_KEY, "--no-verify"
    )
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"mcpy: error: cannot write {file}")


@pytest.mark.parametrize("url", ["http://a:b@host:99999", "http://a:b@é..com", "http://a:b@a..b"])
def test_a_variable_whose_url_cannot_be_is_named_and_not_repeated(mcpy: Mcpy, url: str) -> None:
    assert mcpy("alias", "list", env={"MC_HOST_bad": url}) == (
        1,
        "",
        "mcpy: error: MC_HOST_bad: the URL must be http://HOST[:PORT] or https://HOST[:PORT]\n",
    )
