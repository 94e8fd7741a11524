"""New identities in files and as API keys, and the ways to look one up."""

from __future__ import annotations

import base64
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from cryptography import x509

from mcpy.api import kes_identity
from mcpy.commands.kes.identity_new import parse_expiry
from mcpy.errors import InputError
from tests.recordings import kes_vectors
from tests.running import KES_API_KEY
from tests.stub import kes_error

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server

KNOWN = kes_vectors()["identity"]
SERVER_TIME = "2026-11-23T12:39:43.026016482Z"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def new_files(mcpy: Mcpy, folder: Path, *more: str, **env: str) -> tuple[Path, Path]:
    key, cert = folder / "new.key", folder / "new.crt"
    result = mcpy("kes", "identity", "new", "--key", str(key), "--cert", str(cert), *more, env=env)
    assert (result.exit_code, result.stderr) == (0, "")
    return key, cert


def test_the_bare_word_makes_an_api_key(mcpy: Mcpy) -> None:
    code, stdout, stderr = mcpy("kes", "identity")
    assert (code, stderr) == (0, "")
    assert stdout.startswith("kes:v1:")
    assert len(base64.b64decode(stdout.strip().removeprefix("kes:v1:"))) == 33


def test_a_new_identity_is_the_one_its_api_key_has(mcpy: Mcpy) -> None:
    made = mcpy("kes", "identity", "new", "--json").objects[0]
    assert set(made) == {"status", "identity", "api_key"}
    found = mcpy("kes", "identity", "of", made["api_key"])
    assert found == (0, made["identity"] + "\n", "")


@pytest.mark.parametrize("words", [("identity",), ("identity", "of")])
def test_a_certificate_and_an_api_key_have_the_same_identity(
    mcpy: Mcpy, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "user.cert").write_text(KNOWN["cert_pem"])
    for source in (str(tmp_path / "user.cert"), KNOWN["api_key"], KNOWN["api_key"][7:]):
        assert mcpy("kes", *words, source) == (0, KNOWN["identity"] + "\n", "")


def test_a_private_key_file_gives_its_api_key(mcpy: Mcpy, tmp_path: Path) -> None:
    (tmp_path / "user.key").write_text(KNOWN["key_pem"])
    result = mcpy("kes", "identity", str(tmp_path / "user.key"), reveals=True)
    assert result == (0, KNOWN["api_key"] + "\n", "")


def test_a_word_that_is_nothing_is_not_repeated(mcpy: Mcpy) -> None:
    assert mcpy("kes", "identity", "kse:v1:mistyped-secret") == (
        1,
        "",
        "mcpy: error: the argument is neither a certificate file nor an API key\n",
    )


