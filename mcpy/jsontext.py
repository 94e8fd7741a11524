"""JSON that others wrote: whatever is wrong with it is one kind of error."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str | bytes | bytearray) -> Any:  # noqa: ANN401 - parsed JSON
    """Return what a JSON text holds.

    Raises:
        ValueError: it is no JSON, or nested more deeply than Python reads.
    """
    try:
        return json.loads(text)
    except RecursionError as e:
        raise ValueError("nested too deeply") from e
