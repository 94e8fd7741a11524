"""Providers that are not ours, for tests marked ``peers``: OpenBao, Vault, emulators of clouds.

Programs are looked for in MCPY_PEERS_BIN: ``bao`` (OpenBao), ``vault`` (HashiCorp's),
``gcp-secret-manager-emulator`` (blackwell-systems, its server for gRPC and REST) and
``azure-keyvault-emulator`` (calvinchengx). AWS is moto, when it is installed. CipherTrust is our
own stand-in: there is nothing else.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from tests.keystores.clouds import certify, clouds
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


@dataclass
class Bao:
    """The root of an OpenBao, in one namespace."""

    client: httpx.Client

    def put(self, path: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        reply = self.client.post(path, json=body)
        assert reply.is_success, reply.text
        return dict(reply.json()) if reply.content else {}

    def approle(self) -> dict[str, str]:
        """Let KES sign in by AppRole; return what it takes."""
        self.put("sys/auth/approle", type="approle")
        self.put("auth/approle/role/kes", token_policies="kes", token_ttl="20m")
        role = self.client.get("auth/approle/role/kes/role-id").json()["data"]["role_id"]
        secret = self.put("auth/approle/role/kes/secret-id")["data"]["secret_id"]
        return {"KES_VAULT_APPROLE_ID": role, "KES_VAULT_APPROLE_SECRET": secret}

    def kubernetes(self, reviewer: str, ca: Path) -> None:
        """Let KES sign in by Kubernetes, whose token reviews are made at a URL."""
        self.put("sys/auth/kubernetes", type="kubernetes")
        self.put(
            "auth/kubernetes/config",
            kubernetes_host=reviewer,
            token_reviewer_jwt="throw-away",
            disable_local_ca_jwt=True,
            kubernetes_ca_cert=ca.read_text(),  # must be given, and is for https alone
        )
        bound = {"bound_service_account_names": "kes", "bound_service_account_namespaces": "minio"}
        self.put("auth/kubernetes/role/kes", **bound, token_policies="kes", token_ttl="20m")


@contextmanager
def openbao(
    mcpy: Mcpy,
    folder: Path,
    version: str,
    *more: str,
    namespace: str = "",
    program: str = "bao",
) -> Iterator[Provider]:
    """Run OpenBao with the policies ``kes config new`` prints: one for KES, one for mcpy.

    ``program`` may be ``vault``, HashiCorp's.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    args = ["vault", "--endpoint", url, "--engine", "keys", "--engine-version", version, *more]
    listen = f"-dev-listen-address=127.0.0.1:{port}"
    dev = ("server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root", listen)
    headers = {"X-Vault-Token": "root"}
    replaced: dict[str, str] = {}
    with ExitStack() as stack:
        stack.enter_context(started(program, *dev, port=port, folder=folder))
        client = stack.enter_context(httpx.Client(base_url=f"{url}/v1/", headers=headers))
        bao = Bao(client)
        if namespace:
            bao.put(f"sys/namespaces/{namespace}")
            client.headers["X-Vault-Namespace"] = namespace
            args += ["--namespace", namespace]
        bao.put("sys/mounts/keys", type="kv", options={"version": version[1]})
        if "--transit-key" in more:
            bao.put("sys/mounts/transit", type="transit")
            bao.put("transit/keys/t")
        printed = json.loads(mcpy("kes", "config", "new", *args, "--json").stdout)
        bao.put("sys/policies/acl/kes", policy=printed["policy"])
        bao.put("sys/policies/acl/operator", policy=printed["operatorPolicy"])
        token = bao.put("auth/token/create", policies=["operator"])["auth"]["client_token"]
        env = {"MCPY_VAULT_TOKEN": token}
        if "--kubernetes-role" in more:
            reviewer = stack.enter_context(serving(_review))
            bao.kubernetes(f"http://127.0.0.1:{reviewer}", certify(folder, ["kubernetes"]))
            (folder / "jwt").write_text(_workload_token())
            replaced["/var/run/secrets/kubernetes.io/serviceaccount/token"] = str(folder / "jwt")
            del env["MCPY_VAULT_TOKEN"]  # mcpy signs in like KES
            bao.put("sys/policies/acl/kes", policy=printed["operatorPolicy"])
        else:
            env |= bao.approle()
        secrets = (token, env.get("KES_VAULT_APPROLE_SECRET", token))
        yield Provider(tuple(args), env, url, secrets, replaced)


def _workload_token() -> str:
    """Return what Kubernetes gives the workload `kes` in the namespace `minio`."""
    about = "kubernetes.io/serviceaccount"
    claims = {
        "iss": about,
        f"{about}/namespace": "minio",
        f"{about}/service-account.name": "kes",
        f"{about}/service-account.uid": "1",
    }
    return Entra().signed(claims)


def _review(call: Call) -> Answer:
    """Answer for Kubernetes: the token of a review is that of `kes`."""
    if call.path != "/apis/authentication.k8s.io/v1/tokenreviews":
        return Answer(404, {})
    user = {"username": "system:serviceaccount:minio:kes", "uid": "1",
            "groups": ["system:serviceaccounts", "system:authenticated"]}  # fmt: skip
    return Answer(201, call.json | {"status": {"authenticated": True, "user": user}})


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
        "openbao-namespace": lambda: openbao(mcpy, folder, "v2", namespace="team1"),
        "openbao-kubernetes": lambda: openbao(mcpy, folder, "v2", "--kubernetes-role", "kes"),
        "vault-v1": lambda: openbao(mcpy, folder, "v1", program="vault"),
        "vault-v2": lambda: openbao(mcpy, folder, "v2", program="vault"),
        "vault-transit": lambda: openbao(
            mcpy, folder, "v2", "--transit-key", "t", program="vault"
        ),
        "vault-kubernetes": lambda: openbao(
            mcpy, folder, "v2", "--kubernetes-role", "kes", program="vault"
        ),
        "moto": moto,
        "google": lambda: google(folder),
        "azure": lambda: azure(folder),
        "ciphertrust": lambda: provider("ciphertrust"),
    }
    with made[name]() as found:
        yield found
