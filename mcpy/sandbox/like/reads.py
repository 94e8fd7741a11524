"""Reads on servers that word the refusals of SSE-C in their own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.sandbox.like import acts
from mcpy.sandbox.like.base import Own
from mcpy.sandbox.s3 import attributes, reading, sse
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.sandbox.message import Response
    from mcpy.sandbox.s3.call import Call, Handler, Headers
    from mcpy.sandbox.store import ObjectVersion


@dataclass(frozen=True)
class KeyRefusals:
    """What a reader hears whose SSE-C key is missing, wrong, or not needed (None: nothing)."""

    missing: Own
    wrong: Own
    unneeded: Own | None = None


def readers(
    refusals: KeyRefusals,
    *,
    sse_header: Own | None = None,
    also: Callable[[ObjectVersion], Headers] | None = None,
    finish: Callable[[Call, Response], Response] | None = None,
) -> dict[Handler, Handler]:
    """Return handlers of GET and HEAD.

    Args:
        refusals: what is said about SSE-C keys.
        sse_header: the answer to a read that asks for SSE-S3 or SSE-KMS, None to ignore that.
        also: headers of a refusal of a HEAD of an SSE-C object.
        finish: changes an answer.
    """

    def wrap(handler: Handler) -> Handler:
        def answer(call: Call) -> Response:
            if sse.SSE in call.headers and sse_header is not None:
                raise fresh(sse_header)
            acts.forget_sse(call)
            version, kind = acts.kind_of(call)
            sent = sse.customer_requested(call.headers)
            if version is not None and kind == "SSE-C":
                extra = also(version) if also and call.request.method == "HEAD" else []
                response = _with_key(call, handler, refusals, extra, sent=sent)
                return finish(call, response) if finish else response
            if version is not None and sent and refusals.unneeded is not None:
                raise fresh(refusals.unneeded)
            acts.forget(call, *acts.CUSTOMER_HEADERS)
            response = handler(call)
            return finish(call, response) if finish else response

        return answer

    handlers: tuple[Handler, ...] = (
        reading.get_object,
        reading.head_object,
        attributes.get_attributes,
    )
    return {handler: wrap(handler) for handler in handlers}


def _with_key(
    call: Call, handler: Handler, refusals: KeyRefusals, extra: Headers, *, sent: bool
) -> Response:
    if not sent:
        raise fresh(refusals.missing, extra)
    try:
        return handler(call)
    except S3Problem as e:
        if e.code == "AccessDenied":
            raise fresh(refusals.wrong, extra) from e
        raise


def fresh(problem: Own, headers: Headers | None = None) -> Own:
    """Return a problem of one's own, to be raised."""
    more = [*problem.headers, *(headers or [])]
    return Own(problem.code, problem.status, problem.message, headers=more)
