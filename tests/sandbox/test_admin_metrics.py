"""Metrics for a Prometheus that shows a token."""

from __future__ import annotations

import base64
import hmac
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from mcpy.sandbox.message import Request, Response
from tests.sandbox.admin_calls import START, content, server

if TYPE_CHECKING:
    from pathlib import Path

LATER = START.timestamp() + 60


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def token(secret: str = "minioadmin", **claims: Any) -> str:  # noqa: ANN401 - JSON
    claims = {"sub": "minioadmin", "iss": "prometheus", "exp": LATER} | claims
    parts = ({"alg": "HS512", "typ": "JWT"}, claims)
    body = ".".join(encode(json.dumps(part).encode()) for part in parts)
    return f"{body}.{encode(hmac.digest(secret.encode(), body.encode(), 'sha512'))}"


def ask(folder: Path, authorization: str, path: str = "/minio/v2/metrics/cluster") -> Response:
    headers = {"authorization": authorization} if authorization else {}
    return server(None, folder)(Request("GET", path, "", headers, io.BytesIO(), 0))


@pytest.mark.parametrize(
    "path", ["/minio/prometheus/metrics", "/minio/v2/metrics/node", "/minio/metrics/v3"]
)
def test_metrics_are_shown_to_who_has_a_token(tmp_path: Path, path: str) -> None:
    response = ask(tmp_path, f"Bearer {token()}", path)
    assert response.status == 200
    assert b"# TYPE minio_cluster_bucket_total gauge\n" in content(response)


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer x",
        "Bearer a.b.c",
        f"Bearer {token('wrong')}",
        f"Bearer {token(sub='nobody')}",
        f"Bearer {token(iss='other')}",
        f"Bearer {token(exp=START.timestamp() - 1)}",
        f"Bearer {token(exp='soon')}",
    ],
)
def test_metrics_are_shown_to_nobody_else(tmp_path: Path, shown: str) -> None:
    response = ask(tmp_path, shown)
    assert response.status == 403
    assert json.loads(content(response))["Code"] == "AccessDenied"
