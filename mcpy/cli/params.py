"""The arguments of the domain as click types, each a name and a function that reads the text."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click

from mcpy.errors import InputError
from mcpy.models import Target, check_alias_name, check_key_name

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_MAX_WAIT_S = 20 * 86400.0  # sockets count milliseconds in 31 bits
_MAX_AGE_S = 100 * 365 * 86400
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


class Parsed(click.ParamType, Generic[T]):  # type: ignore[type-arg]  # generic since click 8.4
    """A click type from a function that returns the value or raises InputError."""

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self.parse = parse

    def convert(self, value: Any, param: Any, ctx: Any) -> T:  # noqa: ANN401, ARG002 - click's
        """Return what ``parse`` makes of text; a value that was read already stays."""
        return self.parse(value) if isinstance(value, str) else value


class Folder(click.Path):
    """A folder; an empty name is none, and would be the current one."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:  # noqa: ANN401 - click's
        """Return the path."""
        if value == "":
            self.fail("it is empty: is a variable unset?", param, ctx)
        return Path(os.fsdecode(super().convert(value, param, ctx)))


FOLDER = Folder(file_okay=False)


class ParsedTarget(Parsed[Target]):
    """A target; an alias that nobody set goes before what is wrong behind it."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Target:  # noqa: ANN401 - click's
        """Return the target; a hint is the whole command where it is known."""
        try:
            return super().convert(value, param, ctx)
        except InputError as e:
            alias = str(value).partition("/")[0]
            if ctx and ctx.obj and _is_alias_name(alias):
                ctx.obj.store.get(alias)
            if ctx and e.hint and "[" not in e.hint:
                e.hint = f"{ctx.command_path} {e.hint}"
            raise


def _is_alias_name(text: str) -> bool:
    try:
        return bool(check_alias_name(text))
    except InputError:
        return False


def parse_duration(text: str) -> float:
    """Return seconds, more than none and 20 days at most, from ``30``, ``2m`` or ``500ms``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if seconds <= 0:
        raise InputError(f"`{text}` is not a duration such as 30s or 2m")
    if seconds > _MAX_WAIT_S:
        raise InputError(f"`{text}` is longer than 480h, the longest duration")
    return seconds


_BYTES = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([kmgt]?)(i?)b?", re.IGNORECASE)
_BYTES_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_LEAST_RATE = 1000


def parse_bytes(text: str) -> int:
    """Return bytes from ``512KiB``, ``10M`` (of 1,000) or ``1.5 GiB``, as mc reads them."""
    match = _BYTES.fullmatch(text.strip())
    if not match or (match[3] and not match[2]):
        raise InputError(f"`{text}` is not a size such as 512KiB or 10MB")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** _BYTES_POWERS[match[2].lower()])


def parse_rate(text: str) -> int:
    """Return bytes a second, 1,000 at least, from a size with or without ``/s``."""
    rate = parse_bytes(text.removesuffix("/s"))
    if rate < _LEAST_RATE:
        raise InputError(f"`{text}` is less than 1KB, the least rate")
    return rate


def parse_resolve(text: str) -> tuple[str, str]:
    """Return host, with its port if it has one, and the address to use for it."""
    host, _, address = text.partition("=")
    if not host or not address:
        raise InputError(f"`{text}` is not HOST[:PORT]=ADDRESS")
    return host.lower(), address


def parse_header(text: str) -> tuple[str, str]:
    """Return name and value of a header; the message does not repeat a value."""
    from mcpy.api.outgoing import check_own

    name, colon, value = text.partition(":")
    value = value.strip()
    if not colon or not re.fullmatch(r"[A-Za-z0-9-]+", name) or not value.isprintable():
        raise InputError("a custom header is NAME:VALUE")
    if not value.isascii():
        raise InputError(f"the value of the custom header {name} is not ASCII")
    check_own(name)
    return name, value


def parse_bucket_target(text: str) -> Target:
    """Return a target that names a bucket at least."""
    target = Target.parse(text)
    if not target.bucket:
        raise InputError(f"`{text}` names no bucket", hint=f"{target.alias}/BUCKET")
    return target


