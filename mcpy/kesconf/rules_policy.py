"""Rules for policies, identities and the options of single APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.kesconf.document import seconds
from mcpy.kesconf.findings import error, info, warning
from mcpy.kesconf.rules_server import IDENTITY, NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.kesconf.document import Node
    from mcpy.kesconf.findings import Finding, Subject

# a path that ends in a slash goes on with a name
PATHS = (
    "/version",
    "/v1/ready",
    "/v1/status",
    "/v1/metrics",
    "/v1/api",
    "/v1/key/create/",
    "/v1/key/import/",
    "/v1/key/describe/",
    "/v1/key/list/",
    "/v1/key/delete/",
    "/v1/key/encrypt/",
    "/v1/key/decrypt/",
    "/v1/key/generate/",
    "/v1/key/hmac/",
    "/v1/policy/describe/",
    "/v1/policy/read/",
    "/v1/policy/list/",
    "/v1/identity/describe/",
    "/v1/identity/list/",
    "/v1/identity/self/describe",
    "/v1/log/error",
    "/v1/log/audit",
)
_REMOVED = (
    "/v1/key/bulk/",
    "/v1/policy/write/",
    "/v1/policy/assign/",
    "/v1/policy/delete/",
    "/v1/identity/delete/",
    "/v1/identity/assign/",
    "/v1/enclave/",
    "/v1/secret/",
    "/v1/log/audit/trace",
    "/v1/log/error/trace",
)
# what makes somebody able to use keys without being known
_SENSITIVE = ("/v1/key/", "/v1/policy/", "/v1/identity/", "/v1/log/")


def _patterns(subject: Subject) -> Iterator[Finding]:
    for policy in subject.root.at("policy").fields.values():
        for kind in ("allow", "deny"):
            for node in policy.at(kind).items:
                if node.kind == "scalar":
                    yield from _pattern(node)


def _pattern(node: Node) -> Iterator[Finding]:
    text = node.text
    if dead := _matches_nothing(node):
        yield dead
    elif any(text.startswith(gone) for gone in _REMOVED):
        yield warning(node, f"`{text}`: KES has this API no more", "remove it")
    elif not _reaches(text):
        yield error(node, f"`{text}` matches no API of KES")
    elif text.startswith("/v1/key/list/"):
        yield from _listing(node, text.removeprefix("/v1/key/list/"))
    elif text in {"/*", "/v1/*", "/v1/key/*"} and ".allow[" in node.path:
        yield warning(node, f"`{text}` allows deleting keys too, for ever", "name the APIs")


def _matches_nothing(node: Node) -> Finding | None:
    """Return what is wrong with a pattern that no path can match, whatever the API."""
    text = node.text
    if node.variable is not None:
        return error(node, "variables are not expanded in patterns: this matches nothing")
    if not text.startswith("/"):
        fix = f"/{text.lstrip('*')}"
        return error(node, f"`{text}` matches nothing: every path starts with a slash", fix)
    if "*" in text[:-1]:
        message = "a star counts at the end only, anywhere else it is a letter"
        return error(node, f"`{text}` matches nothing: {message}", text[: text.index("*") + 1])
    if f"{text}/" in PATHS:
        message = "what follows the slash is missing"
        return error(node, f"`{text}` matches nothing: {message}", f"{text}/*")
    if any(char in text for char in "?[]{}"):
        return error(node, f"`{text}` matches nothing: only a star at the end stands for more")
    return None


def _reaches(pattern: str) -> bool:
    if pattern.endswith("*"):
        prefix = pattern[:-1]
        return any(p.startswith(prefix) or _goes_on(p, prefix) for p in PATHS)
    return any((pattern == p and p[-1] != "/") or _goes_on(p, pattern) for p in PATHS)


def _goes_on(path: str, text: str) -> bool:
    """Whether ``text`` is ``path`` and the (beginning of a) name."""
    if not path.endswith("/") or not text.startswith(path):
        return False
    name = text.removeprefix(path)
    # only a listing goes on with nothing
    return bool(NAME.fullmatch(name.rstrip("-"))) or (not name and path == "/v1/key/list/")


def _listing(node: Node, rest: str) -> Iterator[Finding]:
    if rest.endswith("-"):
        yield error(
            node,
            f"`{node.text}` matches nothing: KES refuses to list a prefix that ends in a hyphen",
            f"/v1/key/list/{rest}*",
        )
    elif rest == "" and ".allow[" in node.path:
        yield warning(
            node,
            "allows MinIO to list all keys, and nobody to list by a pattern, as `kes key ls` does",
            "/v1/key/list/*",
        )
    elif not rest.endswith("*") and ".allow[" in node.path:
        yield info(node, f"allows listing by exactly `{rest}`", f"/v1/key/list/{rest}*")


def _names(subject: Subject) -> Iterator[Finding]:
    admin = subject.text("admin.identity")
    owner: dict[str, str] = {}
    for name, policy in subject.root.at("policy").fields.items():
        if not NAME.fullmatch(name):
            yield error(policy, f"KES does not start: `{name}` is no policy name")
        identities = policy.at("identities")
        if not identities.items:
            yield warning(policy, f"nobody has the policy `{name}`", "add identities")
        for node in identities.items:
            yield from _identity(subject, node, admin, owner, name)


def _identity(
    subject: Subject, node: Node, admin: str | None, owner: dict[str, str], policy: str
) -> Iterator[Finding]:
    text = subject.of(node)
    if not text:
        return
    if text == admin:
        yield error(node, "KES does not start: the admin can have no policy")
    elif text in owner:
        yield error(node, f"KES does not start: has the policy `{owner[text]}` already")
    elif not IDENTITY.fullmatch(text):
        lower = IDENTITY.fullmatch(text.lower())
        fix = f"write {text.lower()}" if lower else "see `mcpy kes identity of FILE`"
        yield error(node, "no client has this identity: it is 64 lower-case hex digits", fix)
    owner.setdefault(text, policy)


def _coverage(subject: Subject) -> Iterator[Finding]:
    """Find rules that undo each other, and halves of what MinIO needs."""
    for name, policy in subject.root.at("policy").fields.items():
        allow, deny = (
            [n.text for n in policy.at(kind).items if n.kind == "scalar"]
            for kind in ("allow", "deny")
        )
        for node in policy.at("allow").items:
            if (by := next((d for d in deny if _covers(d, node.text)), None)) is not None:
                yield warning(node, f"`{node.text}` has no effect: `{by}` denies all of it")
        generate, decrypt = (
            any(a.startswith(path) or _covers(a, path) for a in allow)
            for path in ("/v1/key/generate/", "/v1/key/decrypt/")
        )
        if generate and not decrypt:
            fix = "allow /v1/key/decrypt/* for the same keys"
            yield warning(policy, f"who has `{name}` encrypts what they cannot read again", fix)


def _covers(pattern: str, other: str) -> bool:
    if pattern.endswith("*"):
        return other.startswith(pattern[:-1])
    return pattern == other


def _api(subject: Subject) -> Iterator[Finding]:
    for path, node in subject.root.at("api").fields.items():
        if path not in PATHS and f"{path}/" not in PATHS:
            yield error(node, f"KES has no API `{path}` and ignores this", "see mcpy kes status")
        elif path not in PATHS:
            yield error(node, f"KES ignores this: the path ends in a slash, `{path}/`")
        if (subject.of(node.at("skip_auth")) or "").lower() in {"true", "yes", "on", "y"}:
            yield from _open(node, path)
        try:
            if seconds(subject.of(node.at("timeout")) or "") < 0:
                yield error(node.at("timeout"), "KES does not start: a negative duration")
        except ValueError as e:
            yield error(node.at("timeout"), f"KES does not start: {e}")


def _open(node: Node, path: str) -> Iterator[Finding]:
    if path.startswith(_SENSITIVE):
        yield error(node, f"anybody who reaches the port may call {path}", "skip_auth: false")
    else:
        yield info(node, f"anybody may call {path}, and TLS asks no client for a certificate")


RULES: tuple[Callable[[Subject], Iterator[Finding]], ...] = (_patterns, _names, _coverage, _api)
