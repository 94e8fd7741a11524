"""Reading the keystore of a KES configuration; an error names file, line and field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.errors import ConfigError, UnsupportedError
from mcpy.kesconf.document import endpoint_fault, load, seconds
from mcpy.kesconf.stores import (
    DEFAULT_ANY_S,
    OWN_TOKEN,
    SECTIONS,
    AwsStore,
    AzureStore,
    CacheExpiry,
    CipherTrustStore,
    FsStore,
    GcpStore,
    KeystoreFile,
    VaultLogin,
    VaultStore,
    present,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mcpy.kesconf.document import Node
    from mcpy.kesconf.stores import StoreConfig


def load_keystore(path: Path, env: Mapping[str, str]) -> KeystoreFile:
    """Read the keystore and cache sections of a file; the rest of it may be anything.

    Raises:
        ConfigError: the file, a field or a variable is unusable; file and line are named.
        UnsupportedError: a provider mcpy has no client for.
    """
    return read_keystore(load(path), path, env)


def read_keystore(root: Node, path: Path, env: Mapping[str, str]) -> KeystoreFile:
    """Read the same of a document; ``path`` stands in messages. Raises as ``load_keystore``."""
    provider = (read := _Reader(str(path), env)).provider(root)
    if provider not in _STORES:
        raise UnsupportedError(f"{path}: the keystore `{provider}` is not supported by mcpy")
    section = root.at(f"keystore.{SECTIONS[provider]}")
    return KeystoreFile(path, provider, _STORES[provider](read, section), read.cache(root))


class _Reader:
    """Gives fields as text, expanded; an error names file, line and field."""

    def __init__(self, name: str, env: Mapping[str, str]) -> None:
        self._name = name
        self._env = env

    @property
    def own_token(self) -> bool:
        """Whether the environment has a Vault token that goes before the file's sign-in."""
        return bool(self._env.get(OWN_TOKEN))

    def provider(self, root: Node) -> str:
        found = present(root)
        if len(found) == 1:
            return found[0]
        if found:
            raise self.error(root.at("keystore"), f"several keystores: {', '.join(found)}")
        hint = f"mcpy kes config lint {self._name}"
        raise ConfigError(f"{self._name} names no keystore", hint=hint)

    def error(self, node: Node, text: str) -> ConfigError:
        return ConfigError(
            f"{self._name}:{node.line}: {text}", hint=f"mcpy kes config lint {self._name}"
        )

    def text(self, section: Node, path: str, default: str = "", *, required: bool = False) -> str:
        node = section.at(path)
        if node and node.kind != "scalar":
            raise self.error(node, f"`{node.path}` must be text")
        found = node.expanded(self._env) if node else ""
        if found is None:
            raise self.error(
                node, f"`{node.path}` wants the environment variable {node.variable}: not set"
            )
        if required and not found:
            raise self.error(section, f"`{node.path}` is missing")
        if path == "endpoint" and (fault := endpoint_fault(found or "")):
            raise self.error(node, f"`{node.path}` {fault}")
        return found or default

    def cache(self, root: Node) -> CacheExpiry:
        expiry = root.at("cache.expiry")
        any_s, unused_s, offline_s = (
            self.seconds(expiry, n) for n in ("any", "unused", "offline")
        )
        # measured: without `unused` KES sets `any` to 30 s, whatever the file says
        return CacheExpiry(any_s or 300.0 if unused_s else DEFAULT_ANY_S, unused_s, offline_s)

    def seconds(self, section: Node, name: str) -> float:
        try:
            return seconds(self.text(section, name))
        except ValueError as e:
            raise self.error(section.at(name), str(e)) from e


def _fs(read: _Reader, at: Node) -> FsStore:
    return FsStore(read.text(at, "path", required=True))


def _vault(read: _Reader, at: Node) -> VaultStore:
    version = read.text(at, "version", "v1")
    if version not in {"v1", "v2"}:
        raise read.error(at.at("version"), "`version` must be v1 or v2")
    return VaultStore(
        endpoint=read.text(at, "endpoint", required=True),
        # KES takes slashes around both, and Vault's paths have none
        engine=read.text(at, "engine", "kv").strip("/"),
        version=version,
        namespace=read.text(at, "namespace"),
        prefix=read.text(at, "prefix").strip("/"),
        login=_vault_login(read, at),
        transit_engine=read.text(at, "transit.engine", "transit") if at.at("transit") else "",
        transit_key=read.text(at, "transit.key", required=True) if at.at("transit") else "",
        client_cert=read.text(at, "tls.cert"),
        client_key=read.text(at, "tls.key"),
        ca=read.text(at, "tls.ca"),
    )


def _vault_login(read: _Reader, at: Node) -> VaultLogin | None:
    """Return how to sign in; None leaves it to a token of the environment, as KES cannot.

    With a token of the operator's own nobody has to know what KES signs in with.
    """
    fields = {"approle": ("id", "secret"), "kubernetes": ("role", "jwt")}
    found = [method for method in fields if at.at(method)]
    if len(found) > 1:
        raise read.error(at, "approle and kubernetes: keep one")
    if not found:
        return None
    if read.own_token:
        return None
    section = at.at(found[0])
    name, secret = fields[found[0]]
    return VaultLogin(
        found[0],
        read.text(section, "engine", found[0]),
        read.text(section, "namespace"),
        read.text(section, name, required=name == "id"),
        read.text(section, secret, required=True),
    )


def _aws(read: _Reader, at: Node) -> AwsStore:
    return AwsStore(
        endpoint=read.text(at, "endpoint", required=True),
        region=read.text(at, "region", required=True),
        kms_key=read.text(at, "kmskey"),
        access_key=read.text(at, "credentials.accesskey"),
        secret_key=read.text(at, "credentials.secretkey"),
        session_token=read.text(at, "credentials.token"),
    )


def _gcp(read: _Reader, at: Node) -> GcpStore:
    return GcpStore(
        project=read.text(at, "project_id", required=True),
        endpoint=read.text(at, "endpoint"),
        scopes=tuple(item.text for item in at.at("scopes").items),
        client_email=read.text(at, "credentials.client_email"),
        client_id=read.text(at, "credentials.client_id"),
        private_key_id=read.text(at, "credentials.private_key_id"),
        # environment variables hold no newlines as a rule, so KES takes a literal \n for one
        private_key=read.text(at, "credentials.private_key").replace("\\n", "\n"),
    )


def _azure(read: _Reader, at: Node) -> AzureStore:
    return AzureStore(
        endpoint=read.text(at, "endpoint", required=True),
        tenant_id=read.text(at, "credentials.tenant_id"),
        client_id=read.text(at, "credentials.client_id"),
        client_secret=read.text(at, "credentials.client_secret"),
        managed_identity=read.text(at, "managed_identity.client_id"),
    )


def _ciphertrust(read: _Reader, at: Node) -> CipherTrustStore:
    return CipherTrustStore(
        endpoint=read.text(at, "endpoint", required=True),
        token=read.text(at, "credentials.token", required=True),
        domain=read.text(at, "credentials.domain"),
        ca=read.text(at, "tls.ca"),
    )


_STORES: dict[str, Callable[[_Reader, Node], StoreConfig]] = {
    "fs": _fs,
    "vault": _vault,
    "aws": _aws,
    "gcp": _gcp,
    "azure": _azure,
    "ciphertrust": _ciphertrust,
}
