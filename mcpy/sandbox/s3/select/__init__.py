"""S3 Select: SQL over one object of CSV or JSON, answered as a stream of events."""

from __future__ import annotations

from mcpy.sandbox.s3.select.handler import select_object

__all__ = ["select_object"]
