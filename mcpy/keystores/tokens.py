"""Access tokens of providers: kept while they are good, had anew before they end."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.keystores.web import Reply, Web

_EARLY_S = 60.0


@dataclass(frozen=True)
class Token:
    """What signs a request; ``ends_at`` is in seconds since 1970."""

    value: str = field(repr=False)
    ends_at: float


class Tokens:
    """One token, got when it is first wanted; several threads may ask.

    Args:
        fetch: signs in; raises our errors.
        now: seconds since 1970.
    """

    def __init__(
        self, fetch: Callable[[], Token], *, now: Callable[[], float] = time.time
    ) -> None:
        self._fetch = fetch
        self._now = now
        self._token: Token | None = None
        self._lock = threading.Lock()

    def get(self) -> str:
        """Return a token that is good for a while yet."""
        with self._lock:
            token = self._token
            if token is None or token.ends_at - _EARLY_S <= self._now():
                token = self._token = self._fetch()
            return token.value

    def forget(self, value: str) -> None:
        """Have another one next time, unless somebody else did already."""
        with self._lock:
            if self._token is not None and self._token.value == value:
                self._token = None


def send_signed(
    web: Web, tokens: Tokens, method: str, path: str, body: dict[str, Any] | None = None
) -> Reply:
    """Send a request with a token, and once more with another when that one ended too early."""
    token = tokens.get()
    reply = web.send(method, path, json=body, headers=_bearer(token))
    if reply.status != 401:
        return reply
    tokens.forget(token)
    return web.send(method, path, json=body, headers=_bearer(tokens.get()))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
