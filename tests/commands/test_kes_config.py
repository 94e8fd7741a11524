"""``kes config``: findings, exit codes, and new files that the real server accepts."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest

from tests.keystores.vault_server import Vault, serving
from tests.running import Mcpy, Terminal

GOOD = "admin: {identity: disabled}\ntls: {key: k, cert: c}\nkeystore: {fs: {path: /k}}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration with an error in line 2 and a warning in line 4."""
    path = tmp_path / "kes.yml"
    path.write_text(GOOD.replace("tls: {", "tls: {bogus: 1, ") + "policy: {p: {}}\n")
    return path


def test_findings_are_lines_an_editor_jumps_to(mcpy: Mcpy, file: Path) -> None:
    code, out, err = mcpy("kes", "config", "lint", "--elsewhere", str(file))
    assert code == 3
    assert out.splitlines()[0] == (
        f"{file}:2: error: tls.bogus: unknown field: KES ignores it without a word (remove it)"
    )
    assert err.splitlines()[-1] == f"mcpy: error: {file}: 1 error, 1 warning"


def test_findings_are_one_json_object_a_line(mcpy: Mcpy, file: Path) -> None:
    result = mcpy("kes", "config", "lint", "--elsewhere", "--json", str(file))
    assert result.exit_code == 3
    assert result.objects[0] == {
        "status": "success",
        "file": str(file),
        "severity": "error",
        "line": 2,
        "path": "tls.bogus",
        "message": "unknown field: KES ignores it without a word",
        "fix": "remove it",
    }
    assert result.objects[-1]["status"] == "error"


def test_warnings_alone_are_no_finding_unless_strict(mcpy: Mcpy, file: Path) -> None:
    file.write_text(GOOD + "policy: {p: {}}\n")
    assert mcpy("kes", "config", "lint", "--elsewhere", str(file)).exit_code == 0
    assert mcpy("kes", "config", "lint", "--elsewhere", "--strict", str(file)).exit_code == 3


def test_a_secret_in_a_file_that_others_read_is_a_warning_of_its_own(
    mcpy: Mcpy, tmp_path: Path
) -> None:
    path = tmp_path / "kes.yml"
    path.write_text(VAULT.replace("${S}", "hush-hush"))
    mcpy.secrets.add("hush-hush")
    told = f"others than its owner may read the secret in it (chmod 600 {path})\n"
    path.chmod(0o644)
    assert told in mcpy("kes", "config", "lint", str(path)).stdout
    assert told not in mcpy("kes", "config", "lint", "--elsewhere", str(path)).stdout
    path.chmod(0o600)
    assert told not in mcpy("kes", "config", "lint", str(path)).stdout


VAULT = (
    "admin: {identity: disabled}\ntls: {key: k, cert: c}\nkeystore:\n  vault: {endpoint: 'URL', "
    "engine: kv, version: v2, prefix: kes, approle: {id: r, secret: '${S}'}}\n"
)


@pytest.mark.usefixtures("loopback")
def test_the_keystore_itself_is_looked_at_when_that_is_asked(mcpy: Mcpy, tmp_path: Path) -> None:
    """A KES told v2 of a v1 engine answers success to deletions, and keeps the key."""
    vault, path = Vault(), tmp_path / "kes.yml"
    vault.entries["kv/metadata/kes/team/a"] = {}
    mcpy.transport = None
    with serving(vault) as url:
        path.write_text(VAULT.replace("URL", url))
        lint = ("kes", "config", "lint", "--elsewhere", str(path))
        env = {"S": vault.secret_id}
        assert mcpy(*lint, env=env).exit_code == 0
        code, out, _ = mcpy(*lint, "--ask", env=env)
        assert code == 3
        assert out.splitlines()[-2:] == [
            f"{path}:3: error: keystore: engine: is v1, and the config says v2: deletions then "
            "answer success and do nothing",
            f"{path}:3: warning: keystore: names: 1 entries KES lists and cannot address: team/",
        ]
        assert not [c for c in vault.calls if not c.startswith(("GET", "PUT /v1/auth"))]
        denied = mcpy(*lint, "--ask", env={"S": "wrong"})
        assert "keystore: the keystore: Vault refused to sign in by approle" in denied.stdout
        assert denied.exit_code == 3


