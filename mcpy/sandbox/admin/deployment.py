"""What the server knows of itself: since when it runs, with which settings, frozen or not.

Made anew at every start, so that a restart resets uptime and freezes as on a real server.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Census:
    """What is stored: numbers of things, and ``size`` in bytes of plaintext."""

    buckets: int = 0
    objects: int = 0
    versions: int = 0
    delete_markers: int = 0
    size: int = 0


class StoppedError(ConnectionResetError):
    """The server stopped while a call waited for it to be thawed."""


@dataclass
class Deployment:
    """One run of the server.

    Attributes:
        endpoint: ``host:port`` as clients reach it.
        env: the server's environment; its ``MINIO_*`` part is shown, secrets redacted.
        folder: where objects are kept.
        config_file: where configuration is kept, mode 0600; None keeps it in memory.
        census: counts what is stored.
        started: aware, UTC.
        deployment_id: a UUID, the same for every start of one sandbox.
        version: shown by ``info``.
        now: the server's clock, aware.
        on_stop: called when this run ends.
        requests: how many admin requests were answered.
    """

    endpoint: str
    env: Mapping[str, str] = field(repr=False)
    folder: Path
    config_file: Path | None = None
    census: Callable[[], Census] = Census
    started: datetime = field(default_factory=_utc_now)
    deployment_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    version: str = "DEVELOPMENT.MCPY-SANDBOX"
    now: Callable[[], datetime] = field(default=_utc_now, repr=False)
    on_stop: list[Callable[[], None]] = field(default_factory=list, repr=False)
    requests: int = 0
    _freezes: int = field(default=0, init=False, repr=False)
    _stopped: bool = field(default=False, init=False, repr=False)
    _changed: threading.Condition = field(
        default_factory=threading.Condition, init=False, repr=False
    )

    @property
    def region(self) -> str:
        """The configured region, or empty."""
        return self.env.get("MINIO_REGION", "")

    @property
    def frozen(self) -> bool:
        """Whether S3 calls have to wait."""
        return self._freezes > 0

    def freeze(self) -> None:
        """Make S3 calls wait; as many ``unfreeze`` end it."""
        with self._changed:
            self._freezes += 1

    def unfreeze(self) -> None:
        """Take back one ``freeze``; without one, nothing happens."""
        with self._changed:
            self._freezes = max(0, self._freezes - 1)
            self._changed.notify_all()

    def wait_until_thawed(self) -> None:
        """Return when the server is not frozen.

        Raises:
            StoppedError: the server stopped meanwhile.
        """
        if not self.frozen:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or not self.frozen)
            if self._stopped:
                raise StoppedError

    def stop(self) -> None:
        """Let nobody wait any longer, and end what works in the background."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for end in self.on_stop:
            end()
