"""An HTTP answer as it arrives: its head is known, its body still to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.api.call import Answer
from mcpy.api.encodings import decoded
from mcpy.api.failures import BROKEN
from mcpy.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.api.call import Reply
    from mcpy.errors import McpyError

MAX_BODY_BYTES = 32 * 1024 * 1024
_SLACK_BYTES = 64 * 1024  # by so much an encoding may make a body longer


class Stream:
    """An HTTP answer whose body is still on the wire; ``headers`` are by lower-case name."""

    def __init__(self, method: str, reply: Reply, ours: Callable[[Exception], McpyError]) -> None:
        self.method = method
        self.status = reply.status
        self.headers = reply.headers
        self._reply = reply
        self._ours = ours

    def read(self, limit: int, *, cut: bool = False) -> Answer:
        """Read the body, undoing its content encoding; beyond ``limit`` bytes cut off, or raise.

        Raises:
            ProtocolError: it is larger, or its encoding is broken.
        """
        body = bytearray()
        encodings = self.headers.get("content-encoding", "")
        for chunk in decoded(self._sent_within(limit + _SLACK_BYTES), encodings):
            body += chunk
            if len(body) > limit:
                break
        if len(body) > limit and not cut:
            raise ProtocolError(f"an answer of more than {limit} bytes was refused")
        return Answer(self.method, self.status, self.headers, bytes(body))

    def _sent_within(self, limit: int) -> Iterator[bytes]:
        """Yield the body as sent: an encoding can go on for ever and never give a byte."""
        sent = 0
        for chunk in self.chunks():
            sent += len(chunk)
            yield chunk
            if sent > limit:
                raise ProtocolError(f"an answer of more than {limit} bytes was refused")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as sent, with whatever content encoding the object has."""
        chunks = self._reply.chunks()
        while True:
            # only the network's failures are ours to translate, not those of whoever reads us
            try:
                chunk = next(chunks, None)
            except BROKEN as e:
                raise self._ours(e) from e
            if chunk is None:
                return
            yield chunk
