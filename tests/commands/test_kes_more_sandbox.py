"""The commands of KES over real sockets, on the embedded KES."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from mcpy.sandbox.play import Sandbox
from tests.running import Mcpy, Result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.sandbox

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("play")) as running:
        yield running


@pytest.fixture
def run(sandbox: Sandbox, tmp_path: Path) -> Mcpy:
    made = Mcpy(tmp_path / "config", None, env={"HOME": str(tmp_path)})
    made.env |= {"KES_SERVER": sandbox.kes_url, "MCPY_KES_CA": str(sandbox.ca)}
    certs = sandbox.ca.parent
    made.env |= {
        "KES_CLIENT_KEY": str(certs / "root.key"),
        "KES_CLIENT_CERT": str(certs / "root.cert"),
    }
    made.secrets = {KEY}
    return made


def test_kes_is_trusted_by_its_own_authority_beside_one_for_all_servers(
    run: Mcpy, tmp_path: Path
) -> None:
    other = str(tmp_path / "other.cert")
    made = run("kes", "identity", "new", "minio", "--key", f"{other}.key", "--cert", other)
    assert made.exit_code == 0
    assert run("kes", "status", env={"MCPY_CA": other}).exit_code == 0
    assert run("kes", "status", env={"MCPY_CA": other, "MCPY_KES_CA": ""}).exit_code == 6
    assert run("kes", "status", "--ca", other).exit_code == 6


@pytest.mark.parametrize("cipher", ["AES256", "ChaCha20"])
def test_what_an_imported_key_encrypts_it_decrypts_with_the_same_context(
    run: Mcpy, cipher: str
) -> None:
    name = f"imported-{cipher}"
    imported = run("kes", "key", "import", name, "-", "--cipher", cipher, stdin=KEY)
    assert imported == (0, f"Imported key `{name}` for {cipher}.\n", "")
    sealed = run("kes", "key", "encrypt", name, "hello world", "Y3R4")
    assert sealed.exit_code == 0
    opened = run("kes", "key", "decrypt", name, "-", "Y3R4", "--raw", stdin=sealed.stdout)
    assert opened == (0, "hello world", "")
    other = run("kes", "key", "decrypt", name, "-", "eA==", stdin=sealed.stdout)
    assert (other.exit_code, other.stdout) == (1, "")


def test_a_data_key_comes_back_from_its_ciphertext(run: Mcpy) -> None:
    assert run("kes", "key", "create", "for-dek").exit_code == 0
    (made,) = run("kes", "key", "dek", "for-dek", "--json").objects
    opened = run("kes", "key", "decrypt", "for-dek", made["ciphertext"], "--json")
    assert opened.objects == [{"plaintext": made["plaintext"]}]


def test_an_hmac_is_the_same_each_time(run: Mcpy) -> None:
    assert run("kes", "key", "create", "for-hmac").exit_code == 0
    first, second = (run("kes", "key", "hmac", "for-hmac", "x") for _ in range(2))
    assert first.exit_code == 0
    assert first == second


def test_an_encrypted_identity_is_let_in_by_its_password(run: Mcpy, tmp_path: Path) -> None:
    key, cert = str(tmp_path / "new.key"), str(tmp_path / "new.crt")
    password = {"MCPY_KES_KEY_PASSWORD": "correct horse"}
    args = ("--key", key, "--cert", cert, "--encrypt")
    assert run("kes", "identity", "new", *args, env=password).exit_code == 0
    identity = run("kes", "identity", "of", cert).stdout.strip()
    me = {"KES_CLIENT_KEY": key, "KES_CLIENT_CERT": cert} | password
    assert run("kes", "version", env=me).exit_code == 0
    found = run("kes", "identity", "info", env=me)
    assert (found.exit_code, found.stdout) == (4, "")
    assert found.stderr.startswith(f"mcpy: error: you are {identity}, and your policy")


def test_who_may_do_nothing_learns_what_is_missing(run: Mcpy) -> None:
    api_key = run("kes", "identity").stdout.strip()
    me = {"KES_CLIENT_KEY": "", "KES_CLIENT_CERT": "", "KES_API_KEY": api_key}
    result = run("kes", "policy", "check", "--json", env=me)
    assert result.exit_code == 3
    assert [api["allowed"] for api in result.objects[0]["apis"]] == [False] * 9


def test_the_admin_is_shown_to_be_able_to_do_everything(run: Mcpy) -> None:
    before = run("kes", "key", "ls").stdout
    result = run("kes", "policy", "check", "--json", "--for-key", "never-made")
    assert (result.exit_code, result.stderr) == (0, "")
    assert all(api["allowed"] for api in result.objects[0]["apis"])
    assert run("kes", "key", "ls").stdout == before


def test_the_audit_log_shows_what_happens_while_it_is_followed(run: Mcpy) -> None:
    found: list[Result] = []
    follower = threading.Thread(
        target=lambda: found.append(run("kes", "log", "--json", "--timeout", "3s"))
    )
    follower.start()
    for number in range(20):  # the log begins when its reader is there, whenever that is
        assert run("kes", "key", "create", f"logged-{number}").exit_code == 0
        time.sleep(0.1)
    follower.join()
    assert (found[0].exit_code, found[0].stderr) == (0, "")
    paths = [event["request"]["path"] for event in found[0].objects]
    assert "/v1/key/create/logged-19" in paths


def test_the_counters_of_a_server_are_those_of_kes(run: Mcpy) -> None:
    run("kes", "key", "ls")  # a server nobody asked has counted nothing
    (found,) = run("kes", "metric", "--once", "--json").objects
    assert found["kes_http_request_success"] > 0
    assert found["kes_http_response_time"]["10000000000"] > 0
