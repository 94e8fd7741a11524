"""What every keystore can do, what it may refuse, and how a refusal is worded.

KeystoreError             1   the provider failed, in its own words
├── KeyExistsError        1
├── KeyLockedError        1
├── NotAKeyError          1
└── KeystoreDeniedError   4
KeyMissingError           5
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from mcpy.errors import ExitCode, McpyError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# ``empty``: there by name, without a value. KES misses such a key and cannot create it either
State = Literal["enabled", "locked", "destroyed", "empty"]

# text no KES takes for a key; what follows is the entry as it was
LOCK_MARK = b"locked-by-mcpy:"
MAX_ENTRY_BYTES = 1024 * 1024
KEY_NAME = re.compile(r"(?!-)(?!.*-$)(?!_$)[0-9A-Za-z_-]{1,80}", re.DOTALL)


class KeystoreError(McpyError):
    """A provider's failure."""


class KeyExistsError(KeystoreError):
    """There is an entry of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the keystore has a key `{name}` already")


class KeyLockedError(KeystoreError):
    """The entry is there and locked."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the key `{name}` is locked", hint=f"mcpy keystore unlock {name} --config FILE"
        )


class NotAKeyError(KeystoreError):
    """The entry holds something else than a key of KES: it may be a stranger's secret."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(f"the entry `{name}` at {where} is not a key of KES")


class KeystoreDeniedError(KeystoreError):
    """The provider does not allow it."""

    code = ExitCode.DENIED


class KeyMissingError(NotFoundError):
    """There is no entry of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the keystore has no key `{name}`")


@dataclass(frozen=True)
class Step:
    """One thing ``check`` tried; ``words`` are the provider's where it refused.

    Without ``tried`` it was not, and ``words`` say why.
    """

    name: str
    ok: bool
    words: str = ""
    tried: bool = True


@dataclass(frozen=True)
class Capabilities:
    """What a provider can hold and do.

    Attributes:
        lock: how it locks, empty when it cannot so that it can be taken back.
        erasure: what erasing does there, and what it does not.
        name: what names it takes, beyond KES's own rules.
        name_rule: the same in words.
        case_matters: whether ``A`` and ``a`` are two keys.
    """

    lock: str
    erasure: str
    name: re.Pattern[str] = KEY_NAME
    name_rule: str = ""
    case_matters: bool = True


class Source(Protocol):
    """Where keys can be read from."""

    @property
    def where(self) -> str:
        """Where the keys are, for people."""
        ...

    def list(self) -> Iterator[str]:
        """Yield all names, locked and foreign ones too, whatever their number."""
        ...

    def read(self, name: str) -> bytes:
        """Return an entry as KES reads it.

        Raises:
            KeyMissingError, KeyLockedError: it is not there, or locked.
        """
        ...


class KeyStore(Source, Protocol):
    """The entries of one keystore; a value is opaque bytes, never empty.

    Every method raises KeystoreError, or UnreachableError, when the provider fails.
    """

    provider: str
    capabilities: Capabilities

    def create(self, name: str, value: bytes) -> None:
        """Store an entry.

        Raises:
            KeyExistsError: there is one, and it stays as it is.
        """
        ...

    def delete(self, name: str) -> None:
        """Remove an entry for good, locked or not.

        Raises:
            KeyMissingError: it is not there.
        """
        ...

    def withdraw(self, name: str) -> None:
        """Remove an entry of our own making that no key was ever in use of.

        As ``delete``, and content with what the provider keeps of it for a while.
        """
        ...

    def state(self, name: str) -> State:
        """Return whether KES can read the entry.

        Raises:
            KeyMissingError: it is not there.
        """
        ...

    def lock(self, name: str) -> None:
        """Make KES fail on the entry until ``unlock``; the entry itself is kept."""
        ...

    def unlock(self, name: str) -> None:
        """Give the entry back as it was."""
        ...

    def deleted(self) -> Iterator[str]:
        """Yield the names of entries that are deleted and can be restored for a while.

        KES fails on them, or misses them; ``list`` leaves them out as KES does.
        """
        ...

    def ping(self) -> None:
        """Ask whether the provider is there, without signing in.

        Raises:
            UnreachableError: no answer, or one that it serves nobody now.
        """
        ...

    def inspect(self) -> Iterator[Step]:
        """Yield what is wrong with the keystore itself, such as the version of an engine."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...


def finds(look: Callable[[str], object], name: str) -> bool:
    """Whether ``look`` finds an entry called ``name``; it raises KeyMissingError for none."""
    try:
        look(name)
    except KeyMissingError:
        return False
    return True


def misfits(capabilities: Capabilities, names: Sequence[str]) -> dict[str, str]:
    """Return the names a keystore cannot hold, each with the reason."""
    found = {
        name: capabilities.name_rule or "not a key name"
        for name in names
        if not capabilities.name.fullmatch(name)
    }
    if not capabilities.case_matters:
        seen: dict[str, str] = {}
        for name in sorted(names):
            other = seen.setdefault(name.lower(), name)
            if other != name:
                found[name] = f"is the same name as `{other}` there: case does not count"
    return found
