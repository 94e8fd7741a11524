"""What an expression of S3 Select is worth for one record.

Values are those of JSON, and `MISSING`. Text from CSV is taken as a number where a number is
wanted; what cannot be compared is not equal.
"""

from __future__ import annotations

import math
import operator
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mcpy.sandbox.s3.select.syntax import Node, SqlProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    Value = Any


class Missing:
    """The value of a path that leads nowhere."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def truth(value: Value) -> bool:
    """Tell whether a condition holds: nothing but true does."""
    return value is True


class Evaluator:
    """Computes nodes for a record that is called ``alias``; aggregates come from ``totals``."""

    def __init__(self, alias: str) -> None:
        self._alias = alias.lower()

    def value(self, node: Node, record: Value, totals: dict[int, Value] | None = None) -> Value:
        """Return what ``node`` is worth.

        Raises:
            SqlProblem: it cannot be computed.
        """
        kind = node[0]
        if kind == "literal":
            return node[1]
        if kind == "path":
            return self._path(node[1], record)
        if kind == "aggregate":
            return (totals or {}).get(id(node))
        if kind in {"AND", "OR"}:
            left = truth(self.value(node[1], record, totals))
            decided = left == (kind == "OR")
            return left if decided else truth(self.value(node[2], record, totals))
        return self._operation(node, record, totals)

    def _operation(self, node: Node, record: Value, totals: dict[int, Value] | None) -> Value:
        kind = node[0]
        if kind == "call":
            return _call(node[1], [self.value(item, record, totals) for item in node[2]])
        if kind == "list":
            return [self.value(item, record, totals) for item in node[1]]
        if kind in {"IS", "cast"}:
            inner = self.value(node[1], record, totals)
            return _is(inner, node[2]) if kind == "IS" else cast(inner, node[2])
        if kind == "trim":
            chars, text = (self.value(item, record, totals) for item in node[2:])
            return _trim(node[1], chars, text)
        return _apply(kind, [self.value(item, record, totals) for item in node[1:]])

    def _path(self, steps: list[Any], record: Value) -> Value:
        first, *rest = steps
        if str(first).lower() != self._alias or not rest:
            rest = rest if str(first).lower() in {self._alias, "s3object"} and rest else steps
            if steps == [first] and str(first).lower() == self._alias:
                return record
        return follow(record, rest)


def follow(value: Value, steps: list[Any]) -> Value:
    """Return what a path leads to from ``value``."""
    for at, step in enumerate(steps):
        if step == "*":
            items = value if isinstance(value, list) else [value]
            return [follow(item, steps[at + 1 :]) for item in items]
        if isinstance(step, int):
            inside = isinstance(value, list) and step < len(value)
            value = value[step] if inside else MISSING
        else:
            value = _field(value, step)
    return value


def _field(value: Value, name: str) -> Value:
    if not isinstance(value, dict):
        return MISSING
    if name in value:
        return value[name]
    if re.fullmatch(r"_\d+", name) and 0 < int(name[1:]) <= len(value):
        return list(value.values())[int(name[1:]) - 1]
    low = name.lower()
    return next((v for k, v in value.items() if k.lower() == low), MISSING)


def number(value: Value) -> int | float | None:
    """Return a value as a number, None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        text = value.strip()
        try:
            return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
        except ValueError:
            return None
    return None


def _apply(kind: str, values: list[Value]) -> Value:
    act = _OPERATORS.get(kind)
    if act is not None:
        return act(*values)
    if kind in _COMPARE:
        return _compare(kind, *values)
    return _arithmetic(kind, values)


def _not(value: Value) -> Value:
    return None if _nothing(value) else not truth(value)


def _in(value: Value, choices: Value) -> bool:
    choices = choices if isinstance(choices, list) else [choices]
    return any(truth(_compare("=", value, choice)) for choice in choices)


def _joined(left: Value, right: Value) -> str | None:
    return None if _nothing(left) or _nothing(right) else text_of(left) + text_of(right)


def _nothing(value: Value) -> bool:
    return value is None or value is MISSING


def _compare(kind: str, left: Value, right: Value) -> bool | None:
    if _nothing(left) or _nothing(right):
        return None
    numbers = number(left), number(right)
    # text is a number only beside one
    if not (isinstance(left, str) and isinstance(right, str)) and None not in numbers:
        left, right = numbers
    elif isinstance(left, bool) != isinstance(right, bool):
        left, right = text_of(left).lower(), text_of(right).lower()
    try:
        return bool(_COMPARE[kind](left, right))
    except TypeError:
        return False


