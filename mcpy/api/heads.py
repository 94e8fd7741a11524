"""The head of an answer: bytes in, a status and headers out; what is doubtful is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mcpy.api.failures import NotHttp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_FOLD = re.compile(rb"[ \t]*\n[ \t]+")


class Head(NamedTuple):
    """The beginning of an answer; ``headers`` are by lower-case name."""

    minor: int
    status: int
    headers: dict[str, str]


def parsed(head: bytes) -> Head:
    """Read a head, without its blank line.

    Raises:
        NotHttp: it is none.
    """
    text = head.replace(b"\r\n", b"\n")
    first, _, rest = text.partition(b"\n")
    found = _STATUS.fullmatch(first)
    if not found or _CONTROL.search(text) or rest.startswith((b" ", b"\t")):
        raise NotHttp("its head is none of HTTP")
    if b"\n " in rest or b"\n\t" in rest:
        rest = _FOLD.sub(b" ", rest)
    return Head(int(found[1]), int(found[2]), headers_of(_lines(rest)))


def _lines(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in text.split(b"\n") if text else ():
        name, colon, value = line.partition(b":")
        if not (colon and _NAME.fullmatch(name)):
            raise NotHttp("its head has a line that is no header")
        yield name, value


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by lower-case name, of one that came twice the values joined by commas."""
    found: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1").lower(), _text(value.strip(b" \t"))
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeError:
        return value.decode("latin-1")
