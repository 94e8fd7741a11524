"""Metrics for a Prometheus: what the server holds, and that it is there.

Whoever asks shows a token signed with a secret key, as `mc admin prometheus generate` makes it.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from typing import TYPE_CHECKING

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from mcpy.sandbox.admin.call import Services
    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3.identities import Identities

PATHS = re.compile(
    r"/minio/(prometheus/metrics|v2/metrics/(cluster|node|bucket|resource)|metrics/v3.*)"
)
_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"


def is_asked(request: Request) -> bool:
    """Tell whether a request is for metrics."""
    return PATHS.fullmatch(request.path) is not None


def answer(request: Request, services: Services, identities: Identities) -> Response:
    """Answer the metrics.

    Raises:
        S3Problem: AccessDenied, the token is missing, over, or not rightly signed.
    """
    if not _is_trusted(request, services, identities):
        text = "Authentication failed, check your access credentials"
        raise S3Problem.of("AccessDenied", text)
    server = services.deployment
    census = server.census()
    lines: list[str] = []
    for name, text, value in (
        ("minio_cluster_bucket_total", "Total number of buckets in the cluster", census.buckets),
        ("minio_cluster_usage_object_total", "Total number of objects", census.objects),
        ("minio_cluster_usage_total_bytes", "Total cluster usage in bytes", census.size),
        ("minio_cluster_nodes_online_total", "Total number of MinIO nodes online", 1),
        ("minio_cluster_health_status", "Get current cluster health status", 1),
    ):
        labels = f'{{server="{server.endpoint}"}}'
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name}{labels} {value}"]
    return Response(200, [("Content-Type", _TYPE)], ("\n".join(lines) + "\n").encode())


def _is_trusted(request: Request, services: Services, identities: Identities) -> bool:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    body, _, signature = token.rpartition(".")
    try:
        claims = json.loads(_decode(body.partition(".")[2]))
        secret = identities[claims.get("accessKey") or claims["sub"]]
        expected = hmac.digest(secret.encode(), body.encode(), "sha512")
        sound = hmac.compare_digest(_decode(signature), expected)
        return sound and claims["iss"] == "prometheus" and _lasts(claims["exp"], services)
    except (binascii.Error, ValueError, LookupError, TypeError, AttributeError):
        return False


def _lasts(until: float, services: Services) -> bool:
    return until > services.now().timestamp()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
