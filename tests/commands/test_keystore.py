"""``keystore``: locks proven through KES, erasure asked for twice, copies that are complete."""

from __future__ import annotations

import base64
import socket
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.keystores.entry import KeyEntry, decode
from mcpy.keystores.seal import unseal
from tests.keystores.entries import VALUE
from tests.keystores.providers import provider
from tests.keystores.real_kes import real_kes
from tests.keystores.vault_server import Vault, serving
from tests.running import Mcpy, Terminal
from tests.stub import kes_error

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stub import Server

WARNING = (
    "mcpy: warning: what it encrypted was not looked for: --impact-on ALIAS shows it first\n"
    "mcpy: warning: every KES may use `k` for 30 s yet, from its cache; a SIGHUP to it empties "
    "the cache at once\n"
    "mcpy: warning: a MinIO whose default key this is answers 500 to health checks meanwhile, "
    "and does not start\n"
)


def configured(folder: Path, name: str) -> str:
    """Return a KES config with a folder of its own."""
    (folder / name).mkdir()
    path = folder / f"{name}.yml"
    path.write_text(f"keystore: {{fs: {{path: {folder / name}}}}}\n")
    return str(path)


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A KES config whose keystore has the key ``k``."""
    path = configured(tmp_path, "keys")
    (tmp_path / "keys" / "k").write_bytes(VALUE)
    return path


def test_a_check_reports_each_step(mcpy: Mcpy, config: str, tmp_path: Path) -> None:
    code, out, err = mcpy("keystore", "check", "--config", config)
    assert (code, err) == (0, f"mcpy: {tmp_path / 'keys'}: everything works\n")
    names = ("folder", "list", "create", "read", "lock", "unlock", "delete")
    assert out == "".join(f"{name}\tok\n" for name in names)


def test_a_folder_that_depends_on_where_one_stands_is_named(
    mcpy: Mcpy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    path = tmp_path / "kes.yml"
    path.write_text("keystore: {fs: {path: keys}}\n")
    monkeypatch.chdir(tmp_path)
    assert mcpy("keystore", "ls", "--config", str(path)).stderr == (
        f"mcpy: warning: {path}: the folder of the keys is relative; from here it is "
        f"{tmp_path / 'keys'}\n"
        "mcpy: keys lists nothing\n"
    )


def test_a_check_that_fails_is_a_finding(mcpy: Mcpy, config: str, tmp_path: Path) -> None:
    (tmp_path / "keys" / "a.b").write_text("")
    result = mcpy("keystore", "check", "--config", config, "--json")
    assert result.exit_code == 3
    assert [o["step"] for o in result.objects[:-1] if not o["ok"]] == ["names"]


def test_entries_are_listed_with_what_is_unusual(mcpy: Mcpy, config: str, tmp_path: Path) -> None:
    (tmp_path / "keys" / "a.b").write_text("")
    (tmp_path / "keys" / "l").write_bytes(b"locked-by-mcpy:" + VALUE)
    listed = mcpy("keystore", "ls", "--config", config, "--state")
    assert listed == (0, "a.b\tnot a key name\nk\nl\tlocked\n", "")
    assert mcpy("keystore", "ls", "k*", "--config", config).stdout == "k\n"


def test_the_state_tells_keys_from_what_has_names_like_keys(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    for name, content in (("diary", b"dear diary"), ("cut", VALUE[:-8]), ("nil", b"")):
        (tmp_path / "keys" / name).write_bytes(content)
    listed = mcpy("keystore", "ls", "--config", config, "--state")
    assert listed == (0, "cut\tnot a key\ndiary\tnot a key\nk\nnil\tnot a key\n", "")
    found = mcpy("keystore", "ls", "[dk]*", "--config", config, "--state", "--json").objects
    assert [(o["name"], o["state"], o["key"]) for o in found] == [
        ("diary", "not a key", False),
        ("k", "enabled", True),
    ]


def test_what_has_names_like_keys_is_counted_when_the_keystore_is_asked(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    for name in ("diary", "bin-sec"):
        (tmp_path / "keys" / name).write_bytes(b"of somebody")
    result = mcpy("kes", "config", "lint", "--ask", config)
    words = "entries: 2 entries (bin-sec, diary) are no keys of KES and show as keys"
    assert [line for line in result.stdout.splitlines() if words in line and "warning" in line]


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize(
    ("engine", "version", "code", "words"),
    [
        ("kv2", "v2", 0, "lists nothing"),
        ("kv2", "v1", 1, "engine: is v2, and the config says v1"),
        ("nope", "v2", 1, "engine: nope: Vault: preflight capability check returned 403"),
    ],
)
def test_an_engine_that_is_not_what_the_config_says_is_not_called_empty(
    mcpy: Mcpy, tmp_path: Path, engine: str, version: str, code: int, words: str
) -> None:
    path = tmp_path / "kes.yml"
    mcpy.transport = None
    with serving(Vault()) as url:
        path.write_text(f"keystore: {{vault: {{endpoint: '{url}', engine: {engine}, "
                        f"version: {version}}}}}")  # fmt: skip
        env = {"MCPY_VAULT_TOKEN": "operator-token"}
        found = mcpy("keystore", "ls", "--config", str(path), env=env)
    assert (found.exit_code, found.stdout) == (code, "")
    assert words in found.stderr


@pytest.mark.usefixtures("loopback")
def test_what_is_deleted_and_can_be_restored_is_listed_with_the_states(
    mcpy: Mcpy, tmp_path: Path
) -> None:
    path = tmp_path / "kes.yml"
    mcpy.transport = None
    with provider("aws") as found:
        server = found.state
        for name in ("gone", "k"):
            server.answer("CreateSecret", {"Name": name, "SecretString": VALUE.decode()})
        server.answer("DeleteSecret", {"SecretId": "gone"})
        made = mcpy("kes", "config", "new", *found.args, "--admin", "a" * 64, "--out", str(path))
        assert made.exit_code == 0, made
        at = ("--config", str(path))
        assert mcpy("keystore", "ls", *at, env=found.env).stdout == "k\n"
        listed = mcpy("keystore", "ls", *at, "--state", env=found.env)
        assert (listed.exit_code, listed.stdout) == (0, "k\ngone\tdeleted\n")
        locked = mcpy("keystore", "lock", "gone", *at, "--yes", env=found.env)
    assert (locked.exit_code, locked.stdout) == (1, "")
    assert locked.stderr == (
        "mcpy: error: `gone` is scheduled for deletion at AWS, and KES fails on it\n"
        "mcpy: hint: before it is gone: aws secretsmanager restore-secret --secret-id gone\n"
    )


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize("act", [("lock", "k", "--yes"), ("unlock", "k"), ("ls",)])
def test_a_provider_that_is_silent_is_waited_for_as_long_as_was_said(
    mcpy: Mcpy, tmp_path: Path, act: tuple[str, ...]
) -> None:
    """Four attempts of the timeout each would last for longer."""
    path = tmp_path / "kes.yml"
    mcpy.transport = None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        path.write_text(f"keystore: {{vault: {{endpoint: '{url}', engine: kv2, version: v2}}}}")
        began = time.monotonic()
        args = ("--config", str(path), "--timeout", "500ms")
        found = mcpy("keystore", *act, *args, env={"MCPY_VAULT_TOKEN": "operator-token"})
    assert (found.exit_code, found.stdout) == (6, "")
    assert time.monotonic() - began < 1.9


def test_a_lock_is_made_and_the_delay_is_said(mcpy: Mcpy, config: str, tmp_path: Path) -> None:
    assert mcpy("keystore", "lock", "k", "--config", config, "--yes") == (
        0, "`k` locked at fs (not proven through KES: see --prove).\n", WARNING
    )  # fmt: skip
    assert (tmp_path / "keys" / "k").read_bytes() == b"locked-by-mcpy:" + VALUE
    again = mcpy("keystore", "lock", "k", "--config", config, "--yes")
    assert again == (0, "`k` is locked already: nothing changed.\n", "")


def test_a_lock_needs_a_yes(mcpy: Mcpy, config: str, tmp_path: Path) -> None:
    code, out, err = mcpy("keystore", "lock", "k", "--config", config)
    assert (code, out) == (2, "")
    assert err.endswith(f"mcpy: hint: mcpy keystore lock k --config {config} --yes\n")
    assert (tmp_path / "keys" / "k").read_bytes() == VALUE


@pytest.mark.parametrize("act", ["lock", "unlock", "erase"])
def test_a_key_that_is_not_there_is_not_found(mcpy: Mcpy, config: str, act: str) -> None:
    more = {"lock": ("--yes",), "unlock": (), "erase": ("--yes", "--confirm", "none")}[act]
    result = mcpy("keystore", act, "none", "--config", config, *more)
    assert result == (5, "", "mcpy: error: the keystore has no key `none`\n")


@pytest.mark.parametrize(
    "content", [b"# about this folder", b"", VALUE[:-8]], ids=["a note", "empty", "cut short"]
)
@pytest.mark.parametrize("act", ["lock", "erase"])
def test_what_is_no_key_of_kes_is_neither_locked_nor_erased(
    mcpy: Mcpy, config: str, tmp_path: Path, act: str, content: bytes
) -> None:
    file = tmp_path / "keys" / "README"
    file.write_bytes(content)
    more = {"lock": (), "erase": ("--confirm", "README", "--without-impact")}[act]
    assert mcpy("keystore", act, "README", "--config", config, "--yes", *more) == (
        1,
        "",
        f"mcpy: error: the entry `README` at {tmp_path / 'keys'} is not a key of KES: nothing "
        "was done\n",
    )
    assert file.read_bytes() == content


def test_an_empty_file_that_was_locked_is_no_circle_of_hints(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    (tmp_path / "keys" / "e").write_bytes(b"locked-by-mcpy:")
    assert mcpy("keystore", "unlock", "e", "--config", config) == (
        1,
        "",
        "mcpy: error: `e` was empty when it was locked: there is no key to give back\n"
        f"mcpy: hint: mcpy keystore erase e --config {config}\n",
    )
    erase = ("--yes", "--confirm", "e", "--without-impact")
    assert mcpy("keystore", "erase", "e", "--config", config, *erase).exit_code == 0


def test_without_a_terminal_the_hint_to_erase_asks_for_all_there_is_to_say(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    line = f"mcpy keystore erase k --config {config} --yes --confirm k"
    for given, more in (
        ((), " --impact-on ALIAS"),
        (("--without-impact",), " --without-impact"),
        (("--impact-on", "play", "--never-default"), " --impact-on play --never-default"),
    ):
        result = mcpy("keystore", "erase", "k", "--config", config, *given)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.endswith(f"mcpy: hint: {line}{more}\n")
    assert (tmp_path / "keys" / "k").exists()


def test_a_lock_that_is_denied_claims_nothing(
    mcpy: Mcpy, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "denied", "keys")

    monkeypatch.setattr("tempfile.mkstemp", denied)
    assert mcpy("keystore", "lock", "k", "--config", config, "--yes") == (
        4,
        "",
        WARNING.splitlines()[0] + "\nmcpy: error: keys: permission denied\n",
    )
    assert (tmp_path / "keys" / "k").read_bytes() == VALUE


def test_erasing_in_a_script_takes_the_name_twice(mcpy: Mcpy, config: str, tmp_path: Path) -> None:
    once = mcpy("keystore", "erase", "k", "--config", config, "--yes")
    wrong = mcpy("keystore", "erase", "k", "--config", config, "--yes", "--confirm", "x")
    assert (once.exit_code, wrong.exit_code) == (2, 2)
    assert (tmp_path / "keys" / "k").exists()
    code, out, err = mcpy(
        "keystore", "erase", "k", "--config", config, "--yes", "--confirm", "k", "--without-impact"
    )
    assert (code, out) == (0, "`k` erased at fs (not proven through KES: see --prove).\n")
    assert "copies and snapshots of the folder keep the key" in err
    assert not (tmp_path / "keys" / "k").exists()


@pytest.mark.parametrize(("typed", "erased"), [("y\nk\n", True), ("y\nx\n", False)])
def test_erasing_at_a_terminal_asks_twice(
    mcpy: Mcpy,
    config: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    erased: bool,
) -> None:
    stdin, stderr = Terminal(typed), Terminal()
    monkeypatch.setattr("sys.stdin", stdin)
    monkeypatch.setattr("sys.stderr", stderr)
    line = ("keystore", "erase", "k", "--config", config, "--without-impact")
    result = mcpy(*line, stdin=stdin, stderr=stderr)
    assert result.exit_code == (0 if erased else 1)
    assert (tmp_path / "keys" / "k").exists() is not erased


def test_a_copy_is_complete_beyond_any_page_of_kes(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    for i in range(1100):
        (tmp_path / "keys" / f"k-{i}").write_bytes(KeyEntry.of(i.to_bytes(32), now_ns=i).encode())
    target = configured(tmp_path, "target")
    result = mcpy("keystore", "copy", "--from", config, "--to", target, "--json")
    assert (result.exit_code, result.objects[0]["copied"]) == (0, 1101)
    same = [p.name for p in (tmp_path / "keys").iterdir()
            if p.read_bytes() != (tmp_path / "target" / p.name).read_bytes()]  # fmt: skip
    assert same == []


@pytest.mark.usefixtures("kes_env")
def test_a_static_key_is_copied_and_proven_by_the_targets_kes(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    import json

    target = configured(tmp_path, "target")
    secret = base64.b64encode(bytes(32)).decode()
    mcpy.secrets.add(secret)

    def kes(request: httpx.Request) -> httpx.Response:
        body = {name: base64.b64decode(text) for name, text in json.loads(request.content).items()}
        entry = decode((tmp_path / "target" / "my-key").read_bytes())
        message = unseal(entry, body["ciphertext"], body["context"])
        return httpx.Response(200, json={"plaintext": base64.b64encode(message).decode()})

    server.replies = [httpx.Response(200, json={"version": "v0"}), kes]
    args = ("keystore", "copy", "--from-static", "--to", target, "--prove")
    code, out, _ = mcpy(*args, env={"MINIO_KMS_SECRET_KEY": f"my-key:{secret}"})
    assert (code, out.split(":")[0]) == (0, "1 keys copied, 0 there already, 0 failed, of 1")
    assert server.calls == ["GET /version", "PUT /v1/key/decrypt/my-key"]


def test_a_copy_with_failures_is_partly_done_and_can_be_repeated(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    (tmp_path / "keys" / "foreign").write_text("secret of somebody")
    target = configured(tmp_path, "target")
    code, out, err = mcpy("keystore", "copy", "--from", config, "--to", target)
    assert code == 8
    assert out.startswith(
        "foreign\tFAILED\tat the source: the entry is not a key of KES\n"
        "1 keys copied, 0 there already, 1 failed, of 2"
    )
    assert err == "mcpy: error: 1 of 2 keys were not copied\n"
    again = mcpy("keystore", "copy", "--from", config, "--to", target, "--only", "k*")
    assert again.exit_code == 0


@pytest.mark.parametrize(("pattern", "more"), [("*", ""), ("nope*", " that matches `nope*`")])
def test_a_copy_of_nothing_is_no_success(
    mcpy: Mcpy, config: str, tmp_path: Path, pattern: str, more: str
) -> None:
    if pattern == "*":
        (tmp_path / "keys" / "k").unlink()
    target = configured(tmp_path, "target")
    assert mcpy("keystore", "copy", "--from", config, "--to", target, "--only", pattern) == (
        5,
        "",
        f"mcpy: error: {tmp_path / 'keys'} has no key{more}: nothing to copy\n"
        f"mcpy: hint: mcpy keystore ls --config {config}\n",
    )


def test_a_copy_onto_itself_is_refused_through_a_link_too(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "keys")
    link = tmp_path / "link.yml"
    link.write_text(f"keystore: {{fs: {{path: {tmp_path / 'link'}}}}}\n")
    for target in (config, str(link)):
        code, out, err = mcpy("keystore", "copy", "--from", config, "--to", target)
        assert (code, out) == (2, "")
        assert "source and target are one keystore" in err


def test_a_dry_run_names_each_key_and_ends_as_the_copy_would(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    target = configured(tmp_path, "target")
    (tmp_path / "keys" / "l").write_bytes(b"locked-by-mcpy:" + VALUE)
    (tmp_path / "keys" / "p").write_bytes(VALUE)
    (tmp_path / "target" / "p").write_bytes(VALUE)
    code, out, err = mcpy("keystore", "copy", "--from", config, "--to", target, "--dry-run")
    assert code == 8
    assert out == (
        "k\twould be copied\n"
        "l\tFAILED\tat the source: the key `l` is locked\n"
        "p\tthere already\n"
        "1 keys would be copied, 1 there already, 1 would fail, of 3: "
        f"{tmp_path / 'keys'} -> {tmp_path / 'target'}\n"
    )
    assert err.endswith(f"mcpy: hint: mcpy keystore unlock l --config {config}\n")
    assert [p.name for p in (tmp_path / "target").iterdir()] == ["p"]
    (tmp_path / "target" / "p").unlink()
    (tmp_path / "target").rmdir()
    gone = mcpy("keystore", "copy", "--from", config, "--to", target, "--dry-run")
    assert (gone.exit_code, gone.stdout) == (1, "")


@pytest.mark.usefixtures("loopback")
def test_a_target_that_denies_is_said_once(mcpy: Mcpy, config: str, tmp_path: Path) -> None:
    for i in range(5):
        (tmp_path / "keys" / f"k{i}").write_bytes(VALUE)
    target = tmp_path / "target.yml"
    mcpy.transport = None
    with serving(Vault()) as url:
        target.write_text(
            f"keystore: {{vault: {{endpoint: '{url}', engine: kv2, version: v2, "
            "approle: {id: role, secret: wrong-throw-away}}}"
        )
        found = mcpy("keystore", "copy", "--from", config, "--to", str(target))
    assert (found.exit_code, found.stdout) == (4, "")
    assert found.stderr == (
        "mcpy: error: Vault refused to sign in by approle: invalid role or secret ID\n"
    )


@pytest.mark.usefixtures("kes_env")
def test_a_kes_that_does_not_open_what_is_there_does_not_make_it_a_failure(
    mcpy: Mcpy, config: str, server: Server, tmp_path: Path
) -> None:
    target = configured(tmp_path, "target")
    (tmp_path / "target" / "k").write_bytes(VALUE)
    version = httpx.Response(200, json={"version": "v0"})
    server.replies = [version, kes_error(404, "key does not exist")]
    code, out, err = mcpy("keystore", "copy", "--from", config, "--to", target, "--prove")
    assert code == 8
    assert out.startswith(
        "k\tNOT PROVEN\tkey does not exist\n"
        "0 keys copied, 1 there already, 0 failed, 1 there and not proven, of 1"
    )
    assert err.startswith(
        "mcpy: error: 1 are there and not proven\nmcpy: hint: repeat the command"
    )


@pytest.mark.usefixtures("kes_env")
def test_what_an_earlier_copy_wrote_without_proof_is_proven_now(
    mcpy: Mcpy, config: str, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "keys" / "foreign").write_text("secret of somebody")
    line = ("keystore", "copy", "--from", config, "--to", configured(tmp_path, "target"))
    assert mcpy(*line).exit_code == 8  # so that its journal stays
    version = httpx.Response(200, json={"version": "v0"})
    server.replies = [version, kes_error(404, "key does not exist")]
    result = mcpy(*line, "--only", "k", "--prove", "--json")
    assert result.exit_code == 8
    assert result.objects[0]["proven"] is False
    counts = {
        "copied": 0, "present": 1, "failed": 0, "unproven": 1, "untried": 0, "total": 1,
    }  # fmt: skip
    where = {"source": str(tmp_path / "keys"), "target": str(tmp_path / "target")}
    assert result.objects[1] == {"status": "success", **where, **counts, "dryRun": False}


@pytest.mark.usefixtures("kes_env")
def test_a_kes_that_is_away_is_so_before_anything_is_copied(
    mcpy: Mcpy, config: str, server: Server, tmp_path: Path
) -> None:
    target = configured(tmp_path, "target")
    server.replies = [httpx.ConnectError("refused")]
    args = ("keystore", "copy", "--from", config, "--to", target, "--prove", "--retries", "0")
    assert mcpy(*args).exit_code == 6
    assert list((tmp_path / "target").iterdir()) == []


@pytest.mark.usefixtures("kes_env")
def test_a_copy_that_is_interrupted_says_how_far_it_came_and_that_it_goes_on(
    mcpy: Mcpy, config: str, server: Server, tmp_path: Path
) -> None:
    def interrupt(_: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    target = configured(tmp_path, "target")
    server.replies = [httpx.Response(200, json={"version": "v0"}), interrupt]
    code, out, err = mcpy("keystore", "copy", "--from", config, "--to", target, "--prove")
    assert code == 130
    assert out.startswith("0 keys copied, 0 there already, 0 failed, 1 not tried, of 1")
    assert "mcpy: error: interrupted\nmcpy: hint: repeat the command: it goes on from " in err


def test_what_a_provider_has_no_safe_lock_for_is_left_alone(mcpy: Mcpy, tmp_path: Path) -> None:
    path = tmp_path / "kes.yml"
    path.write_text("keystore: {gemalto: {keysecure: {endpoint: 'https://c', "
                    "credentials: {token: throw-away}}}}")  # fmt: skip
    for act in (("lock", "k", "--yes"), ("unlock", "k")):
        assert mcpy("keystore", *act, "--config", str(path)) == (
            7,
            "",
            "mcpy: error: ciphertrust has no lock that is known to be safe: nothing was done\n",
        )


def test_names_the_target_cannot_hold_stop_a_copy_beforehand(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    for name in ("a_b", "K"):
        (tmp_path / "keys" / name).write_bytes(VALUE)
    target = tmp_path / "azure.yml"
    target.write_text("keystore: {azure: {keyvault: {endpoint: 'https://v.vault.azure.net'}}}")
    assert mcpy("keystore", "copy", "--from", config, "--to", str(target)) == (
        2,
        "",
        "mcpy: error: azure cannot hold 2 of 3 names: `a_b` holds a `_`, and Azure Key Vault "
        "takes none; `k` is the same name as `K` there: case does not count\n"
        "mcpy: hint: --only PATTERN copies the others; nothing was copied\n",
    )


def test_a_state_that_cannot_be_told_does_not_end_a_listing(
    mcpy: Mcpy, config: str, tmp_path: Path
) -> None:
    (tmp_path / "keys" / "folder").mkdir()
    code, out, err = mcpy("keystore", "ls", "--config", config, "--state")
    assert (code, err) == (0, "")
    assert out.startswith("folder\tunreadable: ")
    assert out.endswith("\nk\n")


def test_a_copy_says_where_from(mcpy: Mcpy, config: str) -> None:
    assert mcpy("keystore", "copy", "--to", config) == (
        2, "", "mcpy: error: say where from: --from FILE, or --from-static\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("a: 1", 1, "names no keystore"),
        ("keystore: {fs: {path: '${NOPE}'}}", 1, ":1: `keystore.fs.path` wants the environment"),
        ("keystore: {fortanix: {sdkms: {endpoint: a}}}", 7, "is not supported by mcpy"),
        ("keystore: {entrust: {keycontrol: {endpoint: a}}}", 7, "is not supported by mcpy"),
    ],
)
def test_a_config_that_names_no_usable_keystore_is_refused(
    mcpy: Mcpy, tmp_path: Path, text: str, code: int, message: str
) -> None:
    path = tmp_path / "kes.yml"
    path.write_text(text)
    result = mcpy("keystore", "ls", "--config", str(path))
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr


@pytest.mark.peers
def test_a_real_kes_uses_what_mcpy_copied_and_feels_its_locks(mcpy: Mcpy, tmp_path: Path) -> None:
    source = configured(tmp_path, "source")
    for i, cipher in enumerate(("AES256", "ChaCha20")):
        value = KeyEntry.of(bytes([i]) * 32, cipher).encode()  # type: ignore[arg-type]
        (tmp_path / "source" / cipher).write_bytes(value)
    with real_kes(mcpy, tmp_path, "fs", "--path", str(tmp_path / "keys")) as file:
        config = ("--config", str(file))
        copied = mcpy("keystore", "copy", "--from", source, "--to", str(file), "--prove")
        assert (copied.exit_code, copied.stdout[:13]) == (0, "2 keys copied")
        assert mcpy("kes", "key", "create", "by-kes").exit_code == 0
        assert mcpy("keystore", "check", *config).exit_code == 0
        locked = mcpy("keystore", "lock", "by-kes", *config, "--yes", "--prove")
        assert locked.stdout == "`by-kes` locked at fs (proven through KES).\n"
        refused = mcpy("kes", "key", "create", "by-kes")
        assert (refused.exit_code, "already exists" in refused.stderr) == (1, True)
        assert mcpy("keystore", "unlock", "by-kes", *config, "--prove").exit_code == 0
        erase = ("--yes", "--confirm", "by-kes", "--prove", "--without-impact")
        assert mcpy("keystore", "erase", "by-kes", *config, *erase).exit_code == 0
        assert mcpy("kes", "key", "ls").stdout.split() == ["AES256", "ChaCha20"]
