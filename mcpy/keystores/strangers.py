"""Keys of KES told from what else an account holds: secrets of others have names like keys.

What an entry is shows by its content alone, which a provider may not give while it is locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mcpy.errors import IntegrityError
from mcpy.keystores.base import (
    KEY_NAME,
    KeyLockedError,
    KeyMissingError,
    KeystoreDeniedError,
    KeystoreError,
    NotAKeyError,
    State,
)
from mcpy.keystores.entry import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcpy.keystores.base import KeyStore, Source
    from mcpy.keystores.entry import KeyEntry

NOT_A_KEY: Literal["not a key"] = "not a key"
AT_ONCE = 8


def key_of(store: Source, name: str) -> KeyEntry:
    """Return the key an entry holds.

    Raises:
        NotAKeyError: it holds something else.
        KeyMissingError, KeyLockedError, KeystoreError: as ``read`` of the keystore.
    """
    value = store.read(name)
    try:
        return decode(value)
    except IntegrityError as e:
        raise NotAKeyError(name, store.where) from e


def state_of(store: KeyStore, name: str) -> State | Literal["not a key"]:
    """Return the state of an entry, judged by its content where that can be had.

    Raises:
        KeyMissingError, KeystoreError: it cannot be told.
    """
    try:
        key_of(store, name)
    except NotAKeyError:
        return NOT_A_KEY
    except KeyLockedError:
        return "locked"
    except (KeystoreDeniedError, KeyMissingError):
        return store.state(name)
    except KeystoreError as e:
        state = store.state(name)
        if state == "enabled":
            raise e from None  # such as one that is expired: KES fails on it
        return state
    return "enabled"


def strangers(store: KeyStore, names: Sequence[str]) -> list[str]:
    """Return those of ``names`` whose entries hold no key, several read at once.

    Entries that cannot be read, or are locked, do not count.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda name: _is_stranger(store, name), names)
        return [name for name, stranger in zip(names, found, strict=True) if stranger]


def _is_stranger(store: KeyStore, name: str) -> bool:
    if not KEY_NAME.fullmatch(name):
        return True
    try:
        key_of(store, name)
    except NotAKeyError:
        return True
    except (KeystoreError, KeyMissingError):
        return False
    return False
