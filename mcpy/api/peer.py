"""The certificate a server shows, looked at without asking it for anything."""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from mcpy.api import tls
from mcpy.api.dialing import address_of
from mcpy.api.failures import translate
from mcpy.errors import DeadlineError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mcpy.api.http import HttpOptions
    from mcpy.api.tls import ClientCertificate

_PATIENCE_S = 5.0


@dataclass(frozen=True)
class PeerCertificate:
    """The certificate at the end of a server's chain.

    Attributes:
        subject, issuer: the common name, else the whole name.
        names: host names and addresses it is for.
        problem: why it is not trusted, in OpenSSL's words; ``""`` when it is.
        judged: False where anybody was to be trusted, so that nobody looked.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    self_signed: bool
    problem: str = ""
    judged: bool = True


def look(
    url: str, options: HttpOptions, client: ClientCertificate | None = None
) -> PeerCertificate:
    """Return the certificate that the server of an ``https`` URL shows.

    Where it is not trusted it is fetched all the same, without a client certificate being shown.

    Raises:
        UnreachableError: nobody listens there, or not with TLS.
        ConfigError: the files of ``options`` or ``client`` cannot be used.
    """
    trusting = tls.context(ca=options.ca, insecure=options.insecure, client=client)
    with _as_ours(url):
        try:
            found = _certificate(_fetch(url, options, trusting), problem="")
            return replace(found, judged=not options.insecure)
        except ssl.SSLCertVerificationError as e:
            problem = e.verify_message.rstrip(".")
        return _certificate(_fetch(url, options, tls.context(insecure=True)), problem=problem)


@contextmanager
def _as_ours(url: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError as e:
        raise DeadlineError(
            f"{urlsplit(url).netloc} did not complete a TLS handshake in time: does it speak TLS?"
        ) from e
    except OSError as e:
        raise translate(e, url) from e


def _fetch(url: str, options: HttpOptions, context: ssl.SSLContext) -> bytes:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    address = address_of(host, port, options.resolve)
    wait_s = max(0.1, min(_PATIENCE_S, options.deadline.left_s()))
    with (
        socket.create_connection((address, port), wait_s) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        found = secured.getpeercert(binary_form=True)
    if not found:
        raise ProtocolError(f"{parts.netloc} showed no certificate")
    return found


def _certificate(der: bytes, *, problem: str) -> PeerCertificate:
    try:
        found = x509.load_der_x509_certificate(der)
        return PeerCertificate(
            _name(found.subject),
            _name(found.issuer),
            _names(found),
            found.not_valid_before_utc,
            found.not_valid_after_utc,
            found.subject == found.issuer,
            problem,
        )
    except ValueError as e:
        raise ProtocolError("a certificate that cannot be read") from e


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    names = found.get_values_for_type(x509.DNSName)
    return (*names, *(str(a) for a in found.get_values_for_type(x509.IPAddress)))
