"""VersityGW, measured at commit 5d9d548: every SSE header is ignored, SSE-C among them."""

from __future__ import annotations

import base64
import secrets
import string
from typing import TYPE_CHECKING, ClassVar

from mcpy.sandbox.like import acts
from mcpy.sandbox.like.base import Foreign, has_bucket, signed
from mcpy.sandbox.s3 import (
    attributes,
    copying,
    entity,
    locks,
    multipart,
    objects,
    reading,
    settings,
)
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.like.base import Handlers
    from mcpy.sandbox.message import Request, Response
    from mcpy.sandbox.s3 import auth
    from mcpy.sandbox.s3.call import Call, Handler
    from mcpy.sandbox.store import ObjectVersion, Store

NOT_IMPLEMENTED = "A header you provided implies functionality that is not implemented."
_ID_LETTERS = string.ascii_uppercase + string.digits
_KEPT = ("cache-control", "content-disposition", "content-language", "content-encoding", "expires")


def _plain(handler: Handler) -> Handler:
    """Return ``handler`` for which no encryption is asked for and no key comes, ever."""

    def answered(call: Call) -> Response:
        acts.forget_all_sse(call)
        return handler(call)

    return answered


PLAIN: Handlers = {
    handler: _plain(handler)
    for handler in (
        objects.put_object,
        multipart.create_upload,
        multipart.put_part,
        multipart.copy_part,
        reading.get_object,
        reading.head_object,
        attributes.get_attributes,
    )
}
"""Handlers of a server that has no encryption at all and says so nowhere."""


def plain_copy(call: Call) -> Response:
    """Copy without encryption; locks go with the object, and request headers change none."""
    acts.forget_all_sse(call)
    if acts.source_name(call)[2] and not entity.versioning(call.store.bucket(call.bucket)):
        raise S3Problem.of("InvalidVersionId")
    acts.check_source_conditions(call)
    acts.refuse_idle_copy(call)
    call.ignore("versionId")
    acts.keep_expires(call)
    source = acts.source_version(call)
    acts.forget(call, *locks.ENTRIES)
    if source is not None:
        acts.amend(call, lambda version: _inherit(call, version, source))
    return copying.copy_object(call)


def _inherit(call: Call, version: ObjectVersion, source: ObjectVersion) -> None:
    names = [*locks.ENTRIES]
    if acts.onto_itself(call):
        names += [name for name in _KEPT if name not in version.metadata]
    acts.without_lock(version)
    version.metadata |= {n: source.metadata[n] for n in names if n in source.metadata}


class VersityGw(Foreign):
    """VersityGW over a POSIX folder."""

    name = "versitygw"
    server = "VERSITYGW"
    region = "us-east-1"
    error_fields = ("BucketName", "RequestId", "HostId")
    owner = ("testadmin", "")
    messages: ClassVar[Mapping[str, str]] = {
        "NoSuchBucket": "The specified bucket does not exist.",
        "PreconditionFailed": "At least one of the pre-conditions you specified did not hold.",
        "NotImplemented": NOT_IMPLEMENTED,
    }
    handlers: ClassVar[Handlers] = {
        **PLAIN,
        copying.copy_object: plain_copy,
        settings.get_encryption: acts.not_implemented(NOT_IMPLEMENTED),
        settings.put_encryption: acts.not_implemented(NOT_IMPLEMENTED),
        settings.delete_encryption: acts.not_implemented(NOT_IMPLEMENTED),
    }

    def ids(self) -> tuple[str, str]:
        """Return 16 capitals and digits, and 65 bytes in base64."""
        return acts.random_id(_ID_LETTERS, 16), base64.b64encode(secrets.token_bytes(65)).decode()

    def stranger(self, request: Request, problem: S3Problem, store: Store) -> auth.Caller:
        """Look for the bucket before the signature of those who send none."""
        if not signed(request) and not has_bucket(request, store):
            raise S3Problem.of("NoSuchBucket")
        raise problem

    def message_of(self, problem: S3Problem, request: Request, bucket: str, key: str) -> str:
        """Name the region that was signed for."""
        if problem.code == "AuthorizationHeaderMalformed" and problem.region:
            return acts.wrong_region(request, problem.region, quote='"')
        return super().message_of(problem, request, bucket, key)
