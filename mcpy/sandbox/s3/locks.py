"""Object lock: retention and legal hold, and what they forbid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.times import NS, iso, parse_rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.store import Bucket, ObjectVersion

MODE = "x-amz-object-lock-mode"
UNTIL = "x-amz-object-lock-retain-until-date"
HOLD = "x-amz-object-lock-legal-hold"
BYPASS = "x-amz-bypass-governance-retention"
ENTRIES = (MODE, UNTIL, HOLD)
DAY_NS = 86_400 * NS
MODES = ("GOVERNANCE", "COMPLIANCE")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a version must stay; ``mode`` is GOVERNANCE or COMPLIANCE."""

    mode: str
    until_ns: int

    def entries(self) -> dict[str, str]:
        """Return it as it is stored."""
        return {MODE: self.mode, UNTIL: iso(self.until_ns)}


def retention_of(metadata: Mapping[str, str]) -> Retention | None:
    """Return the retention of a version."""
    until = parse_rfc3339(metadata.get(UNTIL, ""))
    mode = metadata.get(MODE, "")
    return Retention(mode, until) if mode and until is not None else None


def enabled(bucket: Bucket) -> bool:
    """Tell whether the bucket was made with object lock, or got it since."""
    return "object-lock" in bucket.config


def default_retention(bucket: Bucket, now_ns: int) -> Retention | None:
    """Return the retention a new object of the bucket gets if its upload names none."""
    rule = bucket.config.get("object-lock", "").split()
    if len(rule) != 3:
        return None
    mode, count, unit = rule
    days = int(count) * (365 if unit == "Years" else 1)
    return Retention(mode, now_ns + days * DAY_NS)


def entries_for_upload(call: Call, overwritten: ObjectVersion | None = None) -> dict[str, str]:
    """Return the lock entries of a new version: from the headers, else the bucket's default.

    ``overwritten`` is the version that is written over, if the request names one.

    Raises:
        S3Problem: the headers are wrong, the bucket has no lock, or the version is protected.
    """
    headers = call.headers
    wants_retention = MODE in headers or UNTIL in headers
    bucket = call.store.bucket(call.bucket)
    if not enabled(bucket):
        if wants_retention or HOLD in headers:
            raise S3Problem.of("MissingBucketObjectLock")
        return {}
    entries: dict[str, str] = {}
    if overwritten is not None:
        entries = _kept(overwritten, call.now_ns)
    if HOLD in headers:
        entries[HOLD] = parse_hold(headers[HOLD])
    if wants_retention:
        return entries | parse_retention(headers, call.now_ns).entries()
    default = default_retention(bucket, call.now_ns)
    return entries | (default.entries() if default and HOLD not in headers else {})


def _kept(version: ObjectVersion, now_ns: int) -> dict[str, str]:
    retention = retention_of(version.metadata)
    complies = retention is not None and retention.mode == "COMPLIANCE"
    if version.metadata.get(HOLD) == "ON" or (
        complies and retention is not None and retention.until_ns > now_ns
    ):
        raise S3Problem.of("ObjectLocked")
    return {name: version.metadata[name] for name in ENTRIES if name in version.metadata}


def parse_retention(headers: Mapping[str, str], now_ns: int) -> Retention:
    """Read mode and date from the headers of an upload.

    Raises:
        S3Problem: one is missing or malformed, or the date is past.
    """
    if not headers.get(MODE) or not headers.get(UNTIL):
        raise S3Problem.of("ObjectLockHeadersIncomplete")
    mode = headers[MODE].upper()
    if mode not in MODES:
        raise S3Problem.of("UnknownLockMode")
    until = parse_rfc3339(headers[UNTIL])
    if until is None:
        raise S3Problem.of("InvalidRetentionDate")
    if until < now_ns:
        raise S3Problem.of("PastRetainDate")
    return Retention(mode, until)


def parse_hold(text: str) -> str:
    """Return ``ON`` or ``OFF``.

    Raises:
        S3Problem: it is neither.
    """
    if text.upper() not in {"ON", "OFF"}:
        raise S3Problem.of("UnknownLockMode")
    return text.upper()


def check_delete(call: Call, version: ObjectVersion) -> None:
    """Refuse to delete a protected version for good.

    Raises:
        S3Problem: ObjectLocked.
    """
    if version.metadata.get(HOLD) == "ON":
        raise S3Problem.of("ObjectLocked")
    retention = retention_of(version.metadata)
    if retention is None or retention.until_ns < call.now_ns:
        return
    if retention.mode == "COMPLIANCE" or not bypasses(call):
        raise S3Problem.of("ObjectLocked")


def check_change(call: Call, version: ObjectVersion, new: Retention) -> None:
    """Refuse to weaken a retention that is in force.

    Raises:
        S3Problem: ObjectLocked.
    """
    old = retention_of(version.metadata)
    if old is None or old.until_ns < call.now_ns:
        return
    weaker = new.mode != old.mode or new.until_ns < old.until_ns
    if weaker and (old.mode == "COMPLIANCE" or not bypasses(call)):
        raise S3Problem.of("ObjectLocked")


def bypasses(call: Call) -> bool:
    """Tell whether the caller asks to go over a GOVERNANCE retention."""
    return call.header(BYPASS).lower() == "true"
