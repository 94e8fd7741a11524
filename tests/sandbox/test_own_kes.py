"""A sandbox and its own KES: the server beside it is asked, wherever it listens by now."""

from __future__ import annotations

import shutil
import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from mcpy.errors import ConfigError, InputError
from mcpy.sandbox import certs
from mcpy.sandbox.home import Home, read_environment
from mcpy.sandbox.hosts import names_of
from mcpy.sandbox.own_kes import follow_address, follow_endpoint
from mcpy.sandbox.play import Sandbox
from tests.peers.world import free_port
from tests.running import Mcpy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.sandbox


def encrypts(sandbox: Sandbox, folder: Path) -> bool:
    """Store an object by SSE-S3 and read it again."""
    (folder / "file").write_bytes(b"content")
    run = Mcpy.on(sandbox, folder)
    run("mb", "-p", "play/bucket")
    stored = run("cp", "--enc-s3", "play/bucket", str(folder / "file"), "play/bucket/o")
    return stored.exit_code == 0 and run("cat", "play/bucket/o").stdout == "content"


def test_a_copied_folder_makes_its_keys_in_its_own_kes(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "w1", kms_key="k"):
        pass
    shutil.copytree(tmp_path / "w1", tmp_path / "w2")
    with Sandbox(tmp_path / "w1"), Sandbox(tmp_path / "w2") as second:
        made = Mcpy.on(second, tmp_path)("admin", "kms", "key", "create", "play", "inw2")
        assert made.exit_code == 0, made.stderr
        assert encrypts(second, tmp_path)
    assert (tmp_path / "w2" / "keys" / "inw2").exists()
    assert not (tmp_path / "w1" / "keys" / "inw2").exists()


@pytest.mark.parametrize("lost", [False, True], ids=["another port", "a damaged state"])
def test_a_kms_is_found_again_at_another_port(tmp_path: Path, lost: bool) -> None:
    with Sandbox(tmp_path / "box", kms_key="k") as first:
        before = first.kes_url
        assert encrypts(first, tmp_path)
    if lost:
        first.home.state_file.write_text("{")
    with Sandbox(tmp_path / "box", kes=f"127.0.0.1:{free_port()}") as again:
        assert again.kes_url != before
        assert encrypts(again, tmp_path)


def test_a_kes_of_somebody_else_stays_the_kms(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    theirs = "MINIO_KMS_KES_ENDPOINT=https://kes.test:7373\nMINIO_KMS_KES_CAPATH=/etc/ca.crt\n"
    home.env_file.write_text(theirs)
    follow_endpoint(home, "https://127.0.0.1:1")
    assert home.env_file.read_text() == theirs
    home.env_file.write_text(
        f"export MINIO_KMS_KES_ENDPOINT='a'\nMINIO_KMS_KES_CAPATH={home.certs}/ca.crt\n"
    )
    follow_endpoint(home, "https://127.0.0.1:1")
    assert read_environment(home.env_file)["MINIO_KMS_KES_ENDPOINT"] == "https://127.0.0.1:1"


def test_kes_yml_says_where_the_kes_listens(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "box") as sandbox:
        text = sandbox.home.kes_yml.read_text()
        assert f"\naddress: {urlsplit(sandbox.kes_url).netloc}\n" in text
    follow_address(sandbox.home, "[::1]:7")
    assert "\naddress: [::1]:7\n" in sandbox.home.kes_yml.read_text()


def test_the_certificate_is_for_what_is_listened_on(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "box") as sandbox:
        before = sandbox.ca.read_bytes()
    with Sandbox(tmp_path / "box") as sandbox:
        assert sandbox.ca.read_bytes() == before  # nothing new, nothing to trust anew
    with Sandbox(tmp_path / "box", kes="127.0.0.2:0", tls=True) as sandbox:
        assert sandbox.kes_url.startswith("https://127.0.0.2:")
        port = urlsplit(sandbox.kes_url).port
        assert port
        context = ssl.create_default_context(cafile=str(sandbox.ca))
        context.load_cert_chain(sandbox.client_cert, sandbox.client_key)
        with socket.create_connection(("127.0.0.2", port), 5) as plain:
            context.wrap_socket(plain, server_hostname="127.0.0.2").close()
        assert Mcpy.on(sandbox, tmp_path)("ls", "play").exit_code == 0


def test_every_address_is_this_machine_s_names_and_is_reached_by_loopback(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "box", kes="0.0.0.0:0", s3="0.0.0.0:0", allow_remote=True) as sandbox:
        assert sandbox.kes_url.startswith("https://127.0.0.1:")
        assert sandbox.s3_url.startswith("http://127.0.0.1:")
        server = (sandbox.home.certs / "server.crt").read_bytes()
    names = names_of(("0.0.0.0",))
    assert len(names) > 3
    assert not certs.is_short_of(server, names)
    assert certs.is_short_of(server, ("elsewhere.test",))


def test_a_certificate_of_somebody_else_is_not_replaced() -> None:
    pair, _ = certs.client("somebody")
    assert not certs.is_short_of(pair.cert_pem, ("elsewhere.test",))


def test_a_sandbox_that_was_not_started_says_so(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "box")
    for ask in (lambda: sandbox.access_key, sandbox.client_kwargs, sandbox.alias, sandbox.env):
        with pytest.raises(ConfigError, match=r"not started yet|does not run"):
            ask()
    assert sandbox.s3_url == ""


def test_an_empty_name_is_an_unset_variable(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="kms_key is empty"):
        Sandbox(tmp_path / "box", kms_key="")
    with pytest.raises(InputError, match="dir is empty"):
        Sandbox("")
