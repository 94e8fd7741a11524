"""The single place where failures of the network, of TLS and of the system become ours.

Whatever sends a request raises ``Failure`` and its kinds; ``translate`` makes of them what the
user is told.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeGuard
from urllib.parse import urlsplit

from mcpy.errors import (
    ConfigError,
    McpyError,
    NotReachedError,
    ProtocolError,
    UnreachableError,
)

if TYPE_CHECKING:
    import ssl


class Failure(Exception):  # noqa: N818 - the network's, not yet one of our errors
    """No answer, or not all of it; the cause is the operating system's own error."""


class NotConnected(Failure):
    """No connection could be opened."""


class Late(Failure):
    """Nothing came, or went, within the time there was."""


class LateConnect(Late):
    """No connection was opened in time."""


class NotHttp(Failure):
    """What came is not HTTP, or broke off."""


class ProxyRefused(Failure):
    """The proxy does not let the request through."""


class NoSuchScheme(Failure):
    """The URL is neither ``http`` nor ``https``."""


BROKEN = (Failure, OSError)
CUT_OFF = "closed connection: the answer is incomplete"


def translate(error: Exception, base_url: str) -> McpyError:
    """Turn a network failure on the way to ``base_url`` into the error to raise."""
    where = urlsplit(base_url).netloc
    reason = _root(error)
    if _is_tls(reason):
        return _tls_problem(where, reason)
    if isinstance(error, NotConnected):
        return NotReachedError(f"cannot connect to {where}: {_plain(reason)}")
    if isinstance(error, ProxyRefused):
        return UnreachableError(f"the proxy refused the way to {where}: {error}")
    if isinstance(error, NotHttp):
        return _not_http(where, str(error))
    if isinstance(error, NoSuchScheme):
        return ConfigError(f"`{base_url}` is not an http or https URL")
    return UnreachableError(f"the connection to {where} broke: {_plain(reason)}")


def _root(error: BaseException) -> BaseException:
    """Return the first cause: whoever sends wraps the operating system's words."""
    while cause := error.__cause__ or (not error.__suppress_context__ and error.__context__):
        error = cause
    return error


def is_final(error: Exception) -> bool:
    """Whether trying again cannot help: nobody is there, or TLS or a proxy says no."""
    return isinstance(error, (Late, NotConnected, ProxyRefused)) or _is_tls(_root(error))


def _is_tls(error: BaseException) -> TypeGuard[ssl.SSLError]:
    """Whether ssl raised it; who never spoke TLS need not load it."""
    module = sys.modules.get("ssl")
    return module is not None and isinstance(error, module.SSLError)


def _plain(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _tls_problem(where: str, error: ssl.SSLError) -> McpyError:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return NotReachedError(
            f"the certificate of {where} is not trusted: {error.verify_message.rstrip('.')}",
            hint="--ca FILE to trust its issuer, or --insecure to trust anyone",
        )
    reason = (error.reason or str(error)).lower().replace("_", " ")
    if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return UnreachableError(
            f"{where} does not speak TLS, the URL says https", hint=f"use http://{where}"
        )
    if "certificate required" in reason:
        return UnreachableError(f"{where} requires a client certificate")
    return UnreachableError(f"the TLS handshake with {where} failed: {reason}")


def _not_http(where: str, reason: str) -> McpyError:
    if "disconnected" in reason or "closed connection" in reason or "incomplete" in reason:
        return UnreachableError(f"{where} closed the connection before its answer was complete")
    return ProtocolError(f"{where} is not an HTTP server")
