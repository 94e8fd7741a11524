"""What MinIO's admin, KMS and health endpoints answer, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpy.errors import says_kms_silent

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class KeyStatus:
    """The outcome of a round trip through a key: both errors are ``""`` when it works."""

    key_id: str
    encryption_error: str = ""
    decryption_error: str = ""

    @property
    def works(self) -> bool:
        """Whether the key encrypts and decrypts."""
        return not self.problem

    @property
    def problem(self) -> str:
        """Why it does not, or ``""``."""
        return self.encryption_error or self.decryption_error

    @property
    def missing(self) -> bool:
        """Whether there is no such key."""
        return "does not exist" in self.problem

    @property
    def kms_silent(self) -> bool:
        """Whether it was not tried at all, because the KMS does not answer."""
        return says_kms_silent(self.problem)


@dataclass(frozen=True)
class KmsStatus:
    """The KMS a server uses: endpoints by URL with ``online`` or ``offline``."""

    name: str
    default_key: str
    endpoints: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """What a deployment says of its health without credentials.

    Attributes:
        healthy: whether enough of it works.
        maintenance: whether it would not be healthy without the node that was asked.
        write_quorum: drives that a write needs; 0 when not said.
        healing_drives: drives that are being filled again.
    """

    healthy: bool
    maintenance: bool = False
    write_quorum: int = 0
    healing_drives: int = 0


@dataclass(frozen=True)
class NodeResult:
    """What one node answered to a service action; ``error`` is ``""`` when it took it."""

    host: str
    error: str = ""
    waiting_drives: Mapping[str, Any] = field(default_factory=dict)
