"""The single place where failures of httpcore, httpx, ssl and the system become ours."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

import httpcore
import httpx

from mcpy.errors import (
    ConfigError,
    McpyError,
    NotReachedError,
    ProtocolError,
    UnreachableError,
)

BROKEN = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpx.TransportError,
    ssl.SSLError,
    OSError,
)


def translate(error: Exception, base_url: str) -> McpyError:
    """Turn a network failure on the way to ``base_url`` into the error to raise."""
    where = urlsplit(base_url).netloc
    reason = _root(error)
    if isinstance(reason, ssl.SSLError):
        return _tls_problem(where, reason)
    if isinstance(error, (httpcore.ConnectError, httpx.ConnectError)):
        return NotReachedError(f"cannot connect to {where}: {_plain(reason)}")
    if isinstance(error, (httpcore.ProxyError, httpx.ProxyError)):
        return UnreachableError(f"the proxy refused the way to {where}: {error}")
    if isinstance(error, (httpcore.RemoteProtocolError, httpx.RemoteProtocolError)):
        return _not_http(where, str(error))
    if isinstance(error, (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol)):
        return ConfigError(f"`{base_url}` is not an http or https URL")
    return UnreachableError(f"the connection to {where} broke: {_plain(reason)}")


def _root(error: BaseException) -> BaseException:
    """Return the first cause: httpcore and httpx wrap the operating system's words."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return error


def is_final(error: Exception) -> bool:
    """Whether trying again cannot help: nobody listens, nobody is called so, or TLS says no."""
    if isinstance(error, (httpcore.TimeoutException, httpx.TimeoutException)):
        return True
    if isinstance(error, (httpcore.ConnectError, httpx.ConnectError)):
        return True
    return isinstance(_root(error), ssl.SSLError)


def _plain(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _tls_problem(where: str, error: ssl.SSLError) -> McpyError:
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
