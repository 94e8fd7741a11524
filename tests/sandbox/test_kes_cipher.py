"""What KES encrypts, and the keys it keeps, against values a real server made."""

from __future__ import annotations

import base64
import json
import stat
import threading
from collections import Counter
from pathlib import Path

import pytest

from mcpy.errors import UnreachableError
from mcpy.keystores.base import KeyExistsError, KeyMissingError, KeystoreError
from mcpy.keystores.fs import FolderStore
from mcpy.sandbox.kes.cipher import NotAuthenticError, SecretKey, hchacha20
from mcpy.sandbox.kes.keyfile import CorruptKeyError, KeyRecord, decode_key
from mcpy.sandbox.kes.wire import ZERO_TIME_NS, format_time

VECTORS = json.loads((Path(__file__).parent.parent / "data/kes/vectors.json").read_text())
ENCRYPT = VECTORS["encrypt"]
KEY_FILE = VECTORS["key_file"]


def b64(text: str) -> bytes:
    return base64.b64decode(text)


KEY, CONTEXT, PLAIN = (b64(ENCRYPT[f"{n}_b64"]) for n in ("key", "context", "plaintext"))
AES, CHACHA = SecretKey("AES256", KEY), SecretKey("ChaCha20", KEY)


def test_hchacha20_gives_the_value_of_its_draft() -> None:
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    assert hchacha20(KEY, nonce).hex() == expected


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (AES, "aes256_ciphertext_b64"),
        (CHACHA, "chacha20_ciphertext_b64"),
        (AES, "legacy_json_ciphertext_b64"),
        (AES, "legacy_msgpack_ciphertext_b64"),
    ],
)
def test_a_real_servers_ciphertext_opens(key: SecretKey, name: str) -> None:
    assert key.decrypt(b64(ENCRYPT[name]), CONTEXT) == PLAIN


@pytest.mark.parametrize(
    ("key", "name"), [(AES, "aes256_ciphertext_b64"), (CHACHA, "chacha20_ciphertext_b64")]
)
def test_the_same_randomness_makes_the_real_servers_ciphertext(key: SecretKey, name: str) -> None:
    expected = b64(ENCRYPT[name])
    assert key.encrypt(PLAIN, CONTEXT, random=lambda _: expected[-28:]) == expected


@pytest.mark.parametrize("key", [AES, CHACHA])
def test_a_ciphertext_is_44_bytes_longer_and_never_the_same(key: SecretKey) -> None:
    made = {key.encrypt(PLAIN, b"") for _ in range(20)}
    assert len(made) == 20
    assert {len(ciphertext) for ciphertext in made} == {len(PLAIN) + 44}


@pytest.mark.parametrize("key", [AES, CHACHA])
def test_any_changed_or_missing_byte_is_noticed(key: SecretKey) -> None:
    good = key.encrypt(PLAIN, CONTEXT)
    broken = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(len(good))]
    broken += [good[:-1], good[1:], good[:28], b"", b"x"]
    for ciphertext in broken:
        with pytest.raises(NotAuthenticError):
            key.decrypt(ciphertext, CONTEXT)
    with pytest.raises(NotAuthenticError):
        key.decrypt(good, b"other")


@pytest.mark.parametrize("first", [b"{", b"\x95"])
def test_a_ciphertext_that_looks_like_a_former_one_opens(first: bytes) -> None:
    made = (AES.encrypt(PLAIN, b"") for _ in range(100_000))
    assert AES.decrypt(next(c for c in made if c.startswith(first)), b"") == PLAIN


def test_a_real_servers_key_file_is_read_and_written_byte_for_byte() -> None:
    text = KEY_FILE["file_text"].encode()
    record = decode_key(text)
    assert record.secret == SecretKey("AES256", bytes.fromhex(KEY_FILE["secret_key_hex"]))
    assert record.hmac_key == bytes.fromhex(KEY_FILE["hmac_key_hex"])
    assert record.created_by == KEY_FILE["created_by"]
    assert format_time(record.created_ns) == "2026-11-23T12:41:36.560558262Z"
    assert record.encode() == text


def test_the_hmac_is_the_real_servers() -> None:
    record = decode_key(KEY_FILE["file_text"].encode())
    assert record.mac(b"root access key") == b64(KEY_FILE['hmac_of_"root access key"_b64'])


def test_a_former_key_file_has_no_hmac_key() -> None:
    record = decode_key(VECTORS["legacy_key_file_json"].encode())
    assert (record.secret, record.hmac_key, record.created_by) == (AES, None, "abc")
    assert format_time(record.created_ns) == "2022-01-02T03:04:05Z"
    with pytest.raises(LookupError):
        record.mac(b"")


def test_a_former_key_file_may_say_nothing_but_the_key() -> None:
    record = decode_key(json.dumps({"bytes": ENCRYPT["key_b64"]}).encode())
    assert (record.secret, record.created_ns) == (AES, ZERO_TIME_NS)


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "null", "{}", "[]", '{"bytes":"YWJj"}', "CiQK", KEY_FILE["file_text"][:-8]],
)
def test_what_is_no_key_is_told_apart(text: str) -> None:
    with pytest.raises(CorruptKeyError):
        decode_key(text.encode())


def test_no_secret_shows_when_a_key_is_printed() -> None:
    record = KeyRecord.new(AES, created_ns=0, created_by="")
    assert KEY.hex() not in repr(record)
    assert repr(KEY) not in repr(record)
    assert repr(record.hmac_key) not in repr(record)


def test_key_files_are_their_owners_alone_and_leave_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    store = FolderStore(tmp_path / "keys")
    store.create("a", b"value")
    assert stat.S_IMODE((tmp_path / "keys" / "a").stat().st_mode) == 0o600
    assert (list(store.list()), store.read("a")) == (["a"], b"value")
    with pytest.raises(KeyExistsError):
        store.create("a", b"other")
    assert [path.name for path in tmp_path.rglob("*")] == ["keys", "a"]
    assert store.read("a") == b"value"


def test_of_many_creators_of_one_key_one_wins(tmp_path: Path) -> None:
    store, outcomes = FolderStore(tmp_path), Counter[str]()

    def create(number: int) -> None:
        try:
            store.create("key", b"%d" % number)
            outcomes[f"made {number}"] += 1
        except KeyExistsError:
            outcomes["exists"] += 1

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes["exists"] == 7
    assert outcomes[f"made {store.read('key').decode()}"] == 1


def test_a_key_removed_or_locked_away_by_hand_is_gone_at_once(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.create("a", b"value")
    (tmp_path / "a").rename(tmp_path.parent / "away")
    with pytest.raises(KeyMissingError):
        store.read("a")
    with pytest.raises(KeyMissingError):
        store.delete("a")
    (tmp_path.parent / "away").rename(tmp_path / "a")
    assert store.read("a") == b"value"


@pytest.mark.parametrize("name", ["", ".", "..", "a.b", "a/b", "../a", "a\\b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    store = FolderStore(tmp_path)
    for act in (store.read, store.delete, lambda n: store.create(n, b"")):
        with pytest.raises(KeystoreError):
            act(name)


def test_a_folder_that_went_away_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    store = FolderStore(tmp_path / "keys")
    store.ping()
    (tmp_path / "keys").rmdir()
    with pytest.raises(UnreachableError):
        store.ping()
    with pytest.raises(KeystoreError):
        list(store.list())
    with pytest.raises(KeystoreError):
        store.create("a", b"")
