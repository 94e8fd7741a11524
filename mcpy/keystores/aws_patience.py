"""How long AWS is waited for: botocore's timeouts are of each attempt, and it makes several."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from mcpy.errors import UnreachableError

if TYPE_CHECKING:
    from mcpy.keystores.web import WebOptions


class Patience:
    """Holds each call with its repeats to the timeout."""

    def __init__(self, options: WebOptions) -> None:
        self._options = options
        self._of_thread = threading.local()

    def watch(self, events: Any) -> None:  # noqa: ANN401 - botocore makes it at run time
        """See each call and attempt of a client by its events."""
        events.register("before-call.secrets-manager", self._begin)
        events.register("before-send.secrets-manager", self._attempt)

    def _begin(self, **_: object) -> None:
        self._of_thread.end = self._options.end_of_call()

    def _attempt(self, **_: object) -> None:
        if time.monotonic() >= self._of_thread.end:
            raise UnreachableError("AWS: no answer before the time of --timeout was over")
