"""Envelope encryption of one object, as MinIO does it, so that its metadata reads the same.

The KMS gives a data key (DEK); the object key (OEK) is drawn from it and encrypts content, parts,
ETag and checksums; the key encryption key (KEK) is derived from the DEK, a random IV, the kind of
encryption and ``bucket/object``, and seals the OEK into the metadata. For SSE-C the client's key
stands in place of the DEK.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mcpy.sandbox import dare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.kms import Kms

Kind = Literal["SSE-S3", "SSE-KMS", "SSE-C"]

SEAL_ALGORITHM = "DAREv2-HMAC-SHA256"
ARN = "arn:aws:kms:"

_PREFIX = "X-Minio-Internal-Server-Side-Encryption-"
ALGORITHM = _PREFIX + "Seal-Algorithm"
IV = _PREFIX + "Iv"
KMS_KEY = _PREFIX + "S3-Kms-Key-Id"
KMS_SEALED_DEK = _PREFIX + "S3-Kms-Sealed-Key"
CONTEXT = _PREFIX + "Context"
MULTIPART = "X-Minio-Internal-Encrypted-Multipart"
SEALED_KEY: dict[Kind, str] = {
    "SSE-KMS": _PREFIX + "Kms-Sealed-Key",
    "SSE-S3": _PREFIX + "S3-Sealed-Key",
    "SSE-C": _PREFIX + "Sealed-Key",
}
# what a copy leaves behind when it encrypts anew; the context is not among it, on MinIO either,
# which is how a copy from SSE-KMS with a context to one without becomes unreadable
ENVELOPE_ENTRIES = (ALGORITHM, IV, KMS_KEY, KMS_SEALED_DEK, MULTIPART, *SEALED_KEY.values())


class EnvelopeError(Exception):
    """The metadata of an encrypted object is damaged."""


class WrongKeyError(EnvelopeError):
    """The key does not open the sealed object key: for SSE-C, the client sent another one."""


class NoKmsError(EnvelopeError):
    """A KMS is needed and none is configured."""


@dataclass(frozen=True)
class ObjectKey:
    """The key of one object, in memory only."""

    secret: bytes = field(repr=False)

    @classmethod
    def draw(cls, data_key: bytes) -> ObjectKey:
        """Return a new key, random and bound to ``data_key`` (32 bytes)."""
        return cls(_mac(data_key, b"object-encryption-key generation", os.urandom(32)))

    def part(self, number: int) -> bytes:
        """Return the 32-byte key of part ``number`` of a multipart object."""
        return _mac(self.secret, number.to_bytes(4, "little"))

    def seal_etag(self, etag: bytes) -> str:
        """Return the ETag (the MD5, 16 bytes) as it is stored: 96 hex characters."""
        return dare.seal(_mac(self.secret, b"SSE-etag"), etag).hex()

    def open_etag(self, sealed: str) -> str:
        """Return the hex MD5 within a stored ETag; an ETag that is not sealed is returned as is.

        Raises:
            DareError: it was sealed with another key.
        """
        if len(sealed) <= 32 or "-" in sealed:
            return sealed
        return dare.open_(_mac(self.secret, b"SSE-etag"), bytes.fromhex(sealed)).hex()

    def seal_entry(self, name: str, value: bytes) -> bytes:
        """Encrypt a metadata value that must not be readable, such as a checksum."""
        return dare.seal(_mac(self.secret, name.encode()), value)

    def open_entry(self, name: str, sealed: bytes) -> bytes:
        """Decrypt what `seal_entry` made.

        Raises:
            DareError: it was sealed with another key, or changed.
        """
        return dare.open_(_mac(self.secret, name.encode()), sealed)

    def seal(self, data_key: bytes, iv: bytes, kind: Kind, path: str) -> bytes:
        """Seal this key for the metadata of ``path`` (``bucket/object``): 64 bytes."""
        return dare.seal(_key_encryption_key(data_key, iv, kind, path), self.secret)

    @classmethod
    def unseal(cls, sealed: bytes, data_key: bytes, iv: bytes, kind: Kind, path: str) -> ObjectKey:
        """Undo `seal`.

        Raises:
            WrongKeyError: another data key, path, kind or IV than it was sealed with.
        """
        try:
            return cls(dare.open_(_key_encryption_key(data_key, iv, kind, path), sealed))
        except dare.DareError as e:
            raise WrongKeyError("the object key cannot be unsealed") from e


def kind_of(metadata: Mapping[str, str]) -> Kind | None:
    """Return how the object with this ``metadata`` is encrypted, None for plaintext."""
    return next((kind for kind, name in SEALED_KEY.items() if name in metadata), None)


def object_path(bucket: str, name: str) -> str:
    """Return ``bucket/object`` in the clean form keys are bound to."""
    return posixpath.normpath(f"{bucket}/{name}")


def kms_context(context: Mapping[str, str] | None, bucket: str, name: str) -> dict[str, str]:
    """Return the context the KMS sees: the client's, plus ``bucket`` unless that names it."""
    return {bucket: object_path(bucket, name)} | dict(context or {})


