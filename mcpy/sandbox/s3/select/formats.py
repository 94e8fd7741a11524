"""Records in and out of S3 Select: CSV and JSON, read as a stream."""

from __future__ import annotations

import bz2
import codecs
import csv
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.select.values import MISSING, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mcpy.sandbox.s3.xml import Node

    Record = Any

MAX_RECORD_CHARS = 16 * 1024 * 1024
_JSON_SPACE = " \t\r\n,"


class Counted:
    """Chunks that are counted as they pass, before and after they are unpacked."""

    def __init__(self, chunks: Iterable[bytes], compression: str) -> None:
        self.scanned = self.processed = 0
        self._chunks = chunks
        self._unpack = _unpacker(compression)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.scanned += len(chunk)
            try:
                plain = self._unpack(chunk)
            except (zlib.error, OSError, EOFError) as e:
                text = "the object is not in the supported format GZIP or BZIP2"
                raise S3Problem("InvalidCompressionFormat", 400, text) from e
            self.processed += len(plain)
            yield plain


def _unpacker(compression: str) -> Callable[[bytes], bytes]:
    if compression == "GZIP":
        return zlib.decompressobj(31).decompress
    if compression == "BZIP2":
        return bz2.BZ2Decompressor().decompress
    if compression in {"", "NONE"}:
        return lambda chunk: chunk
    text = "The file is not in a supported compression format."
    raise S3Problem("InvalidCompressionFormat", 400, text)


def _decoded(chunks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", True)


# CSV


class CsvInput(NamedTuple):
    """How the CSV is written; ``header`` is NONE, USE or IGNORE."""

    header: str
    record: str
    field: str
    quote: str
    escape: str
    comment: str

    @classmethod
    def of(cls, node: Node) -> CsvInput:
        """Read the ``CSV`` element of an input serialization."""
        header = (node.value("FileHeaderInfo") or "NONE").upper()
        if header not in {"NONE", "USE", "IGNORE"}:
            text = "The FileHeaderInfo is invalid. Only NONE, USE, and IGNORE are supported."
            raise S3Problem("InvalidFileHeaderInfo", 400, text)
        return cls(
            header,
            _or(node, "RecordDelimiter", "\n"),
            _one(node, "FieldDelimiter", ","),
            _one(node, "QuoteCharacter", '"'),
            _one(node, "QuoteEscapeCharacter", '"'),
            _or(node, "Comments", ""),
        )

    def read(self, chunks: Iterable[bytes]) -> Iterator[Record]:
        """Yield a dict for each record, in the order of its fields."""
        rows = self._rows(chunks)
        names: list[str] = []
        if self.header != "NONE":
            names = next(rows, [])
            names = names if self.header == "USE" else []
        for row in rows:
            known = names[: len(row)]
            rest = (f"_{number}" for number in range(len(known) + 1, len(row) + 1))
            yield dict(zip((*known, *rest), row, strict=True))

    def _rows(self, chunks: Iterable[bytes]) -> Iterator[list[str]]:
        doubled = self.escape == self.quote
        try:
            yield from csv.reader(
                self._lines(chunks),
                delimiter=self.field,
                quotechar=self.quote,
                doublequote=doubled,
                escapechar=None if doubled else self.escape,
                strict=False,
            )
        except csv.Error as e:
            raise S3Problem("CSVParsingError", 400, f"Encountered an error parsing: {e}") from e

    def _lines(self, chunks: Iterable[bytes]) -> Iterator[str]:
        waiting = ""
        for text in _decoded(chunks):
            waiting += text
            *whole, waiting = waiting.split(self.record)
            if len(waiting) > MAX_RECORD_CHARS:
                raise S3Problem("OverMaxRecordSize", 400, "A record is longer than 16 MiB.")
            yield from filter(None, map(self._line, whole))
        if waiting:
            yield self._line(waiting)

    def _line(self, line: str) -> str:
        if self.comment and line.startswith(self.comment):
            return ""
        line = line.removesuffix("\r") if self.record == "\n" else line
        return line + "\n" if line else ""


@dataclass
class CsvOutput:
    """Writes records as CSV."""

    record: str = "\n"
    field: str = ","
    quote: str = '"'
    escape: str = '"'
    always: bool = False

    @classmethod
    def of(cls, node: Node) -> CsvOutput:
        """Read the ``CSV`` element of an output serialization."""
        quoting = (node.value("QuoteFields") or "ASNEEDED").upper()
        if quoting not in {"ASNEEDED", "ALWAYS"}:
            text = "The QuoteFields is invalid. Only ALWAYS and ASNEEDED are supported."
            raise S3Problem("InvalidQuoteFields", 400, text)
        return cls(
            _or(node, "RecordDelimiter", "\n"),
            _or(node, "FieldDelimiter", ","),
            _or(node, "QuoteCharacter", '"'),
            _or(node, "QuoteEscapeCharacter", '"'),
            quoting == "ALWAYS",
        )

    def write(self, record: Record) -> bytes:
        """Return a record as one line."""
        values = record.values() if isinstance(record, dict) else [record]
        return (self.field.join(map(self._quoted, map(text_of, values))) + self.record).encode()

    def _quoted(self, text: str) -> str:
        special = (self.field, self.quote, "\r", "\n")
        if self.always or text[:1].isspace() or any(char in text for char in special):
            return self.quote + text.replace(self.quote, self.escape + self.quote) + self.quote
        return text


# JSON


def read_json(chunks: Iterable[bytes]) -> Iterator[Record]:
    """Yield each of the values that follow each other."""
    waiting = ""
    wanted = 0
    for text in _decoded(chunks):
        waiting += text
        # trying again with every chunk would make a long document quadratic
        if len(waiting) >= wanted:
            values, waiting = _whole_values(waiting)
            yield from values
            wanted = 2 * len(waiting)
        if len(waiting) > MAX_RECORD_CHARS:
            raise S3Problem("OverMaxRecordSize", 400, "A record is longer than 16 MiB.")
    values, waiting = _whole_values(waiting + "\n")
    yield from values
    if waiting:
        text = "Encountered an error parsing the JSON file. Check the file and try again."
        raise S3Problem("JSONParsingError", 400, text)


def _whole_values(text: str) -> tuple[list[Record], str]:
    """Return the values a text begins with, and the rest, which is no whole value yet."""
    decoder = json.JSONDecoder()
    values: list[Record] = []
    text = text.lstrip(_JSON_SPACE)
    while text:
        try:
            value, end = decoder.raw_decode(text)
        except ValueError:
            break
        if end == len(text) and not isinstance(value, dict | list):
            break  # a number may go on
        values.append(value)
        text = text[end:].lstrip(_JSON_SPACE)
    return values, text


@dataclass
class JsonOutput:
    """Writes records as JSON."""

    record: str = "\n"

    @classmethod
    def of(cls, node: Node) -> JsonOutput:
        """Read the ``JSON`` element of an output serialization."""
        return cls(_or(node, "RecordDelimiter", "\n"))

    def write(self, record: Record) -> bytes:
        """Return a record as one line; what is missing is left out."""
        if isinstance(record, dict):
            record = {name: value for name, value in record.items() if value is not MISSING}
        text = json.dumps(record, separators=(",", ":"), ensure_ascii=False, default=text_of)
        return (text + self.record).encode()


def _or(node: Node, name: str, default: str) -> str:
    return node.value(name) or default


def _one(node: Node, name: str, default: str) -> str:
    text = _or(node, name, default)
    if len(text) != 1:
        text = f"The {name} has to be one character."
        raise S3Problem("InvalidRequestParameter", 400, text)
    return text
