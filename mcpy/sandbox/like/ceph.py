"""Ceph RGW as measured: 16.2.15 (Debian 12) and 18.2.7 (Debian 13), neither with a Vault."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from mcpy.sandbox import envelope
from mcpy.sandbox.like import acts, defaults
from mcpy.sandbox.like.base import ANYONE, Foreign, Own, has_bucket, hex_digits, own, signed
from mcpy.sandbox.like.ceph_uploads import WRONG_MD5, seal_pacific, seal_reef, uploads
from mcpy.sandbox.like.reads import KeyRefusals, readers
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import (
    buckets,
    copying,
    listing,
    locks,
    settings,
    sse,
)
from mcpy.sandbox.s3.call import answer_xml, no_content
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.xml import NAMESPACE, element

if TYPE_CHECKING:
    from mcpy.sandbox.like.base import Handlers
    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3 import auth
    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.store import ObjectVersion, Store

_REFUSALS = KeyRefusals(
    own(
        "InvalidArgument",
        400,
        "Requests specifying Server Side Encryption with Customer provided keys must provide "
        "a valid encryption algorithm.",
    ),
    own("InvalidArgument", 400, WRONG_MD5),
)


def _finish_read(_: Call, response: Response) -> Response:
    # the context is told when an object is stored, and never again
    return acts.without(acts.bare_key_id(response), sse.CONTEXT)


_READERS = readers(_REFUSALS, sse_header=own("InvalidRequest", 400), finish=_finish_read)


def _copy(call: Call) -> Response:
    """Copy without ever encrypting; a copy that replaces metadata loses the tags."""
    call.store.bucket(call.bucket)
    source = acts.source_version(call)
    acts.refuse_idle_copy(call)
    acts.forget_all_sse(call)
    if source is not None and envelope.kind_of(source.metadata) is not None:
        raise own("NotImplemented", 501)
    call.ignore("versionId")
    acts.forget(call, copying.TAGGING_DIRECTIVE, "x-amz-tagging")
    if acts.replaces(call):
        acts.amend(call, _without_tags)
    acts.keep_expires(call)
    return acts.without(copying.copy_object(call), "x-amz-version-id")


def _without_tags(version: ObjectVersion) -> None:
    version.tags = ""


def copy_pacific(call: Call) -> Response:
    """Copy; locks and one condition that are asked for are not looked at."""
    acts.forget(call, *locks.ENTRIES)
    if acts.replaces(call):
        acts.forget(call, "x-amz-copy-source-if-unmodified-since")
    return _copy(call)


def copy_reef(call: Call) -> Response:
    """Copy; a legal hold alone does not put the default retention aside."""
    bucket = call.store.bucket(call.bucket)
    default = locks.default_retention(bucket, call.now_ns)
    if default and locks.HOLD in call.headers and locks.MODE not in call.headers:
        entries = default.entries()
        acts.amend(call, lambda version: version.metadata.update(entries))
    return _copy(call)


def create_bucket(call: Call) -> Response:
    """Make a bucket; one's own is made again without complaint."""
    if any(call.bucket == bucket.name for bucket in call.store.buckets()):
        return Response(200)
    return buckets.create_bucket(call)


def get_location(call: Call) -> Response:
    """Answer the zonegroup."""
    call.store.bucket(call.bucket)
    return answer_xml(element("LocationConstraint", "default", xmlns=NAMESPACE))


def get_versioning(call: Call) -> Response:
    """Answer the versioning, MFA delete included."""
    status = call.store.bucket(call.bucket).config.get("versioning", "")
    fields = [element("Status", status), element("MfaDelete", "Disabled")] if status else []
    return answer_xml(element("VersioningConfiguration", *fields, xmlns=NAMESPACE))


def put_default(call: Call) -> Response:
    """Keep whatever default encryption is asked for, none and unknown ones included."""
    call.store.bucket(call.bucket)
    rules = [
        replace(
            rule,
            algorithm=rule.algorithm or "",
            bucket_key="True" if (rule.bucket_key or "").lower() == "true" else None,
            blocked=(),
        )
        for rule in defaults.parse(call)
    ]
    defaults.keep(call, rules[:1])
    return Response(200)


def get_default(call: Call) -> Response:
    """Answer the default encryption."""
    rules = defaults.find(call)
    if rules is None:
        message = "The server side encryption configuration was not found"
        raise own("ServerSideEncryptionConfigurationNotFoundError", 404, message)
    return defaults.answer(rules)


def delete_default(call: Call) -> Response:
    """Remove the default encryption."""
    defaults.drop(call)
    return no_content()


def refuse_default(_: Call) -> Response:
    """Refuse the sub-resource as an argument; nobody looks for the bucket."""
    raise own("InvalidArgument", 400)


class _Rgw(Foreign):
    """What both releases have in common; KMS keys must be there before they are used."""

    kms_key = "rgw"
    md5_etags = True
    error_fields = ("BucketName", "RequestId", "HostId")
    owner = ("t", "t")

    def message_of(self, problem: S3Problem, request: Request, bucket: str, key: str) -> str:  # noqa: ARG002 - said by none
        """Say something only where the real server does."""
        told = isinstance(problem, Own) or problem.code == "InvalidRequest"
        return problem.message if told else ""

    def ids(self) -> tuple[str, str]:
        """Return a transaction id with the zone at its end."""
        return f"tx{hex_digits(20)}0-{hex_digits(10)}-1012-default", ""

    def error_host_id(self, ids: tuple[str, str]) -> str:  # noqa: ARG002 - the same for all
        """Return zone and zonegroup."""
        return "1012-default-default"

    def stranger(self, request: Request, problem: S3Problem, store: Store) -> auth.Caller:
        """Let everybody see that there is nothing for them."""
        if signed(request) or not has_bucket(request, store):
            raise problem if signed(request) else S3Problem.of("NoSuchBucket")
        if request.path == "/":
            return ANYONE
        raise problem

    def polish(self, request: Request, response: Response) -> None:
        """Tell anybody of no bucket."""
        super().polish(request, response)
        if request.path == "/" and not signed(request):
            owner = element("Owner", element("ID", "anonymous"), element("DisplayName", ""))
            root = element(
                "ListAllMyBucketsResult", owner, element("Buckets", ""), xmlns=NAMESPACE
            )
            response.body = answer_xml(root).body


class Pacific(_Rgw):
    """RGW 16.2.15, where ``?encryption`` is no sub-resource of a bucket."""

    name = "ceph-pacific"
    handlers: ClassVar[Handlers] = {
        **_READERS,
        **uploads(seal_pacific),
        copying.copy_object: copy_pacific,
        buckets.create_bucket: create_bucket,
        buckets.get_location: get_location,
        settings.get_versioning: get_versioning,
        settings.get_encryption: listing.list_objects_v1,
        settings.put_encryption: refuse_default,
        # the bucket goes: ceph/ceph#36264
        settings.delete_encryption: buckets.delete_bucket,
    }


class Reef(_Rgw):
    """RGW 18.2.7, which takes a default it cannot apply: every upload fails from then on."""

    name = "ceph"
    handlers: ClassVar[Handlers] = {
        **_READERS,
        **uploads(seal_reef),
        copying.copy_object: copy_reef,
        buckets.create_bucket: create_bucket,
        buckets.get_location: get_location,
        settings.get_versioning: get_versioning,
        settings.get_encryption: get_default,
        settings.put_encryption: put_default,
        settings.delete_encryption: delete_default,
    }
