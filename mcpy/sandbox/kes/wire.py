"""JSON, base64 and time as a Go server reads and writes them.

Reading is lenient in Go's ways: field names match whatever their case, unknown fields and
anything after the first value are ignored, ``null`` is the zero value.
"""

from __future__ import annotations

import binascii
import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

ZERO_TIME_NS = -62_135_596_800 * 10**9
"""Go's zero time, 0001-01-01T00:00:00Z, in nanoseconds since 1970."""

_ESCAPES = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_ESCAPES |= {chr(code): "\\ufffd" for code in range(0xD800, 0xE000)}
_ESCAPE_TABLE = str.maketrans(_ESCAPES)
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", flags=re.ASCII
)


def go_json(value: object) -> str:
    """Encode ``value`` as Go does: no blanks, ``<>&`` and broken UTF-8 escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_ESCAPE_TABLE)


def encode_base64(data: bytes) -> str:
    """Return ``data`` in padded standard base64."""
    return binascii.b2a_base64(data, newline=False).decode()


def decode_base64(text: str | bytes) -> bytes:
    """Decode padded standard base64; line ends are skipped, as Go does.

    Raises:
        ValueError: a wrong character, or no proper padding.
    """
    raw = text.encode("ascii", "replace") if isinstance(text, str) else text
    raw = raw.replace(b"\n", b"").replace(b"\r", b"")
    if not _BASE64.fullmatch(raw):
        raise ValueError("illegal base64 data")
    return binascii.a2b_base64(raw)


class Fields:
    """The fields of one JSON object, looked up without regard to case."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {name.lower(): value for name, value in values.items()}

    @classmethod
    def first_in(cls, body: bytes) -> Fields:
        """Read the first JSON value in ``body``; what follows it is ignored.

        Raises:
            ValueError: no JSON, or neither an object nor ``null``.
        """
        text = body.decode("utf-8", "replace").lstrip(" \t\r\n")
        value, _ = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text)
        return cls._of(value)

    @classmethod
    def only_in(cls, body: bytes) -> Fields:
        """Read ``body`` as exactly one JSON object.

        Raises:
            ValueError: anything else.
        """
        return cls._of(json.loads(body, parse_constant=_no_constant))

    @classmethod
    def _of(cls, value: object) -> Fields:
        if value is None:
            return cls({})
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - bad data, not a bug
        return cls(value)

    def bytes(self, name: str) -> bytes:
        """Return the bytes of a base64 string or of an array of numbers; empty when absent."""
        value = self._values.get(name)
        if value is None:
            return b""
        if isinstance(value, str):
            return decode_base64(value)
        if isinstance(value, list) and all(type(item) is int for item in value):
            return bytes(value)
        raise ValueError(f"field {name} is not base64")

    def text(self, name: str) -> str:
        """Return a string; empty when absent."""
        value = self._values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise ValueError(f"field {name} is no text")  # noqa: TRY004 - bad data, not a bug
        return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def format_time(time_ns: int) -> str:
    """Format nanoseconds since 1970 as RFC 3339 in UTC, without trailing zeros."""
    seconds, fraction = divmod(time_ns, 10**9)
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - printed as Z
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{moment.isoformat(timespec='seconds')}{digits}Z"


def parse_time(text: str) -> int:
    """Return the nanoseconds since 1970 of an RFC 3339 time.

    Raises:
        ValueError: not RFC 3339.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a time")
    day, fraction, zone = match.groups()
    moment = datetime.fromisoformat(day + zone)
    since = moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    seconds = since.days * 86_400 + since.seconds
    return seconds * 10**9 + int((fraction or "0")[:9].ljust(9, "0"))
