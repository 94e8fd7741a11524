"""The keys behind one alias: is a key there, does it work, and making it.

The server is asked, because it is the server that has to reach the key; where it has no KMS API
and the alias names a KES, that KES is asked. Keys are made at the alias's KES where it has one:
the identity of a MinIO server is often not allowed to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mcpy.api.kes import KEY_EXISTS, KEY_MISSING
from mcpy.api.madmin import KEY_EXISTS_WORDS
from mcpy.errors import KesError, McpyError, NotFoundError, ProtocolError, S3Error
from mcpy.fleet.default_encryption import KeyBrokenError
from mcpy.fleet.kms_keys import default_key_of, silent_kms
from mcpy.models import bare_key_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.api.kes import Kes
    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.s3 import S3

_NOT_ASKABLE = {400, 403, 404, 405, 426}


@dataclass(frozen=True)
class KeyState:
    """Whether a key works; ``unknown`` where nobody can be asked.

    Attributes:
        name: the key that was tried, the server's own where none was named.
        problem: in the server's words, when it is missing or broken.
    """

    name: str
    is_: Literal["works", "missing", "broken", "unknown"]
    problem: str = ""

    @property
    def usable(self) -> bool:
        """Whether a bucket may depend on it, as far as anybody can tell."""
        return self.is_ in {"works", "unknown"}

    def error(self) -> McpyError:
        """Return what to raise because of a key that is missing or broken."""
        if self.is_ == "missing":
            return NotFoundError(
                f"the KMS has no key `{self.name}`",
                hint=f"mcpy kes key import {self.name} @BACKUP; "
                "`create = true` in the file only if nothing was ever encrypted with it",
            )
        return KeyBrokenError(f"the key `{self.name}` does not work: {self.problem}")


@dataclass
class Site:
    """The clients of one alias; ``kes`` opens its KES and is None where it has none."""

    name: str
    s3: S3
    admin: MinioAdmin
    kes: Callable[[], Kes] | None = None
    _states: dict[str, KeyState] = field(default_factory=dict)

    def key_state(self, key: str, *, again: bool = False) -> KeyState:
        """Try a key, or the server's default one for ``""``; each is tried once.

        Raises:
            UnreachableError: the server's KMS does not answer it.
            UnsupportedError: it is a MinIO without a KMS.
        """
        if again or key not in self._states:
            self._states[key] = self._of_server(key) or self._of_kes(key)
        return self._states[key]

    def create_key(self, key: str) -> KeyState:
        """Make a key, and try it; one that somebody else made meanwhile is as good.

        Raises:
            KeyBrokenError: it was made, and does not work, or is not the server's to see.
        """
        try:
            if self.kes:
                self.kes().create_key(key)
            else:
                self.admin.create_key(key)
        except (KesError, S3Error) as e:
            if KEY_EXISTS not in e.server_message and KEY_EXISTS_WORDS not in e.server_message:
                raise
        state = self.key_state(key, again=True)
        if state.is_ == "works":
            return state
        raise KeyBrokenError(
            f"the key `{key}` was made and cannot be used: {state.problem or 'nobody can try it'}",
            hint=f"mcpy admin kms key status {self.name} {key}",
        )

    def users_of(self, key: str) -> list[str]:
        """Return what is set to encrypt by ``key``: buckets, and the server as a whole."""
        found = []
        for bucket in self.s3.list_buckets():
            default = self.s3.get_bucket_encryption(bucket.name)
            if default and default.key == key:
                found.append(f"{self.name}/{bucket.name}")
        try:
            servers = default_key_of(self.admin)
            if servers is None:
                found.append(f"the server `{self.name}`, which does not name its default key")
            elif servers == bare_key_id(key):
                found.append(f"the server `{self.name}`")
        except (S3Error, ProtocolError):
            pass  # no MinIO, or not ours to ask: the buckets have to do
        return found

    def _of_server(self, key: str) -> KeyState | None:
        try:
            status = self.admin.key_status(key)
        except ProtocolError:
            return None  # another S3 server: it has no such endpoint
        except S3Error as e:
            if e.status in _NOT_ASKABLE:
                return None
            raise
        name = bare_key_id(status.key_id)
        if status.works:
            return KeyState(name, "works")
        if status.kms_silent:  # an outage is no difference from what a file wants
            raise silent_kms(self.name)
        return KeyState(name, "missing" if status.missing else "broken", status.problem)

    def _of_kes(self, key: str) -> KeyState:
        if not (self.kes and key):
            return KeyState(key, "unknown")
        client = self.kes()
        try:
            made = client.generate_key(key)
            if client.decrypt(key, made.ciphertext) != made.plaintext:
                return KeyState(key, "broken", "KES decrypts something else than it encrypted")
        except KesError as e:
            if e.status == 403:
                return KeyState(key, "unknown")
            missing = KEY_MISSING in e.server_message
            return KeyState(key, "missing" if missing else "broken", e.server_message)
        return KeyState(key, "works")
