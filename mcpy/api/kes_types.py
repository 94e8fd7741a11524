"""What KES answers, as values, and how they are read from its JSON."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any

from mcpy.errors import ProtocolError
from mcpy.models import KeyName


@dataclass(frozen=True)
class KeyInfo:
    """What KES tells of a key, never the key; ``created_at`` is RFC 3339 as sent."""

    name: KeyName
    algorithm: str
    created_at: str
    created_by: str


@dataclass(frozen=True)
class DataKey:
    """A data encryption key: 32 bytes in the clear, and the same under the master key."""

    plaintext: bytes = field(repr=False)
    ciphertext: bytes


@dataclass(frozen=True)
class ServerVersion:
    """The build of a KES."""

    version: str
    commit: str


@dataclass(frozen=True)
class PolicyInfo:
    """A policy; ``allow`` and ``deny`` are path patterns, empty where they were not asked for."""

    name: str
    created_at: str
    created_by: str
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@dataclass(frozen=True)
class IdentityInfo:
    """Who an identity is to the server: the admin, or somebody with a policy."""

    identity: str
    admin: bool
    policy: str
    created_at: str
    created_by: str


def key_info(found: dict[str, Any]) -> KeyInfo:
    """Read the answer of ``key/describe``."""
    return KeyInfo(
        name=KeyName(text_of(found, "name")),
        algorithm=str(found.get("algorithm", "")),
        created_at=str(found.get("created_at", "")),
        created_by=str(found.get("created_by", "")),
    )


def policy_info(found: dict[str, Any], name: str) -> PolicyInfo:
    """Read the answer of ``policy/describe`` or ``policy/read``."""
    return PolicyInfo(
        name=str(found.get("name") or name),
        created_at=text_of(found, "created_at"),
        created_by=str(found.get("created_by", "")),
        allow=tuple(sorted(found.get("allow") or ())),
        deny=tuple(sorted(found.get("deny") or ())),
    )


def identity_info(found: dict[str, Any], identity: str) -> IdentityInfo:
    """Read the answer of ``identity/describe``, or of ``identity/self/describe``."""
    policy = found.get("policy", "")
    return IdentityInfo(
        identity=identity,
        admin=found.get("admin") is True,
        # the description of oneself may hold the whole policy
        policy=str(policy.get("name", "") if isinstance(policy, dict) else policy),
        created_at=text_of(found, "created_at"),
        created_by=str(found.get("created_by", "")),
    )


def names_of(found: dict[str, Any], field: str, where: str) -> list[str]:
    """Return a list of names; an answer without one is no empty list."""
    if field not in found or not isinstance(found[field] or [], list):
        raise ProtocolError(f"{where} answered a list without `{field}`")
    return [str(name) for name in found[field] or []]


def with_context(body: dict[str, str], context: bytes) -> dict[str, str]:
    """Add the context a ciphertext is bound to, when there is one."""
    return body | ({"context": b64(context)} if context else {})


def b64(raw: bytes) -> str:
    """Return padded base64."""
    return base64.b64encode(raw).decode()


def bytes_of(
    found: dict[str, Any], name: str, *, size: int | None = None, empty: bool = False
) -> bytes:
    """Return the base64 field ``name``; an absent one would pass for an empty key."""
    try:
        raw = base64.b64decode(found[name], validate=True)
    except (KeyError, TypeError, binascii.Error, ValueError) as e:
        raise ProtocolError(f"KES answered without a valid `{name}`") from e
    if (size is not None and len(raw) != size) or not (raw or empty):
        raise ProtocolError(f"KES answered a `{name}` of {len(raw)} bytes")
    return raw


def text_of(found: dict[str, Any], name: str) -> str:
    """Return the string field ``name``, which has to be there."""
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(f"KES answered without `{name}`: is it a KES?")
    return value
