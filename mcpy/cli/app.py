"""What every command is given: settings, output, aliases, and clients made on demand."""

from __future__ import annotations

import io
import re
import sys
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from mcpy.cli.options import Settings
from mcpy.cli.output import Output
from mcpy.config import AliasStore, default_dir
from mcpy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from mcpy.api.http import Deadline, HttpOptions
    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.s3 import S3
    from mcpy.api.throttle import Throttle
    from mcpy.models import Alias

DEFAULT_TIMEOUT_S = 30.0
DEFAULT_IDLE_S = 60.0  # of a transfer
_SECRET_HEADER = re.compile("auth|cookie|token|secret|key", re.IGNORECASE)


class ClosedInput(io.StringIO):
    """The stdin of a process that was started without one: closed is not the same as empty."""

    def read(self, size: int | None = -1, /) -> str:  # noqa: ARG002 - its signature
        """Raise InputError: what would be stored, or answered, was never said."""
        raise InputError("stdin is closed: there is nothing to read")

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]  # noqa: ARG002
        """Raise as ``read``; lines are taken from here too."""
        return self.read()


class App:
    """One run of mcpy; nothing is read or opened before a command asks.

    Args:
        environ: the environment.
        settings: the global options, filled in while the command line is parsed.
        stdin: where prompts without a terminal read from.
        transport: replaces the network, for tests.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        settings: Settings | None = None,
        *,
        out: Output | None = None,
        stdin: TextIO | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.environ = environ
        self.settings = settings or Settings()
        self.out = out or Output(self.settings)
        self.stdin = stdin or sys.stdin or ClosedInput()  # None when the process has none
        self._transport = transport
        self._closing: list[Callable[[], None]] = []
        self._s3: dict[str, S3] = {}

    @cached_property
    def store(self) -> AliasStore:
        """The alias store of ``--config-dir``."""
        from mcpy.environment import with_hosts
        from mcpy.mcconfig import kept_by_mc

        folder = self.settings.config_dir or default_dir()
        return AliasStore(folder, with_hosts(self.environ), kept_by_mc)

    @cached_property
    def deadline(self) -> Deadline:
        """The deadline of this command; it starts at the first request."""
        from mcpy.api.http import Deadline

        return Deadline(self.settings.timeout_s or DEFAULT_TIMEOUT_S)

    @cached_property
    def throttles(self) -> tuple[Throttle | None, Throttle | None]:
        """What bounds uploads and downloads, of all connections together."""
        from mcpy.api.throttle import Throttle

        upload, download = self.settings.limit_upload, self.settings.limit_download
        return Throttle(upload) if upload else None, Throttle(download) if download else None

    def apart(self) -> App:
        """Return this app for one of several targets: its deadline begins now, and is its own."""
        other = copy(self)
        other.__dict__.pop("deadline", None)
        other._s3 = {}
        return other

    def bulk(self) -> None:
        """Hold each call to the timeout, not all together: there may be any number of them."""
        self.deadline.per_call = True

    def alias(self, name: str) -> Alias:
        """Return an alias; its secrets will not be printed from now on.

        Raises:
            NoAliasError: nobody set it.
        """
        alias = self.store.get(name)
        self.hide(alias)
        return alias

    def _located(self, alias: Alias) -> Alias:
        """Give an alias without a region that of the environment."""
        from mcpy.environment import REGION_VARIABLES, first_of

        return replace(alias, region=alias.region or first_of(self.environ, REGION_VARIABLES))

    def hide(self, alias: Alias) -> None:
        """Mask the secrets of ``alias`` in all output."""
        if not self.settings.show_secrets:
            kes = alias.kes.api_key if alias.kes else ""
            # an access key is no secret, and some servers' first secret key is the same word
            secret = "" if alias.secret_key == alias.access_key else alias.secret_key
            self.out.hide(secret, alias.session_token, kes)

    def _trusted(self, own: str) -> Path | None:
        """Return whom to trust: MCPY_CA is for every server, and may be MinIO's and not KES's."""
        everywhere = self.settings.ca
        return Path(own) if own and "ca" not in self.settings.typed else everywhere

    def http_options(self, ca: str = "") -> HttpOptions:
        """Return the connection options; ``--ca`` goes before ``ca``, MCPY_CA after it."""
        from mcpy.api.http import HttpOptions

        if not self.settings.show_secrets:
            headers = self.settings.custom_header
            self.out.hide(*(value for name, value in headers if _SECRET_HEADER.search(name)))
        return HttpOptions(
            deadline=self.deadline,
            idle_s=self.settings.timeout_s or DEFAULT_IDLE_S,
            retries=self.settings.retries,
            insecure=self.settings.insecure,
            ca=self._trusted(ca),
            resolve=dict(self.settings.resolve),
            headers=self.settings.custom_header,
            trace=self.out.debug if self.settings.debug else None,
            transport=self._transport,
            upload=self.throttles[0],
            download=self.throttles[1],
        )

    def s3(self, alias: str | Alias) -> S3:
        """Return the S3 client of an alias; commands with many targets share its connections."""
        from mcpy.api.s3 import S3

        if isinstance(alias, str) and alias in self._s3:
            return self._s3[alias]
        found = self.alias(alias) if isinstance(alias, str) else alias
        client = S3(self._located(found), self.http_options(found.ca))
        self.at_end(client.http.close)
        if isinstance(alias, str):
            self._s3[alias] = client
        return client

    def admin(self, name: str) -> MinioAdmin:
        """Return the admin client of an alias."""
        from mcpy.api.madmin import MinioAdmin

        alias = self.alias(name)
        client = MinioAdmin(alias, self.http_options(alias.ca))
        self.at_end(client.close)
        return client

    def read_bytes(self, count: int) -> bytes:
        """Return up to ``count`` bytes of stdin; none at its end.

        Raises:
            InputError: it is closed, or not open for reading.
        """
        source = getattr(self.stdin, "buffer", None)
        try:
            found: bytes = source.read(count) if source else self.stdin.read(count).encode()
        except OSError as e:
            raise InputError(f"cannot read stdin: {(e.strerror or str(e)).lower()}") from e
        return found

    def at_end(self, close: Callable[[], None]) -> None:
        """Call ``close`` when the command is over."""
        self._closing.append(close)

    def cut(self) -> None:
        """Break the connections to S3 servers, and with them what waits for an answer."""
        for client in self._s3.values():
            client.http.close()

    def close(self) -> None:
        """Close what was opened."""
        while self._closing:
            self._closing.pop()()


pass_app = click.make_pass_decorator(App)
