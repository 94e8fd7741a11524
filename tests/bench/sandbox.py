"""Small objects a second, the rate of large ones, and the time to start, of the sandbox.

    python -m tests.bench.sandbox [ROUNDS]

Moto's server runs beside it if it is installed, a real MinIO if MCPY_PEERS_BIN names its folder.
The client is the same for all: one connection, signed requests, bodies unsigned. The sandbox asks
its KES for a key for every object, MinIO has a key of its own, moto encrypts nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.bench.servers import MCPY, minio, moto, sandbox
from tests.bench.timing import paired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.bench.servers import Server

SMALL = b"x" * 1024
SMALL_COUNT = 100
LARGE = b"x" * (32 * 1024 * 1024)
REGION = "us-east-1"


class Client:
    """One connection to one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._host = urlsplit(server.url).netloc
        self._connection = http.client.HTTPConnection(self._host, timeout=60)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def another(self) -> Client:
        """Return one more connection to the same server."""
        return Client(self._server)

    def call(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Send one signed request and return the body of the answer, which must be a success."""
        self._connection.request(method, path, body or None, self._signed(method, path))
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status not in {200, 204}:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:200]!r}")
        return content

    def _signed(self, method: str, path: str) -> dict[str, str]:
        """Sign the three headers that S3 asks for.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
        """
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        scope = f"{moment[:8]}/{REGION}/s3/aws4_request"
        headers = {
            "host": self._host,
            "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
            "x-amz-date": moment,
        }
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        names = ";".join(headers)
        request = f"{method}\n{path}\n\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
        digest = hashlib.sha256(request.encode()).hexdigest()
        key = b"AWS4" + self._server.secret_key.encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        credential = f"{self._server.access_key}/{scope}"
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, "
            f"Signature={signature}"
        )
        return headers


def put_small(client: Client) -> None:
    """Write many small objects."""
    for number in range(SMALL_COUNT):
        client.call("PUT", f"/bench/small-{number}", SMALL)


def get_small(client: Client) -> None:
    """Read them."""
    for number in range(SMALL_COUNT):
        client.call("GET", f"/bench/small-{number}")


def put_large(client: Client) -> None:
    """Write a large object."""
    client.call("PUT", "/bench/large", LARGE)


def get_large(client: Client) -> None:
    """Read it."""
    client.call("GET", "/bench/large")


ACTS: dict[str, tuple[Callable[[Client], None], float, str]] = {
    "PUT 1 KiB": (put_small, SMALL_COUNT, "a second"),
    "GET 1 KiB": (get_small, SMALL_COUNT, "a second"),
    "PUT 32 MiB": (put_large, len(LARGE) / 2**20, "MiB/s"),
    "GET 32 MiB": (get_large, len(LARGE) / 2**20, "MiB/s"),
}


def main(rounds: int) -> None:
    """Print one line for each act: the rate of each server, and the ratio to the sandbox's."""
    with ExitStack() as stack:
        servers = {"sandbox": stack.enter_context(sandbox())}
        for name, start in (("moto", moto), ("minio", minio)):
            server = stack.enter_context(start())
            if server:
                servers[name] = server
        clients = {name: Client(server) for name, server in servers.items()}
        for name in clients.keys() - {"sandbox"}:
            clients[name].call("PUT", "/bench")
        for title, (act, amount, unit) in ACTS.items():
            _show(title, measured(clients, act, amount, rounds), unit)
    _show("start", {"sandbox": start_s(rounds)}, "s to the first answer")


def measured(
    clients: Mapping[str, Client], act: Callable[[Client], None], amount: float, rounds: int
) -> dict[str, float]:
    """Return the median rate of each server."""
    calls = {name: partial(act, client) for name, client in clients.items()}
    taken_s = paired(calls, rounds=rounds)
    return {name: amount / statistics.median(times) for name, times in taken_s.items()}


def start_s(rounds: int) -> float:
    """Return how long `sandbox start --detach` takes until it is ready, in the median."""
    taken_s = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="mcpy-bench-") as name:
            command = [*MCPY, "-q", "--config-dir", f"{name}/config", "sandbox"]
            folder = ("--dir", f"{name}/play")
            begin = time.perf_counter()
            start = [*command, "start", "--detach", *folder]
            subprocess.run(start, check=True, stdout=subprocess.DEVNULL)
            taken_s.append(time.perf_counter() - begin)
            subprocess.run([*command, "stop", *folder], check=True, stdout=subprocess.DEVNULL)
    return statistics.median(taken_s)


def _show(title: str, figures: Mapping[str, float], unit: str) -> None:
    cells = [f"{name} {figure:.4g} {unit}" for name, figure in figures.items()]
    cells += [
        f"sandbox/{name} {figures['sandbox'] / figure:.2f}"
        for name, figure in figures.items()
        if name != "sandbox"
    ]
    sys.stdout.write(f"{title:<12}{'   '.join(cells)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
