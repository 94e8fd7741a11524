"""The arguments of the domain as click types, each a name and a function that reads the text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click

from mcpy.errors import InputError
from mcpy.models import Target, check_alias_name, check_key_name

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


class Parsed(click.ParamType, Generic[T]):  # type: ignore[type-arg]  # generic since click 8.4
    """A click type from a function that returns the value or raises InputError."""

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self.parse = parse

    def convert(self, value: Any, param: Any, ctx: Any) -> T:  # noqa: ANN401, ARG002 - click's
        """Return what ``parse`` makes of text; a value that was read already stays."""
        return self.parse(value) if isinstance(value, str) else value


def parse_duration(text: str) -> float:
    """Return seconds, more than none, from ``30``, ``30s``, ``2m``, ``500ms`` or ``1h``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if seconds <= 0:
        raise InputError(f"`{text}` is not a duration such as 30s or 2m")
    return seconds


def parse_resolve(text: str) -> tuple[str, str]:
    """Return host, with its port if it has one, and the address to use for it."""
    host, _, address = text.partition("=")
    if not host or not address:
        raise InputError(f"`{text}` is not HOST[:PORT]=ADDRESS")
    return host, address


def parse_header(text: str) -> tuple[str, str]:
    """Return name and value of a header; the message does not repeat a value."""
    name, colon, value = text.partition(":")
    value = value.strip()
    if not colon or not re.fullmatch(r"[A-Za-z0-9-]+", name) or not value.isprintable():
        raise InputError("a custom header is NAME:VALUE")
    return name, value


def parse_bucket_target(text: str) -> Target:
    """Return a target that names a bucket at least."""
    target = Target.parse(text)
    if not target.bucket:
        raise InputError(f"`{text}` names no bucket", hint=f"{target.alias}/BUCKET")
    return target


def parse_object_target(text: str) -> Target:
    """Return a target that names an object."""
    target = parse_bucket_target(text)
    if not target.key:
        raise InputError(f"`{text}` names no object", hint=f"{target}/OBJECT")
    return target


DURATION = Parsed("DURATION", parse_duration)
RESOLVE = Parsed("HOST[:PORT]=ADDRESS", parse_resolve)
HEADER = Parsed("NAME:VALUE", parse_header)
TARGET = Parsed("TARGET", Target.parse)
BUCKET = Parsed("TARGET", parse_bucket_target)
OBJECT = Parsed("TARGET", parse_object_target)
ALIAS = Parsed("ALIAS", check_alias_name)
KEY = Parsed("KEY", check_key_name)
