"""Entries and ciphertexts of KES: recorded ones are read, and what is written is the same."""

from __future__ import annotations

import base64
import json

import pytest

from mcpy.errors import IntegrityError
from mcpy.keystores.entry import KeyEntry, decode
from mcpy.keystores.seal import seal, unseal
from mcpy.sandbox.kes.cipher import SecretKey
from mcpy.sandbox.kes.keyfile import KeyRecord

KEY, MAC = bytes(range(32)), bytes(range(32, 64))


@pytest.mark.parametrize("cipher", ["AES256", "ChaCha20"])
@pytest.mark.parametrize("created_ns", [0, 1_700_000_000_123_456_789, -1])
def test_entries_are_those_of_the_sandbox_which_real_servers_read(
    cipher: str, created_ns: int
) -> None:
    entry = KeyEntry(KEY, cipher, MAC, created_ns, "a" * 64)  # type: ignore[arg-type]
    record = KeyRecord(SecretKey(cipher, KEY), MAC, created_ns, "a" * 64)  # type: ignore[arg-type]
    assert entry.encode() == record.encode()
    assert decode(record.encode()) == entry


def test_one_final_newline_is_tolerated() -> None:
    entry = KeyEntry(KEY, "AES256", MAC, 1)
    assert decode(entry.encode() + b"\n") == entry


@pytest.mark.parametrize(
    ("algorithm", "cipher"), [(None, "AES256"), ("AES256", "AES256"), ("ChaCha20", "ChaCha20")]
)
def test_the_json_of_former_releases_is_read(algorithm: str | None, cipher: str) -> None:
    found = {"bytes": base64.b64encode(KEY).decode(), "created_by": "b" * 64}
    entry = decode(json.dumps(found | ({"algorithm": algorithm} if algorithm else {})).encode())
    assert (entry.key, entry.cipher, entry.hmac_key) == (KEY, cipher, None)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"locked-by-mcpy:AAAA",
        b"{}",
        b'{"bytes": "AAAA"}',
        b"AAAA",
        b"not base64!",
        KeyEntry(KEY, "AES256", MAC, 1).encode()[:-8],
        KeyEntry(KEY, "AES256", None, 1).encode(),
    ],
)
def test_what_no_server_takes_for_a_key_is_refused(value: bytes) -> None:
    with pytest.raises(IntegrityError):
        decode(value)


def test_no_key_shows_in_a_repr() -> None:
    assert "key" not in repr(KeyEntry(KEY, "AES256", MAC, 1)).replace("KeyEntry", "")


@pytest.mark.parametrize("cipher", ["AES256", "ChaCha20"])
def test_the_sandbox_opens_what_is_sealed_here(cipher: str) -> None:
    entry = KeyEntry(KEY, cipher, MAC)  # type: ignore[arg-type]
    sealed = seal(entry, b"message", b"context")
    assert SecretKey(cipher, KEY).decrypt(sealed, b"context") == b"message"  # type: ignore[arg-type]
    assert unseal(entry, sealed, b"context") == b"message"


@pytest.mark.parametrize("change", ["key", "context", "bytes", "short"])
def test_nothing_else_opens_it(change: str) -> None:
    sealed = seal(KeyEntry(KEY), b"message", b"context")
    entry = KeyEntry(MAC if change == "key" else KEY)
    sealed = {"bytes": b"\0" + sealed[1:], "short": sealed[:20]}.get(change, sealed)
    with pytest.raises(IntegrityError):
        unseal(entry, sealed, b"other" if change == "context" else b"context")
