"""The sandbox: a KES and an S3 server in one folder, for a test, a demo or an afternoon.

Not for production: keys lie in files, nothing is replicated, and both servers trust loopback.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from mcpy.errors import ConfigError, InputError, UnreachableError
from mcpy.models import is_loopback
from mcpy.sandbox import certs, claim
from mcpy.sandbox.home import Home, State, running_already
from mcpy.sandbox.like import NAMES, personality
from mcpy.sandbox.lock import Lock
from mcpy.sandbox.logfile import LogFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from mcpy.sandbox.kes.service import KesService
    from mcpy.sandbox.s3_service import S3Service

_Service = TypeVar("_Service", "KesService", "S3Service")

ANY_PORT = "127.0.0.1:0"
_KES_ADDRESS = "127.0.0.1:7373"
"""What the KES's configuration file says; a sandbox itself takes any port."""


class Sandbox:
    """Both servers; a context manager that starts and stops them.

    Args:
        dir: where keys, objects and credentials stay; without it a folder that goes with the
            sandbox.
        s3: host and port of the S3 server; port 0 takes the last one used here, or any.
        kes: the same for the KES; port 0 takes the address in ``kes_config`` if that is loopback.
        tls: whether the S3 server speaks TLS; the KES always does.
        kes_config: a KES configuration to serve instead of the sandbox's own. Its ``${NAME}`` are
            those of the environment, then ``Home.kes_variables``.
        allow_remote: whether addresses other machines can reach are accepted.
        like: the server the S3 server is to be like (see ``mcpy.sandbox.like``); without it what
            it was like in this folder last, or MinIO.
    """

    def __init__(  # noqa: PLR0913 - the options of the command
        self,
        dir: Path | None = None,  # noqa: A002 - the name of the option
        *,
        s3: str = ANY_PORT,
        kes: str = ANY_PORT,
        tls: bool = False,
        kes_config: Path | None = None,
        allow_remote: bool = False,
        like: str | None = None,
    ) -> None:
        if like is not None and like not in NAMES:
            personality(like)  # which says what there is
        self._like = like
        self._addresses = [_address(text, allow_remote=allow_remote) for text in (s3, kes)]
        self._temporary = dir is None
        self.home = Home((dir or Path(tempfile.mkdtemp(prefix="mcpy-sandbox-"))).absolute())
        self._tls = tls
        self._kes_config = kes_config
        self._claim = claim.Claim(self.home.path)
        self._lock = Lock(self.home)
        self._log = LogFile(self.home)
        self._kes: KesService | None = None
        self._s3: S3Service | None = None

    def start(self) -> Self:
        """Start both servers.

        Raises:
            ConfigError: the folder, a configuration or the KMS is unusable, or the folder is
                another sandbox's.
            UnreachableError: an address cannot be listened on.
        """
        self._claim.take()
        if not self._lock.acquire():
            raise running_already(self.home)
        try:
            self._start()
        except BaseException as e:
            self.stop()
            self._claim.undo()
            if isinstance(e, OSError):
                message = f"cannot use {e.filename or self.home.path}: {e.strerror or e}"
                raise ConfigError(message) from e
            raise
        return self

    def stop(self) -> None:
        """Stop both servers; a folder of its own goes with them."""
        for service in (self._s3, self._kes):
            if service is not None:
                service.stop()
        last = self.home.read_state()
        if last is not None and self._kes is not None:
            self.home.write_state(replace(last, pid=0))
        self._s3 = self._kes = None
        self._log.close()
        self._lock.release()
        if self._temporary:
            shutil.rmtree(self.home.path, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def s3_url(self) -> str:
        """Address of the S3 and admin API."""
        return self._s3.url if self._s3 else ""

    @property
    def kes_url(self) -> str:
        """Address of the KES."""
        return self._kes.server.url if self._kes else ""

    @property
    def like(self) -> str:
        """The server the S3 server is like."""
        return self._s3.like.name if self._s3 else self._like or "minio"

    @property
    def region(self) -> str:
        """The only region requests may be signed for, empty for any."""
        return self._s3.like.region if self._s3 else ""

    @property
    def access_key(self) -> str:
        """The S3 server's root user, as its environment file has it now."""
        return self.home.environment().get("MINIO_ROOT_USER", "")

    @property
    def secret_key(self) -> str:
        """The S3 server's root password, as its environment file has it now."""
        return self.home.environment().get("MINIO_ROOT_PASSWORD", "")

    @property
    def ca(self) -> Path:
        """The certificate that vouches for both servers."""
        return self.home.certs / "ca.crt"

    @property
    def client_key(self) -> Path:
        """Private key of the KES's administrator."""
        return self.home.certs / "root.key"

    @property
    def client_cert(self) -> Path:
        """Certificate of the KES's administrator."""
        return self.home.certs / "root.cert"

    @property
    def api_key(self) -> str:
        """API key of the KES's administrator."""
        return certs.api_key_of(self.client_key.read_bytes())

    @property
    def minio_api_key(self) -> str:
        """API key of the S3 server's own identity, which may use every key but delete none."""
        return certs.api_key_of((self.home.certs / "minio.key").read_bytes())

    @property
    def failure(self) -> str | None:
        """Why the S3 server did not come up after its last restart, or None."""
        return self._s3.failure if self._s3 else None

    def env(self) -> dict[str, str]:
        """Return the variables that make ``mcpy kes`` and ``kes`` talk to this KES."""
        return {
            "KES_SERVER": self.kes_url,
            "KES_CLIENT_KEY": str(self.client_key),
            "KES_CLIENT_CERT": str(self.client_cert),
            "MCPY_KES_CA": str(self.ca),
        }

    def restart_s3(self) -> None:
        """Start the S3 server again with what its environment file says now.

        Raises:
            ConfigError: it does not come up; it stays down then.
        """
        if self._s3 is not None:
            self._s3.restart()

    def reload_kes(self) -> None:
        """Make the KES read its configuration again."""
        if self._kes is not None:
            self._kes.reload()

    def _start(self) -> None:
        from mcpy.sandbox.kes.service import KesService
        from mcpy.sandbox.s3_service import S3Service

        claim.follow_move(self.home)
        self.home.furnish()
        last = self.home.read_state()
        s3, kes = self._remembered(last)
        self.home.write_kes_config(_KES_ADDRESS)
        config = self._kes_config or self.home.kes_yml
        env = self.home.kes_variables() | dict(os.environ)
        if self._kes_config is not None and kes[1][-1] == 0:
            kes = _configured(self._kes_config, env) or kes
        self._kes = _listening(
            lambda port: KesService(config, (kes[0], port), self._log, env), kes[1]
        )
        like = personality(self._like or (last.like if last else "minio"))
        own_kms = self._own_kms()
        self._s3 = _listening(
            lambda port: S3Service(
                self.home, (s3[0], port), self._log, tls=self._tls, like=like, own_kms=own_kms
            ),
            s3[1],
        )
        started = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        alias = last.alias if last else ""
        state = State(os.getpid(), self.s3_url, self.kes_url, started, alias, like.name)
        self.home.write_state(state)

    def _own_kms(self) -> dict[str, str]:
        """Return the variables of this sandbox's KES, for servers that bring their KMS along."""
        return {
            "MINIO_KMS_KES_ENDPOINT": self.kes_url,
            "MINIO_KMS_KES_KEY_FILE": str(self.home.certs / "minio.key"),
            "MINIO_KMS_KES_CERT_FILE": str(self.home.certs / "minio.cert"),
            "MINIO_KMS_KES_CAPATH": str(self.ca),
        }

    def _remembered(self, last: State | None) -> list[tuple[str, tuple[int, ...]]]:
        """Return hosts and the ports to try: the last one first, so that URLs stay true."""
        urls = (last.s3_url, last.kes_url) if last else ("", "")
        return [
            (host, (port,) if port else (*_port_of(url), 0))
            for (host, port), url in zip(self._addresses, urls, strict=True)
        ]


def _listening(make: Callable[[int], _Service], ports: tuple[int, ...]) -> _Service:
    """Return a started service on the first of ``ports`` that is free."""
    for port in ports:
        service = make(port)
        try:
            service.start()
        except OSError as e:
            if port == ports[-1]:
                raise UnreachableError(f"cannot listen on port {port}: {e}") from e
            continue
        return service
    raise AssertionError("no port to try")


def _configured(config: Path, env: Mapping[str, str]) -> tuple[str, tuple[int, ...]] | None:
    """Return the address a KES configuration names, if only this machine can reach it."""
    from mcpy.sandbox.kes.config import load
    from mcpy.sandbox.kes.document import ConfigProblem

    try:
        host, port = _address(load(config, env).address, allow_remote=False)
    except (ConfigProblem, InputError):
        return None  # reported when it is served, or not for us to take
    return host, (port,)


def _address(text: str, *, allow_remote: bool) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise InputError(f"`{text}` is not an address", hint="HOST:PORT, for example 127.0.0.1:0")
    if not allow_remote and not is_loopback(host):
        raise InputError(
            f"`{host}` can be reached by other machines, and a sandbox is no place for secrets",
            hint="--allow-remote if you mean it",
        )
    return host, int(port)


def _port_of(url: str) -> tuple[int, ...]:
    port = url.rpartition(":")[2].strip("/")
    return (int(port),) if port.isdigit() else ()
