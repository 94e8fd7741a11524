"""Access tokens of providers, had anew before they end; and the keystores that use them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpy.keystores.answers import refused
from mcpy.keystores.base import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.errors import McpyError
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


class SignedStore:
    """What keystores behind JSON over HTTP have in common: each request is signed with a token.

    Attributes:
        speaker: whose words a refusal has.
    """

    speaker: str
    _web: Web
    _tokens: Tokens

    def ping(self) -> None:
        """Ask for anything, without a token."""
        self._web.probe()

    def inspect(self) -> Iterator[Step]:
        """Yield whether there are credentials and they get a token."""
        self._tokens.get()
        yield Step("sign in", True)

    def deleted(self) -> Iterator[str]:
        """Yield nothing, where a provider keeps nothing that is deleted."""
        yield from ()

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        """Send a request, and once more with another token when one ended too early."""
        token = self._tokens.get()
        reply = self._web.send(method, path, json=body, headers=_bearer(token))
        if reply.status != 401:
            return reply
        self._tokens.forget(token)
        return self._web.send(method, path, json=body, headers=_bearer(self._tokens.get()))

    @staticmethod
    def words(reply: Reply) -> str:
        """Return what an answer that is no success says, in one line."""
        raise NotImplementedError

    def _good(self, reply: Reply, name: str = "") -> Reply:
        """Return a success; raise what else it was, about the key ``name``."""
        if not reply.succeeded:
            raise self._failure(reply, name)
        return reply

    def _failure(self, reply: Reply, name: str) -> McpyError:
        return refused(reply, name, f"{self.speaker}: {self.words(reply)}")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