def _arithmetic(kind: str, values: list[Value]) -> Value:
    if any(map(_nothing, values)):
        return None
    numbers = [number(value) for value in values]
    if None in numbers:
        raise SqlProblem("cannot perform arithmetic on non-numeric values")
    if kind == "negative":
        return -numbers[0]  # type: ignore[operator]
    left, right = numbers
    if kind in _ARITHMETIC:
        return _ARITHMETIC[kind](left, right)
    if not right:
        raise SqlProblem("cannot divide by 0")
    if kind == "%":
        return math.fmod(left, right) if isinstance(left, float) else int(math.fmod(left, right))  # type: ignore[arg-type]
    whole = isinstance(left, int) and isinstance(right, int)
    return int(left / right) if whole else left / right  # type: ignore[operator]


def _like(text: Value, pattern: Value, escape: Value) -> bool | None:
    if _nothing(text) or _nothing(pattern):
        return None
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise SqlProblem("LIKE wants text")
    return _pattern(pattern, str(escape)).fullmatch(text) is not None


_OPERATORS: dict[str, Callable[..., Value]] = {
    "NOT": _not,
    "!=": lambda left, right: _not(_compare("=", left, right)),
    "LIKE": _like,
    "IN": _in,
    "||": _joined,
}


@lru_cache(maxsize=64)
def _pattern(pattern: str, escape: str) -> re.Pattern[str]:
    parts, literal = [], False
    for char in pattern:
        if literal or char not in {"%", "_", escape}:
            parts.append(re.escape(char))
            literal = False
        elif char == escape:
            literal = True
        else:
            parts.append(".*" if char == "%" else ".")
    return re.compile("".join(parts), re.DOTALL)


def _is(value: Value, kind: str) -> bool:
    return value is MISSING if kind == "MISSING" else _nothing(value)


def _trim(where: str, chars: Value, text: Value) -> Value:
    if _nothing(text):
        return None
    act = {"LEADING": str.lstrip, "TRAILING": str.rstrip}.get(where, str.strip)
    return act(text_of(text), text_of(chars))


def cast(value: Value, kind: str) -> Value:
    """Return a value as another type.

    Raises:
        SqlProblem: it is none of that type, or there is no such type.
    """
    if _nothing(value):
        return value
    if kind in {"STRING", "VARCHAR", "CHAR"}:
        return text_of(value)
    if kind in {"BOOL", "BOOLEAN"}:
        found = {"true": True, "false": False, "1": True, "0": False}.get(text_of(value).lower())
        return _required(found, value, kind)
    if kind in {"INT", "INTEGER"}:
        whole = int(value) if isinstance(value, bool) else number(value)
        return int(_required(whole, value, kind))
    if kind in {"FLOAT", "DECIMAL", "NUMERIC", "DOUBLE", "REAL"}:
        return float(_required(number(value), value, kind))
    if kind == "TIMESTAMP":
        return _timestamp(text_of(value))
    raise SqlProblem(f"CAST to {kind} is not supported")


def _required(found: Value, value: Value, kind: str) -> Value:
    if found is None:
        raise SqlProblem(f"cast of {text_of(value)} to {kind} failed")
    return found


def _timestamp(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as e:
        raise SqlProblem(f"{text} is no timestamp") from e
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _substring(text: str, start: Value, length: Value = None) -> str:
    first = int(number(start) or 0) - 1
    end = len(text) if length is None else first + int(number(length) or 0)
    return text[max(0, first) : max(0, end)]


_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "LOWER": lambda text: text_of(text).lower(),
    "UPPER": lambda text: text_of(text).upper(),
    "CHAR_LENGTH": lambda text: len(text_of(text)),
    "CHARACTER_LENGTH": lambda text: len(text_of(text)),
    "SUBSTRING": lambda text, *more: _substring(text_of(text), *more),
    "UTCNOW": lambda: datetime.now(UTC),
    "TO_TIMESTAMP": lambda text: _timestamp(text_of(text)),
}


def _call(name: str, arguments: list[Value]) -> Value:
    if name == "COALESCE":
        return next((value for value in arguments if not _nothing(value)), None)
    if name == "NULLIF" and len(arguments) == 2:
        return None if truth(_compare("=", *arguments)) else arguments[0]
    if name not in _FUNCTIONS:
        raise SqlProblem(f"function {name} is not supported")
    if any(map(_nothing, arguments)):
        return None
    try:
        return _FUNCTIONS[name](*arguments)
    except TypeError as e:
        raise SqlProblem(f"{name} has other arguments") from e


def text_of(value: Value) -> str:
    """Return a value as it stands in CSV."""
    if _nothing(value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dict | list):
        import json

        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value)