def canonical_context(context: Mapping[str, str]) -> str:
    """Return a context as it is stored and answered: base64 of sorted JSON, Go escaping."""
    text = json.dumps(context, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()


def with_kms(
    kms: Kms | None,
    kind: Kind,
    bucket: str,
    name: str,
    *,
    key: str = "",
    context: Mapping[str, str] | None = None,
) -> tuple[ObjectKey, dict[str, str]]:
    """Make the key of a new SSE-S3 or SSE-KMS object, and the metadata that keeps it.

    ``key`` is the KMS key, the KMS's default if empty.

    Raises:
        NoKmsError: there is no KMS.
        KmsProblem: it refused, or was not there.
    """
    if kms is None:
        raise NoKmsError("KMS not configured")
    key = key or kms.default_key
    dek = kms.generate(key, kms_context(context, bucket, name))
    oek = ObjectKey.draw(dek.plaintext)
    metadata = reseal(oek, dek.plaintext, kind, bucket, name)
    metadata |= {KMS_KEY: key, KMS_SEALED_DEK: base64.b64encode(dek.ciphertext).decode()}
    if context:
        metadata[CONTEXT] = canonical_context(context)
    return oek, metadata


def rotated(
    metadata: Mapping[str, str], kms: Kms | None, bucket: str, name: str, *, key: str = ""
) -> dict[str, str]:
    """Return ``metadata`` with the object key sealed anew under a fresh data key of ``key``.

    The kind of encryption and the client's context stay; content, parts and ETag stay readable.
    ``key`` is the KMS's default if empty.

    Raises:
        KmsProblem: it refused, or was not there.
        EnvelopeError: there is no KMS, it is not an SSE-S3 or SSE-KMS object, or damaged.
    """
    kind = kind_of(metadata)
    if kind not in {"SSE-S3", "SSE-KMS"} or kms is None:
        raise EnvelopeError("only SSE-S3 and SSE-KMS objects can be given another KMS key")
    oek = object_key(metadata, kms, bucket, name)
    key = key or kms.default_key
    context = stored_context(metadata) if kind == "SSE-KMS" else {}
    dek = kms.generate(key, kms_context(context, bucket, name))
    sealed = reseal(oek, dek.plaintext, kind, bucket, name)
    sealed |= {KMS_KEY: key, KMS_SEALED_DEK: base64.b64encode(dek.ciphertext).decode()}
    return {**metadata, **sealed}


def with_client_key(client_key: bytes, bucket: str, name: str) -> tuple[ObjectKey, dict[str, str]]:
    """Make the key of a new SSE-C object, and the metadata that keeps it."""
    oek = ObjectKey.draw(client_key)
    return oek, reseal(oek, client_key, "SSE-C", bucket, name)


def reseal(oek: ObjectKey, data_key: bytes, kind: Kind, bucket: str, name: str) -> dict[str, str]:
    """Seal ``oek`` under ``data_key`` with a fresh IV and return the metadata entries."""
    iv = os.urandom(32)
    sealed = oek.seal(data_key, iv, kind, object_path(bucket, name))
    return {
        ALGORITHM: SEAL_ALGORITHM,
        IV: base64.b64encode(iv).decode(),
        SEALED_KEY[kind]: base64.b64encode(sealed).decode(),
    }


def object_key(
    metadata: Mapping[str, str],
    kms: Kms | None,
    bucket: str,
    name: str,
    *,
    client_key: bytes | None = None,
) -> ObjectKey:
    """Return the key of an encrypted object.

    Raises:
        WrongKeyError: the client's key, or the KMS's answer, is not the one it was sealed with.
        NoKmsError: it needs a KMS and there is none.
        KmsProblem: the KMS refused, or was not there.
        EnvelopeError: the metadata is damaged.
    """
    kind = kind_of(metadata)
    if kind is None:
        raise EnvelopeError("the object is not encrypted")
    if kind == "SSE-C":
        data_key = client_key or b""
        if len(data_key) != 32:
            raise WrongKeyError("no SSE-C key")
    else:
        data_key = _data_key(metadata, kms, bucket, name, kind)
    sealed, iv = _bytes(metadata, SEALED_KEY[kind]), _bytes(metadata, IV)
    return ObjectKey.unseal(sealed, data_key, iv, kind, object_path(bucket, name))


def stored_context(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the context a client gave when it encrypted the object."""
    if CONTEXT not in metadata:
        return {}
    context = json.loads(_bytes(metadata, CONTEXT).decode("utf-8", "surrogateescape"))
    return {str(k): str(v) for k, v in context.items()}


def _data_key(
    metadata: Mapping[str, str], kms: Kms | None, bucket: str, name: str, kind: Kind
) -> bytes:
    if kms is None:
        raise NoKmsError("KMS not configured")
    client = stored_context(metadata) if kind == "SSE-KMS" else {}
    context = kms_context(client, bucket, name)
    return kms.decrypt(metadata[KMS_KEY], _bytes(metadata, KMS_SEALED_DEK), context)


def _key_encryption_key(data_key: bytes, iv: bytes, kind: Kind, path: str) -> bytes:
    path_bytes = path.encode("utf-8", "surrogateescape")
    return _mac(data_key, iv, kind.encode(), SEAL_ALGORITHM.encode(), path_bytes)


def _mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.digest(key, b"".join(parts), "sha256")


def _bytes(metadata: Mapping[str, str], name: str) -> bytes:
    try:
        return base64.b64decode(metadata[name], validate=True)
    except (KeyError, binascii.Error) as e:
        raise EnvelopeError(f"metadata entry {name} is missing or damaged") from e
