"""KES: keys, policies, identities and the state of the server, over mutual TLS.

Source: https://min.io/docs/kes/concepts/server-api
"""

from __future__ import annotations

import base64
import binascii
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpy.api.http import Call, HttpClient, json_object
from mcpy.api.refusals import kes_refusal
from mcpy.api.sigv4 import uri_encode
from mcpy.errors import ConfigError, ProtocolError, UnreachableError
from mcpy.models import KeyName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.api.http import Answer, HttpOptions
    from mcpy.api.tls import ClientCertificate

DEFAULT_SERVER = "https://127.0.0.1:7373"
KEY_EXISTS = "key already exists"
KEY_MISSING = "key does not exist"
# every character a key name may go on with; KES refuses patterns that end in a hyphen
_NAME_CHARACTERS = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class KeyInfo:
    """What KES tells of a key, never the key; ``created_at`` is RFC 3339 as sent."""

    name: KeyName
    algorithm: str
    created_at: str
    created_by: str


@dataclass(frozen=True)
class DataKey:
    """A data encryption key: 32 bytes in the clear, and the same under the master key."""

    plaintext: bytes = field(repr=False)
    ciphertext: bytes


@dataclass(frozen=True)
class ServerVersion:
    """The build of a KES."""

    version: str
    commit: str


def endpoints(value: str) -> list[str]:
    """Split a comma list of servers; ``https://`` is added, loopback goes first, then by lot.

    Raises:
        ConfigError: one of them asks for plain HTTP, or there is none.
    """
    found = []
    for part in (part.strip().rstrip("/") for part in value.split(",") if part.strip()):
        if part.startswith("http://"):
            raise ConfigError(f"KES speaks TLS only, `{part}` says http", hint="use https://")
        found.append(part if part.startswith("https://") else f"https://{part}")
    if not found:
        raise ConfigError("no KES server is named", hint="export KES_SERVER=https://HOST:7373")
    random.shuffle(found)
    return sorted(found, key=lambda url: "127.0.0.1" not in url and "localhost" not in url)