def test_a_file_that_cannot_be_read_is_a_failure(mcpy: Mcpy, tmp_path: Path) -> None:
    missing = tmp_path / "none.yml"
    assert mcpy("kes", "config", "lint", str(missing)) == (
        1, "", f"mcpy: error: cannot read {missing}: No such file or directory\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    "raw", [b"", b"a: 1\na: 2\n", b"a:\n\tb: 1\n", b"a: *b\n", b"\xff", b"- a\n"]
)
def test_what_kes_cannot_read_is_a_finding(mcpy: Mcpy, tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "kes.yml"
    path.write_bytes(raw)
    result = mcpy("kes", "config", "lint", str(path))
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith(f"mcpy: error: {path}")
    assert result.stderr.endswith(": KES does not start\n")


ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("fs --path /k --admin kes:v1:hush-hush", "--admin is an identity: 64 digits of 0-9 "
         "and a-f"),
        (f"fs --path /k --admin {ID.upper()}", "--admin is an identity: 64 digits of 0-9 and a-f"),
        ("fs --path /k --minio disabled", "--minio is an identity: 64 digits of 0-9 and a-f"),
        (f"fs --path /k --admin {ID} --minio {ID}", "the administrator may do everything: "
         "MinIO needs an identity of its own"),
        ("fs --path /k --keys a*b", "--keys is the name of a key, or the start of names with "
         "`*` after it"),
        ("fs --path /k --create my-key --keys other*", "MinIO may not use `my-key`, which "
         "--create makes: --keys other*"),
        ("fs --path /k --address localhost:7373", "address: KES does not start: a host name, and "
         "only an IP address will do"),
        ("vault --endpoint https://v --region eu", "--region is a setting of aws"),
        ("vault --endpoint v:8200", "keystore.vault.endpoint: KES does not start: no https:// in "
         "front"),
        ("vault --endpoint https://u:hush-hush@v", "keystore.vault.endpoint: must not hold a "
         "user: credentials stand apart"),
        ("azure --endpoint https://u:hush-hush@v", "keystore.azure.keyvault.endpoint: must not "
         "hold a user: credentials stand apart"),
    ],
)  # fmt: skip
def test_a_new_configuration_holds_no_secret_and_nothing_kes_refuses(
    mcpy: Mcpy, tmp_path: Path, line: str, told: str
) -> None:
    out = tmp_path / "kes.yml"
    code, stdout, stderr = mcpy("kes", "config", "new", *line.split(), "--out", str(out))
    assert (code, stdout) == (2, "")
    assert stderr.splitlines()[0] == f"mcpy: error: {told}"
    assert "hush-hush" not in stderr
    assert not out.exists()


def test_slashes_around_engine_and_prefix_do_not_get_into_paths(mcpy: Mcpy) -> None:
    words = ["--endpoint", "https://v", "--engine", "/kv/", "--prefix", "/kes/"]
    code, out, err = mcpy("kes", "config", "new", "vault", *words)
    assert code == 0
    assert "engine: kv\n" in out
    assert "prefix: kes\n" in out
    assert 'path "kv/data/kes/*"' in err


def test_nothing_is_written_when_one_of_the_files_exists(mcpy: Mcpy, tmp_path: Path) -> None:
    out, policy = tmp_path / "kes.yml", tmp_path / "policy"
    policy.write_text("mine")
    words = ["--path", "/k", "--out", str(out), "--policy-out", str(policy)]
    result = mcpy("kes", "config", "new", "fs", *words)
    assert (result.exit_code, out.exists(), policy.read_text()) == (2, False, "mine")


def test_a_new_configuration_goes_to_stdout_and_its_policy_to_stderr(mcpy: Mcpy) -> None:
    code, out, err = mcpy("kes", "config", "new", "vault", "--endpoint", "https://vault.test")
    assert code == 0
    assert "    endpoint: https://vault.test\n" in out
    assert 'path "kv/data/kes/*" { capabilities = ["create", "read"] }' in err
    assert "KES_VAULT_APPROLE_SECRET" in err.splitlines()[-1]


