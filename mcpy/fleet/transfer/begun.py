"""Uploads that were begun and kept: only one that was begun alike is gone on with.

A server does not say what encryption, metadata or retention an upload was begun with, so that is
noted here, as a digest.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from mcpy.config import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mcpy.fleet.transfer.place import Place


class Begun:
    """The note of one upload in ``folder``; without a folder nothing is noted or found."""

    def __init__(self, folder: Path | None, place: Place, headers: Mapping[str, str]) -> None:
        wish = [place.s3.http.base_url, *place.at, sorted(headers.items())]
        name = hashlib.sha256(json.dumps(wish).encode()).hexdigest()
        self._file = folder / name if folder else None

    def upload_id(self) -> str:
        """Return the name of the upload that was begun alike, or ``""``."""
        if self._file:
            with suppress(OSError, UnicodeDecodeError):
                return self._file.read_text(encoding="utf-8")
        return ""

    def note(self, upload_id: str) -> None:
        """Remember an upload that begins; where that cannot be written, it will begin anew."""
        if self._file:
            with suppress(OSError):
                self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_private(self._file, upload_id.encode())

    def forget(self) -> None:
        """Forget an upload that is complete."""
        if self._file:
            with suppress(OSError):
                self._file.unlink()
