"""The sandbox: a KES and an S3 server in one folder, for a test, a demo or an afternoon.

Not for production: keys lie in files, nothing is replicated, and both servers trust loopback.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mcpy.errors import ConfigError, InputError
from mcpy.sandbox import address, claim
from mcpy.sandbox.access import Access
from mcpy.sandbox.faults import Faults
from mcpy.sandbox.home import Home, State, running_already
from mcpy.sandbox.like import NAMES, personality
from mcpy.sandbox.lock import Lock
from mcpy.sandbox.logfile import LogFile
from mcpy.sandbox.needs import check_packages
from mcpy.sandbox.own_kes import follow_address, follow_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from mcpy.sandbox.kes.service import KesService
    from mcpy.sandbox.s3_service import S3Service

ANY_PORT = "127.0.0.1:0"
_KES_ADDRESS = "127.0.0.1:7373"
"""What the KES's configuration file says; a sandbox itself takes any port."""
_STARTING = threading.Lock()
"""Held while one starts: much is imported then, which pytest parses, and some releases of Python
cannot parse in two threads at once (python/cpython#106905)."""


class Sandbox(Access):
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
        faults: what goes wrong (see ``mcpy.sandbox.faults.spec``), once both servers are up.
        seed: decides which requests meet a fault that has a share.
        kms_key: a key that is there from the start; for MinIO it is the default key, and the KES
            the KMS, without which the S3 server starts without one.

    Attributes:
        faults: what goes wrong now; ``faults.replace([...])`` changes it.
        home: the folder, and what is where in it.
        started_in_s: seconds the last start took.

    Raises:
        InputError: an address, a fault or ``like`` is none.
    """

    def __init__(  # noqa: PLR0913 - the options of the command
        self,
        dir: Path | str | None = None,  # noqa: A002 - the name of the option
        *,
        s3: str = ANY_PORT,
        kes: str = ANY_PORT,
        tls: bool = False,
        kes_config: Path | None = None,
        allow_remote: bool = False,
        like: str | None = None,
        faults: Iterable[str] = (),
        seed: int = 0,
        kms_key: str | None = None,
    ) -> None:
        if "" in (dir, kms_key):
            named = "dir" if dir == "" else "kms_key"
            raise InputError(f"{named} is empty: is a variable unset?")
        self.faults = Faults(faults, seed=seed)
        self._following = threading.Lock()
        if like is not None and like not in NAMES:
            personality(like)  # which says what there is
        self._like = like
        self._addresses = [address.address(text, allow_remote=allow_remote) for text in (s3, kes)]
        self._temporary = dir is None
        # made when it starts: one that never does leaves nothing behind
        folder = dir or Path(tempfile.gettempdir(), f"mcpy-sandbox-{secrets.token_hex(8)}")
        self.home = Home.at(Path(folder))
        self.started_in_s = 0.0
        self._kms_key = kms_key
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
        began = time.monotonic()
        check_packages()
        self._claim.take()
        if not self._lock.acquire():
            raise running_already(self.home)
        try:
            with _STARTING:
                self._start()
        except BaseException as e:
            self.stop()
            self._claim.undo()
            if isinstance(e, OSError):
                message = f"cannot use {e.filename or self.home.path}: {e.strerror or e}"
                raise ConfigError(message) from e
            raise
        self.started_in_s = time.monotonic() - began
        return self

    def stop(self) -> None:
        """Stop both servers; a folder of its own goes with them."""
        self.faults.on_change = lambda: None
        self.faults.release()
        for service in (self._s3, self._kes):
            if service is not None:
                service.stop()
        last = self.home.read_state()
        if last is not None and self._kes is not None and not self.has_lost_folder:
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
    def has_lost_folder(self) -> bool:
        """Whether its folder was removed or put in another's place while it runs."""
        return self._lock.is_lost()

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
        from mcpy.sandbox.s3_setting import Manner

        claim.follow_move(self.home)
        self.home.furnish(tuple(host for host, _ in self._addresses))
        last = self.home.read_state()
        s3, kes = self._remembered(last)
        self.home.write_kes_config(_KES_ADDRESS)
        config = self._kes_config or self.home.kes_yml
        env = self.home.kes_variables() | dict(os.environ)
        if self._kes_config is not None and kes[1][-1] == 0:
            kes = address.configured(self._kes_config, env) or kes
        self.faults.rearm()
        self._kes = address.listening(
            lambda port: KesService(config, (kes[0], port), self._log, env, faults=self.faults),
            kes[1],
        )
        if self._kes_config is None:
            follow_address(self.home, self._kes.server.address)
        follow_endpoint(self.home, self.kes_url)
        like = personality(self._like or (last.like if last else "minio"))
        self._provide_key(minio=like.has_admin_api)
        manner = Manner(like, self._own_kms(), self.faults, self._kes.inside)
        self._s3 = address.listening(
            lambda port: S3Service(
                self.home, (s3[0], port), self._log, tls=self._tls, manner=manner
            ),
            s3[1],
        )
        started = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        alias = last.alias if last else ""
        state = State(os.getpid(), self.s3_url, self.kes_url, started, alias, like.name)
        self.home.write_state(state)
        self.faults.on_change = self._follow_faults
        self._follow_faults()

    def _follow_faults(self) -> None:
        """Let the KES listen unless a fault says that it does not."""
        with self._following:
            if self._kes is None or self.faults.has("kes-down") == self._kes.paused:
                return
            if self._kes.paused:
                self._kes.resume()
            else:
                self._kes.pause()

    def _provide_key(self, *, minio: bool) -> None:
        """Make the key that is to be there, and MinIO use it."""
        from mcpy.sandbox.kms import KesKms, KmsProblem

        if self._kms_key is None:
            return
        variables = {**self._own_kms(), "MINIO_KMS_KES_KEY_NAME": self._kms_key}
        kms = KesKms.from_env(variables)
        try:
            if kms is not None:
                kms.create(self._kms_key)
        except KmsProblem as e:
            if e.message != "key already exists":
                raise ConfigError(f"cannot make the key `{self._kms_key}`: {e.message}") from e
        finally:
            if kms is not None:
                kms.close()
        if minio:
            self.home.connect_kms(variables)

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
            (host, (port,) if port else (*address.port_of(url), 0))
            for (host, port), url in zip(self._addresses, urls, strict=True)
        ]
