"""A YAML document read the way KES reads its configuration.

Fields the reader does not ask for are ignored; a scalar may be ``${NAME}``, the value of an
environment variable; duplicate keys are errors. Messages are those of a real server.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REFERENCE = re.compile(r"\s*\$\{(.*)\}\s*", flags=re.DOTALL)
_TRUE = {"true", "yes", "on", "y"}
_FALSE = {"false", "no", "off", "n", ""}
_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}


class ConfigProblem(Exception):  # noqa: N818 - as KesProblem
    """The configuration cannot be used; the text is a real server's."""


class Section:
    """One mapping of the document, or nothing where the document has none.

    Args:
        node: a PyYAML node.
        env: what ``${NAME}`` is looked up in.
    """

    def __init__(self, node: Any, env: Mapping[str, str]) -> None:  # noqa: ANN401 - PyYAML is untyped here
        self._node = node
        self._env = env

    @classmethod
    def read(cls, text: str, env: Mapping[str, str]) -> Section:
        """Parse the first document of ``text``.

        Raises:
            ConfigProblem: no YAML, empty, or not a mapping.
        """
        import yaml

        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as e:
            raise ConfigProblem(f"yaml: {e}") from e
        if node is None:
            raise ConfigProblem("EOF")
        return cls(node, env)

    def __bool__(self) -> bool:
        return bool(self._node is not None and not self._is_null())

    def items(self) -> Iterator[tuple[str, Section]]:
        """Yield the fields of this mapping."""
        seen: dict[str, int] = {}
        for key, value in self._pairs():
            line = key.start_mark.line + 1
            if key.value in seen:
                raise ConfigProblem(
                    f'yaml: unmarshal errors:\n  line {line}: mapping key "{key.value}" '
                    f"already defined at line {seen[key.value]}"
                )
            seen[key.value] = line
            yield key.value, Section(value, self._env)

    def section(self, name: str) -> Section:
        """Return a field; false when there is none."""
        return next((value for key, value in self.items() if key == name), Section(None, {}))

    def has(self, name: str) -> bool:
        """Tell whether the field stands here and is not null."""
        return bool(self.section(name))

    def text(self, name: str) -> str:
        """Return a string field, expanded; empty when absent."""
        return self.section(name).scalar()

    def flag(self, name: str) -> bool:
        """Return a boolean field; false when absent."""
        field = self.section(name)
        value = field.scalar()
        if value.lower() in _TRUE:
            return True
        if value.lower() in _FALSE:
            return False
        raise field.mismatch("bool")

    def seconds(self, name: str) -> float:
        """Return a duration field such as ``1m30s``; 0 when absent."""
        field = self.section(name)
        value = field.scalar().strip()
        try:
            return _seconds(value)
        except ValueError as e:
            raise field.mismatch("time.Duration") from e

    def texts(self, name: str, *, expand: bool = True) -> list[str]:
        """Return a list of strings; empty when absent."""
        return [item.scalar(expand=expand) for item in self.entries(name)]

    def entries(self, name: str) -> list[Section]:
        """Return the items of a list field; empty when absent."""
        import yaml

        field = self.section(name)
        if not field:
            return []
        if not isinstance(field._node, yaml.SequenceNode):
            raise field.mismatch("[]string")
        return [Section(node, self._env) for node in field._node.value]

    def scalar(self, *, expand: bool = True) -> str:
        """Return this scalar as text; empty when null or absent."""
        import yaml

        if not self:
            return ""
        if not isinstance(self._node, yaml.ScalarNode):
            raise self.mismatch("string")
        value = str(self._node.value)
        reference = _REFERENCE.fullmatch(value) if expand else None
        if reference is None:
            return value
        name = reference[1].strip()
        if name not in self._env:
            raise ConfigProblem(
                f"kesconf: referenced env. variable '{name}' in line '{self.line}' not found"
            )
        return self._env[name]

    def mismatch(self, wanted: str) -> ConfigProblem:
        """Return the error for a field of the wrong type."""
        tag = self._node.tag.replace("tag:yaml.org,2002:", "!!")
        value = f" `{self._node.value}`" if isinstance(self._node.value, str) else ""
        return ConfigProblem(
            "yaml: unmarshal errors:\n"
            f"  line {self.line}: cannot unmarshal {tag}{value} into {wanted}"
        )

    def is_mapping(self) -> bool:
        """Tell whether this is a mapping."""
        import yaml

        return isinstance(self._node, yaml.MappingNode)

    @property
    def line(self) -> int:
        """Where this stands in the file, from 1."""
        return int(self._node.start_mark.line) + 1

    def _is_null(self) -> bool:
        return str(self._node.tag) == "tag:yaml.org,2002:null"

    def _pairs(self) -> list[tuple[Any, Any]]:
        if not self:
            return []
        if not self.is_mapping():
            raise self.mismatch("kesconf.ymlFile")
        return list(self._node.value)


def _seconds(text: str) -> float:
    """Parse a Go duration; a bare number is nanoseconds."""
    if text in {"", "0"}:
        return 0
    if text.lstrip("+-").isdigit():
        return int(text) / 1e9
    sign = -1 if text.startswith("-") else 1
    total, rest = 0.0, text.lstrip("+-")
    while rest:
        match = re.match(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", rest)
        if match is None:
            raise ValueError(f"time: invalid duration {text}")
        total += float(match[1]) * _UNITS[match[2]]
        rest = rest[match.end() :]
    return sign * total
