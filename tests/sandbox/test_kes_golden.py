"""Exchanges recorded from a real KES server, answered by the sandbox's."""

from __future__ import annotations

import base64
import io
import json
import re
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mcpy.keystores.fs import FolderStore
from mcpy.sandbox import certs
from mcpy.sandbox.kes.app import KesApp
from mcpy.sandbox.kes.config import parse
from mcpy.sandbox.message import Request

DATA = Path(__file__).parent.parent / "data" / "kes"
VECTORS = json.loads((DATA / "vectors.json").read_text())
EXCHANGES = [json.loads(line) for line in (DATA / "exchanges.jsonl").read_text().splitlines()]
ADMIN = VECTORS["identity_root"]["identity"]
USER = VECTORS["identity"]["identity"]
RECORDED_OTHER = "1f5d8256c499f803e9c99fca3d727e5da738387cc8958521a43fcfa8e129b09c"
LONGEST = "x" * 80
IMPORTED = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
RANDOM = {"ciphertext", "plaintext"}
VOLATILE = {"version", "commit", "uptime", "os", "arch", "keystore_latency"}

CONFIG = """
admin: {{identity: {admin}}}
tls: {{key: k, cert: c}}
policy:
  my-app:
    allow: [/v1/key/create/my-app*, /v1/key/generate/my-app*, /v1/key/decrypt/my-app*,
      /v1/key/list/*]
    deny: [/v1/key/generate/my-app-internal*]
    identities: [{user}]
  my-ops:
    allow: [/v1/status, "/v1/policy/*", "/v1/identity/*", "/v1/log/*"]
    identities: [{other}]
  empty-policy: {{}}
keystore: {{fs: {{path: {keys}}}}}
"""
SKIP_AUTH = """
api:
  /v1/ready: {skip_auth: true, timeout: 3s}
  /v1/status: {skip_auth: true}
  /v1/key/list/: {skip_auth: true}
"""


def der(pem: str | bytes) -> bytes:
    data = pem.encode() if isinstance(pem, str) else pem
    return x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)


# not of the recorded user's prefix, by which a recorded call lists identities
OTHER = next(
    made for made in (certs.client("other")[0] for _ in count()) if made.identity[:2] != USER[:2]
)
STRANGER, _ = certs.client("stranger")
CERTIFICATES = {
    "admin": (der(VECTORS["identity_root"]["cert_pem"]),),
    "user": (der(VECTORS["identity"]["cert_pem"]),),
    "other": (der(OTHER.cert_pem),),
    "stranger": (der(STRANGER.cert_pem),),
    "none": (),
}


def fill(folder: Path, name: str, *, skip_auth: bool) -> None:
    """Put the keys there that were there when the exchange called ``name`` was recorded."""
    folder.mkdir()
    recorded = VECTORS["key_file"]["file_text"]
    aes = json.dumps({"bytes": IMPORTED})
    chacha = json.dumps(
        {
            "bytes": IMPORTED,
            "algorithm": "ChaCha20",
            "created_at": "2026-11-23T12:41:36Z",
            "created_by": ADMIN,
        }
    )
    keys = {"predefined-key": recorded}
    if not skip_auth:
        keys |= dict.fromkeys(("__", "my-app-body", "my-app-user", LONGEST), recorded)
        keys |= {"my-app-key1": recorded, "my-app-key2": another_key()}
        keys |= {"imp-aes": aes, "imp-aes2": aes, "imp-chacha": chacha, "imp-chacha2": chacha}
    if not name.startswith("key_list__"):
        keys |= {
            "legacy-json-key": VECTORS["legacy_key_file_json"],
            "legacy-json-min": json.dumps({"bytes": IMPORTED}),
            "corrupt-key": "nonsense",
        }
    if name == "key_delete__404":
        del keys["my-app-key2"]
    for key, value in keys.items():
        (folder / key).write_text(value)


def another_key() -> str:
    raw = bytearray(base64.b64decode(VECTORS["key_file"]["file_text"]))
    raw[8] ^= 1
    return base64.b64encode(raw).decode()


def answer(app: KesApp, exchange: dict[str, Any]) -> tuple[int, dict[str, str], str]:
    """Send one request to the application; return status, headers and body."""
    body = exchange["body"].encode()
    target = exchange["path"].replace(RECORDED_OTHER, OTHER.identity)
    raw_path, _, raw_query = target.partition("?")
    headers = {"transfer-encoding": "chunked"} if exchange["chunked"] else {}
    request = Request(
        method=exchange["method"],
        raw_path=raw_path,
        raw_query=raw_query,
        headers=headers,
        body=io.BytesIO(body),
        length=len(body) if body and not exchange["chunked"] else None,
        secure=True,
        peer_certs=CERTIFICATES[exchange["identity"]],
        remote="127.0.0.1",
    )
    response = app(request)
    parts = [response.body] if isinstance(response.body, bytes) else response.body
    heads = {name.lower(): value for name, value in response.headers}
    shown = b"" if exchange["method"] == "HEAD" else b"".join(parts)
    return response.status, heads, shown.decode()


def normal(text: str) -> Any:  # noqa: ANN401 - parsed JSON
    """Return a body with what differs from run to run replaced, and order made one."""
    text = TIME.sub("TIME", text.replace(RECORDED_OTHER, OTHER.identity))
    if text.startswith("# HELP"):
        return re.sub(r" [-+.e\d]+$", " N", text, flags=re.MULTILINE)
    try:
        data = json.loads(text)
    except ValueError:
        return text
    if isinstance(data, list):
        return sorted(data, key=lambda item: str(item["path"]))
    return {name: _normal(name, data[name]) for name in data if name != "keystore_unavailable"}


def _normal(name: str, value: object) -> object:
    if name in RANDOM:
        return len(str(value))
    if name in VOLATILE or name.startswith(("mem_", "num_")):
        return "*"
    return sorted(value) if isinstance(value, list) else value


def prepare(tmp_path: Path, exchange: dict[str, Any]) -> KesApp:
    folder, name, skip_auth = tmp_path / "keys", exchange["name"], exchange["server"] == "skipauth"
    fill(folder, name, skip_auth=skip_auth)
    created = re.fullmatch(r"/v1/key/(?:create|import)/(.+)", exchange["path"])
    if created and exchange["status"] == 200:
        (folder / created[1]).unlink(missing_ok=True)
    text = CONFIG.format(admin=ADMIN, user=USER, other=OTHER.identity, keys=folder)
    config = parse(text + (SKIP_AUTH if skip_auth else ""), {})
    app = KesApp(config, FolderStore(folder), sink=lambda _: None)
    if "unreachable" in name or "offline" in name:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    return app


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda e: e["name"])
def test_the_answer_is_the_recorded_one(tmp_path: Path, exchange: dict[str, Any]) -> None:
    status, headers, body = answer(prepare(tmp_path, exchange), exchange)

    assert status == exchange["status"]
    assert {name: headers.get(name) for name in exchange["headers"]} == exchange["headers"]
    assert normal(body) == normal(exchange["answer"])
    if status >= 400:
        assert body == exchange["answer"]
