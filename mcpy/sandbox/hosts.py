"""The names and addresses that lead to what listens on a host, for the certificate it shows."""

from __future__ import annotations

import contextlib
import re
import socket
from ipaddress import ip_address

from mcpy.sandbox.certs import LOCAL_NAMES


def names_of(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names a server certificate is for: this machine's, and what is listened on."""
    names = dict.fromkeys(LOCAL_NAMES)
    for host in hosts:
        names |= dict.fromkeys(_machine() if _is_every_address(host) else (host,))
    return tuple(names)


def _is_every_address(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _machine() -> tuple[str, ...]:
    """Return this machine's name and the addresses others reach it by, as far as it knows."""
    name = socket.gethostname()
    names = [name] if re.fullmatch("[A-Za-z0-9._-]+", name) else []
    with contextlib.suppress(OSError):
        names += [str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(name, None)]
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # nothing is sent: the system only says which of its addresses would be used
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((far, 9))
            names.append(str(asking.getsockname()[0]).partition("%")[0])
    return tuple(names)