class Kes:
    """The API of one KES, or of the first of several that answers.

    Every method raises KesError when the server refuses.
    """

    def __init__(
        self, servers: list[str], options: HttpOptions, client: ClientCertificate | None
    ) -> None:
        self._clients = [
            HttpClient(url, options, refusal=kes_refusal, client=client) for url in servers
        ]

    @property
    def where(self) -> str:
        """The server in use, ``HOST:PORT``."""
        return self._clients[0].where

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            client.close()

    def version(self) -> ServerVersion:
        """Return the server's version; needs no policy."""
        found = self._json("GET", "/version")
        return ServerVersion(_text(found, "version"), str(found.get("commit", "")))

    def ready(self) -> None:
        """Return when the server and its keystore are ready."""
        self._call("GET", "/v1/ready")

    def status(self) -> dict[str, Any]:
        """Return version, os, arch, uptime (s), CPU, memory and keystore latency (ms)."""
        found = self._json("GET", "/v1/status")
        _text(found, "version")
        return found

    def apis(self) -> list[dict[str, Any]]:
        """Return the APIs: method, path, max_body (bytes), timeout (s)."""
        answer = self._call("GET", "/v1/api")
        return [item for item in _list(answer, self.where) if isinstance(item, dict)]

    def create_key(self, name: str) -> None:
        """Make a new key.

        Raises:
            KesError: with ``KEY_EXISTS`` when there is one of that name.
        """
        self._call("PUT", f"/v1/key/create/{uri_encode(name)}")

    def describe_key(self, name: str) -> KeyInfo:
        """Return what KES tells of a key."""
        found = self._json("GET", f"/v1/key/describe/{uri_encode(name)}")
        return KeyInfo(
            name=KeyName(_text(found, "name")),
            algorithm=str(found.get("algorithm", "")),
            created_at=str(found.get("created_at", "")),
            created_by=str(found.get("created_by", "")),
        )

    def delete_key(self, name: str) -> None:
        """Delete a key: what it encrypted cannot be read again."""
        self._call("DELETE", f"/v1/key/delete/{uri_encode(name)}")

    def list_keys(self, prefix: str = "") -> Iterator[KeyName]:
        """Yield the names that start with ``prefix``, sorted and complete.

        A KES stops after 1,024 names and its ``continue_at`` leads nowhere, so where it stops
        each longer prefix is asked for by itself.
        """
        if prefix.endswith("-"):
            # refused as a pattern: ask for what is before the hyphen, and choose
            found = self.list_keys(prefix[:-1])
            yield from (name for name in found if name.startswith(prefix))
            return
        names, complete = self._list_page(prefix)
        if complete:
            yield from names
            return
        if prefix in names:
            yield KeyName(prefix)
        for character in _NAME_CHARACTERS:
            yield from self._list_branch(prefix, character)

    def _list_branch(self, prefix: str, character: str) -> Iterator[KeyName]:
        if character != "-":
            yield from self.list_keys(prefix + character)
            return
        if len(prefix) < 78:
            for following in _NAME_CHARACTERS:
                yield from self._list_branch(prefix + "-", following)

    def _list_page(self, prefix: str) -> tuple[list[KeyName], bool]:
        answer = self._json("GET", f"/v1/key/list/{uri_encode(prefix)}")
        if "names" not in answer:
            raise ProtocolError(f"{self.where} answered a list of keys without names")
        names = [KeyName(str(name)) for name in answer["names"] or []]
        return sorted(names), not answer.get("continue_at")

    def generate_key(self, name: str, context: bytes = b"") -> DataKey:
        """Return a new data key under the master key ``name``."""
        found = self._json("PUT", f"/v1/key/generate/{uri_encode(name)}", _context({}, context))
        return DataKey(_bytes(found, "plaintext", size=32), _bytes(found, "ciphertext"))

    def decrypt(self, name: str, ciphertext: bytes, context: bytes = b"") -> bytes:
        """Return what ``ciphertext`` was; name and context must be those it was made with."""
        body = _context({"ciphertext": _b64(ciphertext)}, context)
        found = self._json("PUT", f"/v1/key/decrypt/{uri_encode(name)}", body)
        return _bytes(found, "plaintext", empty=True)

    def _json(self, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        return json_object(self._call(method, path, body), self.where)

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> Answer:
        import json

        content = b"" if body is None else json.dumps(body).encode()
        call = Call(method, path, content=content, repeatable=_is_repeatable(path))
        for client in list(self._clients):
            try:
                return client.request(call)
            except UnreachableError:
                if client is self._clients[-1] or not call.may_repeat(None):
                    raise
                self._clients.append(self._clients.pop(0))
        raise AssertionError("the last server answers or raises")


def _is_repeatable(path: str) -> bool:
    """Whether a second call changes nothing; a second create or delete reports a false failure."""
    return not path.startswith(("/v1/key/create/", "/v1/key/import/", "/v1/key/delete/"))


def _context(body: dict[str, str], context: bytes) -> dict[str, str]:
    return body | ({"context": _b64(context)} if context else {})


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(
    found: dict[str, Any], name: str, *, size: int | None = None, empty: bool = False
) -> bytes:
    """Return the base64 field ``name``; an absent one would pass for an empty key."""
    try:
        raw = base64.b64decode(found[name], validate=True)
    except (KeyError, TypeError, binascii.Error, ValueError) as e:
        raise ProtocolError(f"KES answered without a valid `{name}`") from e
    if (size is not None and len(raw) != size) or not (raw or empty):
        raise ProtocolError(f"KES answered a `{name}` of {len(raw)} bytes")
    return raw


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(f"KES answered without `{name}`: is it a KES?")
    return value


def _list(answer: Answer, where: str) -> list[Any]:
    from mcpy.api.http import json_value

    found = json_value(answer, where)
    if not isinstance(found, list):
        raise ProtocolError(f"{where} answered something other than a JSON list")
    return found
