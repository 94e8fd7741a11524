"""A sandbox that is like another server, with the command line pointed at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.running import Mcpy

if TYPE_CHECKING:
    from pathlib import Path

    from mcpy.sandbox.play import Sandbox


@dataclass(frozen=True)
class Play:
    """A running sandbox; ``mcpy`` is the command line in-process, its alias is ``play``."""

    sandbox: Sandbox
    mcpy: Mcpy
    folder: Path

    @classmethod
    def of(cls, sandbox: Sandbox, folder: Path) -> Play:
        """Point a command line at ``sandbox``; ``folder`` is its home."""
        return cls(sandbox, Mcpy.on(sandbox, folder), folder)

    def file(self, name: str, content: bytes) -> Path:
        """Return a new file."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def on_disk(self, content: bytes) -> bool:
        """Tell whether ``content`` lies readable in the sandbox's folder."""
        data = self.sandbox.home.data
        return any(content in f.read_bytes() for f in data.rglob("*") if f.is_file())
