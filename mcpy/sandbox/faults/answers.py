"""Faults that answer something else: refusals, and answers that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox.faults.scene import ConnectionBroken
from mcpy.sandbox.message import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.sandbox.faults.scene import Scene

HTML = (
    b"<html><body><h1>Something went wrong</h1>"
    + b"<p>please try again</p>" * 180
    + b"</body></html>"
)
HUGE_BYTES = 300 << 20


# refusals


def busy(scene: Scene) -> Response:
    """Refuse with 503 and Retry-After."""
    return _later(scene, 503)


def limited(scene: Scene) -> Response:
    """Refuse with 429 and Retry-After."""
    return _later(scene, 429)


def _later(scene: Scene, status: int) -> Response:
    response = scene.refuse(scene.request, status)
    response.headers = [h for h in response.headers if h[0].lower() != "retry-after"]
    response.headers.append(("Retry-After", str(max(0, round(scene.fault.value)))))
    return response


def full(scene: Scene) -> Response:
    """Refuse for want of space."""
    return scene.refuse(scene.request, 507)


def page(status: int) -> Callable[[Scene], Response]:
    """Return what answers a page of HTML."""
    headers = [("Content-Type", "text/html; charset=utf-8")]
    return lambda _: Response(status, list(headers), HTML)


# answers that are none


def bad_body(scene: Scene) -> Response:
    """Answer half of the body as if it were whole."""
    response = scene.answer()
    if not isinstance(response.body, bytes):
        response.body = b"".join(response.body)
    response.body = response.body[: len(response.body) // 2]
    length = ("Content-Length", str(len(response.body)))
    headers = [h for h in response.headers if h[0].lower() != "content-length"]
    response.headers = [*headers, length]
    return response


def empty_body(_: Scene) -> Response:
    """Answer 200 without a body."""
    return Response(200)


def empty_json(_: Scene) -> Response:
    """Answer an empty JSON object."""
    return Response(200, [("Content-Type", "application/json")], b"{}")


def huge(scene: Scene) -> Response:
    """Answer a listing that does not end."""

    def endless() -> Iterator[bytes]:
        yield b'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
        item = b"<Contents><Key>" + b"x" * 1000 + b"</Key></Contents>"
        block = item * 1024
        for _ in range(HUGE_BYTES // len(block)):
            if scene.released.is_set():
                raise ConnectionBroken
            yield block

    return Response(200, [("Content-Type", "application/xml")], endless())


def huge_header(_: Scene) -> Response:
    """Answer with a header nobody wants."""
    return Response(200, [("X-Big", "x" * (4 << 20))], b"{}")


def redirect(scene: Scene) -> Response:
    """Send the client to where it is."""
    query = f"?{scene.request.raw_query}" if scene.request.raw_query else ""
    return Response(307, [("Location", scene.request.raw_path + query)])


def garbage(_: Scene) -> Response:
    """Answer bytes that are not HTTP."""
    raise ConnectionBroken(last_words=b"SSH-2.0-OpenSSH_9.6\r\n" + bytes(range(256)))
