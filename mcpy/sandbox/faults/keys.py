"""Keys that are as if they were gone, seen from outside of a KES."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mcpy.sandbox.message import Response

if TYPE_CHECKING:
    from mcpy.sandbox.message import Handler, Request

_USE = re.compile(r"/v1/key/(?:describe|delete|generate|encrypt|decrypt|hmac)/([^/]+)")


def without_keys(request: Request, handler: Handler, lost: set[str]) -> Response:
    """Let a KES answer as if the keys ``lost`` were not there.

    Who may not use a key hears that first, as ever. Making a lost key anew is not possible: its
    name is taken.
    """
    response = handler(request)
    use = _USE.fullmatch(request.raw_path)
    if use is not None and unquote(use[1]) in lost and response.status not in {403, 405}:
        headers = [("Content-Type", "application/json")]
        return Response(404, headers, b'{"message":"key does not exist"\n}')
    if request.path.startswith("/v1/key/list/") and response.status == 200:
        return _shortened(response, lost)
    return response


def _shortened(response: Response, lost: set[str]) -> Response:
    raw = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    document = json.loads(raw)
    names = [name for name in document.get("names") or () if name not in lost]
    body = json.dumps({**document, "names": names}, separators=(",", ":")).encode()
    headers = [h for h in response.headers if h[0].lower() != "content-length"]
    return Response(200, headers, body)
