"""Where a client connects to, and as whom: an alias, a URL, or the environment of ``kes``."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcpy.config import AliasStore, check_url, default_dir
from mcpy.environment import REGION_VARIABLES, first_of, kes_profile, with_hosts
from mcpy.mcconfig import kept_by_mc
from mcpy.models import BY_CALL, Alias

if TYPE_CHECKING:
    from mcpy.api.http import HttpOptions
    from mcpy.api.kes import Kes
    from mcpy.client.client import Client
    from mcpy.models import KesProfile

_CONFIG_VARIABLES = ("MCPY_CONFIG_DIR", "MC_CONFIG_DIR")

_TIMEOUT_S, _IDLE_S = 30.0, 60.0


@dataclass(frozen=True)
class Network:
    """What is the same of every connection of a client."""

    timeout_s: float | None = None
    retries: int = 3
    insecure: bool = False
    transport: Any = field(default=None, repr=False)

    def options(self, ca: str) -> HttpOptions:
        """Return the options of one connection."""
        from mcpy.api.http import Deadline, HttpOptions

        deadline = Deadline(self.timeout_s or _TIMEOUT_S)
        deadline.per_call = True  # a client lives longer than a command
        return HttpOptions(
            deadline=deadline,
            idle_s=self.timeout_s or _IDLE_S,
            retries=self.retries,
            insecure=self.insecure,
            ca=Path(ca) if ca else None,
            transport=self.transport,
        )


def connect(  # noqa: PLR0913 - each is a part of an address or of the network
    target: str,
    access_key: str = "",
    secret_key: str = "",
    *,
    session_token: str = "",
    region: str = "",
    path: str = "auto",
    api: str = "s3v4",
    ca: str | Path = "",
    kes: KesProfile | None = None,
    timeout_s: float | None = None,
    retries: int = 3,
    insecure: bool = False,
    config_dir: str | Path | None = None,
    transport: Any = None,  # noqa: ANN401 - httpx's, which is not loaded yet
) -> Client:
    """Return a client; no request is sent before it is used.

    Args:
        target: an alias of ``mcpy alias set``, or a URL with keys in the next two arguments.
        access_key: with a URL; without it requests go out unsigned.
        secret_key: belongs to it.
        session_token: of temporary keys.
        region: to sign for; ``us-east-1``, or what the server says, without it.
        path: ``auto``, ``on`` or ``off`` (buckets before the host), as ``alias set --path``.
        api: ``s3v4`` or ``s3v2``.
        ca: a PEM file or folder with who issued the server's certificate.
        kes: the KES behind the server; an alias brings its own.
        timeout_s: of each call; of a transfer, how long it may stand still. None is 30, and 60
            for a transfer.
        retries: repeats of a call where that is safe.
        insecure: whether to trust any certificate.
        config_dir: where aliases are; as for the command line without it.
        transport: replaces the network, for tests.

    Raises:
        NoAliasError: nobody set the alias.
        InputError: the URL is none.
    """
    from mcpy.client.client import Client

    network = Network(timeout_s, retries, insecure, transport)
    if "://" not in target:
        found = _store(config_dir).get(target)
        return Client(replace(found, kes=kes or found.kes), network)
    alias = Alias(
        name="server",
        url=check_url(target),
        access_key=access_key,
        secret_key=secret_key,
        session_token=session_token,
        path=path,
        api=api,
        region=region or first_of(os.environ, REGION_VARIABLES),
        ca=str(ca),
        kes=kes,
        source=BY_CALL,
    )
    return Client(alias, network)


def connect_kes(
    profile: KesProfile | None = None,
    *,
    timeout_s: float | None = None,
    retries: int = 3,
    insecure: bool = False,
) -> Kes:
    """Return a client of a KES; without a profile the environment of ``kes`` names it.

    Use ``with contextlib.closing(...)``, or ``close`` it.
    """
    return kes_client(profile or kes_profile(os.environ), Network(timeout_s, retries, insecure))


def _store(config_dir: str | Path | None) -> AliasStore:
    named = str(config_dir or first_of(os.environ, _CONFIG_VARIABLES))
    folder = Path(named) if named else default_dir()
    return AliasStore(folder, with_hosts(os.environ), kept_by_mc)


def kes_client(profile: KesProfile, network: Network) -> Kes:
    """Return the client of the KES that a profile names."""
    from mcpy.api.kes import DEFAULT_SERVER, Kes, endpoints
    from mcpy.api.tls import certificate_of

    servers = endpoints(profile.server or DEFAULT_SERVER)
    return Kes(servers, network.options(profile.ca), certificate_of(profile))
