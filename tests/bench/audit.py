"""`encrypt audit` beside `mc stat -r` and `mc ls -r` of the same objects, and its peak memory.

    python -m tests.bench.audit [OBJECTS [ROUNDS]]
    python -m tests.bench.audit memory [KEYS...]

The first needs MCPY_PEERS_BIN, a folder with the real `mc`, and with `minio` and `kes` for a real
server (else the sandbox is asked). The second lists KEYS (10,000 and 1,000,000) of a server that
makes its pages up, and needs nothing. Each line is a median with its ratios.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from mcpy.api.http import Deadline, HttpOptions
from mcpy.api.s3 import S3
from mcpy.models import Alias
from tests.bench.servers import MCPY, Server, sandbox
from tests.bench.timing import paired, row
from tests.s3_calls import S3 as SSE_S3
from tests.s3_calls import kms_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BIN = Path(os.environ.get("MCPY_PEERS_BIN", ""))
PAGE = 1000


@contextmanager
def real() -> Iterator[Server]:
    """Run a real KES and MinIO with a default key, and give MinIO as the alias ``play``."""
    from tests.peers.world import PASSWORD, USER, World, do_the_page

    with (
        tempfile.TemporaryDirectory(prefix="mcpy-bench-") as folder,
        World(Path(folder)) as world,
    ):
        do_the_page(world)
        world.mcpy("kes", "key", "create", "bench-key")
        url = f"http://127.0.0.1:{world.s3_port}"
        env = {**os.environ, **world.environ, "MCPY_CONFIG_DIR": str(Path(folder, "mcpy"))}
        env["MC_CONFIG_DIR"] = str(Path(folder, "mc"))
        env["MC_HOST_play"] = f"http://{USER}:{PASSWORD}@127.0.0.1:{world.s3_port}"
        yield Server(url, USER, PASSWORD, env)


def fill(server: Server, count: int) -> None:
    """Store objects in ten folders: a third each plain, SSE-S3 and SSE-KMS."""
    alias = Alias("play", server.url, server.access_key, server.secret_key)
    s3 = S3(alias, HttpOptions(Deadline(None)))
    s3.make_bucket("audit")
    headers = [{}, SSE_S3, kms_with("bench-key")]

    def put(number: int) -> None:
        name = f"data/{number % 10}/object-{number:07}"
        s3.put_object("audit", name, b"content of some object", headers=headers[number % 3])

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(put, range(count)))


def run(server: Server, *argv: str) -> None:
    """Run one command to its end, its output thrown away."""
    subprocess.run(argv, env=server.env, check=True, stdout=subprocess.DEVNULL)


def speed(count: int, rounds: int) -> None:
    """Print how long an audit takes beside what mc has."""
    with ExitStack() as stack:
        there = (BIN / "minio").is_file() and (BIN / "kes").is_file()
        server = stack.enter_context(real() if there else sandbox())
        began = time.monotonic()
        fill(server, count)
        print_line(f"{count} objects in {time.monotonic() - began:.0f} s, {rounds} rounds")
        mc = str(BIN / "mc")
        acts: dict[str, Callable[[], None]] = {
            "audit --latest": lambda: run(
                server, *MCPY, "encrypt", "audit", "--latest", "play/audit"
            ),
            "audit": lambda: run(server, *MCPY, "encrypt", "audit", "play/audit"),
            "mc ls -r": lambda: run(server, mc, "--json", "ls", "-r", "play/audit"),
            "mc stat -r": lambda: run(server, mc, "--json", "stat", "-r", "play/audit"),
        }
        taken_s = paired(acts, rounds=rounds)
        for name in ("audit --latest", "audit"):
            others = {other: taken_s[other] for other in ("mc ls -r", "mc stat -r")}
            print_line(row("", {name: taken_s[name], **others}))


def memory(counts: list[int]) -> None:
    """Print the peak memory of an audit of so many keys."""
    first = 0
    for count in counts:
        with made_up(count) as server:
            began = time.monotonic()
            peak = peak_kib([*MCPY, "encrypt", "audit", "play/audit"], server.env)
            first = first or peak
            rate = count / (time.monotonic() - began)
            print_line(
                f"{count:>9} keys   {peak / 1024:.1f} MiB   {peak / first:.2f} of the first"
                f"   {rate:.0f} keys a second"
            )


def peak_kib(argv: list[str], env: dict[str, str]) -> int:
    """Run a command to its end, and return the most memory it ever had.

    The kernel's own figure for children will not do: it begins with the size of their parent.
    """
    peak = 0
    with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            with suppress(OSError, IndexError):
                peak = int(status.read_text().split("VmHWM:")[1].split()[0])
            time.sleep(0.005)
    assert process.returncode == 0, process.returncode
    return peak


@contextmanager
def made_up(count: int) -> Iterator[Server]:
    """Serve a bucket of ``count`` keys that are nowhere."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = {
                name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()
            }
            if "key-marker" in query or "max-keys" in query:
                self._answer(200, listing(query, count))
            else:
                code = "ServerSideEncryptionConfigurationNotFoundError"
                self._answer(404, f"<Error><Code>{code}</Code></Error>".encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="mcpy-bench-") as folder:
        host = f"127.0.0.1:{server.server_address[1]}"
        env = {**os.environ, "MCPY_CONFIG_DIR": folder}
        env["MC_HOST_play"] = f"http://bench:throw-away@{host}"
        try:
            yield Server(f"http://{host}", "bench", "throw-away", env)
        finally:
            server.shutdown()
            server.server_close()