def parse_objects(text: str) -> Target:
    """Return a target that names an object, or one in each bucket that a pattern matches."""
    target = parse_buckets(text)
    if not target.key:
        raise InputError(f"`{text}` names no object", hint=f"{target}/OBJECT")
    return target


def is_pattern(name: str) -> bool:
    """Whether ``name`` stands for several buckets: none has such characters in its name."""
    return any(character in name for character in "*?[")


def parse_buckets(text: str) -> Target:
    """Return a target whose bucket may be a pattern."""
    alias, _, rest = text.partition("/")
    bucket, _, key = rest.partition("/")
    if not is_pattern(bucket):
        return parse_bucket_target(text)
    return Target(check_alias_name(alias), bucket, key)


def parse_buckets_to_rewrite(text: str) -> Target:
    """Return a target whose bucket may be a pattern; an alias alone is not all of its buckets."""
    target = Target.parse(text) if "/" not in text.rstrip("/") else parse_buckets(text)
    if not target.bucket:
        raise InputError(f"`{text}` names no bucket", hint=f"'{target.alias}/*'")
    return target


def parse_targets(text: str) -> Target:
    """Return a target of any depth whose bucket may be a pattern."""
    return parse_buckets(text) if is_pattern(text.partition("/")[2]) else Target.parse(text)


_AGE_PART = re.compile(r"(\d{1,10}(?:\.\d{1,9})?)(ms|[ywdhms])")
_AGE_UNITS_S = {
    "y": 365 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001
}  # fmt: skip


def parse_age(text: str) -> float:
    """Return seconds from ``7d10h31s``, ``2w`` or ``1.5h``, or since a date; 100 years at most.

    A date to come is less than none: nothing is as new, and everything is older.
    """
    try:
        return _span_s(text)
    except InputError:
        pass
    try:
        return (datetime.now(UTC) - _date(text)).total_seconds()
    except ValueError as e:
        raise InputError(f"`{text}` is neither an age such as 7d or 1d10h30m nor a date") from e


def _span_s(text: str) -> float:
    parts = _AGE_PART.findall(text)
    whole = bool(parts) and "".join(number + unit for number, unit in parts) == text.strip()
    seconds = sum(float(number) * _AGE_UNITS_S[unit] for number, unit in parts)
    if not whole or seconds > _MAX_AGE_S:
        raise InputError(f"`{text}` is not an age such as 7d or 1d10h30m")
    return float(seconds)


def _date(text: str) -> datetime:
    bare = text.strip()
    # what `mcpy ls` and mc print may be given back
    zoned = re.sub(r" (?:UTC|GMT)$", "+00:00", bare.replace(".", "-", 2))
    moment = datetime.fromisoformat(zoned)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def parse_moment(text: str) -> datetime:
    """Return the moment of a date, or of so long ago.

    A date is ``2026.01.31``, ``2026.01.31T11:30``, RFC 3339, or ``2026-01-31 11:30:00 UTC``.
    """
    try:
        return datetime.now(UTC) - timedelta(seconds=_span_s(text))
    except InputError:
        pass
    try:
        return _date(text)
    except ValueError as e:
        raise InputError(f"`{text}` is neither a date nor an age such as 7d") from e


DURATION = Parsed("DURATION", parse_duration)
RATE = Parsed("RATE", parse_rate)
RESOLVE = Parsed("HOST[:PORT]=ADDRESS", parse_resolve)
HEADER = Parsed("NAME:VALUE", parse_header)
TARGET = ParsedTarget("TARGET", Target.parse)
BUCKET = ParsedTarget("TARGET", parse_bucket_target)
OBJECTS = ParsedTarget("TARGET", parse_objects)
TARGETS = ParsedTarget("TARGET", parse_targets)
BUCKETS = ParsedTarget("TARGET", parse_buckets)
REWRITABLE = ParsedTarget("TARGET", parse_buckets_to_rewrite)
AGE = Parsed("AGE", parse_age)
MOMENT = Parsed("MOMENT", parse_moment)
ALIAS = Parsed("ALIAS", check_alias_name)
KEY = Parsed("KEY", check_key_name)
