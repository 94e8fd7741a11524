"""One authorised request to an endpoint, and the two ways to answer it with success."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpy.sandbox.kes import errors
from mcpy.sandbox.kes.policy import valid_name, valid_pattern
from mcpy.sandbox.kes.wire import Fields, go_json
from mcpy.sandbox.message import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.sandbox.kes.log import Call
    from mcpy.sandbox.kes.state import State


@dataclass(frozen=True)
class Ask:
    """One authorised request.

    Attributes:
        state: the server as configured when the request came.
        call: who asked what, for the logs.
        resource: what stands behind the route in the decoded path.
        body: at most as many bytes as the route takes.
        has_body: False when the client announced a body of no bytes.
    """

    state: State
    call: Call
    resource: str
    body: bytes = field(default=b"", repr=False)
    has_body: bool = False

    def key_name(self) -> str:
        """Return the resource as the name of a key."""
        if not valid_name(self.resource):
            raise errors.bad_name("key name", self.resource)
        return self.resource

    def pattern(self) -> str:
        """Return the resource as a listing pattern."""
        if not valid_pattern(self.resource):
            raise errors.bad_pattern(self.resource)
        return self.resource

    def fields(self, problem: Callable[[], errors.KesProblem] = errors.bad_body) -> Body:
        """Return the fields of the body; what is wrong with it becomes ``problem``."""
        try:
            return Body(Fields.first_in(self.body), problem)
        except (ValueError, RecursionError) as e:
            self.state.errors.error("body is not valid JSON", self.call)
            raise problem() from e


@dataclass(frozen=True)
class Body:
    """The fields of a request body; a field of a wrong type is the endpoint's problem."""

    fields: Fields
    problem: Callable[[], errors.KesProblem]

    def bytes(self, name: str) -> bytes:
        """Return a base64 field."""
        try:
            return self.fields.bytes(name)
        except ValueError as e:
            raise self.problem() from e

    def text(self, name: str) -> str:
        """Return a string field."""
        try:
            return self.fields.text(name)
        except ValueError as e:
            raise self.problem() from e


def done() -> Response:
    """Return success without data."""
    return Response(200)


def answer(data: Mapping[str, Any] | list[Any]) -> Response:
    """Return success with ``data``."""
    body = f"{go_json(data)}\n".encode()
    return Response(200, [("Content-Type", "application/json")], body)
