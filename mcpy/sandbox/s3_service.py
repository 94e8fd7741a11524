"""The S3 and admin server of a sandbox: made anew from its environment file at every start."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.sandbox.admin import Deployment
    from mcpy.sandbox.home import Home
    from mcpy.sandbox.kms import Kms
    from mcpy.sandbox.like.base import Like
    from mcpy.sandbox.server import HttpServer
    from mcpy.sandbox.tls import TlsContext
    from mcpy.sandbox.wsgi import Handler, Request, Response

_TRUE = {"on", "true", "1", "yes"}
_ANSWER_S = 1.0
"""How long a restart waits for the answers under way, its own among them."""


class S3Service:
    """A server that can be stopped and started again on the same port.

    Like a real server it does not come up when the KMS it is told to use does not answer.

    Args:
        home: the sandbox's folder.
        address: host and port to listen on, port 0 for any.
        tls: whether to speak TLS with the sandbox's certificate.
        like: the server to be like.
        own_kms: variables of the sandbox's own KES, for a server that brings its KMS along.
        log: gets faults and what the server does.

    Attributes:
        url: where it serves, also while it is down.
        failure: why it did not come up again, or None.
    """

    def __init__(
        self,
        home: Home,
        address: tuple[str, int],
        log: Callable[[str], None],
        *,
        tls: bool,
        like: Like | None = None,
        own_kms: Mapping[str, str] | None = None,
    ) -> None:
        from mcpy.sandbox.like.base import Like

        self.like = like or Like()
        self._own_kms = own_kms or {}
        self._home = home
        self._address = address
        self._log = log
        self._tls = tls
        self._run: _Run | None = None
        self._changing = threading.RLock()
        self.url = ""
        self.failure: str | None = None

    def start(self) -> None:
        """Read the environment file, reach the KMS, listen.

        Raises:
            ConfigError: the environment is unusable or the KMS does not answer.
            OSError: the address cannot be listened on.
        """
        with self._changing:
            env = _environment(self._home, self.like, self._own_kms)
            run = _Run(self._home, env, self._log, self.on_service, self.like)
            try:
                self.url = run.listen(self._address, self._tls_context())
            except BaseException:
                run.stop()
                raise
            self._run = run
            self._address = (self._address[0], run.port)
            self.failure = None
            self._log(f"s3: serving {self.url}, {run.about()}")

    def stop(self, grace_s: float = 0.2) -> None:
        """Stop listening; running requests get ``grace_s`` seconds."""
        with self._changing:
            if self._run is not None:
                self._run.stop(grace_s)
                self._run = None

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


class _Run:
    """One run of the server, from start to stop.

    Raises:
        ConfigError: the environment is unusable or the KMS does not answer.
    """

    def __init__(
        self,
        home: Home,
        env: Mapping[str, str],
        log: Callable[[str], None],
        on_service: Callable[[str], None],
        like: Like,
    ) -> None:
        from mcpy.sandbox.s3.app import S3App
        from mcpy.sandbox.store import Store

        self._home = home
        self._env = env
        self._log = log
        self._on_service = on_service
        self._credentials = _root_credentials(env)
        self._kms = _reach_kms(env, needed=like.has_admin_api)
        self._store = Store(home.data)
        self._s3 = S3App(
            self._store,
            kms=self._kms,
            credentials=self._credentials,
            region=env.get("MINIO_REGION", ""),
            like=like,
        )
        self._s3.auto_encrypt = env.get("MINIO_KMS_AUTO_ENCRYPTION", "").lower() in _TRUE
        domains = env.get("MINIO_DOMAIN", "").split(",")
        self._s3.domains = tuple(domain for domain in domains if domain)
        self._handler: Handler = self._s3
        self._deployment: Deployment | None = None
        self._server: HttpServer | None = None
        self.port = 0

    def listen(self, address: tuple[str, int], tls: TlsContext | None) -> str:
        """Serve at ``address``; return the URL."""
        from mcpy.sandbox.server import HttpServer

        self._server = HttpServer(self._answer, *address, tls=tls, log=self._log)
        self._server.listen()
        self.port = self._server.port
        # the admin API names the port, which is known only now; clients wait so long
        self._handler = self._with_admin(urlsplit(self._server.url).netloc)
        self._server.start()
        return self._server.url

    def stop(self, grace_s: float = 0) -> None:
        """Let go of everything."""
        if self._deployment is not None:
            self._deployment.stop()
        if self._server is not None:
            self._server.stop(grace_s)
        self._store.close()
        if self._kms is not None:
            self._kms.close()

    def about(self) -> str:
        """Return what the log says of the KMS, and of whom it is like."""
        kms = f"KMS key {self._kms.default_key}" if self._kms else "no KMS"
        return kms if self._s3.like.has_admin_api else f"like {self._s3.like.name}, {kms}"

    def _answer(self, request: Request) -> Response:
        return self._handler(request)

    def _with_admin(self, endpoint: str) -> Handler:
        if not self._s3.like.has_admin_api:
            return self._s3
        from mcpy.sandbox.admin import AdminApp, Deployment, Router, StoreEngine, census_of

        self._deployment = Deployment(
            endpoint=endpoint,
            env=self._env,
            folder=self._home.data,
            config_file=self._home.path / "config.json",
            census=lambda: census_of(self._store),
            deployment_id=self._home.deployment_id(),
        )
        self._s3.wait = self._deployment.wait_until_thawed
        admin = AdminApp(
            kms=self._kms,
            credentials=self._credentials,
            deployment=self._deployment,
            on_service=self._on_service,
            engine=StoreEngine(self._store, lambda: self._kms),
            log=self._log,
        )
        return Router(admin, self._s3)


def _environment(home: Home, like: Like, own_kms: Mapping[str, str]) -> Mapping[str, str]:
    """Return the server's variables; only MinIO has its KMS and region from them."""
    env = home.environment()
    if like.has_admin_api:
        return env
    env = {n: v for n, v in env.items() if not n.startswith(("MINIO_KMS_", "MINIO_REGION"))}
    if like.kms_key:
        env |= {**own_kms, "MINIO_KMS_KES_KEY_NAME": like.kms_key}
    return env


def _root_credentials(env: Mapping[str, str]) -> dict[str, str]:
    user, password = env.get("MINIO_ROOT_USER", ""), env.get("MINIO_ROOT_PASSWORD", "")
    if len(user) < 3 or len(password) < 8:
        raise ConfigError(
            "MINIO_ROOT_USER needs 3 characters at least, MINIO_ROOT_PASSWORD 8",
            hint="see minio.env in the sandbox's folder",
        )
    return {user: password}


def _reach_kms(env: Mapping[str, str], *, needed: bool) -> Kms | None:
    """Return the KMS the environment names, proven to work if ``needed``; None when it names none.

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
        elif needed and e.status != 403:
            raise ConfigError(f"unable to connect to the KMS: {e.message}") from e
    return kms


def _create_default_key(kms: Kms) -> None:
    from mcpy.sandbox.kms import KmsProblem

    try:
        kms.create(kms.default_key)
    except KmsProblem as e:
        if e.status != 403 and e.message != "key already exists":
            raise ConfigError(f"unable to create the default key: {e.message}") from e