def test_a_new_configuration_is_written_and_not_over_another(mcpy: Mcpy, tmp_path: Path) -> None:
    out, policy = tmp_path / "kes.yml", tmp_path / "policy.hcl"
    args = ["kes", "config", "new", "vault", "--endpoint", "https://v", "--out", str(out)]
    args += ["--policy-out", str(policy)]
    code, stdout, _ = mcpy(*args)
    assert (code, stdout) == (0, f"Wrote `{out}`.\n")
    assert out.stat().st_mode & 0o777 == 0o600
    assert policy.read_text().startswith("# vault policy write kes FILE")
    assert mcpy(*args) == (
        2, "", f"mcpy: error: {out} exists\nmcpy: hint: --force replaces it\n"
    )  # fmt: skip


def test_json_holds_file_and_policy(mcpy: Mcpy) -> None:
    result = mcpy("kes", "config", "new", "aws", "--region", "eu-west-1", "--json")
    found = result.objects[0]
    assert (result.exit_code, found["provider"]) == (0, "aws")
    assert found["variables"][-2:] == ["KES_AWS_ACCESS_KEY", "KES_AWS_SECRET_KEY"]
    assert "secretsmanager:CreateSecret" in found["policy"]
    assert "PutSecretValue" not in found["policy"]
    assert "secretsmanager:PutSecretValue" in found["operatorPolicy"]


def test_what_is_missing_is_named_without_a_terminal(mcpy: Mcpy) -> None:
    assert mcpy("kes", "config", "new", "gcp") == (
        2, "", "mcpy: error: the Google project is missing\nmcpy: hint: --project\n"
    )  # fmt: skip


def test_what_is_missing_is_asked_for_on_a_terminal(
    mcpy: Mcpy, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = Terminal("my-project\n")
    monkeypatch.setattr("sys.stdin", stdin)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    code, out, _ = mcpy("kes", "config", "new", "gcp", stdin=stdin)
    assert code == 0
    assert "project_id: my-project" in out


def kes_says(folder: Path, text: str, env: dict[str, str]) -> str:
    """Return what the real server prints in its first seconds with a configuration."""
    (folder / "kes.yml").write_text(text)
    kes = Path(os.environ["MCPY_PEERS_BIN"], "kes")
    command = [str(kes), "server", "--config", "kes.yml", "--addr", "127.0.0.1:0"]
    try:
        done = subprocess.run(
            command, cwd=folder, env=env, timeout=5, check=False, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired as e:
        said: bytes = (e.stdout or b"") + (e.stderr or b"")
        return said.decode()
    return done.stdout + done.stderr


@pytest.fixture
def kes_folder(tmp_path: Path) -> Path:
    """A folder with the certificate the configurations name."""
    if not os.environ.get("MCPY_PEERS_BIN"):
        pytest.skip("MCPY_PEERS_BIN names no folder with the real kes")
    kes = Path(os.environ["MCPY_PEERS_BIN"], "kes")
    command = [str(kes), "identity", "new", "--key", "private.key", "--cert", "public.crt"]
    subprocess.run([*command, "--ip", "127.0.0.1"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


@pytest.mark.peers
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("fs", "--path", "keys"), "Filesystem: "),
        (("vault", "--endpoint", "http://127.0.0.1:1"), "/v1/auth/approle/login"),
        (("aws", "--region", "r", "--endpoint", "http://127.0.0.1:1"), "keystore unreachable"),
        (("azure", "--endpoint", "https://127.0.0.1:1"), "Azure KeyVault: "),
        (("ciphertrust", "--endpoint", "https://127.0.0.1:1"), "/api/v1/auth/tokens"),
    ],
)
def test_the_real_server_accepts_a_new_configuration(
    mcpy: Mcpy, kes_folder: Path, args: tuple[str, ...], says: str
) -> None:
    result = mcpy("kes", "config", "new", *args, "--json")
    found = result.objects[0]
    env = dict.fromkeys(found["variables"], "x") | {"MINIO_KES_IDENTITY": "a" * 64}
    assert says in kes_says(kes_folder, found["config"], env)


@pytest.mark.peers
def test_the_real_server_starts_with_what_lint_calls_an_error(kes_folder: Path) -> None:
    text = "admin: {identity: disabled}\ntls: {key: private.key, cert: public.crt}\n"
    text += "keystore: {fs: {path: keys}}\npolicy: {p: {alow: [/v1/key/*/x]}}\n"
    assert "Filesystem: " in kes_says(kes_folder, text, {})
