"""What ``keystore lock``, ``unlock`` and ``erase`` have in common: their report, and its proof."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from mcpy.errors import Interrupted, McpyError, UnreachableError, exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.cli.app import App

_NOTHING_CHANGED = {"locked already", "unlocked already"}


@dataclass(frozen=True)
class KeyActed:
    """What was done to a key at its provider; ``proven`` through a KES, when that was asked.

    ``impact`` has the report of each server that was looked at first.
    """

    name: str
    change: str
    provider: str
    effective_within_s: float
    proven: bool = False
    impact: tuple[dict[str, Any], ...] = ()

    def data(self) -> dict[str, Any]:
        """Return all of it."""
        found = asdict(self)
        if not self.impact:
            del found["impact"]
        return {"status": "success", **found}

    def text(self) -> str:
        """Return one line."""
        how = " (proven through KES)" if self.proven else ""
        if self.change in _NOTHING_CHANGED:
            return f"`{self.name}` is {self.change}: nothing changed{how}."
        how = how or " (not proven through KES: see --prove)"
        return f"`{self.name}` {self.change} at {self.provider}{how}."


@contextmanager
def acting(key: str) -> Iterator[None]:
    """Say how to see what became of the key when the provider's answer was lost."""
    try:
        yield
    except UnreachableError as e:
        e.hint = f"whether it happened: mcpy keystore ls {key} --state --config FILE"
        raise


def report(app: App, acted: KeyActed, proof: Callable[[], None] | None, again: str) -> None:
    """Report what was done, once ``proof`` has shown it; without a proof as not proven.

    Args:
        app: the run of mcpy.
        acted: what was done.
        proof: raises when KES does not feel it.
        again: what to type to see it after all.

    Raises:
        McpyError: what ``proof`` raises, in words that say what was done.
    """
    if proof is None:
        app.out.done(acted)
        return
    try:
        proof()
    except (McpyError, KeyboardInterrupt) as e:
        app.out.done(acted)
        raise _unproven(acted, e, again) from e
    app.out.done(replace(acted, proven=True))


def _unproven(acted: KeyActed, e: McpyError | KeyboardInterrupt, again: str) -> McpyError:
    ours = e if isinstance(e, McpyError) else Interrupted("interrupted")
    message = f"`{acted.name}` is {acted.change}, and that is NOT proven: {ours.message}"
    error = McpyError(message, hint=ours.hint or again)
    error.code = exit_code(ours)
    return error
