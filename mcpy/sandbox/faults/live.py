"""The faults that are on: which request meets which, the same in every run with the same seed."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.errors import InputError
from mcpy.sandbox.faults.acts import act
from mcpy.sandbox.faults.scene import Scene
from mcpy.sandbox.faults.spec import Fault, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mcpy.sandbox.faults.scene import Refuse
    from mcpy.sandbox.message import Handler, Request, Response


@dataclass
class _Live:
    fault: Fault
    random: random.Random
    fired: int = 0

    def fires(self) -> bool:
        """Tell whether the next request that matches meets the fault."""
        if self.fault.times is not None and self.fired >= self.fault.times:
            return False
        if self.fault.share < 1 and self.random.random() >= self.fault.share:
            return False
        self.fired += 1
        return True


class Faults:
    """What goes wrong in a sandbox; may be changed at any time, from any thread.

    Args:
        texts: faults, see ``spec``.
        seed: decides which requests meet a fault that has a share: the same ones for the same
            requests in the same order.

    Attributes:
        on_change: called after every change.

    Raises:
        InputError: one of ``texts`` is no fault, or the seed no number.
    """

    def __init__(self, texts: Iterable[str] = (), *, seed: int = 0) -> None:
        if not isinstance(seed, int):
            raise InputError("the seed of faults is a whole number")
        self.seed = seed
        self.on_change: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._live = self._made(texts)

    def replace(self, texts: Iterable[str]) -> None:
        """Put ``texts`` in place of the faults there are; requests that hang are let go.

        Raises:
            InputError: one of them is no fault; nothing is changed.
        """
        made = self._made(texts)
        with self._lock:
            self._live = made
            released, self._released = self._released, threading.Event()
        released.set()
        self.on_change()

    def release(self) -> None:
        """Let go whatever hangs, for the sandbox stops."""
        self._released.set()

    def rearm(self) -> None:
        """Begin anew: with the seed's first choices, and with requests that may hang."""
        texts = self.texts
        with self._lock:
            self._live, self._released = self._made(texts), threading.Event()

    @property
    def texts(self) -> list[str]:
        """The faults that are on, as they were written."""
        return [live.fault.text for live in self._live]

    def fired(self) -> dict[str, int]:
        """Return how many requests met each fault."""
        with self._lock:
            return {live.fault.text: live.fired for live in self._live}

    def has(self, name: str) -> bool:
        """Tell whether a fault of that name is on."""
        return any(live.fault.name == name for live in self._live)

    def lost_keys(self) -> set[str]:
        """Return the names of KES keys that are as if they were gone."""
        return {live.fault.key for live in self._live if live.fault.name == "key-lost"}

    def around(self, server: str, request: Request, handler: Handler, refuse: Refuse) -> Response:
        """Let ``handler`` answer, or what goes wrong instead.

        Args:
            server: ``s3`` or ``kes``.
            request: what is asked.
            handler: answers it.
            refuse: words a refusal as the server would.

        Raises:
            ConnectionBroken: the connection has to end.
        """
        if not self._live:
            return handler(request)
        fault = self._pick(server, request)
        if fault is None:
            return handler(request)
        return act(Scene(fault, request, handler, refuse, self._released))

    def _pick(self, server: str, request: Request) -> Fault | None:
        with self._lock:
            for live in self._live:
                if live.fault.matches(server, request) and live.fires():
                    return live.fault
        return None

    def _made(self, texts: Iterable[str]) -> list[_Live]:
        if isinstance(texts, str):
            raise InputError("faults come in a list", hint=f'faults=["{texts}"]')
        return [
            # not for secrets: the same faults in every run are what is wanted
            _Live(parse(text), random.Random(f"{self.seed}/{number}/{text}"))  # noqa: S311
            for number, text in enumerate(texts)
        ]
