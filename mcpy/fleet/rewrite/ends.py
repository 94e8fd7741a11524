"""How a rewriting ends before its end, and when one object is looked at anew."""

from __future__ import annotations

from mcpy.errors import IntegrityError, McpyError


class DamagedError(IntegrityError):
    """An object that is not what it was: the run must not go on."""


class StoppedError(McpyError):
    """A run that was ended because nothing succeeds any more; it can be gone on with."""


class Raced(Exception):  # noqa: N818 - not an error: the object is looked at anew
    """Somebody else wrote the object."""
