"""The SQL of S3 Select, read into a tree of tuples.

A node is a tuple that begins with its kind: ``("literal", 3)``, ``("path", ["s", "name", 0])``,
``("=", left, right)``, ``("call", "LOWER", [node])`` and so on.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-select-sql-reference-select.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Node = tuple[Any, ...]

AGGREGATES = frozenset({"COUNT", "SUM", "AVG", "MIN", "MAX"})
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>\|\||<>|!=|<=|>=|[-+*/%=<>(),.\[\];])
    )""",
    re.VERBOSE,
)
_LEVELS = (("OR",), ("AND",))
_COMPARISONS = {"=", "!=", "<>", "<", "<=", ">", ">="}
_SUMS, _PRODUCTS = {"+", "-", "||"}, {"*", "/", "%"}
_STOPS = {"FROM", "WHERE", "LIMIT", "AS", "FOR", "ESCAPE", "AND", "OR", "NOT", "IN", "IS", "LIKE"}
MAX_DEPTH = 200


class SqlProblem(ValueError):  # noqa: N818 - named like S3Problem
    """The text is no query this server knows."""


class TableProblem(SqlProblem):
    """The query is over something that is not the object."""


@dataclass(frozen=True)
class Query:
    """A SELECT.

    Attributes:
        columns: expression and alias of each; none for ``*``.
        source: the path behind ``S3Object``: names, indices and ``"*"``.
        alias: how expressions call a record.
        limit: None for no limit.
    """

    columns: tuple[tuple[Node, str], ...]
    source: tuple[Any, ...]
    alias: str
    where: Node | None
    limit: int | None

    @property
    def aggregates(self) -> bool:
        """Whether the columns are aggregates: one record is the answer."""
        return any(_has_aggregate(node) for node, _ in self.columns)


