"""The S3 server in-process: signed requests in, answers out, no socket in between."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from mcpy.sandbox.kms import DataKey, KmsProblem, StaticKms
from mcpy.sandbox.message import Request
from mcpy.sandbox.s3.app import S3App
from mcpy.sandbox.s3.canonical import (
    Credential,
    canonical_request,
    signature_of,
    string_to_sign,
)
from mcpy.sandbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from mcpy.sandbox.like.base import Like

ACCESS, SECRET = "minioadmin", "throw-away-secret"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CLIENT_KEY = b"K" * 32
OTHER_KEY = b"Q" * 32
S3 = {"x-amz-server-side-encryption": "AES256"}
KMS = {"x-amz-server-side-encryption": "aws:kms"}


def kms_with(key: str, context: str = "") -> dict[str, str]:
    """Return the headers that ask for SSE-KMS with ``key`` and a context in JSON."""
    headers = {**KMS, "x-amz-server-side-encryption-aws-kms-key-id": key}
    if context:
        encoded = base64.b64encode(context.encode()).decode()
        headers["x-amz-server-side-encryption-context"] = encoded
    return headers


def client_key(key: bytes = CLIENT_KEY, *, source: bool = False) -> dict[str, str]:
    """Return SSE-C headers, for the source of a copy if ``source``."""
    prefix = "x-amz-copy-source-" if source else "x-amz-"
    prefix += "server-side-encryption-customer-"
    md5 = hashlib.md5(key, usedforsecurity=False).digest()
    return {
        prefix + "algorithm": "AES256",
        prefix + "key": base64.b64encode(key).decode(),
        prefix + "key-md5": base64.b64encode(md5).decode(),
    }


class ManyKeys:
    """A KMS with several keys, which can be lost or be down as a whole."""

    name = "test"
    default_key = "my-key"

    def __init__(self) -> None:
        names = ("my-key", "tenant-a", "tenant-b")
        self.known = {
            name: StaticKms(name, hashlib.sha256(name.encode()).digest()) for name in names
        }
        self.down = False
        self.calls: list[str] = []
        self.metrics = self.known["my-key"].metrics

    def _key(self, key: str) -> StaticKms:
        if self.down:
            raise KmsProblem(0, "connection refused")
        if "/" in key:
            raise KmsProblem(400, "key name is invalid")
        if key not in self.known:
            raise KmsProblem(404, "key does not exist")
        return self.known[key]

    def generate(self, key: str, context: Mapping[str, str]) -> DataKey:
        """Return a data key."""
        self.calls.append(f"generate {key}")
        return self._key(key).generate(key, context)

    def decrypt(self, key: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        """Return a data key's plaintext."""
        self.calls.append(f"decrypt {key}")
        return self._key(key).decrypt(key, ciphertext, context)

    def create(self, key: str) -> None:
        """Refuse: these keys were given."""
        self.known["my-key"].create(key)

    def keys(self, prefix: str) -> list[str]:
        """Return the names of the keys."""
        return [name for name in self.known if name.startswith(prefix)]

    def status(self) -> dict[str, bool]:
        """Return what answers."""
        return self.known["my-key"].status()

    def version(self) -> str:
        """Return a version."""
        return self.known["my-key"].version()

    def apis(self) -> list[dict[str, Any]]:
        """Return what can be asked."""
        return self.known["my-key"].apis()

    def describe(self, key: str) -> dict[str, Any]:
        """Return what is known of a key."""
        return self._key(key).describe(key)

    def close(self) -> None:
        """Close nothing: there are no connections."""


class Answer(NamedTuple):
    """A response as a client reads it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def code(self) -> str:
        """The error's code, also of HEAD; empty if it is none."""
        found = re.search(r"<Error><Code>([^<]+)", self.text)
        return found[1] if found else self.headers.get("x-minio-error-code", "")

    @property
    def code_in_body(self) -> str:
        """The error's code as the body has it."""
        found = re.search(r"<Error><Code>([^<]+)", self.text)
        return found[1] if found else ""

    @property
    def message(self) -> str:
        """The error's message."""
        found = re.search(r"<Message>([^<]*)", self.text)
        return found[1] if found else ""

    def all(self, name: str) -> list[str]:
        """Return the text of every element called ``name``."""
        return re.findall(rf"<{name}>([^<]*)</{name}>", self.text)

    @property
    def etag(self) -> str:
        """The ETag without quotes."""
        return self.headers["etag"].strip('"')

    @property
    def sse(self) -> str:
        """How the object is encrypted, by its headers."""
        return self.headers.get("x-amz-server-side-encryption", "")


