"""What each fault does to a request and its answer."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mcpy.sandbox.faults import answers
from mcpy.sandbox.faults.scene import ConnectionBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.sandbox.faults.scene import Scene
    from mcpy.sandbox.message import Readable, Response

_STEP_S = 0.02


def act(scene: Scene) -> Response:
    """Return what the fault of a scene makes of the answer.

    Raises:
        ConnectionBroken: the connection has to end.
    """
    return _ACTS[scene.fault.name](scene)


# late, or never


def _delay(scene: Scene) -> Response:
    scene.wait(scene.fault.value)
    return scene.answer()


def _hang(scene: Scene) -> Response:
    while scene.request.body.read(65_536):
        pass
    scene.wait(None)
    raise AssertionError("it waits for ever")


def _slow(scene: Scene) -> Response:
    response = scene.answer()
    rate = max(scene.fault.value, 1.0)
    step = max(1, int(rate * _STEP_S))

    def crawl(parts: Iterator[bytes]) -> Iterator[bytes]:
        started, sent = time.monotonic(), 0
        for part in parts:
            for at in range(0, len(part), step):
                yield part[at : at + step]
                sent += step
                scene.wait(max(0.0, started + sent / rate - time.monotonic()))

    return _streamed(response, crawl)


# broken connections


def _close(_: Scene) -> Response:
    raise ConnectionBroken


def _reset(_: Scene) -> Response:
    raise ConnectionBroken(reset=True)


def _lost(scene: Scene) -> Response:
    body = scene.answer().body
    close = getattr(body, "close", None)
    if close is not None:
        close()
    raise ConnectionBroken(reset=True)


def _cut(scene: Scene) -> Response:
    body = _Cut(scene.request.body, int(scene.fault.value))
    return scene.handler(replace(scene.request, body=body))


class _Cut:
    """A request's body that ends with its connection."""

    def __init__(self, body: Readable, left: int) -> None:
        self._body = body
        self._left = left

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes of what is left.

        Raises:
            ConnectionBroken: nothing is.
        """
        if self._left <= 0:
            raise ConnectionBroken(reset=True)
        data = self._body.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data


def _reset_mid(scene: Scene) -> Response:
    return _cut_off(scene, reset=True)


def _truncate(scene: Scene) -> Response:
    return _cut_off(scene, reset=False)


def _cut_off(scene: Scene, *, reset: bool) -> Response:
    response = scene.answer()
    whole = int(response.header("Content-Length") or 0)
    if isinstance(response.body, bytes):
        whole = len(response.body)
    if whole == 0 or scene.request.method == "HEAD":
        raise ConnectionBroken(reset=reset)  # there is nothing to break off in
    left = whole // 2 if scene.fault.value < 0 else int(scene.fault.value)

    def some(parts: Iterator[bytes]) -> Iterator[bytes]:
        sent = 0
        yield b""
        for part in parts:
            if sent + len(part) >= left:
                yield part[: left - sent]
                if reset:
                    scene.wait(_STEP_S)  # let what was sent be read first
                raise ConnectionBroken(reset=reset)
            sent += len(part)
            yield part

    return _streamed(response, some)


def _streamed(
    response: Response, change: Callable[[Iterator[bytes]], Iterator[bytes]]
) -> Response:
    body = response.body
    if isinstance(body, bytes):
        if response.header("Content-Length") is None:
            response.headers.append(("Content-Length", str(len(body))))
        parts = iter((body,)) if body else iter(())
    else:
        parts = iter(body)
    response.body = change(parts)
    return response


_ACTS: dict[str, Callable[[Scene], Response]] = {
    "delay": _delay,
    "slow": _slow,
    "hang": _hang,
    "close": _close,
    "reset": _reset,
    "lost": _lost,
    "cut": _cut,
    "reset-mid": _reset_mid,
    "truncate": _truncate,
    "busy": answers.busy,
    "limited": answers.limited,
    "broken": answers.page(500),
    "forbidden": answers.page(403),
    "full": answers.full,
    "badbody": answers.bad_body,
    "emptybody": answers.empty_body,
    "emptyjson": answers.empty_json,
    "huge": answers.huge,
    "hugeheader": answers.huge_header,
    "redirect": answers.redirect,
    "garbage": answers.garbage,
}
