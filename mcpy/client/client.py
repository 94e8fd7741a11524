"""A MinIO server, or another S3 server, as its administrator sees it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from mcpy.client.connecting import kes_client
from mcpy.client.evidence import Evidence
from mcpy.client.objects import Objects
from mcpy.errors import ConfigError, InputError, McpyError
from mcpy.models import ALGORITHMS, BucketEncryption, Target, check_key_id, check_key_name

if TYPE_CHECKING:
    from mcpy.api.kes import Kes
    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.madmin_types import KeyStatus
    from mcpy.api.minio_config import MinioConfig
    from mcpy.api.s3 import S3
    from mcpy.api.s3xml import Bucket
    from mcpy.client.connecting import Network
    from mcpy.fleet.default_encryption import DefaultSet
    from mcpy.fleet.doctor.step import Step
    from mcpy.fleet.plan.item import Item
    from mcpy.fleet.restart import Restarted
    from mcpy.models import Alias, Scheme


class Client(Objects, Evidence):
    """A MinIO server, or another S3 server, as its administrator sees it.

    Attributes:
        alias: where it is and who asks.
    """

    def __init__(self, alias: Alias, network: Network) -> None:
        self.alias = alias
        self._network = network
        self._closed = False

    def __repr__(self) -> str:
        return f"Client({self.alias.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; the client is of no use afterwards."""
        self._closed = True
        for name in ("s3", "admin", "kes", "config"):
            made = self.__dict__.pop(name, None)
            if made and name != "config":  # which is the admin API's
                (made.http if name == "s3" else made).close()

    def _check_open(self) -> None:
        if self._closed:
            raise McpyError("the client is closed", hint="mcpy.connect(...)")

    @cached_property
    def s3(self) -> S3:  # type: ignore[override]  # made when it is asked for
        """The bare S3 API."""
        from mcpy.api.s3 import S3

        self._check_open()
        return S3(self.alias, self._network.options(self.alias.ca))

    @cached_property
    def admin(self) -> MinioAdmin:  # type: ignore[override]  # made when it is asked for
        """The bare admin and KMS API of MinIO."""
        from mcpy.api.madmin import MinioAdmin

        self._check_open()
        return MinioAdmin(self.alias, self._network.options(self.alias.ca))

    @cached_property
    def config(self) -> MinioConfig:
        """The settings of a MinIO server."""
        from mcpy.api.minio_config import MinioConfig

        return MinioConfig(self.admin)

    @cached_property
    def kes(self) -> Kes:
        """The KES behind the server.

        Raises:
            ConfigError: neither the alias nor ``connect`` names one.
        """
        self._check_open()
        if self.alias.kes is None:
            raise ConfigError(f"`{self.alias.name}` has no KES", hint="connect(..., kes=...)")
        return kes_client(self.alias.kes, self._network)

    def buckets(self) -> list[Bucket]:
        """Return the buckets, by name."""
        return self.s3.list_buckets()

    def make_bucket(self, name: str, *, versioning: bool = False, lock: bool = False) -> None:
        """Make a bucket; one with a lock has versions too."""
        self.s3.make_bucket(name, with_lock=lock)
        if versioning and not lock:
            self.s3.set_versioning(name, status="Enabled")

    def encryption(self, bucket: str) -> BucketEncryption | None:
        """Return what a bucket encrypts new objects with, or None."""
        return self.s3.get_bucket_encryption(bucket)

    def set_encryption(self, bucket: str, scheme: Scheme, key: str = "") -> DefaultSet:
        """Encrypt new objects in a bucket by default: the key is tried first, the rest read back.

        Raises:
            InputError: ``sse-kms`` without a key, or ``sse-s3`` with one.
            McpyError: the key does not work, or the server does not show what it took.
        """
        from mcpy.fleet.default_encryption import set_default

        if scheme not in ALGORITHMS or (scheme == "sse-kms") != bool(key):
            raise InputError("an encryption is `sse-s3`, or `sse-kms` with a key")
        wanted = BucketEncryption(ALGORITHMS[scheme], check_key_id(key) if key else "")
        return set_default(self.s3, self.admin, bucket, wanted)

    def clear_encryption(self, bucket: str) -> bool:
        """Stop encrypting new objects by default; False when there was no default."""
        from mcpy.fleet.default_encryption import clear_default

        return clear_default(self.s3, bucket)

    def info(self) -> dict[str, Any]:
        """Return the state of the deployment as MinIO says it: mode, servers, services, usage."""
        return self.admin.info()

    def restart(self, *, force: bool = False, timeout_s: float = 60.0) -> Restarted:
        """Restart every node, and return when each is proven to be a new process that serves.

        Raises:
            McpyError: it was refused, because the KMS is down and the server would not come back.
            DeadlineError: no proof came in time.
        """
        from mcpy.api.http import Deadline
        from mcpy.fleet.restart import Deployment, restart

        return restart(Deployment(self.admin, self.s3, Deadline(timeout_s)), force=force)

    def create_key(self, name: str, *, if_missing: bool = False) -> bool:
        """Make a KMS key through the server, and try it; False when it was there already.

        Raises:
            McpyError: it exists, unless ``if_missing``; or it does not work.
        """
        from mcpy.fleet.kms_keys import create_key

        return create_key(self.admin, check_key_name(name), if_missing=if_missing)

    def examine(self, bucket: str = "", key: str = "", *, version_id: str = "") -> list[Step]:
        """Return each link between this client and its keys, or to one bucket or object.

        Nothing is changed, and a link that is broken is a step that failed, not an exception.
        """
        from mcpy.client.upkeep import examine

        target = Target(self.alias.name, bucket, key)
        return examine(self, self._network, target, version_id)

    def plan(self, text: str) -> list[Item]:
        """Return how this server differs from a file of ``encrypt plan``, item by item.

        Raises:
            ConfigError: the text says something that cannot be.
            InputError: it speaks of another alias.
        """
        from mcpy.client.upkeep import plan

        return plan(self, text)

    def apply(self, text: str) -> list[Item]:
        """Make this server what such a file says; what failed is an item with an ``error``."""
        from mcpy.client.upkeep import apply

        return apply(self, text)

    def key_status(self, name: str = "") -> KeyStatus:
        """Encrypt and decrypt with a key, or with the server's default key."""
        return self.admin.key_status(name)
