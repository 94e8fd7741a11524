"""Rules for a KES that keeps its keys in Vault or OpenBao."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.kesconf.document import seconds
from mcpy.kesconf.findings import error, info, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.kesconf.document import Node
    from mcpy.kesconf.findings import Finding, Subject


def _vault(subject: Subject) -> Iterator[Finding]:
    at = subject.root.at("keystore.vault")
    if not at:
        return
    yield from _vault_engine(subject, at)
    yield from _vault_login(subject, at)
    yield from _pair(subject, at.at("tls"))
    if at.at("transit") and subject.of(at.at("transit.key")) == "":
        yield error(at.at("transit.key"), "KES does not start: no transit key")
    if at.at("transit"):
        yield info(
            at.at("transit"),
            "never rotate this transit key: KES then fails to create keys (it reads only "
            "`vault:v1:` values)",
        )
    if (ca := subject.file("keystore.vault.tls.ca")) and not ca.exists():
        yield error(at.at("tls.ca"), f"KES does not start: {ca} is not there")
    try:
        seconds(subject.of(at.at("status.ping")) or "")
    except ValueError as e:
        yield error(at.at("status.ping"), f"KES does not start: {e}")


def _vault_engine(subject: Subject, at: Node) -> Iterator[Finding]:
    version, engine = subject.of(at.at("version")), subject.of(at.at("engine"))
    if version == "":
        yield warning(
            at.at("version"),
            "without `version` KES speaks v1; most engines are v2 today, and then nothing works",
            "version: v2, as `vault secrets list -detailed` shows it",
        )
    elif version not in {"v1", "v2", None}:
        yield error(at.at("version"), f"KES does not start: `{version}` is neither v1 nor v2")
    elif version == "v2":
        yield info(
            at.at("version"),
            "on a v1 engine this seems to work, and deleting answers success and keeps the key; "
            "until there is a first key KES cannot list (502)",
            "`mcpy kes config lint --ask FILE` asks the server",
        )
    if engine and engine.strip("/").endswith(("/data", "/metadata")):
        yield error(at.at("engine"), "the name of the engine alone: no /data, no /metadata")
    if subject.of(at.at("prefix")) == "":
        yield info(
            at.at("prefix"),
            "without a prefix every entry of the engine shows as a key",
            "prefix: kes",
        )


def _vault_login(subject: Subject, at: Node) -> Iterator[Finding]:
    methods = [name for name in ("approle", "kubernetes") if at.at(name)]
    if len(methods) != 1:
        which = "both approle and kubernetes" if methods else "neither approle nor kubernetes"
        yield error(at, f"KES does not start: {which}")
        return
    fields = ("id", "secret") if methods[0] == "approle" else ("jwt",)
    for name in fields:
        node = at.at(f"{methods[0]}.{name}")
        if subject.of(node) == "":
            yield error(node, f"KES does not start: no {methods[0]} {name}")
    if methods[0] == "kubernetes":
        yield from _kubernetes(subject, at.at("kubernetes"))


def _kubernetes(subject: Subject, at: Node) -> Iterator[Finding]:
    if subject.of(at.at("role")) == "":
        yield error(at.at("role"), "no role: KES starts only where Vault has a default role")
    jwt = subject.of(at.at("jwt"))
    if jwt and "/" in jwt and not subject.elsewhere and not (subject.folder / jwt).exists():
        yield error(at.at("jwt"), f"KES does not start: {jwt} is not there")


def _pair(subject: Subject, tls: Node) -> Iterator[Finding]:
    key, cert = subject.of(tls.at("key")), subject.of(tls.at("cert"))
    if (key == "") != (cert == ""):
        missing = "key" if key == "" else "cert"
        yield error(tls.at(missing), f"KES does not start: no {tls.path}.{missing}")


RULES: tuple[Callable[[Subject], Iterator[Finding]], ...] = (_vault,)
