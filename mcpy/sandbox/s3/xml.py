"""XML as S3 speaks it: a writer that escapes like Go's encoder, and a small, bounded reader.

The reader knows elements and text only. A document type declaration is refused, so no entity is
ever expanded; size, depth and number of elements are bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Iterator

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
MAX_BODY_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 32
MAX_ELEMENTS = 100_000

_ESCAPES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&#34;",
    "'": "&#39;",
    **{chr(code): f"&#x{code:X};" for code in range(1, 0x20)},
    # what XML cannot hold: a zero byte, and bytes that were not UTF-8
    **dict.fromkeys(map(chr, (0, *range(0xDC80, 0xDD00))), "\ufffd"),
}
_TABLE = str.maketrans(_ESCAPES)


class Markup(str):
    """Text that is XML already; everything else is escaped when written."""

    __slots__ = ()


def escape(text: str) -> str:
    """Return ``text`` safe between tags; control characters become character references."""
    return text.translate(_TABLE)


def element(name: str, *content: str | int, xmlns: str = "") -> Markup:
    """Return ``<name>content</name>``; ``Markup`` is put in as it is, other text escaped."""
    inner = "".join(c if isinstance(c, Markup) else escape(str(c)) for c in content)
    attribute = f' xmlns="{escape(xmlns)}"' if xmlns else ""
    return Markup(f"<{name}{attribute}>{inner}</{name}>")


def document(root: Markup, *, declaration: bool = True) -> bytes:
    """Return ``root`` as a UTF-8 document, with the XML declaration unless told otherwise."""
    body = root.encode("utf-8", "surrogateescape")
    return DECLARATION + body if declaration else body


def url_encode(name: str, encoding_type: str | None = "url") -> str:
    """Encode an object name for ``encoding-type=url``: space is ``+``; ``/`` and ``*`` stay.

    Any other ``encoding_type`` returns the name as it is.
    """
    if (encoding_type or "").lower() != "url":
        return name
    raw = name.encode("utf-8", "surrogateescape")
    return quote(raw, safe="/* ").replace("~", "%7E").replace(" ", "+")


class XmlProblem(ValueError):  # noqa: N818 - named like S3Problem
    """The document cannot be read; the text says why, as the real server words it."""


@dataclass
class Node:
    """One element: its name without a namespace, its own text, its children in order."""

    name: str
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Node]:
        """Yield the direct children called ``name``."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Node | None:
        """Return the first direct child called ``name``."""
        return next(self.all(name), None)

    def value(self, name: str) -> str | None:
        """Return the text of the first child called ``name``, or None when it is absent."""
        child = self.first(name)
        return None if child is None else child.text


def parse(body: bytes, root: str | None = None) -> Node:
    """Read one element and ignore what follows it, as the real server does.

    Args:
        body: the document, at most ``MAX_BODY_BYTES``.
        root: the name the outermost element must have.

    Raises:
        XmlProblem: not XML, a DTD, too big or too deep, or another root element.
    """
    if len(body) > MAX_BODY_BYTES:
        raise XmlProblem("document too large")
    tree = _Reader().read(body)
    if root is not None and tree.name != root:
        raise XmlProblem(f"expected element type <{root}> but have <{tree.name}>")
    return tree


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Complete(Exception):  # noqa: N818 - a signal, not an error
    """The root element has ended."""


class _Reader:
    def __init__(self) -> None:
        self.open: list[Node] = []
        self.root: Node | None = None
        self.count = 0

    def read(self, body: bytes) -> Node:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            parser.Parse(body, True)
        except _Complete:
            pass
        except expat.ExpatError as problem:
            if not self.count:
                raise XmlProblem("EOF") from problem
            line, reason = problem.lineno, expat.ErrorString(problem.code)
            if not _is_utf8(body):
                reason = "invalid UTF-8"
            raise XmlProblem(f"XML syntax error on line {line}: {reason}") from problem
        if self.root is None:
            raise XmlProblem("EOF")
        return self.root

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > MAX_ELEMENTS or len(self.open) >= MAX_DEPTH:
            raise XmlProblem("document too deep or too large")
        node = Node(name.rpartition(" ")[2])
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        self.open.append(node)

    def _end(self, _name: str) -> None:
        self.open.pop()
        if not self.open:
            raise _Complete

    def _data(self, data: str) -> None:
        self.open[-1].text += data

    def _doctype(self, *_declaration: object) -> None:
        raise XmlProblem("document type declarations are not allowed")
