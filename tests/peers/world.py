"""A real KES and a real MinIO server on loopback, in a temporary folder, with throw-away keys."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mcpy.models import Alias
from tests.running import Mcpy

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(os.environ.get("MCPY_PEERS_BIN", ""))
MISSING = [name for name in ("kes", "mc", "minio") if not (BIN / name).is_file()]
KEY = "my-minio-sse-s3-key"
USER, PASSWORD = "minioadmin", "minio-throw-away"
_POLICY = "[/v1/key/*, /v1/status, /v1/ready, /v1/metrics, /v1/api, /version]"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@dataclass
class World:
    """Both servers; ``kes`` and ``minio`` are None until they are started."""

    folder: Path
    kes_port: int = field(default_factory=free_port)
    s3_port: int = field(default_factory=free_port)
    kes: subprocess.Popen[bytes] | None = None
    minio: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        """What the original page exports, and who is asked."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "KES_SERVER": f"https://127.0.0.1:{self.kes_port}",
            "KES_CLIENT_KEY": str(self.folder / "root.key"),
            "KES_CLIENT_CERT": str(self.folder / "root.cert"),
        }

    @property
    def env_file(self) -> Path:
        """The environment file of the MinIO service."""
        return self.folder / "minio.env"

    @property
    def mcpy(self) -> Mcpy:
        """Our own command line, with an alias ``play`` for the server."""
        made = Mcpy(self.folder / "mcpy", None)
        made.env = self.environ | {"MCPY_KES_CA": str(self.folder / "server.cert")}
        made.secrets = {PASSWORD}
        made.store.put(Alias("play", f"http://127.0.0.1:{self.s3_port}", USER, PASSWORD))
        return made

    def mc(self, *args: str) -> list[dict[str, Any]]:
        """Run the real mc and return its JSON objects."""
        host = {"MC_HOST_play": f"http://{USER}:{PASSWORD}@127.0.0.1:{self.s3_port}"}
        command = [str(BIN / "mc"), "--config-dir", str(self.folder / "mc"), "--json", *args]
        done = subprocess.run(
            command,
            env=self.environ | host,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def __enter__(self) -> Self:
        for name, options in (("root", []), ("minio", []), ("server", ["--ip", "127.0.0.1"])):
            files = ["--key", f"{name}.key", "--cert", f"{name}.cert"]
            self._tool("identity", "new", *files, *options, name)
        identities = {
            name: self._tool("identity", "of", f"{name}.cert") for name in ("root", "minio")
        }
        (self.folder / "kes.yml").write_text(
            f"admin: {{identity: {identities['root']}}}\n"
            "tls: {key: server.key, cert: server.cert}\n"
            f"policy: {{minio: {{allow: {_POLICY}, identities: [{identities['minio']}]}}}}\n"
            "keystore: {fs: {path: keys}}\n"
        )
        self.env_file.write_text(f"MINIO_ROOT_USER={USER}\nMINIO_ROOT_PASSWORD={PASSWORD}\n")
        self.start_kes()
        self.start_minio()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.minio, self.kes):
            if process and process.poll() is None:
                process.kill()
                process.wait(10)

    def start_kes(self) -> None:
        address = f"127.0.0.1:{self.kes_port}"
        self.kes = self._spawn("kes", "server", "--config", "kes.yml", "--addr", address)
        wait_for(self.kes_port)

    def start_minio(self) -> None:
        console = f"127.0.0.1:{free_port()}"
        address = f"127.0.0.1:{self.s3_port}"
        arguments = ("--address", address, "--console-address", console, "data")
        self.minio = self._spawn("minio", "server", "--certs-dir", "certs", *arguments)
        wait_for(self.s3_port)
        assert self.mcpy("ready", "play").exit_code == 0

    def kill_kes(self) -> None:
        assert self.kes
        self.kes.kill()
        self.kes.wait(10)

    def _tool(self, *args: str) -> str:
        done = subprocess.run(
            [BIN / "kes", *args], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def _spawn(self, program: str, *args: str) -> subprocess.Popen[bytes]:
        (self.folder / "data").mkdir(exist_ok=True)
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "MINIO_CI_CD": "1"}
        environ["MINIO_CONFIG_ENV_FILE"] = str(self.env_file)
        with (self.folder / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                [BIN / program, *args],
                cwd=self.folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def wait_for(port: int) -> None:
    """Return when somebody listens on ``port``."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(port)


@contextmanager
def after_the_page(folder: Path, *keys: str) -> Iterator[World]:
    """Give a world after the page's steps, with more keys."""
    with World(folder) as started:
        do_the_page(started)
        for key in keys:
            assert started.mcpy("kes", "key", "create", key).exit_code == 0
        yield started


def do_the_page(world: World) -> None:
    """Steps 1 to 3: a key, the settings of the service, a restart."""
    settings = ("--key", KEY, "--write", str(world.env_file))
    identity = (
        "--cert",
        str(world.folder / "minio.cert"),
        "--key-file",
        str(world.folder / "minio.key"),
    )
    for step in (
        ("kes", "key", "create", KEY),
        ("admin", "kms", "env", "play", *settings, *identity),
        ("admin", "service", "restart", "play"),
    ):
        result = world.mcpy(*step)
        assert result.exit_code == 0, result
