"""A KES as the S3 server's KMS, configured by the ``MINIO_KMS_KES_*`` variables."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

from mcpy.errors import ConfigError
from mcpy.sandbox.kms.identity import tls_context
from mcpy.sandbox.kms.link import Link
from mcpy.sandbox.kms.model import DataKey, KmsProblem, Metrics, canonical_context

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mcpy.sandbox.kms.link import Inside

_ELLIPSIS = re.compile(r"\{(\d+)\.\.\.(\d+)\}")


class KesKms:
    """The S3 server's view of a KES."""

    name = "MinIO KES"

    def __init__(self, link: Link, default_key: str) -> None:
        self.default_key = default_key
        self.metrics = Metrics()
        self._link = link

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, inside: Inside | None = None) -> Self | None:
        """Return the KES ``MINIO_KMS_KES_ENDPOINT`` names, or None when it is not set.

        Nothing is asked of the KES yet. ``inside`` is one in this process, if there is any.

        Raises:
            ConfigError: a variable is missing, contradicts another, or names an unusable file.
        """
        raw = env.get("MINIO_KMS_KES_ENDPOINT", "")
        if not raw:
            return None
        endpoints = [url for part in raw.split(",") for url in _expand(part.strip())]
        for url in endpoints:
            if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
                raise ConfigError(f"MINIO_KMS_KES_ENDPOINT: `{url}` is not an https:// address")
        default_key = env.get("MINIO_KMS_KES_KEY_NAME", "")
        if not default_key:
            raise ConfigError("MINIO_KMS_KES_KEY_NAME is not set")
        return cls(Link(endpoints, tls_context(env), inside=inside), default_key)

    def generate(self, key: str, context: Mapping[str, str]) -> DataKey:
        """See ``Kms``."""
        with self.metrics.measured():
            body = {"context": _encode(canonical_context(context))}
            answer = self._link.call("POST", f"/v1/key/generate/{_name(key)}", body)
            made = DataKey(_decode(answer.value, "plaintext"), _decode(answer.value, "ciphertext"))
            if len(made.plaintext) != 32 or not made.ciphertext:
                raise KmsProblem(502, "the KES answered no data key")
            return made

    def decrypt(self, key: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        """See ``Kms``."""
        with self.metrics.measured():
            body = {
                "ciphertext": _encode(ciphertext),
                "context": _encode(canonical_context(context)),
            }
            answer = self._link.call("POST", f"/v1/key/decrypt/{_name(key)}", body)
            return _decode(answer.value, "plaintext")

    def create(self, key: str) -> None:
        """See ``Kms``."""
        with self.metrics.measured():
            self._link.call("POST", f"/v1/key/create/{_name(key)}")

    def keys(self, prefix: str) -> list[str]:
        """Return the first page only, as the real server does."""
        path = "/v1/key/list/" + ("" if prefix == "*" else quote(prefix, safe="*"))
        value = self._link.call("GET", path).value
        names = value.get("names") if isinstance(value, dict) else None
        return [str(name) for name in names or []]

    def status(self) -> dict[str, bool]:
        """See ``Kms``."""
        return {endpoint: self._link.probe(endpoint) for endpoint in self._link.endpoints}

    def version(self) -> str:
        """See ``Kms``."""
        value = self._link.call("GET", "/version").value
        return str(value.get("version", "")) if isinstance(value, dict) else ""

    def apis(self) -> list[dict[str, Any]]:
        """See ``Kms``."""
        names = {"Method": "method", "Path": "path", "MaxBody": "max_body", "Timeout": "timeout"}
        value = self._link.call("GET", "/v1/api").value
        return [{ours: api.get(theirs) for ours, theirs in names.items()} for api in value or []]

    def describe(self, key: str) -> dict[str, Any]:
        """See ``Kms``."""
        value = self._link.call("GET", f"/v1/key/describe/{_name(key)}").value
        return value if isinstance(value, dict) else {}

    def close(self) -> None:
        """See ``Kms``."""
        self._link.close()


def _name(key: str) -> str:
    return quote(key, safe="")


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(value: object, name: str) -> bytes:
    text = value.get(name) if isinstance(value, dict) else None
    try:
        return base64.b64decode(text or "", validate=True)
    except (binascii.Error, TypeError) as e:
        raise KmsProblem(502, f"the KES answered an invalid {name}") from e


def _expand(endpoint: str) -> Iterator[str]:
    """Yield the addresses ``https://kes{1...3}:7373`` stands for."""
    match = _ELLIPSIS.search(endpoint)
    if match is None:
        if endpoint:
            yield endpoint.rstrip("/")
        return
    for number in range(int(match[1]), int(match[2]) + 1):
        yield from _expand(endpoint[: match.start()] + str(number) + endpoint[match.end() :])
