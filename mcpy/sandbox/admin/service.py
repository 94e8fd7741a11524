"""Restart, stop, freeze and unfreeze.

Like the real server it answers first and acts afterwards, and a dry run holds back restart and
stop only: freeze and unfreeze are done all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3.errors import S3Problem, go_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.sandbox.admin.call import AdminCall

PROCESS = ("restart", "stop")
ACTIONS = (*PROCESS, "freeze", "unfreeze")


def service_v2(call: AdminCall) -> Response:
    """Answer what will be done, with a result for each node for restart and stop."""
    action = _action(call)
    dry_run = call.param("dry-run") == "true"
    answer: dict[str, object] = {"action": action, "dryRun": dry_run}
    if action in PROCESS:
        answer["results"] = [{"host": call.services.deployment.endpoint}]
    headers = [("Content-Type", "application/json")]
    return _answer_then(call, action, headers, go_json(answer), act=not dry_run)


def service_v1(call: AdminCall) -> Response:
    """Answer nothing; there is no dry run."""
    return _answer_then(call, _action(call), [], b"", act=True)


def _action(call: AdminCall) -> str:
    action = call.param("action")
    if action not in ACTIONS:
        raise S3Problem.of("MalformedPOSTRequest")
    return action


def _answer_then(
    call: AdminCall, action: str, headers: list[tuple[str, str]], body: bytes, *, act: bool
) -> Response:
    def answer_first() -> Iterator[bytes]:
        try:
            yield body
        finally:
            # also when the client has gone: the real server does not look either
            _perform(call, action, act=act)

    headers.append(("Content-Length", str(len(body))))
    return Response(200, headers, answer_first())


def _perform(call: AdminCall, action: str, *, act: bool) -> None:
    deployment = call.services.deployment
    if action == "freeze":
        deployment.freeze()
    elif action == "unfreeze":
        deployment.unfreeze()
    elif act:
        call.services.on_service(action)
