"""The call itself: what is asked, over which object, and the stream that answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import reading
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.select import events, syntax
from mcpy.sandbox.s3.select.formats import (
    Counted,
    CsvInput,
    CsvOutput,
    JsonOutput,
    read_json,
)
from mcpy.sandbox.s3.select.values import MISSING, Evaluator, follow, number, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.s3.transfer import Content
    from mcpy.sandbox.s3.xml import Node

    Record = Any

ROOTS = {"SelectObjectContentRequest", "SelectRequest"}
FLUSH_BYTES = 128 * 1024


@dataclass
class Selection:
    """What a client asks for."""

    query: syntax.Query
    compression: str
    read: Callable[[Iterable[bytes]], Iterator[Record]]
    output: CsvOutput | JsonOutput
    progress: bool


def answer(call: Call) -> Response:
    """Answer the records of an object that a query finds."""
    view = reading.whole(call)
    selection = _selection(call.document())
    content = view.content()
    counted = Counted(content, selection.compression)
    return Response(200, [], _Stream(_messages(selection, counted), content))


class _Stream:
    """The messages, and the content they are made of, which is closed with them."""

    def __init__(self, messages: Iterator[bytes], content: Content) -> None:
        self._messages = messages
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        return self._messages

    def close(self) -> None:
        """Let go of the object."""
        self._content.close()


def _selection(body: Node) -> Selection:
    if body.name not in ROOTS:
        raise S3Problem.of("MalformedXML")
    if (body.value("ExpressionType") or "").upper() != "SQL":
        text = "The ExpressionType is invalid. Only SQL expressions are supported."
        raise S3Problem("InvalidExpressionType", 400, text)
    source, target = body.first("InputSerialization"), body.first("OutputSerialization")
    expression = body.value("Expression") or ""
    if source is None or target is None or not expression:
        text = "The SelectRequest entity is missing a required parameter."
        raise S3Problem("MissingRequiredParameter", 400, text)
    try:
        query = syntax.parse(expression)
    except syntax.TableProblem as e:
        raise S3Problem("BadTableName", 400, f"The table name is not supported: {e}") from e
    except syntax.SqlProblem as e:
        text = f"The SQL expression cannot be parsed: {e}"
        raise S3Problem("ParseSelectFailure", 400, text) from e
    progress = body.first("RequestProgress")
    return Selection(
        query,
        (source.value("CompressionType") or "NONE").upper(),
        _reader(source),
        _writer(target),
        progress is not None and (progress.value("Enabled") or "").lower() == "true",
    )


def _reader(source: Node) -> Callable[[Iterable[bytes]], Iterator[Record]]:
    csv, json = source.first("CSV"), source.first("JSON")
    if (csv is None) == (json is None):
        text = "The SelectRequest entity can only contain one of CSV or JSON."
        code = "ObjectSerializationConflict" if csv else "InvalidDataSource"
        raise S3Problem(code, 400, text)
    if csv is not None:
        return CsvInput.of(csv).read
    if json is not None and (json.value("Type") or "").upper() not in {"LINES", "DOCUMENT"}:
        text = "The JsonType is invalid. Only DOCUMENT and LINES are supported."
        raise S3Problem("InvalidJsonType", 400, text)
    return read_json


def _writer(target: Node) -> CsvOutput | JsonOutput:
    csv, json = target.first("CSV"), target.first("JSON")
    if csv is not None and json is None:
        return CsvOutput.of(csv)
    if json is not None and csv is None:
        return JsonOutput.of(json)
    text = "The SelectRequest entity can only contain one of CSV or JSON."
    raise S3Problem("ObjectSerializationConflict", 400, text)


def _messages(selection: Selection, counted: Counted) -> Iterator[bytes]:
    returned, waiting = 0, b""
    try:
        for record in _found(selection.query, selection.read(counted)):
            waiting += selection.output.write(record)
            if len(waiting) > FLUSH_BYTES:
                returned += len(waiting)
                yield events.records(waiting)
                waiting = b""
    except (syntax.SqlProblem, S3Problem) as e:
        code = e.code if isinstance(e, S3Problem) else "InternalError"
        yield events.error(code, str(e))
        return
    if waiting:
        returned += len(waiting)
        yield events.records(waiting)
    if selection.progress:
        yield events.counts("Progress", counted.scanned, counted.processed, returned)
    yield events.counts("Stats", counted.scanned, counted.processed, returned) + events.end()


def _found(query: syntax.Query, records: Iterator[Record]) -> Iterator[Record]:
    evaluator = Evaluator(query.alias)
    matching = (
        record
        for whole in records
        for record in _within(whole, query)
        if query.where is None or truth(evaluator.value(query.where, record))
    )
    if query.aggregates:
        yield _row(query, evaluator, None, _totals(query, evaluator, matching))
        return
    left = query.limit
    while left is None or left > 0:
        record = next(matching, MISSING)
        if record is MISSING:
            return
        yield _row(query, evaluator, record, None) if query.columns else record
        left = None if left is None else left - 1


def _within(record: Record, query: syntax.Query) -> list[Record]:
    """Return the records that the path behind ``S3Object`` leads to in a value."""
    if not query.source:
        return [record]
    found = follow(record, list(query.source))
    items = found if "*" in query.source else [found]
    while any(isinstance(item, list) for item in items) and query.source.count("*") > 1:
        items = [part for item in items for part in (item if isinstance(item, list) else [item])]
    return [item for item in items if item is not MISSING]


def _row(
    query: syntax.Query, evaluator: Evaluator, record: Record, totals: dict[int, Any] | None
) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for at, (node, alias) in enumerate(query.columns, 1):
        value = evaluator.value(node, record, totals)
        if node[0] == "path" and node[1][-1] == "*" and isinstance(value, list) and value:
            row |= value[0] if isinstance(value[0], dict) else {}
            continue
        last = node[1][-1] if node[0] == "path" else ""
        name = alias or (last if isinstance(last, str) and last else f"_{at}")
        row[name] = value
    return row


def _totals(
    query: syntax.Query, evaluator: Evaluator, records: Iterator[Record]
) -> dict[int, Any]:
    """Return what each aggregate in the columns comes to, by the node's identity."""
    nodes = [node for column, _ in query.columns for node in _aggregates(column)]
    totals = {id(node): _Total(node[1]) for node in nodes}
    for record in records:
        for node in nodes:
            totals[id(node)].take(evaluator.value(node[2], record))
    return {key: total.value() for key, total in totals.items()}


def _aggregates(node: object) -> Iterator[syntax.Node]:
    if isinstance(node, tuple) and node[:1] == ("aggregate",):
        yield node
    elif isinstance(node, tuple | list):
        for part in node:
            yield from _aggregates(part)


class _Total:
    """One aggregate while records pass."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._count = 0
        self._best: Any = None

    def take(self, value: Any) -> None:  # noqa: ANN401 - any value of JSON
        """Take one more value; what is nothing does not count."""
        if value is None or value is MISSING:
            return
        self._count += 1
        if self._kind == "COUNT":
            return
        found = number(value)
        if found is None:
            raise syntax.SqlProblem(f"cannot compute {self._kind} of what is no number")
        if self._best is None:
            self._best = found
        elif self._kind in {"SUM", "AVG"}:
            self._best += found
        else:
            self._best = (min if self._kind == "MIN" else max)(self._best, found)

    def value(self) -> Any:  # noqa: ANN401 - a number or nothing
        """Return the aggregate."""
        if self._kind == "COUNT":
            return self._count
        if self._kind == "AVG":
            return self._best / self._count if self._count else None
        return self._best
