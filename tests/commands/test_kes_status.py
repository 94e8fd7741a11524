"""``kes status`` and ``kes identity of``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.recordings import kes_vectors
from tests.running import KES_API_KEY
from tests.stub import kes_error, ok

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server

STATE = {
    "version": "v1",
    "os": "linux",
    "arch": "amd64",
    "uptime": 51,
    "num_cpu": 4,
    "num_cpu_used": 2,
    "mem_heap_used": 3 * 1024 * 1024,
    "mem_stack_used": 1024 * 1024,
    "keystore_latency": 7,
}
VECTOR = kes_vectors()["identity"]


@pytest.mark.usefixtures("kes_env")
class TestStatus:
    """``kes status`` over a scripted KES."""

    def test_it_shows_one_fact_a_line(self, mcpy: Mcpy, server: Server) -> None:
        server.replies = [httpx.Response(200, json=STATE), ok()]
        result = mcpy("kes", "status")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith("● kes.test:7373\n  Version  v1\n  Uptime   51 s\n")
        assert "  Heap     3.0 MiB\n" in result.stdout
        assert server.calls == ["GET /v1/status", "GET /v1/ready"]

    def test_its_json_has_the_fields_of_kes(self, mcpy: Mcpy, server: Server) -> None:
        server.replies = [httpx.Response(200, json=STATE), ok()]
        assert mcpy("--json", "kes", "status").objects == [STATE | {"server": "kes.test:7373"}]

    def test_a_keystore_out_of_reach_is_unreachable(self, mcpy: Mcpy, server: Server) -> None:
        server.replies = [httpx.Response(200, json=STATE | {"keystore_unreachable": True})]
        result = mcpy("kes", "status")
        assert result.exit_code == 6
        assert result.stderr == (
            "mcpy: error: the keystore behind kes.test:7373 cannot be reached\n"
        )

    @pytest.mark.parametrize("status", [502, 504])
    def test_a_kes_that_is_not_ready_is_unreachable(
        self, mcpy: Mcpy, server: Server, status: int
    ) -> None:
        refusals = [kes_error(status, "key store is not reachable") for _ in range(4)]
        server.replies = [httpx.Response(200, json=STATE), *refusals]
        result = mcpy("kes", "status")
        assert result.exit_code == 6
        assert result.stderr == "mcpy: error: kes.test:7373: key store is not reachable\n"

    def test_not_being_allowed_to_ask_for_readiness_is_no_failure(
        self, mcpy: Mcpy, server: Server
    ) -> None:
        server.replies = [httpx.Response(200, json=STATE), kes_error(403, "not authorized")]
        assert mcpy("kes", "status").exit_code == 0

    @pytest.mark.parametrize("body", ["", "{}", "<html></html>", "[]", '{"version":'])
    def test_what_is_no_kes_is_an_error_in_one_line(
        self, mcpy: Mcpy, server: Server, body: str
    ) -> None:
        server.replies = [httpx.Response(200, text=body)]
        result = mcpy("kes", "status")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.count("\n") == 1


def test_the_identity_of_an_api_key_is_that_of_kes(mcpy: Mcpy) -> None:
    result = mcpy("kes", "identity", "of", KES_API_KEY)
    assert result == (0, VECTOR["identity"] + "\n", "")


def test_an_api_key_may_come_from_stdin(mcpy: Mcpy) -> None:
    result = mcpy("kes", "identity", "of", "-", stdin=KES_API_KEY + "\n")
    assert result == (0, VECTOR["identity"] + "\n", "")


def test_the_identity_of_a_certificate_is_that_of_kes(mcpy: Mcpy, tmp_path: Path) -> None:
    cert = tmp_path / "root.cert"
    cert.write_text(VECTOR["cert_pem"])
    result = mcpy("--json", "kes", "identity", "of", str(cert))
    assert result.objects == [{"identity": VECTOR["identity"]}]


@pytest.mark.parametrize("content", ["", "nonsense", VECTOR["key_pem"]])
def test_a_file_that_is_no_certificate_is_named(mcpy: Mcpy, tmp_path: Path, content: str) -> None:
    cert = tmp_path / "root.cert"
    cert.write_text(content)
    assert mcpy("kes", "identity", "of", str(cert)) == (
        1,
        "",
        f"mcpy: error: {cert} is not a certificate in PEM\n",
    )


def test_what_is_neither_file_nor_key_is_not_repeated(mcpy: Mcpy) -> None:
    mistyped = KES_API_KEY.removeprefix("kes:v1:")[:-2]
    mcpy.secrets.add(mistyped)
    result = mcpy("kes", "identity", "of", mistyped)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("mcpy: error: the argument is neither ")


def test_a_certificate_file_that_is_not_there_is_named(mcpy: Mcpy) -> None:
    for name in ("nofile", "certificates/root.cert"):
        assert mcpy("kes", "identity", "of", name) == (
            1,
            "",
            f"mcpy: error: there is no certificate file {name}\n",
        )
