"""mcpy: the admin client for encryption at rest on MinIO and KES.

As a library: ``mcpy.connect`` and ``mcpy.connect_kes``; ``docs/library.md`` shows how.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcpy.client import Client, connect, connect_kes, sse_c, sse_kms, sse_s3

__version__ = "0.1.0"
__all__ = ["Client", "__version__", "connect", "connect_kes", "sse_c", "sse_kms", "sse_s3"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever it is
    """Load the library when it is used: the command line starts without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # by name: what has the version from here does not depend on the library
    return getattr(import_module("mcpy.client"), name)
