"""KES: keys, policies, identities and the state of the server, over mutual TLS.

Source: https://min.io/docs/kes/concepts/server-api
"""

from __future__ import annotations

import random
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal

from mcpy.api.http import Call, HttpClient, json_object, json_value
from mcpy.api.kes_types import (
    DataKey,
    IdentityInfo,
    KeyInfo,
    PolicyInfo,
    ServerVersion,
    b64,
    bytes_of,
    identity_info,
    key_info,
    names_of,
    policy_info,
    text_of,
    with_context,
)
from mcpy.api.refusals import kes_refusal
from mcpy.api.sigv4 import uri_encode
from mcpy.config import check_url
from mcpy.errors import (
    ConfigError,
    InputError,
    NotReachedError,
    ProtocolError,
    UnreachableError,
)
from mcpy.models import KeyName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.api.http import Answer, HttpOptions
    from mcpy.api.tls import ClientCertificate

__all__ = ["DataKey", "IdentityInfo", "Kes", "KeyInfo", "PolicyInfo", "ServerVersion", "endpoints"]

LogKind = Literal["audit", "error"]

DEFAULT_SERVER = "https://127.0.0.1:7373"
KEY_EXISTS = "key already exists"
KEY_MISSING = "key does not exist"
MAX_EVENT_BYTES = 1024 * 1024
# every character of key names, in their order; KES refuses patterns that end in a hyphen
_NAME_CHARACTERS = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


