"""The name of an object that makes every listing fail.

The server names no object it cannot decrypt, and none on the same page. But it does group: asked
for names up to a character, it shows the common prefix without opening the object. So the name
shows itself piece by piece, one request for each character that is in it and one for each that is
not; the object before it, whose name is mostly alike, tells what to try first.

Measured against MinIO: a page of ``max-keys=1`` with a delimiter answers.
"""

from __future__ import annotations

import string
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_LIKELY = "/" + string.digits + string.ascii_lowercase + "-_." + string.ascii_uppercase
_POSSIBLE = _LIKELY + "".join(chr(n) for n in (*range(32, 127), *range(1, 32), 127))
_MAX_LENGTH = 1024
_MOST_SEEN = 256
_LEADS, _FOLLOWERS = range(0xC2, 0xF5), range(0x80, 0xC0)  # of UTF-8


class _Peek(Protocol):
    def __call__(self, place: str, *, prefix: str, delimiter: str = "") -> Any: ...  # noqa: ANN401


class Namer:
    """Finds the name of the next entry behind a key, when that entry cannot be listed.

    Args:
        peek: returns the one entry behind a key, grouped if it can be; None for no entry.
        is_object: whether a name is that of an object; None when nobody may say.
        prefix: what all names begin with.
    """

    def __init__(self, peek: _Peek, is_object: Callable[[str], bool | None], prefix: str) -> None:
        self._peek = peek
        self._is_object = is_object
        self._prefix = prefix
        self._seen: dict[str, None] = {}  # characters of earlier names beyond ASCII
        self._last = ("", ("", False))

    def name(self, after: str) -> tuple[str, bool]:
        """Return the name behind ``after``, and whether it is the whole of it."""
        if self._last[0] != after or not self._last[1][0]:
            self._last = (after, self._find(after))
        return self._last[1]

    def learn(self, keys: Iterable[str]) -> None:
        """Remember what characters beyond ASCII names have here."""
        for key in keys:
            if not key.isascii() and len(self._seen) < _MOST_SEEN:
                self._seen.update(dict.fromkeys(c for c in key if not c.isascii()))

    def _find(self, after: str) -> tuple[str, bool]:
        known = self._shared(after)
        absent: set[str] = set()
        whole: bool | None = False
        while len(known) < _MAX_LENGTH:
            whole = known > after and self._is_object(known)
            if whole:
                return known, True
            longer = self._lengthened(known, after, absent)
            if not longer and (character := self._foreign(known, after)):
                longer = self._lengthened(known, after, absent, (character,))
            if not longer:
                break
            known = longer
        return known, whole is None

    def _lengthened(
        self, known: str, after: str, absent: set[str], candidates: Iterable[str] = ()
    ) -> str:
        """Return ``known`` with what follows up to a character that is there; ``""`` for none."""
        for character in candidates or self._candidates(known, after):
            if character in absent:
                continue
            if found := self._grouped(known, after, character):
                return found
            absent.add(character)
        return ""

    def _grouped(self, known: str, after: str, delimiter: str) -> str:
        found = self._peek(after, prefix=known, delimiter=delimiter)
        return found.key if getattr(found, "is_prefix", False) else ""

    def _foreign(self, known: str, after: str) -> str:
        """Return a character beyond ASCII that follows, found byte by byte; ``""`` for none."""
        found = b""
        for place in range(4):
            for byte in _LEADS if not place else _FOLLOWERS:
                tried = (found + bytes([byte])).decode("utf-8", "surrogateescape")
                if self._grouped(known, after, tried):
                    found += bytes([byte])
                    break
            else:
                return ""
            with suppress(UnicodeDecodeError):
                character = found.decode()
                self._seen[character] = None
                return character
        return ""

    def _shared(self, after: str) -> str:
        """Return the longest beginning of ``after`` that what comes next has as well."""
        if not after.startswith(self._prefix):
            return self._prefix
        low, high = len(self._prefix), len(after)
        while low < high:
            middle = (low + high + 1) // 2
            if self._peek(after, prefix=after[:middle]) is None:
                high = middle - 1
            else:
                low = middle
        return after[:low]

    def _candidates(self, known: str, after: str) -> Iterator[str]:
        beside = after[len(known) : len(known) + 1]  # names are often numbered
        counted = chr(ord(beside) + 1) if "\x20" < beside < "\x7e" else ""
        likely = (counted, beside, *reversed(after[-64:]))
        yield from filter(None, dict.fromkeys((*likely, *_POSSIBLE, *self._seen)))
