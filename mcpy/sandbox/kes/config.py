"""The KES server's configuration file: what of it matters here, and its errors."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError, McpyError, UnsupportedError
from mcpy.kesconf.reading import read_keystore
from mcpy.kesconf.stores import OWN_TOKEN, FsStore, VaultStore, present
from mcpy.sandbox.kes.document import ConfigProblem, Section
from mcpy.sandbox.kes.log import DEBUG, ERROR, INFO, WARN
from mcpy.sandbox.kes.policy import Policy, valid_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mcpy.kesconf.stores import StoreConfig
    from mcpy.keystores.base import KeyStore

_LEVELS = {"DEBUG": DEBUG, "INFO": INFO, "WARN": WARN, "ERROR": ERROR}
_NO_CONFIG = "kesconf: invalid"
_KEYSTORE_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class ApiOption:
    """What the configuration changes about one route; ``timeout_s`` 0 keeps the default."""

    skip_auth: bool = False
    timeout_s: float = 0


@dataclass(frozen=True)
class TlsOptions:
    """The server's certificate and how it looks at its clients'.

    Attributes:
        key: path of the private key.
        cert: path of the certificate.
        password: of an encrypted private key.
        verify: whether a client's certificate is verified against ``ca``.
        ca: file or folder of authorities.
    """

    key: Path
    cert: Path
    password: str = field(default="", repr=False)
    verify: bool = False
    ca: Path | None = None


@dataclass(frozen=True)
class KesConfig:
    """A KES server's configuration.

    Attributes:
        address: ``host:port``, empty when the file has none.
        admin: identity of the administrator.
        store: what the keys are kept in.
        keys: to be created at start when missing.
    """

    address: str
    admin: str
    tls: TlsOptions
    store: StoreConfig
    policies: Mapping[str, Policy] = field(default_factory=dict)
    api: Mapping[str, ApiOption] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    audit_level: int = INFO
    error_level: int = INFO

    @property
    def needs_certificate(self) -> bool:
        """Whether TLS refuses clients without a certificate: unless some route skips auth."""
        return not any(option.skip_auth for option in self.api.values())

    def identities(self) -> dict[str, Policy]:
        """Return every identity but the admin's with its policy."""
        return {i: policy for policy in self.policies.values() for i in policy.identities}

    def open_keystore(self) -> KeyStore:
        """Return the keystore the configuration names, once it answers.

        Raises:
            ConfigProblem: it cannot be opened, or nobody answers.
        """
        from mcpy.keystores import open_store
        from mcpy.keystores.web import WebOptions

        if isinstance(self.store, FsStore):
            _make_folder(Path(self.store.path))
        try:
            # a KES has the credentials of its file: what an operator's shell holds is not for it
            opened = open_store(self.store, {}, WebOptions(timeout_s=_KEYSTORE_TIMEOUT_S))
            opened.ping()
        except McpyError as e:
            raise ConfigProblem(f"kes: keystore unreachable: {e}") from e
        return opened


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as e:
        raise ConfigProblem(f"fs: '{path}' is not a directory") from e
    except OSError as e:
        raise ConfigProblem(f"fs: {path}: {e.strerror}") from e


