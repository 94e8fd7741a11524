"""Faults switched at run time: ``/_sandbox/faults`` on the S3 server, for its root user.

``GET`` answers ``{"faults": [...], "fired": {...}, "seed": N}``, ``PUT`` of such a document (or of
a list) puts others in place, ``DELETE`` ends them all. The root credentials come as HTTP Basic.
No bucket can be called ``_sandbox``, and no fault touches this path.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import TYPE_CHECKING, Any

from mcpy.errors import InputError
from mcpy.sandbox.message import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.faults.live import Faults
    from mcpy.sandbox.message import Request

PATH = "/_sandbox/faults"
_MAX_BYTES = 64 * 1024


def control(request: Request, faults: Faults, credentials: Mapping[str, str]) -> Response:
    """Answer a request to ``PATH``."""
    if not _is_root(request.headers.get("authorization", ""), credentials):
        return _json(401, {"message": "HTTP Basic with the root credentials is needed"})
    if request.method == "DELETE":
        faults.replace(())
    elif request.method == "PUT":
        try:
            faults.replace(_texts(request))
        except (InputError, ValueError, TypeError) as e:
            return _json(400, {"message": str(e) or "not a list of faults"})
    elif request.method != "GET":
        return _json(405, {"message": "GET, PUT or DELETE"})
    document = {"faults": faults.texts, "fired": faults.fired(), "seed": faults.seed}
    return _json(200, document)


def _is_root(header: str, credentials: Mapping[str, str]) -> bool:
    scheme, _, text = header.partition(" ")
    try:
        user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    known = credentials.get(user, "")
    same = hmac.compare_digest(password.encode(), known.encode())
    return scheme.lower() == "basic" and bool(known) and same


def _texts(request: Request) -> list[str]:
    document: Any = json.loads(request.body.read(_MAX_BYTES))
    texts = document.get("faults") if isinstance(document, dict) else document
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a list of faults is wanted")
    return texts


def _json(status: int, document: Mapping[str, object]) -> Response:
    return Response(
        status, [("Content-Type", "application/json")], json.dumps(document).encode() + b"\n"
    )