def _has_aggregate(node: object) -> bool:
    if isinstance(node, tuple):
        return node[:1] == ("aggregate",) or any(map(_has_aggregate, node))
    return isinstance(node, list) and any(map(_has_aggregate, node))


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        SqlProblem: it is none.
    """
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def query(self) -> Query:
        self._expect("SELECT")
        columns: list[tuple[Node, str]] = []
        if not self._take("*"):
            columns.append(self._column())
            while self._take(","):
                columns.append(self._column())
        self._expect("FROM")
        source = self._source()
        alias = self._alias() or "S3Object"
        where = self._expression() if self._take("WHERE") else None
        limit = None
        if self._take("LIMIT"):
            kind, value = self._next()
            if kind != "number" or not value.isdecimal():
                raise SqlProblem("LIMIT wants a number")
            limit = int(value)
        self._take(";")
        if self._at < len(self._tokens):
            raise SqlProblem(f"unexpected token {self._tokens[self._at][1]}")
        if len(columns) == 1 and columns[0][0] == ("path", [alias, "*"]):
            columns = []
        return Query(tuple(columns), source, alias, where, limit)

    def _column(self) -> tuple[Node, str]:
        node = self._expression()
        return node, self._alias()

    def _alias(self) -> str:
        named = self._take("AS")
        kind, value = self._peek()
        if kind == "quoted" or (kind == "word" and (named or value.upper() not in _STOPS)):
            self._at += 1
            return _name(kind, value)
        if named:
            raise SqlProblem("AS wants a name")
        return ""

    def _source(self) -> tuple[Any, ...]:
        kind, value = self._next()
        if kind != "word" or value.upper() != "S3OBJECT":
            raise TableProblem("table name must be `s3object`")
        return tuple(self._steps())

    def _steps(self) -> list[Any]:
        """Read ``.name``, ``[0]``, ``[*]`` and ``.*`` as long as there are any."""
        steps: list[Any] = []
        while True:
            if self._take("."):
                kind, value = self._next()
                if kind not in {"word", "quoted"} and value != "*":
                    raise SqlProblem("a path ends with a dot")
                steps.append(_name(kind, value))
            elif self._take("["):
                kind, value = self._next()
                if kind == "string":
                    steps.append(_name(kind, value))
                elif value == "*":
                    steps.append("*")
                elif value.isdecimal():
                    steps.append(int(value))
                else:
                    raise SqlProblem("an index is a number or *")
                self._expect("]")
            else:
                return steps

    def _expression(self, level: int = 0) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SqlProblem("the expression is too deep")
        try:
            if level == len(_LEVELS):
                return self._negation()
            node = self._expression(level + 1)
            while operator := self._take(*_LEVELS[level]):
                node = (operator, node, self._expression(level + 1))
            return node
        finally:
            self._depth -= 1

    def _negation(self) -> Node:
        if self._take("NOT"):
            return ("NOT", self._negation())
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._binary(_SUMS, lambda: self._binary(_PRODUCTS, self._unary))
        operator = self._take(*_COMPARISONS)
        if operator:
            return ("!=" if operator == "<>" else operator, left, self._sum())
        negated = self._take("NOT")
        node = self._predicate(left)
        if node is None:
            if negated:
                raise SqlProblem("unexpected NOT")
            return left
        return ("NOT", node) if negated else node

    def _predicate(self, left: Node) -> Node | None:
        if self._take("IS"):
            negated = self._take("NOT")
            kind = self._take("NULL", "MISSING")
            if not kind:
                raise SqlProblem("IS wants NULL or MISSING")
            node = ("IS", left, kind)
            return ("NOT", node) if negated else node
        if self._take("BETWEEN"):
            low = self._sum()
            self._expect("AND")
            return ("AND", (">=", left, low), ("<=", left, self._sum()))
        if self._take("LIKE"):
            pattern = self._sum()
            escape = self._sum() if self._take("ESCAPE") else ("literal", "")
            return ("LIKE", left, pattern, escape)
        if self._take("IN"):
            if self._take("("):
                return ("IN", left, ("list", self._list(")")))
            return ("IN", left, self._sum())
        return None

    def _sum(self) -> Node:
        return self._binary(_SUMS, lambda: self._binary(_PRODUCTS, self._unary))

    def _binary(self, operators: set[str], operand: Callable[[], Node]) -> Node:
        node = operand()
        while operator := self._take(*operators):
            node = (operator, node, operand())
        return node

    def _unary(self) -> Node:
        if self._take("-"):
            return ("negative", self._unary())
        self._take("+")
        return self._primary()

    def _primary(self) -> Node:
        kind, value = self._next()
        if kind == "number":
            return ("literal", int(value) if value.isdecimal() else float(value))
        if kind == "string":
            return ("literal", _name(kind, value))
        if value == "(":
            node = self._expression()
            self._expect(")")
            return node
        if kind == "word" and value.upper() in {"TRUE", "FALSE", "NULL"}:
            return ("literal", {"TRUE": True, "FALSE": False}.get(value.upper()))
        if kind == "word" and self._take("("):
            return self._call(value.upper())
        if kind in {"word", "quoted"} and value.upper() not in _STOPS:
            return ("path", [_name(kind, value), *self._steps()])
        raise SqlProblem(f"unexpected token {value}")

    def _call(self, name: str) -> Node:
        if name in AGGREGATES:
            inner = ("literal", 1) if self._take("*") else self._expression()
            self._expect(")")
            return ("aggregate", name, inner)
        if name == "CAST":
            inner = self._expression()
            self._expect("AS")
            kind = self._next()[1].upper()
            self._expect(")")
            return ("cast", inner, kind)
        if name == "TRIM":
            return self._trim()
        if name == "SUBSTRING":
            return self._substring()
        return ("call", name, self._list(")"))

    def _trim(self) -> Node:
        where = self._take("LEADING", "TRAILING", "BOTH") or "BOTH"
        node: Node = ("literal", " ")
        if not self._take("FROM"):
            node = self._expression()
            if not self._take("FROM"):
                self._expect(")")
                return ("trim", where, ("literal", " "), node)
        text = self._expression()
        self._expect(")")
        return ("trim", where, node, text)

    def _substring(self) -> Node:
        arguments = [self._expression()]
        while self._take(",", "FROM", "FOR"):
            arguments.append(self._expression())
        self._expect(")")
        return ("call", "SUBSTRING", arguments)

    def _list(self, end: str) -> list[Node]:
        items: list[Node] = []
        if self._take(end):
            return items
        items.append(self._expression())
        while self._take(","):
            items.append(self._expression())
        self._expect(end)
        return items

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        if token[0] == "end":
            raise SqlProblem("the query ends too soon")
        self._at += 1
        return token

    def _take(self, *wanted: str) -> str:
        kind, value = self._peek()
        if kind in {"word", "sign"} and value.upper() in wanted:
            self._at += 1
            return value.upper()
        return ""

    def _expect(self, wanted: str) -> None:
        if not self._take(wanted):
            raise SqlProblem(f"expected {wanted}, found {self._peek()[1] or 'the end'}")


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise SqlProblem(f"unexpected character {text[at:].lstrip()[:1]}")
        tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
        at = match.end()
    return tokens


def _name(kind: str, value: str) -> str:
    if kind == "quoted":
        return value[1:-1].replace('""', '"')
    return value[1:-1].replace("''", "'") if kind == "string" else value
