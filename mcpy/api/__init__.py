"""Clients of the wire protocols, one each: S3, MinIO's admin and KMS API, and KES.

Synchronous and typed; nothing here prints, prompts or reads the environment. ``mcpy.connect``
gives them with what the commands do around them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcpy.api.http import Call, Deadline, HttpOptions
    from mcpy.api.kes import Kes, endpoints
    from mcpy.api.kes_types import DataKey, IdentityInfo, KeyInfo, PolicyInfo, ServerVersion
    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.madmin_types import Health, KeyStatus, KmsStatus, NodeResult
    from mcpy.api.minio_config import MinioConfig
    from mcpy.api.multipart import MultipartUpload, Part
    from mcpy.api.s3 import S3
    from mcpy.api.s3info import ObjectInfo
    from mcpy.api.tls import ClientCertificate

__all__ = [
    "S3",
    "Call",
    "ClientCertificate",
    "DataKey",
    "Deadline",
    "Health",
    "HttpOptions",
    "IdentityInfo",
    "Kes",
    "KeyInfo",
    "KeyStatus",
    "KmsStatus",
    "MinioAdmin",
    "MinioConfig",
    "MultipartUpload",
    "NodeResult",
    "ObjectInfo",
    "Part",
    "PolicyInfo",
    "ServerVersion",
    "endpoints",
]
_HOMES = {
    "Call": "http",
    "ClientCertificate": "tls",
    "DataKey": "kes_types",
    "Deadline": "http",
    "Health": "madmin",
    "HttpOptions": "http",
    "IdentityInfo": "kes_types",
    "Kes": "kes",
    "KeyInfo": "kes_types",
    "KeyStatus": "madmin",
    "KmsStatus": "madmin",
    "MinioAdmin": "madmin",
    "MinioConfig": "minio_config",
    "MultipartUpload": "multipart",
    "NodeResult": "madmin",
    "ObjectInfo": "s3info",
    "Part": "multipart",
    "PolicyInfo": "kes_types",
    "S3": "s3",
    "ServerVersion": "kes_types",
    "endpoints": "kes",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever it is
    """Load a client when it is used: none is needed to show help."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
