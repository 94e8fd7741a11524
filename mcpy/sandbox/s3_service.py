"""The S3 and admin server of a sandbox: made anew from its environment file at every start."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcpy.errors import ConfigError
from mcpy.sandbox.faults import PATH as CONTROL
from mcpy.sandbox.faults import control
from mcpy.sandbox.faults.refusals import refusal
from mcpy.sandbox.s3_setting import Manner, environment, reach_kms, root_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.sandbox.admin import Deployment
    from mcpy.sandbox.home import Home
    from mcpy.sandbox.message import Handler, Request, Response
    from mcpy.sandbox.server import HttpServer
    from mcpy.sandbox.tls import TlsContext

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
        manner: how it behaves, as MinIO unless it is given.
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
        manner: Manner | None = None,
    ) -> None:
        self._manner = manner or Manner.plain()
        self.like = self._manner.like
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
            env = environment(self._home, self._manner)
            run = _Run(self._home, env, self._log, self.on_service, self._manner)
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
        manner: Manner,
    ) -> None:
        from mcpy.sandbox.s3.app import S3App
        from mcpy.sandbox.s3.identities import Identities
        from mcpy.sandbox.store import Store

        self._home = home
        self._env = env
        self._log = log
        self._on_service = on_service
        self._credentials = Identities(root_credentials(env), home.path / "iam.json")
        self._faults = manner.faults
        needed = manner.like.has_admin_api
        self._kms = reach_kms(env, needed=needed, inside=manner.inside)
        self._store = Store(home.data)
        self._s3 = S3App(
            self._store,
            kms=self._kms,
            credentials=self._credentials,
            region=env.get("MINIO_REGION", ""),
            like=manner.like,
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
        if request.path == CONTROL:
            return control(request, self._faults, self._credentials)
        return self._faults.around("s3", request, self._handler, self._refuse)

    def _refuse(self, request: Request, status: int) -> Response:
        minio = self._s3.like.has_admin_api
        return self._s3.refuse(request, refusal(request, status, minio=minio))

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
