"""The KMS behind the S3 server: a KES over mutual TLS, or one static key."""

from mcpy.sandbox.kms.kes import KesKms
from mcpy.sandbox.kms.model import (
    DataKey,
    Kms,
    KmsProblem,
    Metrics,
    MetricsSnapshot,
    canonical_context,
)
from mcpy.sandbox.kms.static import StaticKms

__all__ = [
    "DataKey",
    "KesKms",
    "Kms",
    "KmsProblem",
    "Metrics",
    "MetricsSnapshot",
    "StaticKms",
    "canonical_context",
]
