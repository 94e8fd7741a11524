"""``admin kms env``: the settings that make a MinIO server use a KES."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.models import Alias, KesProfile
from tests.running import ACCESS_KEY, KES_API_KEY, SECRET_KEY, URL
from tests.stub import kes_error

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Reply, Server

PLAINTEXT = base64.b64encode(bytes(32)).decode()
USER = "mcpy: the server is given the identity you use: --cert and --key-file give its own\n"


def tried() -> list[Reply]:
    """Answer as a KES that lets the server use the key."""
    made = {"plaintext": PLAINTEXT, "ciphertext": "AAAA"}
    return [httpx.Response(200, json=made), httpx.Response(200, json={"plaintext": PLAINTEXT})]


def info(**variables: str) -> httpx.Response:
    """Answer as a server that was started with ``variables``."""
    node = {"endpoint": "node0:9000", "state": "online", "minio_env_vars": variables}
    return httpx.Response(200, json={"mode": "online", "servers": [node]})


def reads_a_file() -> httpx.Response:
    return info(MINIO_CONFIG_ENV_FILE="/etc/default/minio")


@pytest.fixture
def files(mcpy: Mcpy, tmp_path: Path) -> list[str]:
    """An environment of the original page: a server, a certificate and its key."""
    cert, key = tmp_path / "root.cert", tmp_path / "root.key"
    cert.write_text("cert")
    key.write_text("key")
    mcpy.env |= {
        "KES_SERVER": "https://kes.test:7373",
        "KES_CLIENT_CERT": str(cert),
        "KES_CLIENT_KEY": str(key),
    }
    return [
        "MINIO_KMS_KES_ENDPOINT=https://kes.test:7373",
        f"MINIO_KMS_KES_KEY_FILE={key}",
        f"MINIO_KMS_KES_CERT_FILE={cert}",
        "MINIO_KMS_KES_KEY_NAME=k",
    ]


def test_the_settings_are_printed(mcpy: Mcpy, server: Server, files: list[str]) -> None:
    server.replies = tried()
    result = mcpy("admin", "kms", "env", "play", "--key", "k")
    assert result == (0, "\n".join(files) + "\n", USER)
    assert server.calls == ["PUT /v1/key/generate/k", "PUT /v1/key/decrypt/k"]


def test_they_may_be_printed_for_a_shell(mcpy: Mcpy, server: Server, files: list[str]) -> None:
    server.replies = tried()
    result = mcpy("admin", "kms", "env", "play", "--key", "k", "--export")
    assert result.stdout == "".join(f"export {line}\n" for line in files)


def test_the_ca_is_part_of_them(
    mcpy: Mcpy, server: Server, files: list[str], tmp_path: Path
) -> None:
    server.replies = tried()
    mcpy.env["MCPY_KES_CA"] = str(tmp_path / "ca.crt")
    result = mcpy("admin", "kms", "env", "play", "--key", "k")
    assert f"MINIO_KMS_KES_CAPATH={tmp_path / 'ca.crt'}" in result.stdout.splitlines()
    assert len(result.stdout.splitlines()) == len(files) + 1


def test_they_are_merged_into_a_file(
    mcpy: Mcpy, server: Server, files: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "minio.env"
    file.write_text("MINIO_ROOT_USER=admin\n")
    server.replies = [*tried(), reads_a_file()]
    assert mcpy("admin", "kms", "env", "play", "--key", "k", "--write", str(file)) == (
        0,
        f"Wrote 4 settings to {file}.\n",
        f"{USER}mcpy: next: mcpy admin service restart play\n",
    )
    assert file.read_text() == "\n".join(["MINIO_ROOT_USER=admin", *files]) + "\n"


def test_writing_them_twice_changes_nothing(
    mcpy: Mcpy, server: Server, files: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "minio.env"
    file.write_text("\n".join(files) + "\n")
    server.replies = [*tried(), reads_a_file()]
    result = mcpy("admin", "kms", "env", "play", "--key", "k", "--write", str(file))
    assert result.stdout == f"{file} holds these settings already: nothing changed.\n"


def test_settings_that_contradict_the_file_are_refused(
    mcpy: Mcpy, server: Server, files: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "minio.env"
    file.write_text("MINIO_KMS_SECRET_KEY=k:abc\n")
    server.replies = tried()
    result = mcpy("admin", "kms", "env", "play", "--key", "k", "--write", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the file sets MINIO_KMS_SECRET_KEY" in result.stderr
    assert file.read_text() == "MINIO_KMS_SECRET_KEY=k:abc\n"
    assert files


@pytest.mark.usefixtures("files")
class TestTheKeyIsLookedFor:
    """MinIO makes a missing default key at its start, typing error and all."""

    def test_a_key_that_is_not_there_is_refused(self, mcpy: Mcpy, server: Server) -> None:
        server.replies = [kes_error(404, "key does not exist")]
        assert mcpy("admin", "kms", "env", "play", "--key", "k") == (
            5,
            "",
            "mcpy: error: KES at kes.test:7373 has no key `k`, and MinIO would make it at its"
            " start\n"
            "mcpy: hint: mcpy kes key create k\n",
        )

    def test_not_being_allowed_to_look_is_a_warning(self, mcpy: Mcpy, server: Server) -> None:
        server.replies = [kes_error(403, "not authorized: insufficient permissions")]
        result = mcpy("admin", "kms", "env", "play", "--key", "k")
        assert result.exit_code == 0
        assert "mcpy: warning: KES at kes.test:7373 does not let the server use" in result.stderr

    def test_a_kes_out_of_reach_is_a_warning(self, mcpy: Mcpy, server: Server) -> None:
        server.replies = [httpx.ConnectError("refused")]
        result = mcpy("admin", "kms", "env", "play", "--key", "k")
        assert result.exit_code == 0
        assert "cannot connect to kes.test:7373" in result.stderr

    def test_settings_that_would_not_work_are_not_written(
        self, mcpy: Mcpy, server: Server, tmp_path: Path
    ) -> None:
        file = tmp_path / "minio.env"
        args = ("admin", "kms", "env", "play", "--key", "k", "--write", str(file))
        server.replies = [kes_error(403, "not authorized: insufficient permissions")]
        assert mcpy(*args).exit_code == 4
        server.replies = [httpx.ConnectError("refused")]
        assert mcpy(*args).exit_code == 6
        assert not file.exists()

    def test_a_server_that_reads_no_file_needs_its_unit_restarted(
        self, mcpy: Mcpy, server: Server, tmp_path: Path
    ) -> None:
        server.replies = [*tried(), info()]
        file = str(tmp_path / "minio.env")
        result = mcpy("admin", "kms", "env", "play", "--key", "k", "--write", file)
        assert "next: restart the service unit or container of `play`" in result.stderr

    def test_no_check_asks_nobody(self, mcpy: Mcpy) -> None:
        assert mcpy("admin", "kms", "env", "play", "--key", "k", "--no-check").exit_code == 0


@pytest.mark.usefixtures("kes_env")
class TestAnApiKey:
    """An API key is a secret: it is written, and shown only on request."""

    def test_it_is_hidden_on_the_terminal(self, mcpy: Mcpy, server: Server) -> None:
        server.replies = tried()
        result = mcpy("admin", "kms", "env", "play", "--key", "k")
        assert "MINIO_KMS_KES_API_KEY='*REDACTED*'\n" in result.stdout
        assert "--show-secrets prints it, --write FILE writes it" in result.stderr

    def test_it_is_shown_on_request(self, mcpy: Mcpy, server: Server) -> None:
        server.replies = tried()
        args = ("admin", "kms", "env", "play", "--key", "k", "--show-secrets")
        result = mcpy(*args, reveals=True)
        assert f"MINIO_KMS_KES_API_KEY={KES_API_KEY}\n" in result.stdout

    def test_it_is_written_into_the_file(self, mcpy: Mcpy, server: Server, tmp_path: Path) -> None:
        file = tmp_path / "minio.env"
        server.replies = [*tried(), reads_a_file()]
        args = ("--json", "admin", "kms", "env", "play", "--key", "k", "--write", str(file))
        (answer,) = mcpy(*args).objects
        assert f"MINIO_KMS_KES_API_KEY={KES_API_KEY}\n" in file.read_text()
        assert (answer["file"], answer["changed"]) == (str(file), True)
        assert answer["env"]["MINIO_KMS_KES_API_KEY"] == "*REDACTED*"


def test_the_kes_of_the_alias_goes_before_the_environment(
    mcpy: Mcpy, server: Server, files: list[str]
) -> None:
    kes = KesProfile("https://of-alias.test:7373", "/c.pem", "/k.pem")
    mcpy.store.put(Alias("play", URL, ACCESS_KEY, SECRET_KEY, kes=kes))
    server.replies = tried()
    result = mcpy("admin", "kms", "env", "play", "--key", "k")
    assert result.stdout.startswith("MINIO_KMS_KES_ENDPOINT=https://of-alias.test:7373\n")
    assert "MINIO_KMS_KES_CERT_FILE=/c.pem\n" in result.stdout
    assert server.requests[0].url.host == "of-alias.test"
    assert files


def test_without_an_identity_there_is_nothing_to_set(mcpy: Mcpy) -> None:
    result = mcpy("admin", "kms", "env", "play", "--key", "k")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the server needs an identity at the KES" in result.stderr
