"""A YAML document in which everything knows its line, and what ``${NAME}`` stands for.

Rules, as KES has them: only the first document counts; a key that stands twice is an error; a
scalar that is ``${NAME}`` as a whole is the value of an environment variable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Kind = Literal["mapping", "list", "scalar", "null", "absent"]

MAX_FILE_BYTES = 1024 * 1024
_MAX_NODES = 50_000
_MAX_DEPTH = 30
_REFERENCE = re.compile(r"\s*\$\{(.*)\}\s*", flags=re.DOTALL)
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TAG = "tag:yaml.org,2002:"
_NULL_TAG, _MERGE_TAG = f"{_TAG}null", f"{_TAG}merge"


class NoConfigError(ConfigError):
    """The text is nothing that KES could start with, whatever its fields say."""


@dataclass(frozen=True)
class Node:
    """One place of the document, or the absence of it.

    Attributes:
        path: names from the root, as ``policy.my-app.allow[0]``.
        line: where its key stands (or itself, in a list), from 1.
        text: of a scalar, as written.
        fields: of a mapping, in the order of the file.
        items: of a list.
        tag: what YAML takes it for, as ``!!str``.
    """

    path: str
    line: int
    kind: Kind
    text: str = field(default="", repr=False)  # may be a secret
    fields: Mapping[str, Node] = field(default_factory=dict, repr=False)
    items: tuple[Node, ...] = field(default=(), repr=False)
    tag: str = ""

    def __bool__(self) -> bool:
        return self.kind not in {"absent", "null"}

    def at(self, path: str) -> Node:
        """Return the node under ``a.b.c``; an absent one where there is none."""
        found = self
        for name in path.split("."):
            under = f"{found.path}.{name}" if found.path else name
            found = found.fields.get(name) or Node(under, found.line, "absent")
        return found

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it."""
        yield self
        for below in (*self.fields.values(), *self.items):
            yield from below.walk()

    @property
    def variable(self) -> str | None:
        """The name in ``${NAME}``, None when the scalar is no reference."""
        match = _REFERENCE.fullmatch(self.text) if self.kind == "scalar" else None
        return match[1].strip() if match else None

    def expanded(self, env: Mapping[str, str]) -> str | None:
        """Return the scalar's text; None for a variable that is not set."""
        variable = self.variable
        return self.text if variable is None else env.get(variable)


def load(path: Path) -> Node:
    """Read a KES configuration file.

    Raises:
        ConfigError: it cannot be read, or is not a YAML mapping; the line is named.
    """
    try:
        raw = path.read_bytes()
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}") from e
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(f"{path} has more than {MAX_FILE_BYTES} bytes: that is no KES config")
    try:
        return parse(raw.decode("utf-8"), name=str(path))
    except UnicodeDecodeError as e:
        raise NoConfigError(f"{path} is not UTF-8 text") from e


def parse(text: str, *, name: str = "config") -> Node:
    """Read a configuration; ``name`` stands in messages. Raises as ``load``."""
    yaml = _yaml()
    try:
        # the first of several documents, as KES does
        node = next(iter(yaml.compose_all(text, Loader=yaml.SafeLoader)), None)
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise NoConfigError(f"{name}:{line}: not valid YAML: {e.problem or e.context}") from e
    except (yaml.YAMLError, RecursionError) as e:
        raise NoConfigError(f"{name} is not valid YAML") from e
    if node is None:
        raise NoConfigError(f"{name} is empty")
    if not isinstance(node, yaml.MappingNode):
        raise NoConfigError(f"{name}:{node.start_mark.line + 1}: not a mapping of fields")
    return _Reader(name).node(node, "", 1, 0)


def _yaml() -> Any:  # noqa: ANN401 - a module
    try:
        import yaml
    except ImportError as e:
        raise ConfigError(
            "reading a KES config needs PyYAML, which is not installed",
            hint="install mcpy-admin with the extra `sandbox`, or that of the keystore's provider",
        ) from e
    return yaml


class _Reader:
    """Turns PyYAML's nodes into ours, bounded: an alias may stand for a lot."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = _MAX_NODES

    def node(self, found: Any, path: str, line: int, depth: int) -> Node:  # noqa: ANN401
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise NoConfigError(f"{self._name}:{line}: too deep or too large for a KES config")
        tag = str(found.tag).replace(_TAG, "!!")
        if found.tag == _NULL_TAG:
            return Node(path, line, "null", tag=tag)
        if found.id == "scalar":
            return Node(path, line, "scalar", str(found.value), tag=tag)
        if found.id == "sequence":
            items = (
                self.node(item, f"{path}[{i}]", item.start_mark.line + 1, depth + 1)
                for i, item in enumerate(found.value)
            )
            return Node(path, line, "list", items=tuple(items), tag=tag)
        fields = self._fields(found, path, depth)
        return Node(path, line, "mapping", fields=fields, tag=tag)

    def _fields(self, mapping: Any, path: str, depth: int) -> dict[str, Node]:  # noqa: ANN401
        fields: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in mapping.value:
            line = key.start_mark.line + 1
            if key.tag == _MERGE_TAG:
                merged |= self.node(value, path, line, depth + 1).fields
                continue
            name = str(key.value)
            if name in fields:
                raise NoConfigError(
                    f"{self._name}:{line}: `{name}` stands twice, first in line "
                    f"{fields[name].line}"
                )
            below = f"{path}.{name}" if path else name
            fields[name] = self.node(value, below, line, depth + 1)
        return merged | fields


def seconds(text: str) -> float:
    """Return a Go duration such as ``1m30s`` in seconds; of bare numbers ``0`` alone is one.

    Raises:
        ValueError: it is none.
    """
    bare = text.strip()
    if bare in {"", "0"}:
        return 0.0
    sign = -1 if bare.startswith("-") else 1
    total, rest = 0.0, bare.lstrip("+-")
    while rest:
        match = _DURATION.match(rest)
        if match is None:
            raise ValueError(f"`{text}` is not a duration such as 20s or 1m30s")
        unit = "us" if match[2] in {"µs", "μs"} else match[2]
        total += float(match[1]) * _UNITS_S[unit]
        rest = rest[match.end() :]
    return sign * total


def endpoint_fault(text: str) -> str:
    """Return what is wrong with an address, ``""`` for nothing; the address is not repeated.

    One with a password in it would show that in every message.
    """
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        _ = parts.port  # raises as well
    except ValueError:
        return "is no URL"
    return "must not hold a user: credentials stand apart" if "@" in parts.netloc else ""
