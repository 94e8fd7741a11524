"""Versioning of a bucket, and the names it leaves out: MinIO's own extension."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcpy.sandbox.store import Bucket

EXCLUDED, FOLDERS = "versioning-excluded", "versioning-without-folders"


def status_of(bucket: Bucket, key: str = "") -> str:
    """Return ``Enabled``, ``Suspended`` or nothing; for ``key`` if it is given."""
    status = bucket.config.get("versioning", "")
    if status == "Enabled" and key and _is_excluded(bucket, key):
        return "Suspended"
    return status


def _is_excluded(bucket: Bucket, key: str) -> bool:
    if key.endswith("/") and FOLDERS in bucket.config:
        return True
    patterns = json.loads(bucket.config.get(EXCLUDED, "[]"))
    # in these patterns only the asterisk is special
    return any(fnmatchcase(key, p.replace("[", "[[]").replace("?", "[?]") + "*") for p in patterns)
