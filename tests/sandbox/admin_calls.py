"""A server of the admin API, callers of it, and the KMS and engines it is tried with."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from mcpy.sandbox.admin import AdminApp, Deployment, StoreEngine
from mcpy.sandbox.kms import DataKey, Kms, KmsProblem, StaticKms
from mcpy.sandbox.message import Request, Response
from mcpy.sandbox.s3.canonical import (
    Credential,
    canonical_request,
    parse_time,
    signature_of,
    string_to_sign,
)
from mcpy.sandbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from mcpy.sandbox.admin import BatchEngine, KeyRotation

DATA = Path(__file__).parents[1] / "data/admin"
RECORDED = {
    record["name"]: record
    for record in map(json.loads, (DATA / "recorded.jsonl").read_text().splitlines())
}
KEYS = {"minioadmin": "minioadmin"}
START = parse_time("20261123T200000Z") or pytest.fail("a time")
KES_URL = "https://127.0.0.1:7393"
DOWN = "dial tcp 127.0.0.1:7393: connect: connection refused"


class LabKes(StaticKms):
    """The KES of the recordings: same endpoint and keys; ``down`` when nothing answers there."""

    name = "MinIO KES"

    def __init__(self, *keys: str, down: bool = False) -> None:
        super().__init__("my-minio-sse-s3-key", b"k" * 32)
        self.names = sorted({self.default_key, *keys})
        self.down = down

    def reach(self, method: str, path: str) -> None:
        if self.down:
            raise KmsProblem(0, f'kes: connection error: {method} "{KES_URL}{path}": {DOWN}')

    def generate(self, key: str, context: Mapping[str, str]) -> DataKey:
        self.reach("Post", f"/v1/key/generate/{key}")
        if key not in self.names:
            raise KmsProblem(404, "key does not exist")
        return super().generate(self.default_key, context)

    def decrypt(self, key: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        return super().decrypt(self.default_key if key in self.names else key, ciphertext, context)

    def create(self, key: str) -> None:
        self.reach("Post", f"/v1/key/create/{key}")
        if not re.fullmatch(r"[\w-]{1,80}", key):
            tail = "is empty, too long or contains invalid characters"
            raise KmsProblem(400, f"key name '{key}' {tail}")
        if key in self.names:
            raise KmsProblem(400, "key already exists")
        self.names = sorted([*self.names, key])

    def keys(self, prefix: str) -> list[str]:
        self.reach("Get", "/v1/key/list")
        return [name for name in self.names if prefix == "*" or name.startswith(prefix)]

    def status(self) -> dict[str, bool]:
        return {KES_URL: not self.down}

    def version(self) -> str:
        self.reach("Get", "/version")
        return "<unknown>"

    def apis(self) -> list[dict[str, Any]]:
        self.reach("Get", "/v1/api")
        return [{"Method": "GET", "Path": "/version", "MaxBody": 0, "Timeout": 10}]


def server(
    kms: Kms | None,
    folder: Path,
    *,
    now: Callable[[], datetime] = lambda: START,
    on_service: Callable[[str], None] = lambda _: None,
    engine: BatchEngine | None = None,
) -> AdminApp:
    env = {
        "MINIO_ROOT_USER": "minioadmin",
        "MINIO_ROOT_PASSWORD": "minioadmin",
        "MINIO_KMS_KES_API_KEY": "kes:v1:secret",
        "MINIO_KMS_KES_KEY_NAME": "my-minio-sse-s3-key",
        "HOME": "/nowhere",
    }
    deployment = Deployment(
        "127.0.0.1:9101",
        env,
        folder,
        folder / "config.json",
        started=START - timedelta(seconds=51),
        now=now,
    )
    return AdminApp(
        kms=kms, credentials=KEYS, deployment=deployment, on_service=on_service, engine=engine
    )


def signed(
    method: str, path: str, query: str = "", body: bytes = b"", secret: str = "minioadmin"
) -> Request:
    headers = {
        "host": "127.0.0.1:9101",
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        "x-amz-date": START.strftime("%Y%m%dT%H%M%SZ"),
    }
    asked = Request(method, path, query, headers, io.BytesIO(body), len(body))
    credential = Credential("minioadmin", START.strftime("%Y%m%d"), "", "s3")
    canonical = canonical_request(asked, headers, "UNSIGNED-PAYLOAD")
    message = string_to_sign(canonical, headers["x-amz-date"], credential.scope)
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential=minioadmin/{credential.scope},"
        f"SignedHeaders={';'.join(sorted(headers))},"
        f"Signature={signature_of(message, secret, credential)}"
    )
    return asked


def content(response: Response) -> bytes:
    body = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    return gzip.decompress(body) if response.header("content-encoding") == "gzip" else body


def replay(name: str, app: AdminApp) -> Response:
    asked = RECORDED[name]["request"]
    body = asked["body"] or ""
    raw = base64.b64decode(body["base64"]) if isinstance(body, dict) else body.encode()
    query = urlencode(asked["query"])
    request = Request(
        asked["method"], asked["path"], query, asked["headers"], io.BytesIO(raw), len(raw)
    )
    return app(request)


def recorded_time(name: str) -> datetime:
    date = RECORDED[name]["request"]["headers"].get("x-amz-date")
    return (parse_time(date) or START) if date and "skew" not in name else START


def lab(name: str) -> Kms | None:
    """Return the KMS the recorded server had."""
    if name.startswith("nokms"):
        return None
    if name.startswith("static"):
        return StaticKms("static-key", b"s" * 32)
    exists = [n for n in ("created-1", "created-2") if "exists" in name]
    return LabKes("tenant-a", "tenant-b", *exists, down=name.startswith("kesdown"))


class FakeEngine(StoreEngine):
    """An engine whose store holds the recorded bucket ``br1``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self, job: KeyRotation) -> None:
        store = Store(self.folder / "data")
        try:
            store.create_bucket("br1", 1, {})
            StoreEngine(store, LabKes).check(job)
        finally:
            store.close()


JOB = b"keyrotate:\n  apiVersion: v1\n  bucket: b\n  encryption: {type: sse-s3}\n"
