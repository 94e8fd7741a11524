"""A request that meets a fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading

    from mcpy.sandbox.faults.spec import Fault
    from mcpy.sandbox.message import Handler, Request, Response


class ConnectionBroken(ConnectionError):  # noqa: N818 - what is done, not what went wrong
    """The connection has to end.

    Attributes:
        reset: whether by RST.
        last_words: bytes to send before.
    """

    def __init__(self, *, reset: bool = False, last_words: bytes = b"") -> None:
        super().__init__("broken on purpose")
        self.reset = reset
        self.last_words = last_words


class Refuse(Protocol):
    """Words a refusal of ``request`` with a status as the server does."""

    def __call__(self, request: Request, status: int) -> Response:
        """Return the answer."""
        ...


@dataclass(frozen=True)
class Scene:
    """A request that meets a fault; ``released`` is set when nothing may hang any longer."""

    fault: Fault
    request: Request
    handler: Handler
    refuse: Refuse
    released: threading.Event

    def wait(self, seconds: float | None) -> None:
        """Wait, for ever without ``seconds``.

        Raises:
            ConnectionBroken: the sandbox stops meanwhile, or the faults were changed.
        """
        if self.released.wait(seconds) or seconds is None:
            raise ConnectionBroken

    def answer(self) -> Response:
        """Return the right answer."""
        return self.handler(self.request)
