"""A key as a KES keeps it: base64 of a small protobuf message, or the JSON of former releases.

KeyVersion { 1: SecretKey {1: key, 2: type}, 2: HMACKey {1: key, 2: hash},
             3: Timestamp {1: seconds, 2: nanoseconds}, 4: created_by }
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mcpy.errors import IntegrityError
from mcpy.jsontext import loads

if TYPE_CHECKING:
    from collections.abc import Iterator

Cipher = Literal["AES256", "ChaCha20"]

KEY_BYTES = 32
_TYPES: dict[Cipher, int] = {"AES256": 1, "ChaCha20": 2}
_CIPHERS: dict[object, Cipher] = {
    1: "AES256",
    2: "ChaCha20",
    "": "AES256",
    "AES256": "AES256",
    "AES256-GCM_SHA256": "AES256",
    "ChaCha20": "ChaCha20",
    "XCHACHA20-POLY1305": "ChaCha20",
}
_SHA256 = 1


@dataclass(frozen=True)
class KeyEntry:
    """One master key.

    Attributes:
        key: 32 bytes.
        hmac_key: 32 bytes, or None in the JSON of former releases.
        created_ns: nanoseconds since 1970.
        created_by: identity of who made it, possibly empty.
    """

    key: bytes = field(repr=False)
    cipher: Cipher = "AES256"
    hmac_key: bytes | None = field(default=None, repr=False)
    created_ns: int = 0
    created_by: str = ""

    @classmethod
    def of(cls, key: bytes, cipher: Cipher = "AES256", *, now_ns: int | None = None) -> KeyEntry:
        """Return an entry for a key, with a random HMAC key as an import has it.

        Raises:
            IntegrityError: the key is not 32 bytes.
        """
        created_ns = time.time_ns() if now_ns is None else now_ns
        return cls(_sized(key), cipher, secrets.token_bytes(KEY_BYTES), created_ns)

    def encode(self) -> bytes:
        """Return the value a KES writes, without a final newline."""
        seconds, nanoseconds = divmod(self.created_ns, 10**9)
        message = _bytes(1, _bytes(1, self.key) + _number(2, _TYPES[self.cipher]))
        message += _bytes(2, _bytes(1, self.hmac_key or b"") + _number(2, _SHA256))
        message += _bytes(3, _number(1, seconds) + _number(2, nanoseconds))
        if self.created_by:
            message += _bytes(4, self.created_by.encode())
        return base64.b64encode(message)


def decode(value: bytes) -> KeyEntry:
    """Read a keystore's value.

    Raises:
        IntegrityError: KES would not take it for a key either.
    """
    try:
        if value.lstrip()[:1] == b"{":
            return _from_json(value)
        return _from_message(base64.b64decode(value.strip(), validate=True))
    except (ValueError, KeyError, TypeError, IndexError, binascii.Error) as e:
        raise IntegrityError("the entry is not a key of KES") from e


def _from_json(value: bytes) -> KeyEntry:
    found = loads(value)
    key = base64.b64decode(found["bytes"], validate=True)
    cipher = _CIPHERS[found.get("algorithm", "")]
    # the time is not needed to use the key; the value itself is what gets copied
    return KeyEntry(_sized(key), cipher, created_by=str(found.get("created_by", "")))


def _from_message(message: bytes) -> KeyEntry:
    parts = dict(_parts(message))
    secret, mac, created = (dict(_parts(_expect_bytes(parts.get(n, b"")))) for n in (1, 2, 3))
    if mac.get(2) != _SHA256:
        raise ValueError("an HMAC key of an unknown kind")
    seconds, nanoseconds = created.get(1, 0), created.get(2, 0)
    if isinstance(seconds, bytes) or isinstance(nanoseconds, bytes):
        raise ValueError("bytes where a number should be")  # noqa: TRY004 - bad data, not a bug
    return KeyEntry(
        _sized(_expect_bytes(secret[1])),
        _CIPHERS[secret[2]],
        _sized(_expect_bytes(mac[1])),
        seconds * 10**9 + nanoseconds,
        _expect_bytes(parts.get(4, b"")).decode(),
    )


def _sized(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise IntegrityError(f"a master key has {KEY_BYTES} bytes, not {len(key)}")
    return key


def _expect_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where bytes should be")  # noqa: TRY004 - bad data, not a bug
    return value


def _bytes(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value) if value else b""


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _parts(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a protobuf message."""
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        if tag & 7 == 0:
            value, at = _read_varint(data, at)
            yield tag >> 3, value
            continue
        if tag & 7 != 2:
            raise ValueError("a kind of field KES does not write")
        size, at = _read_varint(data, at)
        if at + size > len(data):
            raise ValueError("cut off")
        yield tag >> 3, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    else:
        raise ValueError("a number without an end")
    # a time before 1970 is negative
    return value - (1 << 64) if value >> 63 else value, at
