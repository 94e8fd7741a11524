"""The KES of a sandbox: its configuration, its keystore, its address."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError
from mcpy.sandbox.kes import config as kes_config
from mcpy.sandbox.kes.app import KesApp
from mcpy.sandbox.kes.document import ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mcpy.sandbox.kes.config import KesConfig
    from mcpy.sandbox.tls import TlsContext


class KesService:
    """A KES server that can be started and stopped.

    Args:
        config_file: KES's own YAML.
        address: host and port to listen on, port 0 for any; without it, that of the file.
        log: gets audit and error lines.
        env: what the file's ``${NAME}`` stand for.

    Raises:
        ConfigError: the configuration, the keystore or the certificate is unusable.
    """

    def __init__(
        self,
        config_file: Path,
        address: tuple[str, int],
        log: Callable[[str], None],
        env: Mapping[str, str] = os.environ,
    ) -> None:
        from mcpy.sandbox.server import HttpServer

        self._config_file = config_file
        self._log = log
        self._env = env
        try:
            config = kes_config.load(config_file, env)
            self._app = KesApp(config, config.open_keystore(), sink=log)
            tls = _tls(config)
        except ConfigProblem as e:
            raise ConfigError(f"{config_file}: {e}") from e
        self.server = HttpServer(self._app, *address, tls=tls, log=log)

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        self.server.start()

    def stop(self) -> None:
        """End the log streams and stop listening."""
        self._app.close()
        self.server.stop()

    def reload(self) -> None:
        """Read the configuration again; a broken one is logged and changes nothing."""
        try:
            self._app.reload(kes_config.load(self._config_file, self._env))
        except ConfigProblem as e:
            self._log(f"kes: failed to reload server config: {e}")


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
