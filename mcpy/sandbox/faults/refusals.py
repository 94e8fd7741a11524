"""How an S3 server words that it cannot serve now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from mcpy.sandbox.message import Request

_FULL = (
    "Storage backend has reached its minimum free drive threshold. Please delete a few objects "
    "to proceed."
)


def refusal(request: Request, status: int, *, minio: bool) -> S3Problem:
    """Return the failure of ``status`` (429, 503 or 507), as MinIO words it or as others do."""
    if status == 429:
        return S3Problem("TooManyRequests", 429, "Please reduce your request rate")
    if status == 503 and minio:
        return S3Problem.of(
            "SlowDownRead" if request.method in {"GET", "HEAD"} else "SlowDownWrite"
        )
    if status == 503:
        return S3Problem("SlowDown", 503, "Please reduce your request rate.")
    if minio:
        return S3Problem("XMinioStorageFull", 507, _FULL)
    return S3Problem.of("InternalError")