def test_a_file_without_key_or_certificate_is_named(mcpy: Mcpy, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("hello")
    assert mcpy("kes", "identity", str(tmp_path / "notes")) == (
        1,
        "",
        f"mcpy: error: {tmp_path}/notes is not a certificate in PEM\n",
    )


def test_new_files_are_private_and_say_when_they_end(mcpy: Mcpy, tmp_path: Path) -> None:
    key, cert = tmp_path / "new.key", tmp_path / "new.crt"
    before = datetime.now(UTC).replace(microsecond=0)
    args = ["--key", str(key), "--cert", str(cert), "--expiry", "36h", "--ip", "127.0.0.1"]
    made = mcpy("kes", "identity", "new", *args, "--dns", "kes.test", "my-name", "--json")
    (shown,) = made.objects
    end = datetime.fromisoformat(shown["expires"])
    assert timedelta(hours=36) <= end - before < timedelta(hours=36, minutes=1)
    assert (mode(key), mode(cert)) == (0o600, 0o644)
    found = x509.load_pem_x509_certificate(cert.read_bytes())
    assert found.not_valid_after_utc == end
    assert found.subject.rfc4514_string() == "CN=my-name"
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kes.test"]
    assert kes_identity.of_certificate(cert.read_bytes(), "") == kes_identity.Certified(
        shown["identity"], is_ca=False, not_after=end
    )


def test_the_api_key_of_files_is_not_printed(mcpy: Mcpy, tmp_path: Path) -> None:
    key, cert = new_files(mcpy, tmp_path)
    api_key = mcpy("kes", "identity", str(key)).stdout.strip()
    mcpy.secrets.add(api_key)
    assert mcpy("kes", "identity", str(cert)).exit_code == 0
    args = ("--key", str(key), "--cert", str(cert), "-f", "--json")
    assert "api_key" not in mcpy("kes", "identity", "new", *args).objects[0]
    assert "api_key" in mcpy("kes", "identity", "new", *args, "--show-secrets").objects[0]


def test_files_that_exist_are_kept(mcpy: Mcpy, tmp_path: Path) -> None:
    key, cert = new_files(mcpy, tmp_path)
    old = key.read_bytes(), cert.read_bytes()
    result = mcpy("kes", "identity", "new", "--key", str(key), "--cert", str(cert))
    assert result == (
        1,
        "",
        f"mcpy: error: {key} and {cert} would be overwritten\n"
        "mcpy: hint: --force overwrites what is there\n",
    )
    assert (key.read_bytes(), cert.read_bytes()) == old


def test_no_file_is_left_when_one_cannot_be_written(mcpy: Mcpy, tmp_path: Path) -> None:
    key, cert = tmp_path / "new.key", tmp_path / "no" / "new.crt"
    result = mcpy("kes", "identity", "new", "--key", str(key), "--cert", str(cert))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot write" in result.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name != "config"] == []


def test_an_encrypted_key_opens_with_its_password_alone(mcpy: Mcpy, tmp_path: Path) -> None:
    mcpy.secrets.add("correct horse")
    password = {"MCPY_KES_KEY_PASSWORD": "correct horse"}
    key, cert = new_files(mcpy, tmp_path, "--encrypt", **password)
    assert b"DEK-Info: AES-256-CBC," in key.read_bytes()
    assert mode(key) == 0o600
    api_key = mcpy("kes", "identity", str(key), env=password).stdout.strip()
    identity = mcpy("kes", "identity", "of", str(cert)).stdout
    assert mcpy("kes", "identity", "of", api_key).stdout == identity
    wrong = mcpy("kes", "identity", str(key), env={"MCPY_KES_KEY_PASSWORD": "wrong-one"})
    assert wrong == (
        1,
        "",
        f"mcpy: error: the password does not open the private key {key}\n",
    )


def test_a_password_comes_from_stdin_without_a_terminal(mcpy: Mcpy, tmp_path: Path) -> None:
    key = tmp_path / "new.key"
    args = ("--key", str(key), "--cert", str(tmp_path / "new.crt"), "--encrypt")
    assert mcpy("kes", "identity", "new", *args, stdin="secret\n").exit_code == 0
    env = {"MCPY_KES_KEY_PASSWORD": "secret"}
    assert mcpy("kes", "identity", str(key), env=env).exit_code == 0


def test_a_key_that_openssl_encrypted_in_the_same_form_is_opened() -> None:
    key = kes_identity.of_private_key(KNOWN["key_pem"].encode(), "", str)
    iv = bytes(range(16))
    sealed = kes_identity.private_key_pem(key, "pw", iv=iv)
    assert (
        kes_identity.api_key(kes_identity.of_private_key(sealed, "", lambda: "pw"))
        == (KNOWN["api_key"])
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--key", "k"], "a private key and its certificate: give both --key and --cert"),
        (["--cert", "c"], "a private key and its certificate: give both --key and --cert"),
        (["--key", "k", "--cert", "k"], "--key and --cert name the same file"),
        (["--ip", "1.2.3.4"], "--ip is for files"),
        (["--encrypt"], "--encrypt is for files"),
        (["--key", "k", "--cert", "c", "--ip", "nope"], "`nope` is not an IP address"),
        (
            ["--key", "k", "--cert", "c", "--expiry", "-1h"],
            "`-1h` is not a duration such as 720h or 365d",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(mcpy: Mcpy, args: list[str], words: str) -> None:
    result = mcpy("kes", "identity", "new", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[0] == f"mcpy: error: {words}"


def test_expiries_are_read_as_go_writes_them() -> None:
    assert parse_expiry("1h30m") == timedelta(hours=1, minutes=30)
    assert parse_expiry("365d") == timedelta(days=365)
    for text in ("", "0h", "1", "1w", "1000000000h"):
        with pytest.raises(InputError):
            parse_expiry(text)


def test_a_certificate_of_an_authority_is_pointed_out(mcpy: Mcpy, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    name = x509.Name([])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None)
    )
    path = tmp_path / "ca.crt"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    result = mcpy("kes", "identity", "of", str(path))
    assert (result.exit_code, len(result.stdout)) == (0, 65)
    assert "KES takes it from no client" in result.stderr


@pytest.mark.usefixtures("kes_env")
def test_the_admin_is_told_who_it_is_in_json(mcpy: Mcpy, server: Server) -> None:
    told = {"identity": KNOWN["identity"], "admin": True, "created_at": SERVER_TIME}
    server.replies = [httpx.Response(200, json=told)]
    result = mcpy("kes", "identity", "info", "--json")
    assert (result.exit_code, result.objects, result.stderr) == (0, [told], "")
    assert server.calls == ["GET /v1/identity/self/describe"]


@pytest.mark.usefixtures("kes_env")
def test_whoever_is_not_the_admin_is_looked_up_by_name(mcpy: Mcpy, server: Server) -> None:
    told = {"policy": "my-app", "created_at": SERVER_TIME, "created_by": "ab"}
    server.replies = [kes_error(404, "identity does not exist"), httpx.Response(200, json=told)]
    assert mcpy("kes", "identity", "info") == (
        0,
        f"Identity    {KNOWN['identity']}\nPolicy      my-app\n"
        f"Created At  {SERVER_TIME}\nRole        User\nCreated By  ab\n",
        "",
    )
    assert server.calls[1] == f"GET /v1/identity/describe/{KNOWN['identity']}"


@pytest.mark.usefixtures("kes_env")
def test_whoever_may_not_look_learns_its_name_at_least(mcpy: Mcpy, server: Server) -> None:
    refusal = kes_error(403, "not authorized: insufficient permissions")
    server.replies = [kes_error(404, "identity does not exist"), refusal]
    result = mcpy("kes", "identity", "info")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.startswith(f"mcpy: error: you are {KNOWN['identity']}, and")


@pytest.mark.usefixtures("kes_env")
def test_an_identity_nobody_knows_is_not_found(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kes_error(404, "identity does not exist")]
    assert mcpy("kes", "identity", "info", "nope") == (
        5,
        "",
        "mcpy: error: identity `nope`: identity does not exist\n"
        "mcpy: hint: mcpy kes identity ls\n",
    )


@pytest.mark.usefixtures("kes_env")
def test_identities_are_listed_as_the_one_array_of_kes(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"identities": ["b", "a"], "continue_at": ""})]
    assert mcpy("kes", "identity", "ls", "--json") == (0, '["a","b"]\n', "")
    assert server.calls == ["GET /v1/identity/list/*"]


def test_the_api_key_of_the_tests_is_the_vector() -> None:
    assert KNOWN["api_key"] == KES_API_KEY


@pytest.mark.parametrize("command", [("identity", "of"), ("identity",)])
def test_what_is_too_long_for_a_file_is_not_repeated(mcpy: Mcpy, command: tuple[str, ...]) -> None:
    message = "mcpy: error: the argument is neither a certificate file nor an API key\n"
    assert mcpy("kes", *command, "x" * 300) == (1, "", message)
