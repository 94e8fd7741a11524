"""The KES of a profile, with what can be told of the certificate that we show to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.api import kes_identity
from mcpy.api.kes import DEFAULT_SERVER, endpoints
from mcpy.api.tls import private_key_from_api_key
from mcpy.errors import ConfigError
from mcpy.fleet.doctor.step import KesAccess

if TYPE_CHECKING:
    from mcpy.api.http import HttpOptions
    from mcpy.api.kes import Kes
    from mcpy.api.tls import ClientCertificate
    from mcpy.models import KesProfile


def access_of(
    profile: KesProfile, client: Kes, certificate: ClientCertificate, options: HttpOptions
) -> KesAccess:
    """Return how to reach the KES of a profile, and who we are to it.

    Raises:
        ConfigError: the certificate cannot be read.
    """
    servers = tuple(endpoints(profile.server or DEFAULT_SERVER))
    if profile.api_key:
        identity = kes_identity.identity(private_key_from_api_key(profile.api_key))
        return KesAccess(servers, client, options, certificate, identity=identity)
    path = Path(profile.client_cert)
    try:
        found = kes_identity.of_certificate(path.read_bytes(), str(path))
    except OSError as e:
        raise ConfigError(f"cannot read the client certificate {path}: {e.strerror}") from e
    return KesAccess(servers, client, options, certificate, found.not_after, found.identity)