def load(path: Path, env: Mapping[str, str] = os.environ) -> KesConfig:
    """Read a configuration file.

    Raises:
        ConfigProblem: it cannot be read or used.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigProblem(str(e)) from e
    return parse(text, env)


def parse(text: str, env: Mapping[str, str]) -> KesConfig:
    """Read a configuration; checks come in the order a real server has them.

    Raises:
        ConfigProblem: it cannot be used.
    """
    root = Section.read(text, env)
    _check_version(root.section("version"))
    admin = root.section("admin").text("identity")
    if not admin:
        raise ConfigProblem(f"{_NO_CONFIG} admin identity: no admin identity")
    proxies = root.section("tls").section("proxy").texts("identities")
    tls = _tls(root.section("tls"), admin, proxies)
    policies = {p.name: p for p in _policies(root.section("policy"), admin, proxies)}
    _check_cache(root.section("cache").section("expiry"))
    error_level, audit_level = (log_level(root.section("log").text(n)) for n in ("error", "audit"))
    api = dict(_api(root.section("api")))
    keys = _keys(root)
    store = _keystore(root, env)
    _check_assignment(policies.values())
    return KesConfig(
        root.text("address"), admin, tls, store, policies, api, keys, audit_level, error_level
    )


def _check_version(version: Section) -> None:
    if version.node.kind == "mapping":
        raise ConfigProblem(f"{_NO_CONFIG} config version at line '{version.node.line}'")
    value = version.scalar(expand=False)
    if value not in {"", "v1"}:
        raise ConfigProblem(f"edge: invalid server config version '{value}'")


def _tls(section: Section, admin: str, proxies: list[str]) -> TlsOptions:
    key, cert, auth = section.text("key"), section.text("cert"), section.text("auth")
    if not key:
        raise ConfigProblem(f"{_NO_CONFIG} tls config: no private key")
    if not cert:
        raise ConfigProblem(f"{_NO_CONFIG} tls config: no certificate")
    if auth.lower() not in {"", "on", "off"}:
        raise ConfigProblem(f"{_NO_CONFIG} tls config: invalid auth '{{ {auth}}}'")
    if admin in proxies:
        raise ConfigProblem(f"{_NO_CONFIG} tls proxy: identity '{admin}' is already admin")
    ca = section.text("ca")
    return TlsOptions(
        Path(key),
        Path(cert),
        section.text("password"),
        auth.lower() == "on",
        Path(ca) if ca else None,
    )


def _policies(section: Section, admin: str, proxies: list[str]) -> Iterator[Policy]:
    for name, policy in section.items():
        identities = policy.texts("identities")
        for identity in identities:
            if identity == admin:
                raise _taken(name, identity, "admin")
            if identity in proxies:
                raise _taken(name, identity, "a TLS proxy")
        yield Policy(
            name,
            frozenset(policy.texts("allow", expand=False)),
            frozenset(policy.texts("deny", expand=False)),
            tuple(identities),
        )


def _taken(policy: str, identity: str, by: str) -> ConfigProblem:
    return ConfigProblem(f"{_NO_CONFIG} policy '{policy}': identity '{identity}' is already {by}")


def _check_assignment(policies: Iterable[Policy]) -> None:
    """Refuse what a real server refuses when it starts rather than when it reads."""
    assigned: set[str] = set()
    for policy in policies:
        if not valid_name(policy.name):
            raise _bad_name("policy name", policy.name)
        for identity in policy.identities:
            if not valid_name(identity):
                raise _bad_name("identity", identity)
            if identity in assigned:
                raise ConfigProblem(
                    f"kes: cannot assign policy '{policy.name}' to '{identity}': "
                    "identity already has a policy"
                )
            assigned.add(identity)


def _bad_name(kind: str, name: str) -> ConfigProblem:
    return ConfigProblem(f"kes: {kind} '{name}' is empty, too long or contains invalid characters")


def _check_cache(expiry: Section) -> None:
    """Durations are checked, then forgotten: nothing is cached here."""
    texts = (("any", "cache expiry"), ("unused", "cache unused expiry"))
    for name, text in (*texts, ("offline", "offline cache expiry")):
        if expiry.seconds(name) < 0:
            raise ConfigProblem(f"{_NO_CONFIG} {text} '{expiry.text(name)}'")


def log_level(text: str) -> int:
    """Return the level ``on``, ``off``, ``WARN``, ``INFO+2`` or a number stands for.

    Raises:
        ConfigProblem: none of these.
    """
    name = text.strip().upper()
    pseudo = {"": INFO, "ON": INFO, "OFF": ERROR + 1}
    if name in pseudo:
        return pseudo[name]
    base = next((level for level in _LEVELS if name.startswith(level)), None)
    if base is None:
        return _number(name, f'strconv.Atoi: parsing "{name}": invalid syntax')
    level, plus, suffix = name.partition("+")
    if level.strip() != base or (not plus and name != base):
        raise ConfigProblem(f"{_NO_CONFIG} log level '{name}'")
    if not plus:
        return _LEVELS[base]
    syntax = f'strconv.Atoi: parsing "{suffix}": invalid syntax'
    return _LEVELS[base] + _number(suffix, f"{_NO_CONFIG} log level suffix '{suffix}': {syntax}")


def _number(text: str, problem: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ConfigProblem(problem)
    return int(text)


def _api(section: Section) -> Iterator[tuple[str, ApiOption]]:
    for path, option in section.items():
        timeout_s = option.seconds("timeout")
        if timeout_s < 0:
            raise ConfigProblem(
                f"{_NO_CONFIG} timeout '{round(timeout_s * 1e9)}' for API '{path}'"
            )
        yield path, ApiOption(option.flag("skip_auth"), timeout_s)


def _keys(root: Section) -> tuple[str, ...]:
    names: list[str] = []
    for key in root.entries("keys"):
        name = key.text("name")
        if name in names:
            raise ConfigProblem(f"{_NO_CONFIG} key config: key '{name}' is defined multiple times")
        names.append(name)
    return tuple(names)


def _keystore(root: Section, env: Mapping[str, str]) -> StoreConfig:
    named = present(root.node)
    if not named:
        raise ConfigProblem("kesconf: no keystore specified")
    if len(named) > 1:
        raise ConfigProblem(f"{_NO_CONFIG} keystore config: more than once keystore specified")
    invalid = f"{_NO_CONFIG} {named[0]} keystore"
    try:
        # a token of an operator's shell is not for a KES, which signs in by its file
        of_kes = {name: value for name, value in env.items() if name != OWN_TOKEN}
        store = read_keystore(root.node, Path("config"), of_kes).store
    except (ConfigError, UnsupportedError) as e:
        raise ConfigProblem(f"{invalid}: {e}") from e
    if isinstance(store, VaultStore) and store.login is None:
        raise ConfigProblem(f"{invalid}: no authentication method specified")
    return store
