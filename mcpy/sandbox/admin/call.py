"""What an admin handler gets, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3.auth import payload
from mcpy.sandbox.s3.errors import S3Problem, go_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mcpy.sandbox.admin.batch import Jobs
    from mcpy.sandbox.admin.config import ConfigStore
    from mcpy.sandbox.admin.deployment import Deployment
    from mcpy.sandbox.kms import Kms
    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3.auth import Caller
    from mcpy.sandbox.s3.identities import Identities

MAX_BODY_BYTES = 262_272
TEXT = "text/plain; charset=utf-8"


@dataclass
class Services:
    """What handlers work with; ``kms`` may be exchanged at any time."""

    kms: Kms | None
    deployment: Deployment
    config: ConfigStore
    jobs: Jobs
    on_service: Callable[[str], None]

    def now(self) -> datetime:
        """Return the server's time."""
        return self.deployment.now()


@dataclass(frozen=True)
class AdminCall:
    """One authenticated request."""

    request: Request
    caller: Caller
    services: Services
    identities: Identities

    @property
    def token(self) -> str:
        """The session's token, empty for a user's own keys."""
        return self.request.headers.get("x-amz-security-token") or ""

    def param(self, name: str) -> str:
        """Return a query value, empty when absent."""
        return self.request.param(name) or ""

    def body(self) -> bytes:
        """Return the body.

        Raises:
            S3Problem: it is too large, or not what was signed.
        """
        body = payload(self.request, self.caller).read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise S3Problem.of("EntityTooLarge")
        return body

    def kms(self) -> Kms:
        """Return the KMS.

        Raises:
            S3Problem: 501, there is none.
        """
        if self.services.kms is None:
            raise S3Problem.of("KmsNotConfigured")
        return self.services.kms


class AdminHandler(Protocol):
    """Answers one kind of admin request."""

    def __call__(self, call: AdminCall, /) -> Response:
        """Answer, or raise ``S3Problem``."""
        ...


def answer_json(value: object, *, kind: str = "application/json", end: bytes = b"") -> Response:
    """Return ``value`` as Go would encode it."""
    return Response(200, [("Content-Type", kind)], go_json(value) + end)