def listing(query: dict[str, str], count: int) -> bytes:
    """Return a page as MinIO makes it: keys ``0/0000000`` in ten folders, all in order."""
    folder = count // 10
    prefix = query.get("prefix", "")
    if "delimiter" in query:
        inner = "".join(
            f"<CommonPrefixes><Prefix>{n}/</Prefix></CommonPrefixes>" for n in range(10)
        )
        return document(inner, "")
    low = int(prefix[0]) * folder if prefix else 0
    high = low + folder if prefix else count
    if marker := query.get("key-marker", ""):
        low = int(marker[:1]) * folder + int(marker[2:]) + 1
    end = min(low + PAGE, high)
    names = [f"{n // folder}/{n % folder:07}" for n in range(low, end)]
    return document("".join(map(version, names)), names[-1] if end < high else "")


def version(name: str) -> str:
    """Return one version."""
    number = int(name[2:])
    sse = (
        "",
        "<X-Amz-Server-Side-Encryption>AES256</X-Amz-Server-Side-Encryption>",
        "<X-Amz-Server-Side-Encryption>aws:kms</X-Amz-Server-Side-Encryption>"
        "<X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id>arn:aws:kms:tenant-a"
        "</X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id>",
    )[number % 3]
    return (
        f"<Version><Key>{name}</Key><LastModified>2026-11-25T12:00:00.000Z</LastModified>"
        f"<ETag>&#34;{number:032x}&#34;</ETag><Size>{number}</Size>"
        "<Owner><ID>02d6176db174</ID><DisplayName>minio</DisplayName></Owner>"
        f"<StorageClass>STANDARD</StorageClass><UserMetadata>{sse}"
        "<content-type>binary/octet-stream</content-type></UserMetadata>"
        f"<IsLatest>true</IsLatest><VersionId>{number:08x}-a1c2-4000-8000-{number:012x}</VersionId>"
        "</Version>"
    )


def document(inner: str, after: str) -> bytes:
    """Return the page around its entries."""
    more = f"<NextKeyMarker>{after}</NextKeyMarker>" if after else ""
    return (
        '<?xml version="1.0"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{more}<EncodingType>url</EncodingType>"
        f"<IsTruncated>{'true' if after else 'false'}</IsTruncated>{inner}</ListVersionsResult>"
    ).encode()


def print_line(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["memory"]:
        memory([int(one) for one in arguments[1:]] or [10_000, 1_000_000])
    else:
        numbers = [int(one) for one in arguments]
        speed(*(numbers + [10_000, 5][len(numbers) :]))
