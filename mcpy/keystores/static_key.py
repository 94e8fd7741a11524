"""The key of a MinIO that ran without a KES, as a source of copies."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError, IntegrityError
from mcpy.keystores.base import KEY_NAME, KeyMissingError
from mcpy.keystores.entry import KeyEntry

if TYPE_CHECKING:
    from collections.abc import Iterator


class StaticKey:
    """The one key of a MinIO that was run with ``MINIO_KMS_SECRET_KEY``, as a source.

    Args:
        text: ``NAME:BASE64``.

    Raises:
        ConfigError: it is not of that form; the value is not repeated.
    """

    where = "MINIO_KMS_SECRET_KEY"

    def __init__(self, text: str) -> None:
        name, colon, encoded = text.strip().partition(":")
        try:
            if not colon or not KEY_NAME.fullmatch(name):
                raise ValueError("no name")  # noqa: TRY301 - one place for the message
            key = base64.b64decode(encoded, validate=True)
            self._name, self._value = name, KeyEntry.of(key).encode()
        except (ValueError, binascii.Error, IntegrityError) as e:
            raise ConfigError("MINIO_KMS_SECRET_KEY is not NAME:BASE64 of 32 bytes") from e

    def list(self) -> Iterator[str]:
        """Yield its name."""
        yield self._name

    def read(self, name: str) -> bytes:
        """Return it as an entry of KES, with an HMAC key made up for it."""
        if name != self._name:
            raise KeyMissingError(name)
        return self._value
