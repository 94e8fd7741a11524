"""What every object has to be: one scheme, and with SSE-KMS perhaps one key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.errors import InputError
from mcpy.models import bare_key_id, check_key_id

if TYPE_CHECKING:
    from mcpy.fleet.inventory import Item

_ANY = {"sse-s3", "sse-kms", "sse-c"}


@dataclass(frozen=True)
class Requirement:
    """``sse-s3``, ``sse-kms`` or ``any`` encryption; ``key`` names the one key of ``sse-kms``."""

    scheme: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Read ``sse-s3``, ``sse-kms``, ``sse-kms:KEY`` or ``any``.

        Raises:
            InputError: it is none of them.
        """
        scheme, colon, key = text.partition(":")
        scheme = scheme.lower()
        if scheme not in {"sse-s3", "sse-kms", "any"} or (colon and scheme != "sse-kms"):
            raise InputError(f"`{text}` is not sse-s3, sse-kms, sse-kms:KEY or any")
        return cls(scheme, bare_key_id(check_key_id(key)) if colon else "")

    def __str__(self) -> str:
        return f"{self.scheme}:{self.key}" if self.key else self.scheme

    @property
    def words(self) -> str:
        """What a version is that meets it; one that does not is ``not`` so."""
        return "encrypted" if self.scheme == "any" else str(self)

    def is_met(self, item: Item) -> bool:
        """Whether ``item`` is so; what nobody knows is not, and a delete marker has no content."""
        if item.is_delete_marker:
            return True
        if self.scheme == "any":
            return item.state in _ANY
        return item.state == self.scheme and (not self.key or item.key_id == self.key)
