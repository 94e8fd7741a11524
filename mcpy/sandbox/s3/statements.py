"""Policy statements: what they match, and what their conditions demand.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mcpy.sandbox.message import Request

    Statement = dict[str, Any]

_VARIABLE = re.compile(r"\$\{([^}]+)\}")


def allowed(
    statements: Iterable[Statement], action: str, resource: str, context: Mapping[str, str]
) -> bool:
    """Tell whether ``statements`` allow an action and none denies it.

    ``resource`` is an ARN, or empty for an action that is on none.
    """
    effects = {
        str(statement.get("Effect"))
        for statement in statements
        if _applies(statement, action, resource, context)
    }
    return effects == {"Allow"}


def context_of(request: Request, access_key: str = "") -> dict[str, str]:
    """Return what conditions on a request can look at, by their keys in lower case."""
    context = {
        "aws:sourceip": request.remote,
        "aws:securetransport": str(request.secure).lower(),
        "aws:useragent": request.headers.get("user-agent", ""),
        "aws:referer": request.headers.get("referer", ""),
    }
    if access_key:
        context |= {"aws:username": access_key, "aws:userid": access_key}
    for name in ("prefix", "delimiter", "max-keys", "versionid"):
        value = request.param("versionId" if name == "versionid" else name)
        if value is not None:
            context[f"s3:{name}"] = value
    context.setdefault("s3:prefix", "")
    context |= {f"s3:{n}": v for n, v in request.headers.items() if n.startswith("x-amz-")}
    return context


def as_list(value: object) -> list[str]:
    """Return a value that may stand alone or in a list."""
    if isinstance(value, list):
        return [str(item) for item in value]
    return [] if value is None else [str(value)]


def matches(pattern: str, text: str) -> bool:
    """Tell whether ``text`` fits a pattern with ``*`` and ``?``."""
    return _regex(pattern).fullmatch(text) is not None


def _applies(statement: Statement, action: str, resource: str, context: Mapping[str, str]) -> bool:
    if "NotAction" in statement:
        fits = not _any(statement["NotAction"], action, context)
    else:
        fits = _any(statement.get("Action"), action, context)
    if fits and resource and "NotResource" in statement:
        fits = not _any(statement["NotResource"], resource, context)
    elif fits and resource:
        fits = _any(statement.get("Resource"), resource, context)
    return fits and _holds(statement, context)


def _any(patterns: object, text: str, context: Mapping[str, str]) -> bool:
    return any(matches(_filled(pattern, context), text) for pattern in as_list(patterns))


def _filled(pattern: str, context: Mapping[str, str]) -> str:
    """Put in what ``${aws:username}`` and the like stand for."""
    if "${" not in pattern:
        return pattern
    return _VARIABLE.sub(lambda found: context.get(found[1].lower(), found[0]), pattern)


def _holds(statement: Statement, context: Mapping[str, str]) -> bool:
    """Tell whether all conditions are met; one that is not known voids Allow, not Deny."""
    for name, demands in (statement.get("Condition") or {}).items():
        for key, wanted in demands.items():
            met = _condition(name, context.get(key.lower()), as_list(wanted), context)
            if met is None:
                return bool(statement.get("Effect") == "Deny")
            if not met:
                return False
    return True


def _condition(
    name: str, value: str | None, wanted: list[str], context: Mapping[str, str]
) -> bool | None:
    base = name.rpartition(":")[2]
    if base == "Null":
        return (value is None) == (wanted[:1] == ["true"])
    optional = base.endswith("IfExists")
    base = base.removesuffix("IfExists")
    negated = "Not" in base
    test = _TESTS.get(base.replace("Not", "", 1))
    if test is None:
        return None
    if value is None:
        return optional or negated
    found = any(test(value, _filled(item, context)) for item in wanted)
    return found != negated


def _within(value: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(value: str, wanted: str) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return False

    return test


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": lambda value, wanted: matches(wanted, value),
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
    "IpAddress": _within,
    "NumericEquals": _number(lambda value, wanted: value == wanted),
    "NumericLessThan": _number(lambda value, wanted: value < wanted),
    "NumericLessThanEquals": _number(lambda value, wanted: value <= wanted),
    "NumericGreaterThan": _number(lambda value, wanted: value > wanted),
    "NumericGreaterThanEquals": _number(lambda value, wanted: value >= wanted),
}


@lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"([*?])", pattern)
    regex = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
    return re.compile(regex, re.DOTALL)
