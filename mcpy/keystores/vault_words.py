"""What Vault answers: its data, its words, and the capability it leaves out of a refusal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mcpy.keystores.answers import spoken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.keystores.web import Reply

_COUNTS = re.compile(r"\d+ errors? occurred:")


def data_of(reply: Reply) -> Mapping[str, Any]:
    """Return what an answer holds, empty where that is nothing."""
    data = reply.body.get("data")
    return data if isinstance(data, dict) else {}


def wanted(method: str, path: str, needs: str) -> str:
    """Return which capability on which path a denied call needs."""
    path, _, query = path.removeprefix("/v1/").partition("?")
    if path.startswith("sys/"):
        return ""  # open to whoever may do anything in the engine, and Vault says so
    read = "list" if "list=true" in query else "read"
    needed = needs or {"GET": read, "DELETE": "delete"}.get(method, "update")
    return f" (`{needed}` on `{path}` is needed)"


def words(reply: Reply) -> str:
    """Return Vault's own words in one line."""
    errors = reply.body.get("errors")
    found = "; ".join(str(e) for e in errors) if isinstance(errors, list) else ""
    # Vault's lists: a line that counts, and a line with a star for each
    listed = [line.strip().removeprefix("* ") for line in found.splitlines()]
    return spoken(reply, "; ".join(line for line in listed if line and not _COUNTS.match(line)))
