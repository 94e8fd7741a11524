"""Envelopes: MinIO's own objects open, and nothing opens under another name, key or context."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from mcpy.sandbox import dare, envelope
from mcpy.sandbox.kms import KmsProblem, StaticKms

MINIO = json.loads((Path(__file__).parents[1] / "data/s3/dare-minio.json").read_text())
CLIENT_KEY = base64.b64decode(MINIO["client_key"])


@pytest.fixture
def kms() -> StaticKms:
    found = StaticKms.from_env({"MINIO_KMS_SECRET_KEY": MINIO["secret"]})
    assert found is not None
    return found


@pytest.mark.parametrize("item", MINIO["objects"], ids=lambda item: item["key"])
def test_an_object_written_by_minio_can_be_read(item: dict[str, Any], kms: StaticKms) -> None:
    key = envelope.object_key(
        item["metadata"], kms, item["bucket"], item["key"], client_key=CLIENT_KEY
    )
    plain = dare.open_(key.secret, base64.b64decode(item["content"]))
    assert plain == item["plain"].encode()


def test_minios_sealed_etag_holds_the_md5(kms: StaticKms) -> None:
    item = MINIO["objects"][0]
    key = envelope.object_key(item["metadata"], kms, item["bucket"], item["key"])
    md5 = hashlib.md5(item["plain"].encode(), usedforsecurity=False).hexdigest()
    assert key.open_etag(item["metadata"]["etag"]) == md5


@pytest.mark.parametrize("kind", ["SSE-S3", "SSE-KMS"])
def test_what_is_sealed_can_be_opened(kind: envelope.Kind, kms: StaticKms) -> None:
    key, metadata = envelope.with_kms(kms, kind, "b", "dir/k", context={"a": "1"})
    if kind == "SSE-S3":
        metadata.pop(envelope.CONTEXT)
        key, metadata = envelope.with_kms(kms, kind, "b", "dir/k")
    assert envelope.kind_of(metadata) == kind
    assert envelope.object_key(metadata, kms, "b", "dir/k").secret == key.secret


def test_an_object_moved_to_another_name_does_not_open(kms: StaticKms) -> None:
    _, metadata = envelope.with_kms(kms, "SSE-S3", "b", "k")
    with pytest.raises(KmsProblem):
        envelope.object_key(metadata, kms, "b", "other")


def test_a_changed_context_does_not_open(kms: StaticKms) -> None:
    _, metadata = envelope.with_kms(kms, "SSE-KMS", "b", "k", context={"dept": "x"})
    del metadata[envelope.CONTEXT]
    with pytest.raises(KmsProblem):
        envelope.object_key(metadata, kms, "b", "k")


def test_another_client_key_does_not_open() -> None:
    _, metadata = envelope.with_client_key(CLIENT_KEY, "b", "k")
    with pytest.raises(envelope.WrongKeyError):
        envelope.object_key(metadata, None, "b", "k", client_key=bytes(32))
    with pytest.raises(envelope.WrongKeyError):
        envelope.object_key(metadata, None, "b", "k")


def test_the_clients_context_is_stored_canonically_and_without_the_bucket(kms: StaticKms) -> None:
    context = {"z": "<1>", "a": "ü"}
    _, metadata = envelope.with_kms(kms, "SSE-KMS", "b", "k", context=context)
    stored = base64.b64decode(metadata[envelope.CONTEXT]).decode()
    assert stored == '{"a":"ü","z":"\\u003c1\\u003e"}'
    assert envelope.stored_context(metadata) == context


def test_the_kms_sees_the_bucket_unless_the_client_names_it() -> None:
    assert envelope.kms_context({"a": "1"}, "b", "k") == {"a": "1", "b": "b/k"}
    assert envelope.kms_context({"b": "mine"}, "b", "k") == {"b": "mine"}


def test_a_rotated_object_keeps_its_key_and_context(kms: StaticKms) -> None:
    key, metadata = envelope.with_kms(kms, "SSE-KMS", "b", "k", context={"dept": "x"})
    rotated = envelope.rotated(metadata, kms, "b", "k")
    assert rotated[envelope.KMS_SEALED_DEK] != metadata[envelope.KMS_SEALED_DEK]
    assert envelope.object_key(rotated, kms, "b", "k").secret == key.secret


def test_part_keys_differ_and_are_derived_from_the_number() -> None:
    key = envelope.ObjectKey(bytes(32))
    assert key.part(1) != key.part(2)
    assert key.part(1) == envelope.ObjectKey(bytes(32)).part(1)


def test_a_sealed_entry_opens_only_under_its_name() -> None:
    key = envelope.ObjectKey(bytes(32))
    sealed = key.seal_entry("object-checksum", b"value")
    assert key.open_entry("object-checksum", sealed) == b"value"
    with pytest.raises(dare.DareError):
        key.open_entry("other", sealed)


def test_damaged_metadata_is_said_to_be_damaged(kms: StaticKms) -> None:
    _, metadata = envelope.with_kms(kms, "SSE-S3", "b", "k")
    metadata[envelope.IV] = "!!"
    with pytest.raises(envelope.EnvelopeError, match="Iv"):
        envelope.object_key(metadata, kms, "b", "k")


def test_without_a_kms_there_is_no_key() -> None:
    with pytest.raises(envelope.NoKmsError):
        envelope.with_kms(None, "SSE-S3", "b", "k")


def test_keys_stay_out_of_a_repr() -> None:
    assert "secret" not in repr(envelope.ObjectKey(b"\x01" * 32))
