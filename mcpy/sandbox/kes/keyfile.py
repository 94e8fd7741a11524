"""What a key is in a keystore: base64 of a small protobuf message, or the former JSON.

KeyVersion { 1: SecretKey {1: key, 2: type}, 2: HMACKey {1: key, 2: hash},
             3: Timestamp {1: seconds, 2: nanoseconds}, 4: created_by }
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from mcpy.sandbox.kes.cipher import ALGORITHMS, KEY_SIZE, Algorithm, SecretKey
from mcpy.sandbox.kes.wire import ZERO_TIME_NS, Fields, decode_base64, encode_base64, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPES: dict[Algorithm, int] = {"AES256": 1, "ChaCha20": 2}
_NAMES: dict[int | bytes, Algorithm] = {number: name for name, number in _TYPES.items()}
_SHA256 = 1


class CorruptKeyError(Exception):
    """The keystore's value is not a key."""


@dataclass(frozen=True)
class KeyRecord:
    """One key as the server keeps it.

    Attributes:
        secret: what encrypts.
        hmac_key: 32 bytes, or None for keys of the time before HMAC keys.
        created_ns: nanoseconds since 1970.
        created_by: identity, empty when unknown.
    """

    secret: SecretKey
    hmac_key: bytes | None = field(repr=False)
    created_ns: int
    created_by: str = ""

    @classmethod
    def new(cls, secret: SecretKey, *, created_ns: int, created_by: str) -> KeyRecord:
        """Return a record for ``secret`` with a random HMAC key."""
        return cls(secret, secrets.token_bytes(KEY_SIZE), created_ns, created_by)

    def mac(self, message: bytes) -> bytes:
        """Return the HMAC-SHA256 of ``message``.

        Raises:
            LookupError: the key has no HMAC key.
        """
        if self.hmac_key is None:
            raise LookupError
        return hmac.digest(self.hmac_key, message, hashlib.sha256)

    def encode(self) -> bytes:
        """Return the record as a keystore holds it, the text a real server would write."""
        seconds, nanoseconds = divmod(self.created_ns, 10**9)
        kind = _TYPES[self.secret.algorithm]
        message = _part(1, _part(1, self.secret.material) + _number(2, kind))
        message += _part(2, _part(1, self.hmac_key or b"") + _number(2, _SHA256))
        message += _part(3, _number(1, seconds) + _number(2, nanoseconds))
        if self.created_by:
            message += _part(4, self.created_by.encode())
        return encode_base64(message).encode()


@lru_cache(maxsize=64)
def decode_key(value: bytes) -> KeyRecord:
    """Read what a keystore holds, today's form or the former JSON.

    Raises:
        CorruptKeyError: neither.
    """
    try:
        fields = Fields.only_in(value)
    except ValueError:
        return _decode_message(value)
    try:
        return _decode_json(fields)
    except ValueError as e:
        raise CorruptKeyError(str(e)) from e


def _decode_json(fields: Fields) -> KeyRecord:
    name = fields.text("algorithm") or "AES256"
    if name not in ALGORITHMS:
        raise ValueError(f"secret key type '{name}' is not supported")
    created = fields.text("created_at")
    return KeyRecord(
        SecretKey(ALGORITHMS[name], _exactly_32(fields.bytes("bytes"))),
        None,
        parse_time(created) if created else ZERO_TIME_NS,
        fields.text("created_by"),
    )


def _decode_message(value: bytes) -> KeyRecord:
    try:
        message = dict(_parts(decode_base64(value)))
        secret = dict(_parts(_bytes(message, 1)))
        mac = dict(_parts(_bytes(message, 2)))
        created = dict(_parts(_bytes(message, 3)))
        return KeyRecord(
            SecretKey(_NAMES[secret.get(2, 0)], _exactly_32(_bytes(secret, 1))),
            _exactly_32(_bytes(mac, 1)) if mac.get(2) == _SHA256 else _exactly_32(b""),
            _signed(created.get(1, 0)) * 10**9 + _signed(created.get(2, 0)),
            _bytes(message, 4).decode(),
        )
    except (ValueError, LookupError) as e:
        raise CorruptKeyError(str(e)) from e


def _exactly_32(material: bytes) -> bytes:
    if len(material) != KEY_SIZE:
        raise ValueError(f"invalid key length '{len(material)}'")
    return material


def _bytes(message: dict[int, int | bytes], number: int) -> bytes:
    value = message.get(number, b"")
    if isinstance(value, int):
        raise ValueError("a number where bytes should be")  # noqa: TRY004 - bad data, not a bug
    return value


def _signed(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("bytes where a number should be")  # noqa: TRY004 - bad data, not a bug
    return value - (1 << 64) if value >> 63 else value


def _part(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value) if value else b""


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _parts(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a protobuf message."""
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _read_varint(data, at)
            yield number, value
            continue
        if kind == 2:
            size, at = _read_varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind, -1)
        if size < 0 or at + size > len(data):
            raise ValueError("cut off")
        yield number, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if byte < 0x80:
            return value & (1 << 64) - 1, at
        if shift > 63:
            raise ValueError("number too long")
