"""Where the S3 server keeps buckets, objects and uploads: one folder, safe against a kill."""

from __future__ import annotations

from mcpy.sandbox.store.model import (
    NULL_VERSION,
    Bucket,
    BucketExistsError,
    BucketNotEmptyError,
    NoBucketError,
    NoUploadError,
    ObjectVersion,
    Part,
    Upload,
)
from mcpy.sandbox.store.store import Store

__all__ = [
    "NULL_VERSION",
    "Bucket",
    "BucketExistsError",
    "BucketNotEmptyError",
    "NoBucketError",
    "NoUploadError",
    "ObjectVersion",
    "Part",
    "Store",
    "Upload",
]
