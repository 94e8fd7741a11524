"""What a server's refusal says of an object that was to be rewritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.fleet.rewrite.goal import Class, Outcome

if TYPE_CHECKING:
    from mcpy.errors import S3Error
    from mcpy.fleet.rewrite.journal import Version

_CUSTOMER = "stored using a form of server side encryption"
_UNDECRYPTABLE = {"XMinioObjectTampered", "XMinioStorageCorrupted"}


def outcome_of_refusal(
    version: Version, size: int, error: S3Error, *, writing: bool = False
) -> Outcome:
    """Return the outcome for a refusal to read, or with ``writing`` to copy."""
    return Outcome(*version, _kind(error, writing=writing), size, error.message)


def _kind(error: S3Error, *, writing: bool) -> Class:
    words = error.server_message.lower()
    if "worm protected" in words or error.api_code == "ObjectLocked":
        return Class.LOCKED
    if writing:
        return Class.FAILED
    if error.api_code in _UNDECRYPTABLE or error.api_code.startswith("kms:"):
        return Class.UNREADABLE
    by_status = {403: Class.UNKNOWN, 404: Class.GONE, 405: Class.GONE}  # 405: a delete marker
    if error.status == 400:
        return Class.CUSTOMER if _CUSTOMER in words else Class.UNKNOWN
    return by_status.get(error.status, Class.FAILED)
