"""The library in one class: what the commands do, with their checks, from Python.

Everything raises ``mcpy.errors.McpyError`` and its kinds; nothing prints or prompts. A client may
be used by several threads at once, but for ``restart``, which wants it for itself. It holds
connections: close it, or use it as a context manager.
"""

from mcpy.client.client import Client
from mcpy.client.connecting import connect, connect_kes
from mcpy.client.objects import sse_c, sse_kms, sse_s3

__all__ = ["Client", "connect", "connect_kes", "sse_c", "sse_kms", "sse_s3"]
