"""Who may sign requests: the root user, users made by the admin API, and sessions of either.

Users and policies lie in one file, written whole and readable by its owner alone. A session needs
no place: its token says who and until when, signed with the root user's secret, and its secret
key follows from its access key.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Document = dict[str, Any]

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def _allowing(*actions: str, resource: str = "arn:aws:s3:::*") -> Document:
    statement: Document = {"Effect": "Allow", "Action": list(actions)}
    if resource:
        statement["Resource"] = [resource]
    return statement


CANNED: dict[str, list[Document]] = {
    "readwrite": [_allowing("s3:*")],
    "readonly": [_allowing("s3:GetBucketLocation", "s3:GetObject")],
    "writeonly": [_allowing("s3:PutObject")],
    "diagnostics": [
        _allowing(
            "admin:Profiling",
            "admin:ServerTrace",
            "admin:ConsoleLog",
            "admin:ServerInfo",
            "admin:TopLocksInfo",
            "admin:OBDInfo",
            "admin:BandwidthMonitor",
            "admin:Prometheus",
        )
    ],
    "consoleAdmin": [
        _allowing("admin:*", resource=""),
        _allowing("kms:*", resource=""),
        _allowing("s3:*"),
    ],
}


@dataclass(frozen=True)
class User:
    """Somebody the admin API made; ``policies`` are names."""

    secret: str = field(repr=False)
    enabled: bool = True
    policies: tuple[str, ...] = ()
    updated: str = ""


class UnknownUserError(LookupError):
    """There is no such user."""


class UnknownPolicyError(LookupError):
    """There is no such policy."""


class Identities(Mapping[str, str]):
    """The secret key of everybody who may sign, by access key.

    Args:
        root: the root user's keys; it may everything.
        path: where users and policies are kept; None to keep none.
    """

    def __init__(self, root: Mapping[str, str], path: Path | None = None) -> None:
        self.root = dict(root)
        self._path = path
        self._lock = threading.Lock()
        self.users: dict[str, User] = {}
        self.policies = {
            name: {"Version": "2012-10-17", "Statement": list(statements)}
            for name, statements in CANNED.items()
        }
        if path is not None and path.exists():
            kept = json.loads(path.read_text("utf-8"))
            self.users = {
                name: User(**{**user, "policies": tuple(user["policies"])})
                for name, user in kept["users"].items()
            }
            self.policies = kept["policies"]

    def __getitem__(self, access_key: str) -> str:
        if access_key in self.root:
            return self.root[access_key]
        user = self.users[access_key]
        if not user.enabled:
            raise KeyError(access_key)
        return user.secret

    def __contains__(self, access_key: object) -> bool:
        user = self.users.get(str(access_key))
        return access_key in self.root or (user is not None and user.enabled)

    def __iter__(self) -> Iterator[str]:
        return iter({**self.root, **self.users})

    def __len__(self) -> int:
        return len(self.root) + len(self.users)

    # who may what

    def documents(self, access_key: str, token: str = "") -> list[list[Document]]:
        """Return the sets of policies of which each has to allow a request; none for root."""
        claims = self._claims(token) if token else None
        parent = claims["parent"] if claims else access_key
        sets = []
        if parent not in self.root:
            user = self.users.get(parent)
            names = user.policies if user else ()
            sets.append([self.policies[name] for name in names if name in self.policies])
        if claims and claims.get("policy"):
            sets.append([claims["policy"]])
        return sets

    def account_of(self, access_key: str, token: str = "") -> str:
        """Return the user an access key belongs to: of a session its parent."""
        claims = self._claims(token) if token else None
        return str(claims["parent"]) if claims else access_key

    # users

    def put_user(self, access_key: str, secret: str, *, enabled: bool) -> None:
        """Make a user, or give one a new secret."""
        with self._changing():
            old = self.users.get(access_key) or User(secret)
            self.users[access_key] = replace(
                old, secret=secret or old.secret, enabled=enabled, updated=_now()
            )

    def remove_user(self, access_key: str) -> None:
        """Forget a user.

        Raises:
            UnknownUserError: there is none.
        """
        with self._changing():
            if self.users.pop(access_key, None) is None:
                raise UnknownUserError(access_key)

    def change_user(
        self,
        access_key: str,
        *,
        enabled: bool | None = None,
        policies: tuple[str, ...] | None = None,
    ) -> None:
        """Set what is given of a user.

        Raises:
            UnknownUserError: there is none.
            UnknownPolicyError: one of its ``policies`` does not exist.
        """
        with self._changing():
            old = self.users.get(access_key)
            if old is None:
                raise UnknownUserError(access_key)
            for name in policies or ():
                if name not in self.policies:
                    raise UnknownPolicyError(name)
            self.users[access_key] = replace(
                old,
                enabled=old.enabled if enabled is None else enabled,
                policies=old.policies if policies is None else policies,
                updated=_now(),
            )

    # policies

    def put_policy(self, name: str, document: Document) -> None:
        """Make a policy, or change one."""
        with self._changing():
            self.policies[name] = document

    def remove_policy(self, name: str) -> None:
        """Forget a policy.

        Raises:
            UnknownPolicyError: there is none.
        """
        with self._changing():
            if self.policies.pop(name, None) is None:
                raise UnknownPolicyError(name)

    # sessions

    def open_session(
        self, parent: str, expires: datetime, policy: Document | None
    ) -> tuple[str, str, str]:
        """Return access key, secret key and token of a session of ``parent``."""
        start = "".join(secrets.choice(_ALPHABET) for _ in range(12))
        access_key = start + self._check_digits(start)
        claims: Document = {
            "accessKey": access_key,
            "exp": int(expires.timestamp()),
            "parent": parent,
        }
        if policy is not None:
            claims["policy"] = policy
        body = ".".join(map(_b64, (_json({"alg": "HS512", "typ": "JWT"}), _json(claims))))
        return access_key, self._session_secret(access_key), f"{body}.{self._signature(body)}"

    def names_session(self, access_key: str) -> bool:
        """Tell whether an access key is one of a session, over or not."""
        start, end = access_key[:12], access_key[12:]
        return hmac.compare_digest(end.encode(), self._check_digits(start).encode())

    def session_secret(self, access_key: str, token: str) -> str | None:
        """Return the secret key of a session, None if the token is not of one that lasts."""
        claims = self._claims(token)
        if claims is None or claims.get("accessKey") != access_key:
            return None
        return self._session_secret(access_key) if claims["parent"] in self else None

    def _claims(self, token: str) -> Document | None:
        body, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(body).encode()):
            return None
        try:
            text = body.partition(".")[2]
            claims: Document = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (binascii.Error, ValueError):
            return None
        return claims if claims["exp"] > datetime.now(UTC).timestamp() else None

    def _session_secret(self, access_key: str) -> str:
        digest = hmac.digest(self._key, b"session " + access_key.encode(), "sha256")
        return base64.b64encode(digest).decode()[:40]

    def _check_digits(self, start: str) -> str:
        digest = hmac.digest(self._key, b"key " + start.encode(), "sha256")
        return base64.b32encode(digest).decode()[:8]

    def _signature(self, body: str) -> str:
        return _b64(hmac.digest(self._key, body.encode(), "sha512"))

    @property
    def _key(self) -> bytes:
        return "\0".join(f"{name}\0{secret}" for name, secret in self.root.items()).encode()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            yield
            self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        users = {name: asdict(user) for name, user in self.users.items()}
        new = self._path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"users": users, "policies": self.policies}, file)
        new.replace(self._path)


def names_of(text: str) -> tuple[str, ...]:
    """Return the policies a comma-separated list names."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
