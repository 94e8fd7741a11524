"""Every error a KES server has, as it stands on the wire.

Clients tell errors apart by the pair (status, message), so both are part of the protocol.
"""

from __future__ import annotations

from mcpy.sandbox.kes.wire import go_json
from mcpy.sandbox.message import Response


class KesProblem(Exception):  # noqa: N818 - an answer rather than a fault
    """A request the server answers with an error body."""

    def __init__(self, status: int, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers

    def response(self) -> Response:
        """Return the JSON error; a newline stands before its closing brace."""
        body = f'{{"message":{go_json(self.message)}\n}}'.encode()
        return Response(self.status, [*self.headers, ("Content-Type", "application/json")], body)


def wrong_method(got: str, want: str) -> KesProblem:
    """Return the 405; the verb that would do stands in ``Accept``, not in ``Allow``."""
    return KesProblem(405, f"received method '{got}' expected '{want}'", ("Accept", want))


def no_certificate() -> KesProblem:
    """Return the answer to a client without a usable certificate."""
    return KesProblem(400, "tls: client certificate is required")


def many_certificates() -> KesProblem:
    """Return the answer to a chain with more than one certificate that is not a CA."""
    return KesProblem(400, "tls: received more than one client certificate")


def insecure() -> KesProblem:
    """Return the answer to a request without TLS."""
    return KesProblem(400, "insecure connection: TLS is required")


def denied() -> KesProblem:
    """Return the one answer for unknown identities and for policy denials."""
    return KesProblem(403, "not authorized: insufficient permissions")


def bad_name(kind: str, name: str) -> KesProblem:
    """Return the answer to an invalid ``key name``, ``policy name`` or ``identity``."""
    return KesProblem(400, f"{kind} '{name}' is empty, too long or contains invalid characters")


def bad_pattern(pattern: str) -> KesProblem:
    """Return the answer to an invalid listing pattern."""
    return KesProblem(400, f"listing pattern '{pattern}' is empty, too long or is invalid")


def bad_body() -> KesProblem:
    """Return the answer to a body that is no JSON, too large or of wrong types."""
    return KesProblem(400, "invalid request body")


def bad_import() -> KesProblem:
    """Return what ``bad_body`` is for key import."""
    return KesProblem(400, "invalid import key request body")


def bad_cipher(cipher: str) -> KesProblem:
    """Return the answer to an import for an unknown algorithm."""
    return KesProblem(406, f"algorithm '{cipher}' is not supported")


def bad_key_size(cipher: str) -> KesProblem:
    """Return the answer to an import of a key that is not 32 bytes long."""
    return KesProblem(406, f"invalid key size for '{cipher}'")


def not_authentic() -> KesProblem:
    """Return the answer to a ciphertext that was changed, cut or made for another context."""
    return KesProblem(400, "decryption failed: ciphertext is not authentic")


def no_hmac() -> KesProblem:
    """Return the answer to an HMAC with a key of the time before HMAC keys."""
    return KesProblem(409, "key does not support HMAC")


def missing(kind: str) -> KesProblem:
    """Return the 404 for a ``key``, ``policy`` or ``identity``."""
    return KesProblem(404, f"{kind} does not exist")


def key_exists() -> KesProblem:
    """Return the answer to creating a key again: 400, not 409."""
    return KesProblem(400, "key already exists")


def keystore(action: str) -> KesProblem:
    """Return the 502 for a keystore that failed to ``read key``, ``list keys`` and so on."""
    return KesProblem(502, f"failed to {action}")


def keystore_unavailable() -> KesProblem:
    """Return what ``/v1/ready`` says of a keystore that answers with errors."""
    return KesProblem(502, "key store is unavailable")


def keystore_unreachable() -> KesProblem:
    """Return what ``/v1/ready`` says of a keystore that does not answer."""
    return KesProblem(504, "key store is not reachable")
