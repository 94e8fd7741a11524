"""Times as S3 writes and reads them; inside the server they are nanoseconds of Unix time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)


def iso(time_ns: int) -> str:
    """Return ``2026-11-23T12:40:37.801Z``."""
    moment = _EPOCH + timedelta(microseconds=time_ns // 1_000_000 * 1000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def rfc3339(moment: datetime) -> str:
    """Return ``moment`` in UTC with microseconds and ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def http_date(time_ns: int) -> str:
    """Return ``Mon, 23 Nov 2026 12:40:38 GMT``."""
    return _http_date(time_ns // NS)


@lru_cache(maxsize=1024)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


def parse_http_date(text: str) -> int | None:
    """Return whole seconds of Unix time of a date in an HTTP or S3 header, None if it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        ns = parse_rfc3339(text)
        return None if ns is None else ns // NS
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def parse_rfc3339(text: str) -> int | None:
    """Return the nanoseconds of ``2026-11-20T01:02:03.123456789Z``, None if it is not a time."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{zone.replace('Z', '+00:00')}")
    except ValueError:
        return None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    return seconds * NS + int((fraction or "0")[:9].ljust(9, "0"))
