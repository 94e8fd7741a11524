"""What ``stat`` says of a bucket: its settings and its usage, as far as they may be read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from mcpy.api.s3xml import ObjectLock
from mcpy.cli.sizes import human_size
from mcpy.errors import ApiError, ProtocolError, S3Error, UnsupportedError
from mcpy.jsontext import loads

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.s3 import S3
    from mcpy.models import BucketEncryption, Target

T = TypeVar("T")
_NO_LOCK = ObjectLock()
_COUNTED = (
    "size",
    "objectsPendingReplicationTotalSize",
    "objectsFailedReplicationTotalSize",
    "objectsReplicatedTotalSize",
    "objectReplicaTotalSize",
    "objectsPendingReplicationCount",
    "objectsFailedReplicationCount",
    "versionsCount",
    "objectsCount",
    "deleteMarkersCount",
)
_HISTOGRAMS = ("objectsSizesHistogram", "objectsVersionsHistogram")
_NO_NOTIFICATIONS = {
    "config": {
        "XMLName": {
            "Space": "http://s3.amazonaws.com/doc/2006-03-01/",
            "Local": "NotificationConfiguration",
        },
        "LambdaConfigs": None,
        "TopicConfigs": None,
        "QueueConfigs": None,
    }
}


@dataclass(frozen=True)
class BucketStat:
    """One bucket.

    Attributes:
        encryption: None when it has no default.
        unknown: what this server does not tell, or not to these credentials.
    """

    target: Target
    encryption: BucketEncryption | None
    versioning: tuple[str, str] = ("", "")
    lock: ObjectLock = _NO_LOCK
    policy: str = ""
    location: str = ""
    replicated: bool = False
    usage: dict[str, Any] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """Return mc's fields; ``unknown`` names those that could not be read."""
        encryption: dict[str, str] = {}
        if self.encryption:
            encryption = {"algorithm": self.encryption.algorithm}
            encryption |= {"keyId": self.encryption.key_id} if self.encryption.key_id else {}
        lock = self.lock
        found: dict[str, Any] = {
            "status": "success",
            "name": self.target.bucket + "/",
            "lastModified": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "size": 0,
            "type": "folder",
            "Versioning": {"status": self.versioning[0], "MFADelete": self.versioning[1]},
            "Encryption": encryption,
            "ObjectLock": {"enabled": lock.enabled, "mode": lock.mode, "validity": lock.validity},
            "Replication": {
                "enabled": self.replicated,
                "config": {"Rules": None, "Role": ""},
            },
            "Policy": {"type": _policy_type(self.policy)}
            | ({"policy": self.policy} if self.policy else {}),
            "location": self.location,
            "ilm": {},
            "notification": _NO_NOTIFICATIONS,
            "Usage": {name: self.usage.get(name, 0) for name in _COUNTED}
            | {name: self.usage.get(name) for name in _HISTOGRAMS},
        }
        return found | ({"unknown": list(self.unknown)} if self.unknown else {})

    def text(self) -> str:
        """Return one setting a line; the default encryption comes last."""
        found = self.encryption
        shown = "none"
        if found:
            shown = f"{found.algorithm}{f' ({found.key})' if found.key_id else ''}"
        rows = [
            ("Name", self.target.bucket),
            ("Type", "bucket"),
            ("Versioning", self.versioning[0]),
            ("Lock", " ".join(filter(None, (self.lock.mode, self.lock.validity)))),
            ("Location", self.location),
            ("Anonymous", "" if not self.policy else _policy_type(self.policy)),
            ("Usage", self._usage()),
            ("Unknown", ", ".join(self.unknown)),
            ("Encryption", shown),
        ]
        return "\n".join(f"{name:<10}: {value}" for name, value in rows if value)

    def _usage(self) -> str:
        if not self.usage:
            return ""
        size = human_size(int(self.usage.get("size", 0)))
        return f"{size}, {self.usage.get('objectsCount', 0)} objects"


def _policy_type(policy: str) -> str:
    """Return ``none``, ``readonly``, ``writeonly``, ``readwrite`` or ``custom``, as mc does."""
    if not policy:
        return "none"
    try:
        statements = loads(policy).get("Statement", [])
        actions = {
            action
            for statement in statements
            if statement.get("Effect") == "Allow" and "*" in json.dumps(statement["Principal"])
            for action in _listed(statement.get("Action", []))
        }
    except (ValueError, KeyError, AttributeError, TypeError):
        return "custom"
    kinds = {
        (True, True): "readwrite",
        (True, False): "readonly",
        (False, True): "writeonly",
    }
    return kinds.get(("s3:GetObject" in actions, "s3:PutObject" in actions), "custom")


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def bucket_stat(client: S3, admin: MinioAdmin, target: Target) -> BucketStat:
    """Ask for all that concerns a bucket.

    Raises:
        S3Error: there is no such bucket, or its default encryption may not be read.
    """
    unknown: list[str] = []

    def ask(name: str, question: Callable[[], T], otherwise: T) -> T:
        try:
            return question()
        except (ApiError, ProtocolError, UnsupportedError) as e:
            if isinstance(e, S3Error) and e.api_code == "NoSuchBucket":
                raise
            unknown.append(name)
            return otherwise

    bucket = target.bucket
    return BucketStat(
        target,
        client.get_bucket_encryption(bucket),
        ask("Versioning", lambda: client.versioning(bucket), ("", "")),
        ask("ObjectLock", lambda: client.object_lock(bucket), ObjectLock()),
        ask("Policy", lambda: client.bucket_policy(bucket), ""),
        ask("location", lambda: client.location(bucket), ""),
        ask("Replication", lambda: bool(client.bucket_setting(bucket, "replication")), False),
        ask("Usage", lambda: admin.bucket_usage(bucket), {}),
        tuple(unknown),
    )