def endpoints(value: str) -> list[str]:
    """Split a comma list of servers; ``https://`` is added, loopback goes first, then by lot.

    Raises:
        ConfigError: one of them asks for plain HTTP or is no URL, or there is none.
    """
    found = []
    for part in (part.strip().rstrip("/") for part in value.split(",") if part.strip()):
        if part.startswith("http://"):
            raise ConfigError(f"KES speaks TLS only, `{part}` says http", hint="use https://")
        try:
            found.append(check_url(part if part.startswith("https://") else f"https://{part}"))
        except InputError as e:
            # not repeated: it may hold credentials
            raise ConfigError("a KES server must be HOST[:PORT] or https://HOST[:PORT]") from e
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
        self._order = threading.Lock()
        self._deadline = options.deadline

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
        return ServerVersion(text_of(found, "version"), str(found.get("commit", "")))

    def ready(self) -> None:
        """Return when the server and its keystore are ready."""
        self._call("GET", "/v1/ready")

    def status(self) -> dict[str, Any]:
        """Return version, os, arch, uptime (s), CPU, memory and keystore latency (ms)."""
        found = self._json("GET", "/v1/status")
        text_of(found, "version")
        return found

    def apis(self) -> list[dict[str, Any]]:
        """Return the APIs: method, path, max_body (bytes), timeout (s)."""
        found = json_value(self._call("GET", "/v1/api"), self.where)
        if not isinstance(found, list):
            raise ProtocolError(f"{self.where} answered something other than a JSON list")
        return [item for item in found if isinstance(item, dict)]

    def metrics(self) -> str:
        """Return the server's counters in Prometheus's text format."""
        return self._call("GET", "/v1/metrics").body.decode("utf-8", "replace")

    def create_key(self, name: str) -> None:
        """Make a new key.

        Raises:
            KesError: with ``KEY_EXISTS`` when there is one of that name.
        """
        self._call("PUT", f"/v1/key/create/{uri_encode(name)}")

    def import_key(self, name: str, key: bytes, cipher: str = "AES256") -> None:
        """Make a key of 32 given bytes, for ``AES256`` or ``ChaCha20``.

        Raises:
            KesError: with ``KEY_EXISTS`` when there is one of that name.
        """
        self._call(
            "PUT", f"/v1/key/import/{uri_encode(name)}", {"key": b64(key), "cipher": cipher}
        )

    def describe_key(self, name: str) -> KeyInfo:
        """Return what KES tells of a key."""
        return key_info(self._json("GET", f"/v1/key/describe/{uri_encode(name)}"))

    def delete_key(self, name: str) -> None:
        """Delete a key: what it encrypted cannot be read again."""
        self._call("DELETE", f"/v1/key/delete/{uri_encode(name)}")

    def list_keys(self, prefix: str = "") -> Iterator[KeyName]:
        """Yield the names that start with ``prefix``, sorted and complete.

        A KES stops after 1,024 names, and what it calls the place to go on at is only the next
        name: from there on each longer prefix is asked for by itself.
        """
        if prefix.endswith("-"):
            # refused as a pattern: ask for what is before the hyphen, and choose
            found = self.list_keys(prefix[:-1])
            yield from (name for name in found if name.startswith(prefix))
            return
        names, following = self._list_page(prefix)
        yield from names
        if following:
            yield from self._list_from(prefix, following)

    def _list_from(self, prefix: str, start: str) -> Iterator[KeyName]:
        """Yield the names that start with ``prefix``, from ``start`` on, which is one of them."""
        character = start[len(prefix) : len(prefix) + 1]
        branch = prefix + character
        if character == "-":
            yield from self._list_from(branch, start)
        else:
            names, following = self._list_page(branch)
            yield from (name for name in names if name >= start)
            if following and character:
                yield from self._list_from(branch, max(following, start))
        for later in _NAME_CHARACTERS:
            if character and later > character:
                yield from self.list_keys(prefix + later)

    def _list_page(self, prefix: str) -> tuple[list[KeyName], str]:
        """Return names, and the one that follows where the server stopped, else ``""``."""
        answer = self._json("GET", f"/v1/key/list/{uri_encode(prefix)}")
        names = sorted(KeyName(name) for name in names_of(answer, "names", self.where))
        following = str(answer.get("continue_at") or "")
        if following and not (following.startswith(prefix) and names and names[-1] < following):
            raise ProtocolError(f"{self.where} stopped its list of keys at `{following}`: why?")
        return names, following

    def generate_key(self, name: str, context: bytes = b"") -> DataKey:
        """Return a new data key under the master key ``name``."""
        found = self._json(
            "PUT", f"/v1/key/generate/{uri_encode(name)}", with_context({}, context)
        )
        return DataKey(bytes_of(found, "plaintext", size=32), bytes_of(found, "ciphertext"))

    def decrypt(self, name: str, ciphertext: bytes, context: bytes = b"") -> bytes:
        """Return what ``ciphertext`` was; name and context must be those it was made with."""
        body = with_context({"ciphertext": b64(ciphertext)}, context)
        found = self._json("PUT", f"/v1/key/decrypt/{uri_encode(name)}", body)
        return bytes_of(found, "plaintext", empty=True)

    def encrypt(self, name: str, plaintext: bytes, context: bytes = b"") -> bytes:
        """Return ``plaintext`` under the key ``name``; at most about 700 kB."""
        body = with_context({"plaintext": b64(plaintext)}, context)
        found = self._json("PUT", f"/v1/key/encrypt/{uri_encode(name)}", body)
        return bytes_of(found, "ciphertext")

    def hmac(self, name: str, message: bytes) -> bytes:
        """Return the 32-byte HMAC-SHA256 of ``message``; keys imported twice differ in it."""
        found = self._json("PUT", f"/v1/key/hmac/{uri_encode(name)}", {"message": b64(message)})
        return bytes_of(found, "hmac", size=32)

    def list_policies(self, pattern: str = "*") -> list[str]:
        """Return the names of the policies that match; ``*`` may stand at the end."""
        answer = self._json("GET", f"/v1/policy/list/{uri_encode(pattern, safe='*')}")
        return sorted(names_of(answer, "names", self.where))

    def describe_policy(self, name: str) -> PolicyInfo:
        """Return when and by whom a policy was made, without its rules."""
        return policy_info(self._json("GET", f"/v1/policy/describe/{uri_encode(name)}"), name)

    def read_policy(self, name: str) -> PolicyInfo:
        """Return a policy with its rules."""
        return policy_info(self._json("GET", f"/v1/policy/read/{uri_encode(name)}"), name)

    def list_identities(self, pattern: str = "*") -> list[str]:
        """Return the identities that match, the admin's too; ``*`` may stand at the end."""
        answer = self._json("GET", f"/v1/identity/list/{uri_encode(pattern, safe='*')}")
        return sorted(names_of(answer, "identities", self.where))

    def describe_identity(self, identity: str) -> IdentityInfo:
        """Return the role and policy of an identity."""
        found = self._json("GET", f"/v1/identity/describe/{uri_encode(identity)}")
        return identity_info(found, identity)

    def describe_self(self) -> IdentityInfo:
        """Return who is asking; servers answer 404 to all but the admin."""
        found = self._json("GET", "/v1/identity/self/describe")
        return identity_info(found, text_of(found, "identity"))

    def probe(self, method: str, path: str, body: dict[str, str] | None = None) -> None:
        """Make one call for its refusal: whoever may not make it gets a 403 KesError."""
        self._call(method, path, body)

    @contextmanager
    def log(self, kind: LogKind) -> Iterator[Iterator[bytes]]:
        """Give the lines of a log as they come, each a JSON document; they end with the server."""
        # an event must not wait in a compressor's buffer
        call = Call("GET", f"/v1/log/{kind}", headers={"Accept-Encoding": "identity"})
        with self._clients[0].stream(call) as stream:
            yield _lines(stream.chunks(), self.where)

    @contextmanager
    def patience(self, limit_s: float) -> Iterator[None]:
        """Give every call in the block ``limit_s`` at most."""
        with ExitStack() as patient:
            for client in self._clients:
                patient.enter_context(client.patience(limit_s))
            yield

    def _json(self, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        return json_object(self._call(method, path, body), self.where)

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> Answer:
        import json

        content = b"" if body is None else json.dumps(body).encode()
        call = Call(method, path, content=content, repeatable=_is_repeatable(path))
        clients = list(self._clients)  # other threads change the order too
        failed: list[str] = []
        for client in clients[:-1]:
            # one that hangs must not take the time of those after it
            share_s = self._deadline.left_s() / (len(clients) - len(failed))
            try:
                return client.request(call, limit_s=share_s if call.may_repeat(None) else None)
            except UnreachableError as e:
                # a server that was never reached did nothing that could be done twice
                if not (call.may_repeat(None) or isinstance(e, NotReachedError)):
                    raise
                failed.append(e.message)
                self._put_last(client)
        try:
            return clients[-1].request(call)
        except UnreachableError as e:
            raise type(e)("; ".join([*failed, e.message]), hint=e.hint) from e

    def _put_last(self, client: HttpClient) -> None:
        """Ask another server first from now on, unless another thread saw to that already."""
        with self._order:
            if self._clients[0] is client:
                self._clients.append(self._clients.pop(0))


def _is_repeatable(path: str) -> bool:
    """Whether a second call changes nothing; a second create or delete reports a false failure."""
    return not path.startswith(("/v1/key/create/", "/v1/key/import/", "/v1/key/delete/"))


def _lines(chunks: Iterator[bytes], where: str) -> Iterator[bytes]:
    """Yield the lines of a stream without their ends; what the server cut off counts as one."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())
        if len(rest) > MAX_EVENT_BYTES:
            raise ProtocolError(f"{where} sent an event of more than {MAX_EVENT_BYTES} bytes")
    if rest.strip():
        yield rest
