"""The S3 and admin server of a sandbox: made anew from its environment file at every start."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.sandbox.home import Home
    from mcpy.sandbox.kms import Kms
    from mcpy.sandbox.server import HttpServer
    from mcpy.sandbox.store import Store
    from mcpy.sandbox.tls import TlsContext
    from mcpy.sandbox.wsgi import Handler

_ANSWER_S = 1.0
"""How long a restart waits for the answers under way, its own among them."""


class S3Service:
    """A server that can be stopped and started again on the same port.

    Like a real server it does not come up when the KMS it is told to use does not answer.

    Args:
        home: the sandbox's folder.
        address: host and port to listen on, port 0 for any.
        tls: whether to speak TLS with the sandbox's certificate.
        log: gets faults and what the server does.

    Attributes:
        url: where it serves, also while it is down.
        failure: why it did not come up again, or None.
    """

    def __init__(
        self, home: Home, address: tuple[str, int], log: Callable[[str], None], *, tls: bool
    ) -> None:
        self._home = home
        self._address = address
        self._log = log
        self._tls = tls
        self._server: HttpServer | None = None
        self._store: Store | None = None
        self._changing = threading.RLock()
        self.url = ""
        self.failure: str | None = None

    def start(self) -> None:
        """Read the environment file, reach the KMS, listen.

        Raises:
            ConfigError: the environment is unusable or the KMS does not answer.
            OSError: the address cannot be listened on.
        """
        from mcpy.sandbox.server import HttpServer
        from mcpy.sandbox.store import Store

        with self._changing:
            env = self._home.environment()
            credentials = _root_credentials(env)
            kms = _reach_kms(env)
            self._store = Store(self._home.data)
            handler = self._handler(env, credentials, kms, self._store)
            self._server = HttpServer(
                handler, *self._address, tls=self._tls_context(), log=self._log
            )
            self._server.start()
            self._address = (self._address[0], self._server.port)
            self.url, self.failure = self._server.url, None
            self._log(f"s3: serving {self.url}, {_about(kms)}")

    def stop(self, grace_s: float = 0.2) -> None:
        """Stop listening; running requests get ``grace_s`` seconds."""
        with self._changing:
            if self._server is not None:
                self._server.stop(grace_s)
                self._server = None
            if self._store is not None:
                self._store.close()
                self._store = None

    def restart(self) -> None:
        """Stop, then start from the environment file as it is now.

        Raises:
            ConfigError: as ``start``; the server stays down, as a real one would.
            OSError: the same.
        """
        with self._changing:
            self._log("s3: restarting")
            self.stop(_ANSWER_S)
            try:
                self.start()
            except (ConfigError, OSError) as e:
                self.stop()
                self.failure = str(e)
                self._log(f"s3: FATAL: the server did not come up again: {e}")
                raise

    def on_service(self, action: str) -> None:
        """Do what the admin API was asked for, once it has answered."""
        work = {"restart": self._restart_unattended, "stop": self.stop}.get(action)
        if work is not None:
            threading.Thread(target=work, daemon=True).start()

    def _restart_unattended(self) -> None:
        try:
            self.restart()
        except (ConfigError, OSError):
            return  # logged; there is nobody left to tell

    def _tls_context(self) -> TlsContext | None:
        if not self._tls:
            return None
        from mcpy.sandbox.tls import TlsContext

        return TlsContext(self._home.certs / "server.key", self._home.certs / "server.crt")

    def _handler(
        self,
        env: Mapping[str, str],
        credentials: Mapping[str, str],
        kms: Kms | None,
        store: Store,
    ) -> Handler:
        from mcpy.sandbox.s3.app import S3App

        s3 = S3App(store, kms=kms, credentials=credentials, region=env.get("MINIO_REGION", ""))
        s3.auto_encrypt = env.get("MINIO_KMS_AUTO_ENCRYPTION", "").lower() in {"on", "true", "1"}
        return s3


def _root_credentials(env: Mapping[str, str]) -> dict[str, str]:
    user, password = env.get("MINIO_ROOT_USER", ""), env.get("MINIO_ROOT_PASSWORD", "")
    if len(user) < 3 or len(password) < 8:
        raise ConfigError(
            "MINIO_ROOT_USER needs 3 characters at least, MINIO_ROOT_PASSWORD 8",
            hint="see minio.env in the sandbox's folder",
        )
    return {user: password}


def _reach_kms(env: Mapping[str, str]) -> Kms | None:
    """Return the KMS the environment names, proven to work; None when it names none.

    Asks for a data key of the default key as a real server does when it starts, and makes the
    key when there is none.
    """
    if not any(name.startswith("MINIO_KMS_") for name in env):
        return None
    from mcpy.sandbox.kms import KesKms, KmsProblem, StaticKms

    kms: Kms | None = KesKms.from_env(env) or StaticKms.from_env(env)
    if kms is None:
        return None
    try:
        kms.generate(kms.default_key, {})
    except KmsProblem as e:
        if (e.status, e.message) == (404, "key does not exist"):
            _create_default_key(kms)
        elif e.status != 403:
            raise ConfigError(f"unable to connect to the KMS: {e.message}") from e
    return kms


def _create_default_key(kms: Kms) -> None:
    from mcpy.sandbox.kms import KmsProblem

    try:
        kms.create(kms.default_key)
    except KmsProblem as e:
        if e.status != 403 and e.message != "key already exists":
            raise ConfigError(f"unable to create the default key: {e.message}") from e


def _about(kms: Kms | None) -> str:
    return f"KMS key {kms.default_key}" if kms else "no KMS"
