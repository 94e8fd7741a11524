"""What the endpoints under ``/v1/key/`` do."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from mcpy.errors import McpyError
from mcpy.keystores.base import KeyExistsError, KeyMissingError
from mcpy.keystores.fs import NoFolderError
from mcpy.sandbox.kes import errors
from mcpy.sandbox.kes.ask import answer, done
from mcpy.sandbox.kes.cipher import ALGORITHMS, KEY_SIZE, NotAuthenticError, SecretKey
from mcpy.sandbox.kes.keyfile import CorruptKeyError, KeyRecord, decode_key
from mcpy.sandbox.kes.wire import encode_base64, format_time

if TYPE_CHECKING:
    from mcpy.sandbox.kes.ask import Ask
    from mcpy.sandbox.message import Response


# KES cannot tell a key that is missing from a folder that is
_MISSING = (KeyMissingError, NoFolderError)
# with these KES says that a key is missing; with all others deleting it is a success
_TELLS_MISSING = {"fs", "gcp"}
# with these KES fails on creating over a locked key; with all others it sees that the key exists
_FAILS_ON_LOCKED = {"vault", "azure"}


def new_secret() -> SecretKey:
    """Return a random key of the kind a server makes on today's CPUs."""
    return SecretKey("AES256", secrets.token_bytes(KEY_SIZE))


def create_key(ask: Ask) -> Response:
    """``PUT /v1/key/create/NAME``; a body is ignored."""
    name = ask.key_name()
    return _add_key(ask, name, new_secret())


def import_key(ask: Ask) -> Response:
    """``PUT /v1/key/import/NAME``."""
    name = ask.key_name()
    body = ask.fields(errors.bad_import)
    material, cipher = body.bytes("key"), body.text("cipher")
    if cipher not in ALGORITHMS:
        raise errors.bad_cipher(cipher)
    if len(material) != KEY_SIZE:
        raise errors.bad_key_size(cipher)
    return _add_key(ask, name, SecretKey(ALGORITHMS[cipher], material))


def _add_key(ask: Ask, name: str, secret: SecretKey) -> Response:
    record = KeyRecord.new(secret, created_ns=time.time_ns(), created_by=ask.call.identity)
    try:
        ask.state.store.create(name, record.encode())
    except KeyExistsError as e:
        if _is_locked(ask, name):
            raise _failed(ask, e, "create key") from e
        raise errors.key_exists() from e
    except McpyError as e:
        raise _failed(ask, e, "create key") from e
    ask.state.audit.audit(f"secret key '{name}' created", ask.call, status=200)
    return done()


def _is_locked(ask: Ask, name: str) -> bool:
    store = ask.state.store
    return store.provider in _FAILS_ON_LOCKED and store.state(name) == "locked"


def describe_key(ask: Ask) -> Response:
    """``GET /v1/key/describe/NAME``."""
    record = _key(ask, ask.key_name())
    data = {
        "name": ask.resource,
        "algorithm": record.secret.algorithm,
        "created_at": format_time(record.created_ns),
    }
    if record.created_by:
        data["created_by"] = record.created_by
    return answer(data)


def list_keys(ask: Ask) -> Response:
    """``GET /v1/key/list/PREFIX``: all names in one page.

    A real server cuts at 1024 names and cannot be asked for the rest, so ``continue_at``
    is never sent. Only ``*`` alone is a wildcard; behind a prefix it is a literal.
    """
    prefix = ask.pattern()
    prefix = "" if prefix == "*" else prefix
    try:
        names = list(ask.state.store.list())
    except McpyError as e:
        raise _failed(ask, e, "list keys") from e
    return answer({"names": sorted(name for name in names if name.startswith(prefix))})


def delete_key(ask: Ask) -> Response:
    """``DELETE /v1/key/delete/NAME``."""
    name = ask.key_name()
    try:
        ask.state.store.delete(name)
    except _MISSING as e:
        if ask.state.store.provider in _TELLS_MISSING:
            raise errors.missing("key") from e
    except McpyError as e:
        raise _failed(ask, e, "delete key") from e
    ask.state.audit.audit(f"secret key '{name}' deleted", ask.call, status=200)
    return done()


def encrypt(ask: Ask) -> Response:
    """``PUT /v1/key/encrypt/NAME``."""
    name, body = ask.key_name(), ask.fields()
    plaintext, context = body.bytes("plaintext"), body.bytes("context")
    ciphertext = _key(ask, name).secret.encrypt(plaintext, context)
    return answer({"ciphertext": encode_base64(ciphertext)})


def decrypt(ask: Ask) -> Response:
    """``PUT /v1/key/decrypt/NAME``."""
    name, body = ask.key_name(), ask.fields()
    ciphertext, context = body.bytes("ciphertext"), body.bytes("context")
    try:
        plaintext = _key(ask, name).secret.decrypt(ciphertext, context)
    except NotAuthenticError as e:
        raise errors.not_authentic() from e
    return answer({"plaintext": encode_base64(plaintext)})


def generate(ask: Ask) -> Response:
    """``PUT /v1/key/generate/NAME``: a new data key, plain and encrypted."""
    name = ask.key_name()
    context = ask.fields().bytes("context") if ask.has_body else b""
    data_key = secrets.token_bytes(KEY_SIZE)
    ciphertext = _key(ask, name).secret.encrypt(data_key, context)
    return answer({"plaintext": encode_base64(data_key), "ciphertext": encode_base64(ciphertext)})


def mac(ask: Ask) -> Response:
    """``PUT /v1/key/hmac/NAME``."""
    name = ask.key_name()
    message = ask.fields().bytes("message")
    try:
        digest = _key(ask, name).mac(message)
    except LookupError as e:
        raise errors.no_hmac() from e
    return answer({"hmac": encode_base64(digest)})


def _key(ask: Ask, name: str) -> KeyRecord:
    try:
        return decode_key(ask.state.store.read(name))
    except _MISSING as e:
        raise errors.missing("key") from e
    except (McpyError, CorruptKeyError) as e:
        raise _failed(ask, e, "read key") from e


def _failed(ask: Ask, error: Exception, action: str) -> errors.KesProblem:
    ask.state.errors.error(str(error), ask.call)
    return errors.keystore(action)
