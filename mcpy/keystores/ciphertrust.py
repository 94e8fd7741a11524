"""Thales CipherTrust Manager as KES uses it: secrets of the type `seed` in one domain.

There is no lock: whether an export of a deactivated secret is refused or answered as missing is
not known, and a KES that misses a key lets it be created anew. A missing permission looks like a
missing secret to whoever deletes.

Source: what a real KES sends, recorded; https://thalesdocs.com/ctp/cm/latest/
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from mcpy.errors import ProtocolError, UnsupportedError
from mcpy.keystores.answers import mappings, number, spoken
from mcpy.keystores.base import (
    Capabilities,
    KeystoreDeniedError,
    KeystoreError,
    State,
    finds,
)
from mcpy.keystores.tokens import SignedStore, Token, Tokens
from mcpy.keystores.web import Web

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.kesconf.stores import CipherTrustStore
    from mcpy.keystores.web import Reply, WebOptions

_SECRETS = "/api/v1/vault/secrets"
_PAGE = 200
_LISTINGS = 5


class CipherTrust(SignedStore):
    """The secrets of one domain; nothing is sent before the first call."""

    provider = "ciphertrust"
    speaker = "CipherTrust"
    capabilities = Capabilities(
        lock="",
        erasure="the secret is deleted: only a backup of CipherTrust Manager has it",
    )

    def __init__(self, store: CipherTrustStore, options: WebOptions) -> None:
        self._store = store
        self._web = Web(store.endpoint, options, ca=store.ca)
        self._tokens = Tokens(self._signed_in)

    @property
    def where(self) -> str:
        """Address and domain."""
        domain = f" domain {self._store.domain}" if self._store.domain else ""
        return f"{self._store.endpoint}{domain}"

    def list(self) -> Iterator[str]:
        """Yield the names of all secrets of the domain, foreign ones too.

        Pages are counted from the start, so a secret that goes meanwhile would hide another one:
        then all of it is listed again.
        """
        for _ in range(_LISTINGS):
            names, held_still = self._listed()
            if held_still:
                yield from names
                return
        raise KeystoreError(f"{self._web.where}: secrets come and go while they are listed")

    @staticmethod
    def words(reply: Reply) -> str:
        """Return its words, its code in front where it has one."""
        return spoken(reply, reply.body.get("codeDesc"))

    def _listed(self) -> tuple[dict[str, None], bool]:
        """Return the names in order, and whether their number was the same on all pages."""
        names: dict[str, None] = {}
        skip, totals = 0, set[int]()
        while True:
            page = self._good(self._send("GET", f"{_SECRETS}?limit={_PAGE}&skip={skip}")).body
            found = mappings(page, "resources")
            names |= {str(secret.get("name", "")): None for secret in found}
            totals.add(int(number(page, "total")))
            skip += len(found)
            if not found or skip >= max(totals):
                return names, len(totals) == 1 and len(names) >= max(totals)

    def read(self, name: str) -> bytes:
        """Return the secret's material."""
        reply = self._good(self._send("POST", f"{_at(name, '/export')}?type=name"), name)
        material = reply.body.get("material")
        if not isinstance(material, str):
            raise ProtocolError(f"{self._web.where} exports `{name}` without its material")
        return material.encode()

    def create(self, name: str, value: bytes) -> None:
        """Make a secret."""
        body = {"dataType": "seed", "name": name, "material": value.decode()}
        reply = self._send("POST", _SECRETS, body)
        if reply.status == 409 and reply.repeated and self.read(name) == value:
            return  # made by the first attempt, whose answer was lost
        if reply.status != 201:
            raise self._failure(reply, name)

    def delete(self, name: str) -> None:
        """Delete the secret."""
        reply = self._send("DELETE", f"{_at(name)}?type=name")
        if reply.status == 404 and finds(self.read, name):
            raise KeystoreDeniedError(
                f"CipherTrust answers as if `{name}` were missing, and it is there: "
                "the permission to delete it is missing"
            )
        if reply.status != 204:
            raise self._failure(reply, name)

    withdraw = delete

    def state(self, name: str) -> State:
        """Return ``enabled`` where the secret can be exported."""
        self.read(name)
        return "enabled"

    def lock(self, name: str) -> None:
        """Do nothing.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(f"CipherTrust has no lock known to be safe: `{name}` is as it was")

    def unlock(self, name: str) -> None:
        """Do nothing, since nothing is locked. Raises as ``lock``."""
        self.lock(name)

    def _signed_in(self) -> Token:
        store = self._store
        body = {
            "grant_type": "refresh_token",
            "refresh_token": store.token,
            "domain": store.domain,
        }
        reply = self._web.send("POST", "/api/v1/auth/tokens", json=body)
        if reply.status != 200:
            raise KeystoreDeniedError(f"CipherTrust refused to sign in: {self.words(reply)}")
        found, duration = reply.body, number(reply.body, "duration")
        if found.get("token_type") != "Bearer" or not found.get("jwt") or not duration:
            raise ProtocolError(f"{self._web.where} signs in without a token that KES would take")
        return Token(str(found["jwt"]), time.time() + duration)


def _at(name: str, more: str = "") -> str:
    return f"{_SECRETS}/{quote(name, safe='')}{more}"
