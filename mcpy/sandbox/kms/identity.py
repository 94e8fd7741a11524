"""The S3 server's identity at the KES, and whom it trusts: an ``ssl.SSLContext`` from variables.

Python's ``ssl`` takes a client certificate from files only, so a certificate made from an API key
lies for a moment in a folder nobody else may enter.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError
from mcpy.sandbox import certs

if TYPE_CHECKING:
    from collections.abc import Mapping

API_KEY_PREFIX = "kes:v1:"


def tls_context(env: Mapping[str, str]) -> ssl.SSLContext:
    """Return the TLS side of ``MINIO_KMS_KES_*``.

    Raises:
        ConfigError: no identity, two of them, or a file that cannot be used.
    """
    api_key = env.get("MINIO_KMS_KES_API_KEY", "")
    key, cert = env.get("MINIO_KMS_KES_KEY_FILE", ""), env.get("MINIO_KMS_KES_CERT_FILE", "")
    if bool(api_key) == bool(key or cert):
        raise ConfigError(
            "set either MINIO_KMS_KES_API_KEY or MINIO_KMS_KES_KEY_FILE and"
            " MINIO_KMS_KES_CERT_FILE"
        )
    context = _trusting(env.get("MINIO_KMS_KES_CAPATH", ""))
    if api_key:
        _load_pem(context, client_certificate(seed_of(api_key)))
    else:
        _load_files(context, key, cert, env.get("MINIO_KMS_KES_KEY_PASSWORD", ""))
    return context


def seed_of(api_key: str) -> bytes:
    """Return the 32-byte ed25519 seed of an API key; the prefix may be missing.

    Raises:
        ConfigError: not an API key. The text does not repeat it.
    """
    try:
        raw = base64.b64decode(api_key.removeprefix(API_KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError) as e:
        raise ConfigError("MINIO_KMS_KES_API_KEY is not base64") from e
    if len(raw) != 33 or raw[0] != 0:
        raise ConfigError("MINIO_KMS_KES_API_KEY is not an ed25519 API key")
    return raw[1:]


def client_certificate(seed: bytes) -> bytes:
    """Return private key and self-signed certificate of an identity, in PEM."""
    pair, _ = certs.client("minio", seed)
    return pair.key_pem + pair.cert_pem


def _trusting(capath: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # a KES certificate of one's own making is trusted as it is, as MinIO does
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not capath:
        return context
    path = Path(capath)
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            if (file.is_file() or file == path) and b"BEGIN CERTIFICATE" in file.read_bytes():
                context.load_verify_locations(cafile=str(file))
    except (OSError, ssl.SSLError) as e:
        raise ConfigError(f"MINIO_KMS_KES_CAPATH {capath} cannot be used: {e}") from e
    return context


def _load_files(context: ssl.SSLContext, key: str, cert: str, password: str) -> None:
    try:
        # a callable, lest an encrypted key makes OpenSSL ask the terminal
        context.load_cert_chain(cert, key, password=lambda: password)
    except (OSError, ssl.SSLError, ValueError) as e:
        raise ConfigError(f"cannot use the KES client certificate {cert} with {key}: {e}") from e


def _load_pem(context: ssl.SSLContext, pem: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="mcpy-kes-") as folder:
        path = Path(folder) / "identity.pem"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with contextlib.closing(os.fdopen(descriptor, "wb")) as file:
            file.write(pem)
        context.load_cert_chain(path)
