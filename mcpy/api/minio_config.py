"""A MinIO server's settings: ``subsystem[:target] key=value key=value``, a line each.

A line behind ``# `` is a subsystem that is off or at its defaults; ``# MINIO_NAME=value`` is a
variable of the server's environment, which goes before the setting in the line after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcpy.errors import ProtocolError
from mcpy.jsontext import loads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.api.madmin import MinioAdmin

APPLIED = "x-minio-config-applied"
PAIR = re.compile(r'([a-z0-9_]+)=("[^"]*"|.*?)(?=\s+[a-z0-9_]+=|\s*$)')
_DEFAULT = re.compile(r"\(default: '([^']*)'\)")
_VARIABLE = re.compile(r"(MINIO_[A-Za-z0-9_]+)=(.*)")
_LINE = re.compile(r"([a-z0-9_]+)(?::(\S+))?(?:\s+(.*))?")


@dataclass(frozen=True)
class Setting:
    """One key; ``variable`` is set where the server's environment goes before ``value``."""

    key: str
    value: str
    variable: str = ""
    variable_value: str = ""


@dataclass(frozen=True)
class Section:
    """The settings of a subsystem, or of one of its targets."""

    subsystem: str
    target: str
    settings: tuple[Setting, ...]

    def get(self, key: str) -> Setting | None:
        """Return a setting."""
        return next((setting for setting in self.settings if setting.key == key), None)


def parse(text: str) -> list[Section]:
    """Read settings as the server writes them; lines of another form are passed over."""
    sections = []
    variables: list[tuple[str, str]] = []
    for line in text.splitlines():
        bare = line.removeprefix("# ").strip()
        variable = _VARIABLE.fullmatch(bare)
        match = _LINE.fullmatch(bare)
        if variable:
            variables.append((variable[1], variable[2].strip()))
        elif match:
            sections.append(_section(match[1], match[2] or "", match[3] or "", variables))
            variables = []
    return sections


def _section(subsystem: str, target: str, pairs: str, variables: list[tuple[str, str]]) -> Section:
    head = f"MINIO_{subsystem.upper()}_"
    tail = f"_{target}" if target else ""
    overrides = {
        name.removeprefix(head).removesuffix(tail).lower(): (name, value)
        for name, value in variables
    }
    found = [
        Setting(key, _unquoted(value), *overrides.pop(key, ("", "")))
        for key, value in PAIR.findall(pairs)
    ]
    found += [Setting(key, "", name, value) for key, (name, value) in overrides.items()]
    return Section(subsystem, target, tuple(found))


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


@dataclass(frozen=True)
class Change:
    """One entry of the history: the line that was set, and the id that brings back its state."""

    restore_id: str
    created: str
    line: str


class MinioConfig:
    """The settings of one deployment; methods raise S3Error when the server refuses."""

    def __init__(self, admin: MinioAdmin) -> None:
        self._admin = admin

    def get(self, subsystem: str) -> str:
        """Return the lines of a subsystem, or of one target (``SUBSYSTEM:TARGET``)."""
        return self._text(self._admin.read_sealed("get-config-kv", {"key": subsystem}))

    def export(self) -> str:
        """Return every line."""
        return self._text(self._admin.read_sealed("config"))

    def set(self, line: str) -> bool:
        """Set ``SUBSYSTEM[:TARGET] key=value ...``; return whether it works without a restart."""
        return self._applied(self._admin.send_sealed("PUT", "set-config-kv", line.encode()))

    def reset(self, line: str) -> bool:
        """Reset ``SUBSYSTEM[:TARGET] [key ...]`` to its defaults; returns as ``set``."""
        return self._applied(self._admin.send_sealed("DELETE", "del-config-kv", line.encode()))

    def replace(self, text: str) -> None:
        """Make ``text`` the whole configuration: what it does not name returns to its default.

        A server works by it, and shows it, from its next start on; its history has it at once.
        """
        self._admin.send_sealed("PUT", "config", text.encode())

    def history(self) -> list[Change]:
        """Return the changes of the past, oldest first."""
        # a server asked for few returns any few
        raw = self._admin.read_sealed("list-config-history-kv", {"count": "1000"})
        try:
            found = loads(raw) or []
            return [
                Change(str(e["restoreId"]), str(e["createTime"]), str(e.get("data", "")))
                for e in found
            ]
        except (ValueError, KeyError, TypeError) as e:
            raise ProtocolError("the server answered no history of its settings") from e

    def clear_history(self) -> None:
        """Forget every change; the settings stay."""
        self._admin.call("DELETE", "clear-config-history-kv", {"restoreId": "all"})

    def restore(self, restore_id: str) -> None:
        """Bring the state of a change back."""
        self._admin.call("PUT", "restore-config-history-kv", {"restoreId": restore_id})

    def defaults(self, subsystem: str) -> dict[str, str]:
        """Return the defaults that the server's help names, by key; it does not name all."""
        found = self.help(subsystem).get("keysHelp") or []
        named = ((k.get("key"), _DEFAULT.search(str(k.get("description", "")))) for k in found)
        return {str(key): match[1] for key, match in named if match}

    def help(self, subsystem: str = "", *, env: bool = False) -> dict[str, Any]:
        """Return what can be set, as sent: ``subSys, description, keysHelp``."""
        from mcpy.api.http import json_object

        query = {"subSys": subsystem, "key": ""} | ({"env": ""} if env else {})
        return json_object(self._admin.call("GET", "help-config-kv", query), "the server")

    def _applied(self, headers: Mapping[str, str]) -> bool:
        return headers.get(APPLIED) == "true"

    def _text(self, raw: bytes) -> str:
        return raw.decode("utf-8", "replace")
