"""Who asks a KES: encrypted private keys, and what the line says against alias and environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from mcpy.api.tls import private_key_from_api_key
from mcpy.models import Alias, KesProfile
from tests.recordings import kes_vectors
from tests.running import ACCESS_KEY, KES_API_KEY, SECRET_KEY, URL, Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server

NOBODY = "127.0.0.1:9"
PASSWORD = "open-sesame-123"


@pytest.fixture
def encrypted(mcpy: Mcpy, tmp_path: Path) -> None:
    """An identity whose private key is encrypted, and a KES where nobody listens."""
    key = private_key_from_api_key(KES_API_KEY)
    pem = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())
    )
    (tmp_path / "root.key").write_bytes(pem)
    (tmp_path / "root.cert").write_text(kes_vectors()["identity"]["cert_pem"])
    mcpy.transport = None
    mcpy.secrets.add(PASSWORD)
    mcpy.env |= {
        "KES_SERVER": NOBODY,
        "KES_CLIENT_KEY": str(tmp_path / "root.key"),
        "KES_CLIENT_CERT": str(tmp_path / "root.cert"),
    }


@pytest.mark.usefixtures("encrypted", "loopback")
class TestAnEncryptedKey:
    """The private key of an identity may be under a password."""

    def test_its_password_comes_from_the_environment(self, mcpy: Mcpy) -> None:
        result = mcpy("kes", "key", "ls", env={"MCPY_KES_KEY_PASSWORD": PASSWORD})
        assert (result.exit_code, result.stdout) == (6, "")
        assert "cannot connect to 127.0.0.1:9" in result.stderr

    def test_without_a_password_it_says_where_to_put_it(self, mcpy: Mcpy) -> None:
        assert mcpy("kes", "key", "ls") == (
            1,
            "",
            "mcpy: error: the client private key is encrypted\n"
            "mcpy: hint: export MCPY_KES_KEY_PASSWORD=...\n",
        )

    def test_a_person_is_asked_for_it(self, mcpy: Mcpy, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("click.prompt", lambda *_, **__: PASSWORD)
        assert mcpy("kes", "key", "ls", stdin=Terminal("")).exit_code == 6

    def test_a_wrong_one_is_not_repeated(self, mcpy: Mcpy) -> None:
        mcpy.secrets.add("wrong-password")
        result = mcpy("kes", "key", "ls", env={"MCPY_KES_KEY_PASSWORD": "wrong-password"})
        assert (result.exit_code, result.stdout) == (1, "")
        assert "the password does not open the private key" in result.stderr


def listed() -> httpx.Response:
    return httpx.Response(200, json={"names": ["a"]})


@pytest.fixture
def alias(mcpy: Mcpy) -> None:
    kes = KesProfile("https://of-alias.test:7373", api_key=KES_API_KEY)
    mcpy.store.put(Alias("play", URL, ACCESS_KEY, SECRET_KEY, kes=kes))


@pytest.mark.usefixtures("alias", "kes_env")
def test_an_alias_goes_before_the_environment(mcpy: Mcpy, server: Server) -> None:
    server.replies = [listed()]
    assert mcpy("kes", "key", "ls", "--alias", "play").exit_code == 0
    assert server.requests[0].url.host == "of-alias.test"


@pytest.mark.usefixtures("alias")
def test_the_line_goes_before_the_alias(mcpy: Mcpy, server: Server) -> None:
    server.replies = [listed()]
    result = mcpy("kes", "key", "ls", "--alias", "play", "--server", "other.test:1")
    assert result.exit_code == 0
    assert server.requests[0].url.host == "other.test"


def test_an_alias_without_a_kes_says_how_to_give_it_one(mcpy: Mcpy) -> None:
    result = mcpy("kes", "key", "ls", "--alias", "play")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the alias `play` has no KES" in result.stderr
    assert "--kes-server URL" in result.stderr


@pytest.mark.usefixtures("kes_env")
def test_a_certificate_on_the_line_goes_before_the_api_key(mcpy: Mcpy, server: Server) -> None:
    server.replies = [listed()]
    assert mcpy("kes", "key", "ls", "--cert", "c.pem", "--key", "k.pem").exit_code == 0


def test_an_api_key_on_the_line_goes_before_a_certificate(mcpy: Mcpy, server: Server) -> None:
    server.replies = [listed()]
    env = {"KES_CLIENT_CERT": "c.pem", "KES_CLIENT_KEY": "k.pem", "KES_SERVER": "kes.test"}
    assert mcpy("kes", "key", "ls", "--api-key", KES_API_KEY, env=env).exit_code == 0


@pytest.mark.usefixtures("kes_env")
def test_an_enclave_is_taken_and_ignored_as_kes_does(mcpy: Mcpy, server: Server) -> None:
    server.replies = [listed()]
    assert mcpy("kes", "key", "ls", "--enclave", "tenant").exit_code == 0


def test_without_a_server_it_is_the_one_on_this_machine(mcpy: Mcpy, server: Server) -> None:
    server.replies = [listed()]
    assert mcpy("kes", "key", "ls", env={"KES_API_KEY": KES_API_KEY}).exit_code == 0
    assert str(server.requests[0].url).startswith("https://127.0.0.1:7373/")


@pytest.mark.parametrize("server", ["127.0.0.1:notaport", "https://[::1", "https://u:p@h", "é..x"])
def test_a_server_that_is_no_url_is_refused_and_not_repeated(mcpy: Mcpy, server: str) -> None:
    env = {"KES_SERVER": server, "KES_API_KEY": KES_API_KEY}
    assert mcpy("kes", "status", env=env) == (
        1,
        "",
        "mcpy: error: a KES server must be HOST[:PORT] or https://HOST[:PORT]\n",
    )
