"""Requests to a KES: a connection for each thread and endpoint, failover, retries.

As the real client does, a request is repeated after a network error or 503, twice, after a short
pause; an answer is final.

A KES in this process is asked over the wire once a connection: TLS tells each side who the other
is. What follows on that connection is handed over by a call, for as long as the KES keeps it open.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from mcpy.sandbox.kms.model import KmsProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 1024 * 1024
RETRIES = 2


Ends = tuple[tuple[str, int], tuple[str, int]]
"""The two addresses of a connection: the client's and the server's."""


class Inside(Protocol):
    """A server in this process that takes requests without the wire."""

    def __call__(
        self, ends: Ends, method: str, path: str, body: bytes | None
    ) -> tuple[int, bytes] | None:
        """Answer status and body, as over the open connection with these ``ends``.

        None when the request has to be sent: it is another server's connection, or what happens
        on the wire matters.
        """
        ...


@dataclass(frozen=True)
class Answer:
    """What a KES answered: its status and, decoded, its JSON; ``text`` when it is none."""

    status: int
    value: Any = field(repr=False)
    text: str = field(repr=False)


class Link:
    """The way to one KES behind one or more endpoints.

    Args:
        endpoints: ``https://host:port``, tried from the one that answered last.
        context: client certificate and trust.
        pause: sleeps; replaced in tests.
        inside: takes requests of connections that end in this process.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        context: ssl.SSLContext,
        *,
        pause: Callable[[float], None] = time.sleep,
        inside: Inside | None = None,
    ) -> None:
        self.endpoints = tuple(endpoints)
        self._context = context
        self._pause = pause
        self._inside = inside
        self._first = 0
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: set[http.client.HTTPSConnection] = set()

    def call(self, method: str, path: str, body: object = None) -> Answer:
        """Send a request to the first endpoint that answers.

        Raises:
            KmsProblem: status 0 when none did, else what the KES refused it with.
        """
        for attempt in range(RETRIES + 1):
            try:
                return self._anywhere(method, path, body)
            except KmsProblem as problem:
                if problem.status not in {0, 503} or attempt == RETRIES:
                    raise
            self._pause(0.2 + random.random() * 0.4)  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    def probe(self, endpoint: str) -> bool:
        """Tell whether ``endpoint`` answers its status."""
        try:
            self._send(endpoint, "GET", "/v1/status", None)
        except KmsProblem as problem:
            if problem.status == 403 and len(self.endpoints) == 1:
                raise
            return False
        return True

    def close(self) -> None:
        """Close every thread's connections."""
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            connection.close()

    def _anywhere(self, method: str, path: str, body: object) -> Answer:
        count = len(self.endpoints)
        for step in range(count):
            index = (self._first + step) % count
            try:
                answer = self._send(self.endpoints[index], method, path, body)
            except KmsProblem as problem:
                if problem.status not in {0, 503} or step == count - 1:
                    raise
                continue
            self._first = index
            return answer
        raise AssertionError("unreachable")

    def _send(self, endpoint: str, method: str, path: str, body: object) -> Answer:
        connections: dict[str, http.client.HTTPSConnection] = self._local.__dict__
        used = endpoint in connections
        connection = connections.get(endpoint) or self._new(endpoint)
        try:
            answer = self._handed_over(connection, method, path, body)
            answer = answer or _exchange(connection, method, path, body)
        except (OSError, http.client.HTTPException) as e:
            self._drop(endpoint, connection)
            if used and not isinstance(e, TimeoutError):
                # the server had closed the idle connection; a new one tells what is wrong
                return self._send(endpoint, method, path, body)
            raise KmsProblem(0, _unreachable(e, endpoint, method, path)) from e
        connections[endpoint] = connection
        if answer.status != 200:
            raise KmsProblem(answer.status, _refusal(answer))
        return answer

    def _handed_over(
        self, connection: http.client.HTTPSConnection, method: str, path: str, body: object
    ) -> Answer | None:
        if self._inside is None or connection.sock is None:
            return None
        client, server = connection.sock.getsockname()[:2], connection.sock.getpeername()[:2]
        found = self._inside((client, server), method, path, _content(body))
        return None if found is None else _answer(*found)

    def _new(self, endpoint: str) -> http.client.HTTPSConnection:
        parts = urlsplit(endpoint)
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port or 443, timeout=TIMEOUT_S, context=self._context
        )
        with self._lock:
            self._open.add(connection)
        return connection

    def _drop(self, endpoint: str, connection: http.client.HTTPSConnection) -> None:
        self._local.__dict__.pop(endpoint, None)
        with self._lock:
            self._open.discard(connection)
        connection.close()


def _exchange(
    connection: http.client.HTTPSConnection, method: str, path: str, body: object
) -> Answer:
    if connection.sock is None:
        connection.connect()
    # head and body in one write: a record of TLS for each would wake the server twice
    connection.sock.sendall(_request(connection, method, path, body))
    response = http.client.HTTPResponse(connection.sock, method=method)
    with response:
        response.begin()
        raw = response.read(MAX_ANSWER_BYTES + 1)
    if response.will_close:
        connection.close()
    return _answer(response.status, raw)


def _answer(status: int, raw: bytes) -> Answer:
    if len(raw) > MAX_ANSWER_BYTES:
        raise http.client.HTTPException("answer too large")
    text = raw.decode("utf-8", "replace")
    try:
        return Answer(status, json.loads(text), text)
    except ValueError:
        return Answer(status, None, text)


def _content(body: object) -> bytes | None:
    return None if body is None else json.dumps(body).encode()


def _request(
    connection: http.client.HTTPSConnection, method: str, path: str, body: object
) -> bytes:
    name = f"[{connection.host}]" if ":" in connection.host else connection.host
    content = _content(body) or b""
    kind = "" if body is None else "Content-Type: application/json\r\n"
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {name}:{connection.port}\r\n{kind}"
        f"Accept-Encoding: identity\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode("ascii") + content


def _refusal(answer: Answer) -> str:
    if isinstance(answer.value, dict):
        message = answer.value.get("message") or answer.value.get("error")
        if message:
            return str(message)
    return answer.text.strip()[:500] or http.client.responses.get(answer.status, "")


def _unreachable(error: Exception, endpoint: str, method: str, path: str) -> str:
    """Word a network error as the real server passes it on to its administrator."""
    where = urlsplit(endpoint).netloc
    url = f"{endpoint}{path.rstrip('/')}"
    return f'kes: connection error: {method.capitalize()} "{url}": {_reason(error, where)}'


def _reason(error: Exception, where: str) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {where}: connect: connection refused"
    if isinstance(error, TimeoutError):
        return "context deadline exceeded"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {where.rpartition(':')[0]}: no such host"
    if isinstance(error, ConnectionError):
        return "EOF"
    return str(error)
