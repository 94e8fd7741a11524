"""The sandbox's S3 server as the network of an S3 client: no socket, and every call remembered."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

import httpx

from mcpy.api.http import Deadline, HttpOptions
from mcpy.api.s3 import S3
from mcpy.models import Alias
from mcpy.sandbox.message import Request
from mcpy.sandbox.s3.app import S3App
from mcpy.sandbox.store import Store
from tests.s3_calls import ManyKeys
from tests.stub import s3_error, wire_target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACCESS, SECRET = "minioadmin", "throw-away-secret"


@dataclass
class World(httpx.BaseTransport):
    """A server with several keys.

    ``hook`` may answer before it does; without ``metadata`` its listings are those of
    others, and without ``minio`` it does not say that it is one.
    """

    folder: Path
    secure: bool = True
    metadata: bool = True
    minio: bool = True
    kms: ManyKeys = field(default_factory=ManyKeys)
    hook: Callable[[httpx.Request], httpx.Response | None] | None = None
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store(self.folder)
        self.app = S3App(
            self.store,
            kms=self.kms,
            credentials={ACCESS: SECRET},
            now=lambda: datetime.now(UTC),
        )

    @property
    def alias(self) -> Alias:
        """The server as an alias."""
        scheme = "https" if self.secure else "http"
        return Alias("play", f"{scheme}://s3.test", ACCESS, SECRET)

    def client(self) -> S3:
        """Return a client that never waits."""
        options = HttpOptions(Deadline(20), transport=self, sleep=lambda _: None)
        return S3(self.alias, options)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        target = wire_target(request)
        self.calls.append(f"{request.method} {target}")
        if self.hook and (given := self.hook(request)):
            return given
        if target == "/minio/health/ready":
            return self._ready()
        if target == "/minio/health/live":
            return httpx.Response(200) if self.minio else s3_error(404, "NoSuchBucket")
        parts = urlsplit(target)
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not self.metadata:
            headers.pop("accept-encoding", None)  # nothing can be cut out of what is packed
        answer = self.app(
            Request(
                request.method,
                parts.path,
                parts.query,
                headers,
                io.BytesIO(body),
                len(body),
                secure=self.secure,
            )
        )
        content = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        if not self.metadata and "metadata=true" in parts.query:
            content = re.sub(rb"<UserMetadata>.*?</UserMetadata>", b"", content)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=httpx.ByteStream(content)
        )

    def _ready(self) -> httpx.Response:
        return s3_error(500, "kms:KeyGenerationFailed") if self.kms.down else httpx.Response(200)

    def with_default_key(self, key: str, act: Callable[[], object]) -> None:
        """Do ``act`` while the server's default key is another."""
        before, self.kms.default_key = self.kms.default_key, key
        try:
            act()
        finally:
            self.kms.default_key = before

    def lose(self, key: str) -> None:
        """Delete a key for ever."""
        del self.kms.known[key]


class Server(World):
    """The S3 server, with the part of the admin API that tells of its KMS, and a KES.

    ``admin`` is whether these credentials are an administrator's, ``statements`` what
    the server says that they may do, ``kes_alone`` a key that the KES has and the server's
    own KMS has not.
    """

    kes_alone = ""

    statements: ClassVar[list[dict[str, object]]] = [
        {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
    ]
    admin = True

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if self.hook and (given := self.hook(request)):
            return given
        if request.url.port == 7373:
            self.calls.append(f"KES {request.method} {path}")
            return self._kes(request.method, path.rpartition("/")[2])
        if path.startswith(("/minio/kms", "/minio/admin")):
            return self._admin(request, path) if self.admin else s3_error(403, "AccessDenied")
        return super().handle_request(request)

    def _admin(self, request: httpx.Request, path: str) -> httpx.Response:
        if path == "/minio/kms/v1/status":
            return httpx.Response(200, json={"default-key-id": self.kms.default_key})
        if path == "/minio/kms/v1/key/status":
            key = request.url.params.get("key-id") or self.kms.default_key
            error = {} if key in self.kms.known else {"encryption-error": "key does not exist"}
            return httpx.Response(200, json={"key-id": key, **error})
        if path == "/minio/admin/v3/datausageinfo":
            return httpx.Response(200, json={"bucketsUsageInfo": {}})
        assert path == "/minio/admin/v3/accountinfo", path
        policy = {"Version": "2012-10-17", "Statement": self.statements}
        return httpx.Response(200, json={"AccountName": ACCESS, "Policy": policy})

    def _kes(self, method: str, key: str) -> httpx.Response:
        if method == "DELETE" and key in self.kms.known:
            self.lose(key)
            return httpx.Response(200)
        status = 200 if key in {*self.kms.known, self.kes_alone} else 404
        return httpx.Response(status, json={"name": key, "message": "key does not exist"})

    @property
    def deleted(self) -> bool:
        """Whether a key was deleted at the KES."""
        return any(call.startswith("KES DELETE") for call in self.calls)
