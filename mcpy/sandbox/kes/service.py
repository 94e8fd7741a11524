"""The KES of a sandbox: its configuration, its keystore, its address."""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError
from mcpy.sandbox.faults import Faults, without_keys
from mcpy.sandbox.kes import config as kes_config
from mcpy.sandbox.kes.app import KesApp
from mcpy.sandbox.kes.document import ConfigProblem
from mcpy.sandbox.kes.errors import KesProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mcpy.sandbox.kes.config import KesConfig
    from mcpy.sandbox.kms.link import Ends
    from mcpy.sandbox.message import Request, Response
    from mcpy.sandbox.tls import TlsContext


class KesService:
    """A KES server that can be started and stopped.

    Args:
        config_file: KES's own YAML.
        address: host and port to listen on, port 0 for any; without it, that of the file.
        log: gets audit and error lines.
        env: what the file's ``${NAME}`` stand for.
        faults: what goes wrong.

    Raises:
        ConfigError: the configuration, the keystore or the certificate is unusable.
    """

    def __init__(
        self,
        config_file: Path,
        address: tuple[str, int],
        log: Callable[[str], None],
        env: Mapping[str, str] = os.environ,
        *,
        faults: Faults | None = None,
    ) -> None:
        self._config_file = config_file
        self._log = log
        self._env = env
        self._faults = faults or Faults()
        self.paused = False
        self._open(address)

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        self.server.start()

    def stop(self) -> None:
        """End the log streams and stop listening."""
        if not self.paused:
            self._app.close()
            self.server.stop()

    def pause(self) -> None:
        """Stop listening for a while; the address stays this server's."""
        self.stop()
        self.paused = True

    def resume(self) -> None:
        """Listen again, with the keys there are and the configuration as it is now.

        Raises:
            OSError: somebody else has taken the address.
            ConfigError: the configuration or the keystore has become unusable.
        """
        self._open((self.server.host, self.server.port))
        self.start()
        self.paused = False

    def _open(self, address: tuple[str, int]) -> None:
        from mcpy.sandbox.server import HttpServer

        try:
            config = kes_config.load(self._config_file, self._env)
            self._app = KesApp(config, config.open_keystore(), sink=self._log)
            tls = _tls(config)
        except ConfigProblem as e:
            raise ConfigError(f"{self._config_file}: {e}") from e
        self.server = HttpServer(self._answer, *address, tls=tls, log=self._log)

    def _answer(self, request: Request) -> Response:
        return self._faults.around("kes", request, self._serve, _refuse)

    def _serve(self, request: Request) -> Response:
        lost = self._faults.lost_keys()
        return without_keys(request, self._app, lost) if lost else self._app(request)

    def inside(
        self, ends: Ends, method: str, path: str, body: bytes | None
    ) -> tuple[int, bytes] | None:
        """Answer status and body of a request for a key without the wire.

        It is asked as over the connection with these ``ends`` (see ``Inside``): who asks is who
        shook hands there, and once it is closed there is no answer. Faults happen on the wire,
        and a keystore on another machine may take longer than a client waits.
        """
        local = self._app.state.store.provider == "fs"
        if self.paused or self._faults.texts or not local or not path.startswith("/v1/key/"):
            return None
        connection = self.server.connection(ends)
        if connection is None:
            return None
        headers = {} if body is None else {"content-type": "application/json"}
        content = BytesIO(body or b"")
        response = self._app(connection.request(method, path, headers, content, len(body or b"")))
        answer = response.body
        return response.status, answer if isinstance(answer, bytes) else b"".join(answer)

    def reload(self) -> None:
        """Read the configuration again; a broken one is logged and changes nothing."""
        try:
            self._app.reload(kes_config.load(self._config_file, self._env))
        except ConfigProblem as e:
            self._log(f"kes: failed to reload server config: {e}")


def _refuse(request: Request, status: int) -> Response:  # noqa: ARG001 - the same for all
    words = {429: "too many requests", 503: "service unavailable"}
    return KesProblem(status, words[status]).response()


def _tls(config: KesConfig) -> TlsContext:
    from OpenSSL import SSL

    from mcpy.sandbox.tls import ClientCertificates, TlsContext

    options = config.tls
    clients = ClientCertificates(
        ask=True, need=config.needs_certificate, verify=options.verify, ca=options.ca
    )
    try:
        return TlsContext(options.key, options.cert, password=options.password, clients=clients)
    except (OSError, ValueError, TypeError, SSL.Error) as e:
        raise ConfigProblem(f"failed to read TLS certificate: {e}") from e
