"""KES policies: what they let an identity do, and what MinIO needs of them.

The admin may do anything. For anybody else the first matching deny refuses, then a matching allow
lets pass, and what matches nothing is refused. A pattern that ends in ``*`` is a prefix of the
path; any other is the path itself.

Source: https://min.io/docs/kes/tutorials/configuration
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpy.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

ANY_KEY = "a-key-of-any-name"


@dataclass(frozen=True)
class Policy:
    """Path patterns; ``identities`` are those the policy is for, where a config says so."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policies:
    """The policies of one KES by name; a document that is one policy calls it ``""``."""

    by_name: Mapping[str, Policy]
    admin: str = ""

    def of(self, identity: str) -> tuple[str, Policy]:
        """Return name and rules of an identity's policy; the admin's is called ``""``.

        Raises:
            NotFoundError: no policy names the identity.
        """
        if identity == self.admin:
            return "", Policy(allow=("*",))
        for name, policy in self.by_name.items():
            if identity in policy.identities:
                return name, policy
        raise NotFoundError(f"no policy names the identity `{identity}`")

    def named(self, name: str) -> Policy:
        """Return a policy.

        Raises:
            NotFoundError: there is none of that name.
        """
        if name not in self.by_name:
            known = ", ".join(sorted(self.by_name)) or "none"
            raise NotFoundError(f"no policy `{name}` (there is: {known})")
        return self.by_name[name]


@dataclass(frozen=True)
class Decision:
    """Whether a path is allowed, and by which pattern; ``rule`` is ``""`` when none matched."""

    allowed: bool
    rule: str = ""


@dataclass(frozen=True)
class Need:
    """One call of MinIO's; ``{key}`` in the path stands for the key's name."""

    name: str
    method: str
    path: str
    purpose: str
    required: bool = False
    body: Mapping[str, str] | None = field(default=None, hash=False)


NEEDS = (
    Need("generate", "PUT", "/v1/key/generate/{key}", "encrypts new objects", required=True),
    Need(
        "decrypt",
        "PUT",
        "/v1/key/decrypt/{key}",
        "reads encrypted objects",
        required=True,
        body={"ciphertext": "AAAA"},
    ),
    Need("create", "PUT", "/v1/key/create/{key}", "makes keys: admin kms key create"),
    Need("describe", "GET", "/v1/key/describe/{key}", "asks every 10 s whether the key is there"),
    Need("list", "GET", "/v1/key/list/", "lists keys: admin kms key list"),
    Need("status", "GET", "/v1/status", "shows the KMS: admin info, admin kms status"),
    Need("api", "GET", "/v1/api", "shows what the KMS can do"),
    Need("metrics", "GET", "/v1/metrics", "passes on the counters of the KMS"),
    Need(
        "hmac",
        "PUT",
        "/v1/key/hmac/{key}",
        "derives root credentials where none are set",
        body={"message": "AAAA"},
    ),
)


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern covers a path."""
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return path == pattern


def decide(policy: Policy, path: str) -> Decision:
    """Return what KES would decide on a path."""
    for rule in policy.deny:
        if matches(rule, path):
            return Decision(allowed=False, rule=rule)
    for rule in policy.allow:
        if matches(rule, path):
            return Decision(allowed=True, rule=rule)
    return Decision(allowed=False)


def parse(document: Any, where: str) -> Policies:  # noqa: ANN401 - parsed JSON or YAML
    """Read a KES config, or one policy as ``kes policy show --json`` prints it.

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(document, dict) and isinstance(document.get("policy"), dict):
        admin = document.get("admin")
        policies = {
            str(name): _policy(rules or {}, f"{where}: policy `{name}`")
            for name, rules in document["policy"].items()
        }
        identity = admin.get("identity", "") if isinstance(admin, dict) else ""
        return Policies(policies, str(identity))
    if isinstance(document, dict) and {"allow", "deny"} & document.keys():
        return Policies({"": _policy(document, where)})
    raise ConfigError(f"{where} is neither a KES config with policies nor a policy")


def _policy(rules: Any, where: str) -> Policy:  # noqa: ANN401 - parsed JSON or YAML
    if not isinstance(rules, dict):
        raise ConfigError(f"{where} is not a mapping")
    return Policy(*(_strings(rules, name, where) for name in ("allow", "deny", "identities")))


def _strings(rules: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    """Return a list of strings; KES's API has the patterns as the names of an object."""
    found = rules.get(name) or ()
    if not isinstance(found, list | dict | tuple) or not all(isinstance(s, str) for s in found):
        raise ConfigError(f"{where}: `{name}` is not a list of strings")
    return tuple(found)
