"""Where a sandbox's servers listen: addresses read, ports tried, ports taken again."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mcpy.errors import InputError, UnreachableError
from mcpy.models import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mcpy.sandbox.kes.service import KesService
    from mcpy.sandbox.s3_service import S3Service

_Service = TypeVar("_Service", "KesService", "S3Service")


def listening(make: Callable[[int], _Service], ports: tuple[int, ...]) -> _Service:
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


def configured(config: Path, env: Mapping[str, str]) -> tuple[str, tuple[int, ...]] | None:
    """Return the address a KES configuration names, if only this machine can reach it."""
    from mcpy.sandbox.kes.config import load
    from mcpy.sandbox.kes.document import ConfigProblem

    try:
        host, port = address(load(config, env).address, allow_remote=False)
    except (ConfigProblem, InputError):
        return None  # reported when it is served, or not for us to take
    return host, (port,)


def address(text: str, *, allow_remote: bool) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``.

    Raises:
        InputError: it is none, or one that others can reach, which has to be allowed.
    """
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


def port_of(url: str) -> tuple[int, ...]:
    """Return the port at the end of a URL, nothing if there is none."""
    port = url.rpartition(":")[2].strip("/")
    return (int(port),) if port.isdigit() else ()
