"""Answers packed with gzip for clients that take it, as a real MinIO packs them."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcpy.sandbox.message import Request, Response

LEAST_BYTES = 1000
"""Shorter answers go as they are."""


def pack(request: Request, response: Response) -> Response:
    """Pack the answer, if it is worth it and the client takes it."""
    body = response.body
    if isinstance(body, bytes) and len(body) >= LEAST_BYTES and accepted(request):
        response.body = gzip.compress(body, 1)
        response.headers.append(("Content-Encoding", "gzip"))
    return response


def accepted(request: Request) -> bool:
    """Tell whether ``Accept-Encoding`` names gzip, with a quality that is not 0."""
    for entry in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, quality = entry.partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
