"""Small objects a second, the rate of large ones, and the time to start, of the sandbox.

    python -m tests.bench.sandbox [ROUNDS]

Moto's server runs beside it if it is installed, a real MinIO if MCPY_PEERS_BIN names its folder.
The client is the same for all: one connection, signed requests, bodies unsigned. `sandbox` asks
its KES for a key for every object, `plain` is the same sandbox without encryption, MinIO has a key
of its own, moto encrypts nothing. Where the system tells (Linux), the CPU time that a server took
stands beside the rate: other work on the machine changes the one less than the other.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.bench.servers import MCPY, minio, moto, plain, sandbox
from tests.bench.timing import paired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.bench.servers import Server

SMALL = b"x" * 1024
SMALL_COUNT = 200
PIECE = b"x" * (1024 * 1024)
LARGE_MIB = 512
LARGE_ROUNDS = 2
REGION = "us-east-1"


class Client:
    """One connection to one server, with as little work of its own as will do."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._host = urlsplit(server.url).netloc
        self._buffer = bytearray(len(PIECE))
        self._socket: socket.socket | None = None

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def another(self) -> Client:
        """Return one more connection to the same server."""
        return Client(self._server)

    def cpu_s(self) -> float:
        """Return the CPU time the server took so far, 0 where the system does not tell."""
        try:
            text = Path(f"/proc/{self._server.pid}/stat").read_text("ascii")
        except OSError:
            return 0.0
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def call(self, method: str, path: str, *pieces: bytes) -> None:
        """Send one signed request and read the answer, which must be a success."""
        for _ in self._answer(method, path, pieces):
            pass  # nobody looks at it

    def content(self, path: str) -> bytes:
        """Return an object."""
        return b"".join(map(bytes, self._answer("GET", path, ())))

    def _answer(
        self, method: str, path: str, pieces: tuple[bytes, ...]
    ) -> Iterator[bytes | memoryview]:
        """Yield the body of an answer, each piece to be used before the next.

        Raises:
            ConnectionError: the server hung up.
            RuntimeError: it answered no success.
        """
        connection = self._connected()
        lines = [f"{method} {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self._signed(method, path).items()]
        lines += [f"content-length: {sum(map(len, pieces))}", "\r\n"]
        connection.sendall("\r\n".join(lines).encode() + b"".join(pieces[:1]))
        for piece in pieces[1:]:
            connection.sendall(piece)
        head, body, left = self._head(connection)
        if head.split(b" ", 2)[1] not in {b"200", b"204"}:
            raise RuntimeError(f"{method} {path}: {head!r}")
        yield body
        while left:
            count = connection.recv_into(self._buffer, min(left, len(self._buffer)))
            if not count:
                raise ConnectionError(f"{method} {path}: cut off")
            left -= count
            yield memoryview(self._buffer)[:count]
        if b"connection: close" in head:
            self.close()

    def _connected(self) -> socket.socket:
        if self._socket is None:
            host, _, port = self._host.partition(":")
            self._socket = socket.create_connection((host, int(port)), timeout=120)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _head(self, connection: socket.socket) -> tuple[bytes, bytes, int]:
        """Return an answer's head in lower case, its body so far, and how much is to come."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65_536)
            if not more:
                raise ConnectionError("no answer")
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        head = head.lower()
        length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        return head, body, int(length or 0) - len(body)

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
    client.call("PUT", "/bench/large", *[PIECE] * LARGE_MIB)


def get_large(client: Client) -> None:
    """Read it."""
    client.call("GET", "/bench/large")


Act = tuple["Callable[[Client], None]", float]
SMALL_ACTS: dict[str, Act] = {
    "PUT 1 KiB": (put_small, SMALL_COUNT),
    "GET 1 KiB": (get_small, SMALL_COUNT),
}
LARGE_ACTS: dict[str, Act] = {
    f"PUT {LARGE_MIB} MiB": (put_large, LARGE_MIB),
    f"GET {LARGE_MIB} MiB": (get_large, LARGE_MIB),
}


def main(rounds: int) -> None:
    """Print one line for each act: the rate of each server, and the ratio to the sandbox's."""
    with ExitStack() as stack:
        clients: dict[str, Client] = {}
        for name, start in (
            ("sandbox", sandbox),
            ("plain", plain),
            ("moto", moto),
            ("minio", minio),
        ):
            server = stack.enter_context(start())
            if server:
                clients[name] = Client(server)
                stack.callback(clients[name].close)
        for name in clients.keys() & {"moto", "minio"}:
            clients[name].call("PUT", "/bench")
        for title, act in SMALL_ACTS.items():
            _show(title, measured(clients, *act, rounds), "a second")
        for title, act in LARGE_ACTS.items():
            _show(title, measured(clients, *act, LARGE_ROUNDS), "MiB/s")
    for title, rate in ceilings().items():
        _say(f"{title:<14}{rate:.0f} MiB/s of one core")
    _say(f"{'start':<14}{start_s(rounds):.3g} s to the first answer")


def measured(
    clients: Mapping[str, Client], act: Callable[[Client], None], amount: float, rounds: int
) -> dict[str, tuple[float, float]]:
    """Return of each server the median rate, and the rate to a second of its CPU time."""
    used_s = dict.fromkeys(clients, 0.0)

    def once(name: str, client: Client) -> None:
        before = client.cpu_s()
        act(client)
        used_s[name] += client.cpu_s() - before

    calls = {name: lambda n=name, c=client: once(n, c) for name, client in clients.items()}
    taken_s = paired(calls, rounds=rounds)
    done = amount * (rounds + 1)  # one more to warm up
    return {
        name: (amount / statistics.median(times), done / used_s[name] if used_s[name] else 0.0)
        for name, times in taken_s.items()
    }


def ceilings() -> dict[str, float]:
    """Return what one core does of the work that an encrypted object cannot do without.

    Its MD5 is its ETag, as on a real MinIO; AES-256-GCM comes in packages of 64 KiB.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    aead, nonce, package = AESGCM(bytes(32)), bytes(12), bytes(65_536)
    sealed = aead.encrypt(nonce, package, None)
    works: dict[str, Callable[[], object]] = {
        "AES-GCM seals": lambda: aead.encrypt(nonce, package, None),
        "AES-GCM opens": lambda: aead.decrypt(nonce, sealed, None),
        "MD5": lambda: hashlib.md5(package, usedforsecurity=False),
    }
    return {title: _rate(work) for title, work in works.items()}


def _rate(work: Callable[[], object]) -> float:
    """Return the best MiB/s of CPU time at ``work`` on 64 KiB."""
    best_s = float("inf")
    for _ in range(10):
        start = time.thread_time()
        for _ in range(256):
            work()
        best_s = min(best_s, time.thread_time() - start)
    return 16 / best_s


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


def _show(title: str, figures: Mapping[str, tuple[float, float]], unit: str) -> None:
    ours, our_cpu = figures["sandbox"]
    _say(f"{title:<14}")
    for name, (rate, of_cpu) in figures.items():
        line = f"  {name:<10}{rate:>8.4g} {unit}{of_cpu:>10.4g} to a second of CPU"
        if name != "sandbox":
            line += f"   sandbox/{name} {ours / rate:.2f}"
            line += f", of CPU {our_cpu / of_cpu:.2f}" if of_cpu else ""
        _say(line)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
