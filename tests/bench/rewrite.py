"""`encrypt objects` beside a loop of `mc cp` and `aws s3 cp --recursive`, all onto themselves.

    python -m tests.bench.rewrite [OBJECTS [ROUNDS [JOBS]]]

Needs MCPY_PEERS_BIN, a folder with the real `minio`, `kes` and `mc`; `aws` (the package awscli) is
taken along where it is on PATH. Each round has fresh plaintext buckets of OBJECTS small objects,
one for each program, in turn; a loop of `mc cp` is measured on a twentieth of them. Each line is
the median of objects a second, whole processes, mcpy's canary and its verification included.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mcpy.api.http import Deadline, HttpOptions
from mcpy.api.s3 import S3
from mcpy.models import Alias
from tests.bench.audit import BIN, real
from tests.bench.servers import MCPY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.servers import Server


def fill(s3: S3, versioned: bool, count: int) -> str:
    """Make a bucket of plaintext objects of 4 KiB."""
    bucket = f"bench-{uuid.uuid4().hex[:10]}"
    s3.make_bucket(bucket)
    if versioned:
        s3.set_versioning(bucket, status="Enabled")
    content = random.randbytes(4096)
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(lambda n: s3.put_object(bucket, f"f{n % 10}/o{n:06}", content), range(count))
        )
    return bucket


def checked(command: list[str], server: Server, **more: str) -> float:
    """Run a program and return the seconds it took."""
    begun = time.perf_counter()
    subprocess.run(command, env={**server.env, **more}, check=True, capture_output=True)
    return time.perf_counter() - begun


def by_mcpy(server: Server, bucket: str, jobs: int, *more: str) -> float:
    """Encrypt a bucket with mcpy."""
    target = ["encrypt", "objects", f"play/{bucket}", "--to", "sse-s3"]
    return checked([*MCPY, *target, "--jobs", str(jobs), "--restart", *more], server)


def by_mc(server: Server, bucket: str, count: int) -> float:
    """Copy objects onto themselves one by one, a process each; return the seconds for all."""
    some = max(1, count // 20)
    taken_s = 0.0
    for number in range(some):
        name = f"play/{bucket}/f{number % 10}/o{number:06}"
        command = [str(BIN / "mc"), "cp", "--quiet", "--enc-s3", f"play/{bucket}", name, name]
        taken_s += checked(command, server)
    return taken_s / some * count


def by_aws(server: Server, bucket: str, url: str) -> float:
    """Copy a bucket onto itself."""
    place = f"s3://{bucket}/"
    command = ["aws", "s3", "cp", "--recursive", "--only-show-errors", place, place]
    more = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
    return checked(
        [*command, "--sse", "AES256", "--endpoint-url", url, "--region", "us-east-1"],
        server,
        **more,
    )


def main(count: int = 1000, rounds: int = 3, jobs: int = 4) -> None:
    """Print objects a second."""
    with real() as server:
        alias = Alias("play", server.url, server.access_key, server.secret_key)
        s3 = S3(alias, HttpOptions(deadline=Deadline(None)))
        for versioned in (False, True):
            rates: dict[str, list[float]] = {}
            for _ in range(rounds):
                acts: dict[str, Callable[[str], float]] = {
                    "mcpy": lambda b: by_mcpy(server, b, jobs),
                    "mc": lambda b: by_mc(server, b, count),
                }
                if shutil.which("aws"):
                    acts["aws"] = lambda b: by_aws(server, b, server.url)
                for name, act in acts.items():
                    bucket = fill(s3, versioned, count)
                    rates.setdefault(name, []).append(count / act(bucket))
            shown = {name: statistics.median(values) for name, values in rates.items()}
            better = max(rate for name, rate in shown.items() if name != "mcpy")
            kind = "with versions" if versioned else "without versions"
            cells = "   ".join(f"{name} {rate:.0f}/s" for name, rate in shown.items())
            print(f"{kind:<18}{cells}   mcpy/better {shown['mcpy'] / better:.2f}")  # noqa: T201
        s3.http.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
    os._exit(0)