@dataclass
class Server:
    """An S3 server over a folder, and a client that signs."""

    folder: Path
    kms: ManyKeys | None = field(default_factory=ManyKeys)
    secure: bool = True
    time: datetime = NOON
    access: str = ACCESS
    secret: str = SECRET
    like: Like | None = None
    region: str = "us-east-1"
    host: str = "s3.test"

    def __post_init__(self) -> None:
        self.store = Store(self.folder)
        self.app = S3App(
            self.store,
            kms=self.kms,
            credentials={ACCESS: SECRET},
            now=lambda: self.time,
            like=self.like,
        )

    def close(self) -> None:
        """Let go of the folder."""
        self.store.close()

    def __call__(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        *,
        signed: bool = True,
        secret: str | None = None,
        region: str | None = None,
    ) -> Answer:
        """Send one request, signed unless told otherwise; a millisecond passes."""
        self.time += timedelta(milliseconds=1)
        raw = body.encode() if isinstance(body, str) else body
        request = self._signed(
            method, path, query, dict(headers or {}), raw, secret=secret, region=region
        )
        if not signed:
            request.headers = {k: v for k, v in request.headers.items() if k != "authorization"}
        return self._sent(request)

    def _sent(self, request: Request) -> Answer:
        """Hand ``request`` over and return the whole answer."""
        response = self.app(request)
        content = response.body
        if not isinstance(content, bytes):
            content = b"".join(content)
        return Answer(response.status, joined(response.headers), content)

    def signed_request(self, method: str, path: str, query: str) -> Request:
        """Return a signed request without a body, to be handed to the application."""
        return self._signed(method, path, query, {}, b"")

    def _signed(
        self,
        method: str,
        path: str,
        query: str,
        headers: dict[str, str],
        body: bytes,
        *,
        secret: str | None = None,
        region: str | None = None,
    ) -> Request:
        stamp = f"{self.time:%Y%m%dT%H%M%SZ}"
        digest = hashlib.sha256(body).hexdigest()
        headers |= {"host": self.host, "x-amz-date": stamp, "x-amz-content-sha256": digest}
        raw_path = quote(path, safe="/%~")
        request = Request(
            method, raw_path, query, headers, io.BytesIO(body), len(body), secure=self.secure
        )
        credential = Credential(
            self.access, stamp[:8], self.region if region is None else region, "s3"
        )
        names = sorted(headers)
        canonical = canonical_request(request, names, digest)
        signature = signature_of(
            string_to_sign(canonical, stamp, credential.scope), secret or self.secret, credential
        )
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access}/{credential.scope}, "
            f"SignedHeaders={';'.join(names)}, Signature={signature}"
        )
        return request

    def encrypt_by_default(self, bucket: str, algorithm: str, key: str = "") -> Answer:
        """Set a bucket's default encryption."""
        key = f"<KMSMasterKeyID>{key}</KMSMasterKeyID>" if key else ""
        return self(
            "PUT",
            bucket,
            "encryption=",
            body="<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
            f"<SSEAlgorithm>{algorithm}</SSEAlgorithm>{key}"
            "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
        )

    def enable_versioning(self, bucket: str, status: str = "Enabled") -> Answer:
        """Enable or suspend a bucket's versioning."""
        body = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
        return self("PUT", bucket, "versioning=", body=body)

    def delete_many(self, bucket: str, inner: str) -> Answer:
        """Send a multi-object delete."""
        body = f"<Delete>{inner}</Delete>".encode()
        return self("POST", bucket, "delete=", body=body, headers=md5_header(body))


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        low = name.lower()
        joined[low] = f"{joined[low]}, {value}" if low in joined else value
    return joined


def md5_header(body: bytes) -> dict[str, str]:
    """Return the ``Content-MD5`` of ``body``."""
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    return {"content-md5": base64.b64encode(digest).decode()}
