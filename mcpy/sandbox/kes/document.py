"""The fields of a KES configuration as the server reads them, and what it says of wrong ones.

The document itself is read by ``mcpy.kesconf``. Fields nobody asks for are ignored; a scalar may
be ``${NAME}``, the value of an environment variable. Messages are those of a real server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.errors import ConfigError
from mcpy.kesconf.document import Node, parse, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TRUE = {"true", "yes", "on", "y"}
_FALSE = {"false", "no", "off", "n", ""}


class ConfigProblem(Exception):  # noqa: N818 - as KesProblem
    """The configuration cannot be used; the text is a real server's where it has one."""


class Section:
    """One node of the document, or nothing where the document has none.

    Args:
        env: what ``${NAME}`` is looked up in.
    """

    def __init__(self, node: Node, env: Mapping[str, str]) -> None:
        self.node = node
        self._env = env

    @classmethod
    def read(cls, text: str, env: Mapping[str, str]) -> Section:
        """Parse the first document of ``text``.

        Raises:
            ConfigProblem: no YAML, empty, or not a mapping.
        """
        try:
            return cls(parse(text), env)
        except ConfigError as e:
            raise ConfigProblem(f"yaml: {e}") from e

    def __bool__(self) -> bool:
        return bool(self.node)

    def items(self) -> Iterator[tuple[str, Section]]:
        """Yield the fields of this mapping."""
        if self and self.node.kind != "mapping":
            raise self.mismatch("kesconf.ymlFile")
        for name, field in self.node.fields.items():
            yield name, Section(field, self._env)

    def section(self, name: str) -> Section:
        """Return a field; false when there is none."""
        if self and self.node.kind != "mapping":
            raise self.mismatch("kesconf.ymlFile")
        return Section(self.node.at(name), self._env)

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
        try:
            return seconds(field.scalar())
        except ValueError as e:
            raise field.mismatch("time.Duration") from e

    def texts(self, name: str, *, expand: bool = True) -> list[str]:
        """Return a list of strings; empty when absent."""
        return [item.scalar(expand=expand) for item in self.entries(name)]

    def entries(self, name: str) -> list[Section]:
        """Return the items of a list field; empty when absent."""
        field = self.section(name)
        if field and field.node.kind != "list":
            raise field.mismatch("[]string")
        return [Section(item, self._env) for item in field.node.items]

    def scalar(self, *, expand: bool = True) -> str:
        """Return this scalar as text; empty when null or absent."""
        if not self:
            return ""
        if self.node.kind != "scalar":
            raise self.mismatch("string")
        if not expand:
            return self.node.text
        value = self.node.expanded(self._env)
        if value is None:
            raise ConfigProblem(
                f"kesconf: referenced env. variable '{self.node.variable}' in line "
                f"'{self.node.line}' not found"
            )
        return value

    def mismatch(self, wanted: str) -> ConfigProblem:
        """Return the error for a field of the wrong type."""
        node = self.node
        value = f" `{node.text}`" if node.kind == "scalar" else ""
        return ConfigProblem(
            "yaml: unmarshal errors:\n"
            f"  line {node.line}: cannot unmarshal {node.tag}{value} into {wanted}"
        )
