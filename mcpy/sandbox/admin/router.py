"""One port for both: what lies below ``/minio/`` is the admin API, everything else is S3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcpy.sandbox.message import Handler, Request, Response

ADMIN_PREFIXES = (
    "/minio/admin/",
    "/minio/kms/",
    "/minio/health/",
    "/minio/prometheus/",
    "/minio/v2/metrics/",
    "/minio/metrics/",
)


@dataclass(frozen=True)
class Router:
    """The handler of the whole server."""

    admin: Handler
    s3: Handler

    def __call__(self, request: Request) -> Response:
        """Pass ``request`` on."""
        admin = f"{request.path}/".startswith(ADMIN_PREFIXES)
        return self.admin(request) if admin else self.s3(request)
