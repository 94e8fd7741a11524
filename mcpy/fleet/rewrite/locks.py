"""Retention and legal hold of one version, and of the bucket it lies in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.api.s3xml import ObjectLock

_MODE = "x-amz-object-lock-mode"
_UNTIL = "x-amz-object-lock-retain-until-date"
_HOLD = "x-amz-object-lock-legal-hold"
_MARGIN = timedelta(minutes=5)


def obstacle(headers: Mapping[str, str], bucket: ObjectLock, now: datetime | None = None) -> str:
    """Return why a version must not be touched, or ``""``.

    A version that is not locked, in a bucket that locks what is written, would be locked by being
    rewritten: a server takes no retention that is over, and no word for none.
    """
    if headers.get(_HOLD, "").upper() == "ON":
        return "it is under legal hold"
    until = headers.get(_UNTIL, "")
    if headers.get(_MODE) and not _is_over(until, now or datetime.now(UTC)):
        return f"it is under {headers[_MODE]} retention until {until}"
    if bucket.mode:
        return f"its bucket would lock it anew ({bucket.mode}, {bucket.validity})"
    return ""


def _is_over(until: str, now: datetime) -> bool:
    """Whether a retention has ended; a clock may be wrong by some minutes."""
    try:
        return datetime.fromisoformat(until.replace("Z", "+00:00")) + _MARGIN < now
    except ValueError:
        return False
