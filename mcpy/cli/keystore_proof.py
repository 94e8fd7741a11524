"""Proof by a KES that it feels what was done to a key at its keystore.

KES says before anything is done what it makes of the key: whoever proves by a KES that does not
answer, or that uses another keystore, is told so while all is as it was.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from mcpy.cli.kes_access import connect
from mcpy.errors import IntegrityError, KesError, McpyError, NotFoundError

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.cli.kes_access import KesOptions
    from mcpy.kesconf.stores import CacheExpiry
    from mcpy.keystores.base import KeyStore
    from mcpy.keystores.entry import KeyEntry

    Seen = Literal["works", "fails", "missing"]

SLACK_S = 20.0
_OTHER_KES = "say which KES it is: --server HOST[:PORT], --alias ALIAS or KES_SERVER"


class Proof:
    """One KES, asked about one key; its client needs ``generate`` on it.

    Args:
        app: the run of mcpy.
        access: which KES.
        store: the keystore it is said to use.
        cache: how long it may go on with a key from its cache.
        key: the name.
    """

    def __init__(
        self, app: App, access: KesOptions, store: KeyStore, cache: CacheExpiry, key: str
    ) -> None:
        self._app = app
        self._kes = connect(app, access, endless=True)
        self._store = store
        self._cache = cache
        self._key = key
        self._began = time.monotonic()

    def before(self, entry: KeyEntry | None) -> None:
        """See that KES answers, and has the key, by ``entry`` unless the key is locked.

        Raises:
            KesError, UnreachableError: KES refuses, or does not answer.
            NotFoundError: it misses the key, so it uses another keystore.
            McpyError: it uses another key of the name, or fails on one that is not locked.
        """
        with self._kes.patience(self._app.settings.timeout_s or 30):
            seen = self._see(entry)
        if seen == "missing":
            raise NotFoundError(
                f"{self._kes.where} has no key `{self._key}`, and {self._store.where} has: "
                "it uses another keystore; nothing was done",
                hint=_OTHER_KES,
            )
        if entry is not None and seen == "fails":
            raise McpyError(
                f"{self._kes.where} fails on `{self._key}`, which is not locked at "
                f"{self._store.where}: nothing was done",
                hint="mcpy kes log error",
            )

    def locked(self) -> None:
        """Wait until KES fails on the key.

        Raises:
            McpyError: it misses it, which is the one thing that must not happen; or no change.
        """
        if self._until({"fails", "missing"}) == "missing":
            raise McpyError(
                f"KES does not find `{self._key}` instead of failing on it: do not restart any "
                "MinIO",
                hint=f"mcpy keystore unlock {self._key} --config FILE",
            )

    def works(self, entry: KeyEntry) -> None:
        """Wait until KES makes a data key under ``entry``."""
        self._until({"works"}, entry)

    def gone(self) -> None:
        """Wait until KES misses the key."""
        self._until({"missing"})

    def _until(self, wanted: set[Seen], entry: KeyEntry | None = None) -> Seen:
        """Ask seldom enough to let the key go unused, and so out of the cache."""
        pause_s = self._cache.unused_s + 1 if self._cache.unused_s else 1.0
        limit_s, give_up = self._limit()
        with self._app.out.spinner("waiting for KES to feel it"):
            while True:
                with self._kes.patience(max(1.0, min(30.0, give_up - time.monotonic()))):
                    seen = self._see(entry)
                if seen in wanted:
                    return seen
                if time.monotonic() + min(1.0, pause_s) > give_up:
                    raise McpyError(
                        f"{self._kes.where} shows no change after {limit_s:g} s",
                        hint="is it this KES that uses the keystore? A SIGHUP empties its cache",
                    )
                time.sleep(min(pause_s, max(0.0, give_up - time.monotonic())))

    def _limit(self) -> tuple[float, float]:
        """Return how long to wait in seconds, and until when."""
        given_s = self._app.settings.timeout_s
        if given_s:
            return given_s, self._began + given_s
        limit_s = self._cache.any_s + SLACK_S
        return limit_s, time.monotonic() + limit_s

    def _see(self, entry: KeyEntry | None) -> Seen:
        """Use the key once.

        Raises:
            KesError: KES refuses by something else than failing on the key, or missing it.
            McpyError: what it makes does not open by ``entry``.
        """
        try:
            made = self._kes.generate_key(self._key)
        except KesError as e:
            seen: dict[int, Seen] = {404: "missing", 502: "fails"}
            if e.status not in seen:
                raise
            return seen[e.status]
        if entry is not None and not _opens(entry, made.ciphertext, made.plaintext):
            raise McpyError(
                f"{self._kes.where} uses another key of the name `{self._key}` than "
                f"{self._store.where} has: it uses another keystore",
                hint=_OTHER_KES,
            )
        return "works"


def _opens(entry: KeyEntry, ciphertext: bytes, plaintext: bytes) -> bool:
    from mcpy.keystores.seal import unseal

    try:
        return unseal(entry, ciphertext) == plaintext
    except IntegrityError:
        return False
