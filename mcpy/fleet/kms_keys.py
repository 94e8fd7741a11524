"""Make KMS keys through a MinIO server, and see that they work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.errors import McpyError, S3Error, UnreachableError
from mcpy.models import bare_key_id

if TYPE_CHECKING:
    from mcpy.api.madmin import MinioAdmin


def create_key(admin: MinioAdmin, name: str, *, if_missing: bool = False) -> bool:
    """Make a key and try it; False when it was there and ``if_missing`` lets it be.

    Raises:
        McpyError: it exists, or it was made and does not work.
    """
    from mcpy.api.madmin import KEY_EXISTS_WORDS

    try:
        admin.create_key(name)
    except S3Error as e:
        if KEY_EXISTS_WORDS not in e.server_message:
            raise
        if if_missing:
            return False
        raise McpyError(
            f"key `{name}` exists",
            hint=f"mcpy admin kms key create --if-missing {admin.alias} {name}",
        ) from e
    tried = admin.key_status(name)
    if not tried.works:
        raise McpyError(f"key `{name}` was created but does not work: {tried.problem}")
    return True


def silent_kms(alias: str) -> UnreachableError:
    """Return the error for a server whose KMS does not answer it."""
    return UnreachableError(
        f"the KMS of `{alias}` does not answer it", hint=f"mcpy admin kms status {alias}"
    )


def default_key_of(admin: MinioAdmin) -> str | None:
    """Return the name of the server's default key; None where the server names none.

    Raises:
        McpyError: the server does not tell.
    """
    named = admin.kms_status().default_key or admin.key_status().key_id
    return bare_key_id(named) or None
