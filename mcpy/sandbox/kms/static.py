"""The builtin KMS: one key from the environment, no KES."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mcpy.errors import ConfigError
from mcpy.sandbox.kms.model import (
    KEY_EXISTS,
    KEY_NOT_FOUND,
    NOT_AUTHENTIC,
    NOT_SUPPORTED,
    DataKey,
    KmsProblem,
    Metrics,
    canonical_context,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

IV_BYTES = 16
NONCE_BYTES = 12


class StaticKms:
    """One 32-byte key; the ciphertext of a data key is as a KES makes it.

    Layout: AES-256-GCM(HMAC-SHA256(key, iv), nonce) of the data key, its tag, iv, nonce.
    """

    name = "MinIO builtin"

    def __init__(self, default_key: str, secret: bytes) -> None:
        self.default_key = default_key
        self.metrics = Metrics()
        self._secret = secret

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self | None:
        """Read ``MINIO_KMS_SECRET_KEY`` (``name:base64``) or the file it may stand in.

        Raises:
            ConfigError: not of that form, or not 32 bytes.
        """
        text = env.get("MINIO_KMS_SECRET_KEY", "")
        if not text and (path := env.get("MINIO_KMS_SECRET_KEY_FILE")):
            try:
                text = Path(path).read_text("utf-8").strip()
            except OSError as e:
                raise ConfigError(f"cannot read MINIO_KMS_SECRET_KEY_FILE {path}: {e}") from e
        if not text:
            return None
        name, colon, encoded = text.partition(":")
        try:
            secret = base64.b64decode(encoded, validate=True)
        except binascii.Error as e:
            raise ConfigError("MINIO_KMS_SECRET_KEY: the key is not base64") from e
        if not colon or len(secret) != 32:
            raise ConfigError("MINIO_KMS_SECRET_KEY must be NAME:BASE64 of 32 bytes")
        return cls(name, secret)

    def generate(self, key: str, context: Mapping[str, str]) -> DataKey:
        """See ``Kms``."""
        with self.metrics.measured():
            self._require(key)
            plaintext, iv, nonce = (os.urandom(n) for n in (32, IV_BYTES, NONCE_BYTES))
            sealed = self._cipher(iv).encrypt(nonce, plaintext, canonical_context(context))
            return DataKey(plaintext, sealed + iv + nonce)

    def decrypt(self, key: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        """See ``Kms``."""
        with self.metrics.measured():
            self._require(key)
            sealed, random = ciphertext[:-28], ciphertext[-28:]
            iv, nonce = random[:IV_BYTES], random[IV_BYTES:]
            try:
                return self._cipher(iv).decrypt(nonce, sealed, canonical_context(context))
            except (InvalidTag, ValueError) as e:
                raise KmsProblem(400, NOT_AUTHENTIC) from e

    def create(self, key: str) -> None:
        """Refuse: there is one key only."""
        with self.metrics.measured():
            if key == self.default_key:
                raise KmsProblem(400, KEY_EXISTS)
            raise KmsProblem(501, NOT_SUPPORTED)

    def keys(self, prefix: str) -> list[str]:
        """See ``Kms``."""
        prefix = "" if prefix == "*" else prefix
        return [self.default_key] if self.default_key.startswith(prefix) else []

    def status(self) -> dict[str, bool]:
        """See ``Kms``."""
        return {"127.0.0.1": True}

    def version(self) -> str:
        """See ``Kms``."""
        return "v1"

    def apis(self) -> list[dict[str, Any]]:
        """Refuse: it has no API."""
        raise KmsProblem(501, NOT_SUPPORTED)

    def describe(self, key: str) -> dict[str, Any]:
        """See ``Kms``."""
        self._require(key)
        return {"name": key, "algorithm": "AES256"}

    def close(self) -> None:
        """Do nothing."""

    def _require(self, key: str) -> None:
        if key != self.default_key:
            raise KmsProblem(404, KEY_NOT_FOUND)

    def _cipher(self, iv: bytes) -> AESGCM:
        return AESGCM(hmac.new(self._secret, iv, hashlib.sha256).digest())
