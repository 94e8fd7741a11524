"""The sealed bodies of MinIO's admin API, by what real servers and clients sealed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from mcpy.api import sealed
from mcpy.errors import IntegrityError
from mcpy.sandbox.admin import sealed as other

SECRET = "minioadmin"
FILE = Path(__file__).parents[1] / "data" / "admin" / "sealed.jsonl"
RECORDS: list[dict[str, Any]] = [json.loads(line) for line in FILE.read_text().splitlines()]
# a chunk, its borders, and several
SIZES = [0, 1, 16383, 16384, 16385, 32768, 50000]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["name"])
def test_a_recorded_body_opens(record: dict[str, Any]) -> None:
    body = base64.b64decode(record["sealed"])
    assert body[32] == record["cipher"]
    assert sealed.unseal(body, SECRET) == record["content"].encode()


def test_all_three_ciphers_are_among_the_recorded() -> None:
    assert {record["cipher"] for record in RECORDS} == {0, 1, 2}


def test_the_same_salt_and_nonce_seal_the_same_bytes_as_a_server() -> None:
    for record in RECORDS:
        body = base64.b64decode(record["sealed"])
        if record["cipher"] == 0:
            random = body[:32] + body[33:41]
            assert sealed.seal(record["content"].encode(), SECRET, random=random) == body


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_opens_in_an_implementation_that_shares_no_code(size: int) -> None:
    content = bytes(i % 251 for i in range(size))
    assert other.unseal(sealed.seal(content, SECRET), SECRET) == content
    assert sealed.unseal(other.seal(content, SECRET), SECRET) == content


def test_no_two_bodies_are_alike() -> None:
    assert sealed.seal(b"x", SECRET) != sealed.seal(b"x", SECRET)


BODY = sealed.seal(bytes(40000), SECRET, random=bytes(40))
_END = 41
_CHUNK = 16384 + 16


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"scanner speed=fast",
        BODY[:56],
        BODY[:-1],
        BODY[:-16],
        BODY[: _END + _CHUNK],
        BODY[: _END + 2 * _CHUNK],
        BODY[:_END] + BODY[_END + _CHUNK :],
        BODY[:_END] + BODY[_END + _CHUNK : _END + 2 * _CHUNK] + BODY[_END : _END + _CHUNK],
        BODY + b"\0",
        BODY[:32] + b"\3" + BODY[33:],
        BODY[:32] + b"\1" + BODY[33:],
        *(bytes([*BODY[:i], BODY[i] ^ 1, *BODY[i + 1 :]]) for i in (0, 31, 33, 40, 41, 20000)),
    ],
    ids=[
        "empty",
        "not sealed",
        "too short",
        "a byte short",
        "without its last tag",
        "one chunk of three",
        "two chunks of three",
        "without the first chunk",
        "chunks that changed places",
        "a byte long",
        "an unknown cipher",
        "another cipher",
        "changed in the salt",
        "changed at the end of the salt",
        "changed in the nonce",
        "changed at the end of the nonce",
        "changed in the first chunk",
        "changed in the second chunk",
    ],
)
def test_a_body_that_was_changed_or_cut_does_not_open(body: bytes) -> None:
    with pytest.raises(IntegrityError):
        sealed.unseal(body, SECRET)


def test_the_wrong_secret_does_not_open_and_is_not_named() -> None:
    with pytest.raises(IntegrityError) as caught:
        sealed.unseal(BODY, "another-secret")
    assert "another-secret" not in str(caught.value)
