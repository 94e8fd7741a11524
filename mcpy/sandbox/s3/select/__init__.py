"""S3 Select: SQL over one object of CSV or JSON, answered as a stream of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcpy.sandbox.message import Response
    from mcpy.sandbox.s3.call import Call


def select_object(call: Call) -> Response:
    """Answer the records of an object that a query finds."""
    # few ask for it, and a sandbox is to start at once
    from mcpy.sandbox.s3.select.handler import answer

    return answer(call)
