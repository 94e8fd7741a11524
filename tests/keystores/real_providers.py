"""Providers that are not ours, for tests marked ``peers``: OpenBao, and emulators of clouds.

Programs are looked for in MCPY_PEERS_BIN: ``bao`` (OpenBao), ``gcp-secret-manager-emulator``
(blackwell-systems, its server for gRPC and REST), ``azure-keyvault-emulator`` (calvinchengx).
AWS is moto, when it is installed. CipherTrust is our own stand-in: there is nothing else.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from tests.keystores.clouds import clouds
from tests.keystores.entra import ISSUER, LOGIN, SECRET, TENANT, Entra
from tests.keystores.http_server import Answer, Call, serving
from tests.keystores.providers import Provider, provider
from tests.keystores.test_gcp import account
from tests.peers.world import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.running import Mcpy

_GOOGLE, _VAULT = "secretmanager.googleapis.com", "lab.vault.azure.net"
_CODES = {"NotFound": (404, "NOT_FOUND"), "AlreadyExists": (409, "ALREADY_EXISTS"),
          "FailedPrecondition": (400, "FAILED_PRECONDITION"),
          "InvalidArgument": (400, "INVALID_ARGUMENT")}  # fmt: skip


@contextmanager
def started(program: str, *args: str, port: int, folder: Path) -> Iterator[None]:
    """Run a program until it listens on a port, and end it afterwards."""
    path = Path(os.environ.get("MCPY_PEERS_BIN", ""), program)
    if not path.is_file():
        pytest.skip(f"MCPY_PEERS_BIN has no {program}")
    with (folder / f"{program}.log").open("wb") as log:
        process = subprocess.Popen([path, *args], cwd=folder, stdout=log, stderr=log)
        try:
            _await(port)
            yield
        finally:
            process.terminate()
            process.wait(10)


def _await(port: int) -> None:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=1)
        except httpx.RemoteProtocolError:
            return  # it speaks something else, and it is there
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(port)


@contextmanager
def openbao(mcpy: Mcpy, folder: Path, version: str, *more: str) -> Iterator[Provider]:
    """Run OpenBao with the policies ``kes config new`` prints: one for KES, one for mcpy."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    args = ("vault", "--endpoint", url, "--engine", "keys", "--engine-version", version, *more)
    listen = f"-dev-listen-address=127.0.0.1:{port}"
    dev = ("server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root", listen)
    with started("bao", *dev, port=port, folder=folder):
        root = httpx.Client(base_url=f"{url}/v1/", headers={"X-Vault-Token": "root"})

        def put(path: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401
            reply = root.post(path, json=body)
            assert reply.is_success, reply.text
            return dict(reply.json()) if reply.content else {}

        put("sys/mounts/keys", type="kv", options={"version": version[1]})
        if more:
            put("sys/mounts/transit", type="transit")
            put("transit/keys/t")
        printed = json.loads(mcpy("kes", "config", "new", *args, "--json").stdout)
        put("sys/policies/acl/kes", policy=printed["policy"])
        put("sys/policies/acl/operator", policy=printed["operatorPolicy"])
        put("sys/auth/approle", type="approle")
        put("auth/approle/role/kes", token_policies="kes", token_ttl="20m")
        role = root.get("auth/approle/role/kes/role-id").json()["data"]["role_id"]
        secret = put("auth/approle/role/kes/secret-id")["data"]["secret_id"]
        token = put("auth/token/create", policies=["operator"])["auth"]["client_token"]
        root.close()
        env = {"KES_VAULT_APPROLE_ID": role, "KES_VAULT_APPROLE_SECRET": secret}
        yield Provider(args, env | {"MCPY_VAULT_TOKEN": token}, url, (secret, token))


@contextmanager
def moto() -> Iterator[Provider]:
    """Run moto's server in a thread."""
    server: Any = pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("botocore", reason="the extra `aws` is not installed")
    thread = cast("Any", server).ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    thread.start()
    host, port = thread.get_host_and_port()
    env = {"KES_AWS_ACCESS_KEY": "AKIATHROWAWAY", "KES_AWS_SECRET_KEY": "throw-away-secret"}
    args = ("aws", "--region", "eu-west-1", "--endpoint", f"http://{host}:{port}")
    try:
        yield Provider(args, env, thread, ("throw-away-secret",))
    finally:
        thread.stop()


@contextmanager
def google(folder: Path) -> Iterator[Provider]:
    """Run the emulator: KES by gRPC, mcpy by REST, both at Google's own host name."""
    pytest.importorskip("google.auth", reason="the extra `gcp` is not installed")
    grpc, rest = free_port(), free_port()
    args = ("--grpc-port", str(grpc), "--http-port", str(rest))
    key = account()
    env = {
        "KES_GCP_CLIENT_EMAIL": key.client_email,
        "KES_GCP_CLIENT_ID": key.client_id,
        "KES_GCP_PRIVATE_KEY_ID": key.private_key_id,
        "KES_GCP_PRIVATE_KEY": key.private_key.replace("\n", "\\n"),
    }
    with ExitStack() as stack:
        stack.enter_context(
            started("gcp-secret-manager-emulator", *args, port=rest, folder=folder)
        )
        front = stack.enter_context(serving(_as_google(f"http://127.0.0.1:{rest}")))
        ports = {"h2": grpc, "http/1.1": front}
        env |= stack.enter_context(clouds(folder, {_GOOGLE: ports}))
        yield Provider(("gcp", "--project", "throw-away"), env, None, (key.private_key,))


def _as_google(url: str) -> Callable[[Call], Answer]:
    """Pass calls on; the emulator's REST has errors of a form, and field names, of its own."""

    def answer(call: Call) -> Answer:
        reply = httpx.request(call.method, f"{url}{call.target}", content=call.body)
        try:
            body = json.loads(re.sub(r'"next_page_token"', '"nextPageToken"', reply.text or "{}"))
        except ValueError:
            # its message is put into JSON as it is, quotes and all
            body = {"error": reply.text}
        found = re.search(r"rpc error: code = (\w+) desc = (.*)", str(body.get("error", "")))
        if not found:
            return Answer(reply.status_code, body)
        code, status = _CODES[found[1]]
        return Answer(code, {"error": {"code": code, "message": found[2], "status": status}})

    return answer


@contextmanager
def azure(folder: Path, *more: str) -> Iterator[Provider]:
    """Run the emulator behind the host names of Azure, and of what Azure signs in to."""
    pytest.importorskip("azure.identity", reason="the extra `azure` is not installed")
    port = free_port()
    with ExitStack() as stack:
        entra = stack.enter_context(serving(Entra().answer))
        args = ("-addr", f"127.0.0.1:{port}", "-data-dir", "", "-disable-tls",
                "-entra-issuer", ISSUER, "-entra-jwks-url", f"http://127.0.0.1:{entra}/keys",
                *more)  # fmt: skip
        stack.enter_context(started("azure-keyvault-emulator", *args, port=port, folder=folder))
        hosts = {_VAULT: {"http/1.1": port}, LOGIN.partition("//")[2]: {"http/1.1": entra}}
        env = {
            "KES_AZURE_TENANT_ID": TENANT,
            "KES_AZURE_CLIENT_ID": "kes",
            "KES_AZURE_CLIENT_SECRET": SECRET,
        }
        env |= stack.enter_context(clouds(folder, hosts))
        yield Provider(("azure", "--endpoint", f"https://{_VAULT}"), env, None, (SECRET,))


@contextmanager
def real_provider(name: str, mcpy: Mcpy, folder: Path) -> Iterator[Provider]:
    """Run one of the above by its name."""
    made: dict[str, Callable[[], AbstractContextManager[Provider]]] = {
        "openbao-v2": lambda: openbao(mcpy, folder, "v2"),
        "openbao-v1": lambda: openbao(mcpy, folder, "v1"),
        "openbao-transit": lambda: openbao(mcpy, folder, "v2", "--transit-key", "t"),
        "moto": moto,
        "google": lambda: google(folder),
        "azure": lambda: azure(folder),
        "ciphertrust": lambda: provider("ciphertrust"),
    }
    with made[name]() as found:
        yield found
