"""What providers answer: fields of the kind they have to be, and refusals as our errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcpy.errors import ProtocolError
from mcpy.keystores.base import (
    KeyExistsError,
    KeyMissingError,
    KeystoreDeniedError,
    KeystoreError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcpy.errors import McpyError
    from mcpy.keystores.web import Reply


def mapping(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a field that holds fields, empty where there is none.

    Raises:
        ProtocolError: it holds something else; so do the others here.
    """
    value = found.get(name) or {}
    if not isinstance(value, dict):
        raise ProtocolError(f"the provider answered with a `{name}` that is no object")
    return value


def listed(found: Mapping[str, Any], name: str) -> Sequence[Any]:
    """Return a field that holds a list, empty where there is none."""
    value = found.get(name) or []
    if not isinstance(value, list):
        raise ProtocolError(f"the provider answered with a `{name}` that is no list")
    return value


def mappings(found: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    """Return a field that holds a list of what has fields, empty where there is none."""
    values = listed(found, name)
    if not all(isinstance(value, dict) for value in values):
        raise ProtocolError(f"the provider answered with `{name}` that are no objects")
    return values


def number(found: Mapping[str, Any], name: str) -> float:
    """Return a field that holds a number, 0 where there is none."""
    value = found.get(name) or 0
    # JSON of Python's knows NaN and Infinity, and numbers without an end
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**63:
        raise ProtocolError(f"the provider answered with a `{name}` that is no number")
    return value


def spoken(reply: Reply, words: object, *, code: str = "") -> str:
    """Return what a provider said in one line, behind its ``code``; its status if it said none."""
    line = " ".join(str(words or "").split()).rstrip(".")
    return ": ".join(filter(None, (code, line))) or f"HTTP {reply.status} without a reason"


def refused(reply: Reply, name: str, words: str) -> McpyError:
    """Return the error for an answer that is no success; ``name`` is the key it was about."""
    if reply.status == 404 and name:
        return KeyMissingError(name)
    if reply.status == 409 and name:
        return KeyExistsError(name)
    return (KeystoreDeniedError if reply.status in {401, 403} else KeystoreError)(words)
