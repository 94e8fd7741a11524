"""Adobe S3Mock 5.2.0 as measured: ``?encryption`` falls through to the bucket itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mcpy.sandbox.like import acts
from mcpy.sandbox.like.base import Foreign, own
from mcpy.sandbox.like.moto import anybody
from mcpy.sandbox.like.versitygw import PLAIN
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import (
    buckets,
    copying,
    listing,
    locks,
    multipart,
    objects,
    settings,
    sse,
    xml,
)
from mcpy.sandbox.s3.call import answer_xml
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.xml import NAMESPACE, element
from mcpy.sandbox.store import BucketExistsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.like.base import Handlers
    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3 import auth
    from mcpy.sandbox.s3.call import Call, Handler, Headers
    from mcpy.sandbox.store import ObjectVersion, Store

SHOWN = (sse.SSE, sse.KMS_KEY_ID, sse.CUSTOMER + "algorithm", sse.CUSTOMER + "key-md5")
_METADATA = ("content-type", "cache-control", "content-disposition", "content-language", "expires")


def _entries(call: Call) -> dict[str, str]:
    """Return the SSE headers of a request as they are kept; no KMS key is known."""
    key = call.header(sse.KMS_KEY_ID)
    if call.header(sse.SSE).startswith("aws:kms") and key:
        raise own("KMS.NotFoundException", 400, f"Invalid keyId '{key}'")
    return {name: call.header(name) for name in SHOWN if call.header(name)}


def _of(metadata: dict[str, str]) -> Headers:
    return [(name, metadata[name]) for name in SHOWN if name in metadata]


def _remember(version: ObjectVersion, entries: dict[str, str]) -> None:
    acts.without_lock(version)
    for name in SHOWN:
        version.metadata.pop(name, None)
    version.metadata |= entries


def put(call: Call) -> Response:
    """Store plaintext with the SSE headers it came with; locks are not kept."""
    entries = _entries(call)
    acts.forget_all_sse(call)
    acts.forget(call, *locks.ENTRIES)
    acts.amend(call, lambda version: _remember(version, entries))
    response = objects.put_object(call)
    response.headers += entries.items()
    return response


def create(call: Call) -> Response:
    """Start an upload and tell its SSE headers, which the object will not have."""
    entries = _entries(call)
    acts.forget_all_sse(call)
    acts.forget(call, *locks.ENTRIES)
    acts.amend(call, acts.without_lock)
    response = multipart.create_upload(call)
    response.headers += entries.items()
    return response


def part(call: Call) -> Response:
    """Take a part and tell the key that came with it."""
    return _with_key_told(call, multipart.put_part)


def complete(call: Call) -> Response:
    """Complete an upload and tell the key that came with the request."""
    return _with_key_told(call, multipart.complete_upload)


def _with_key_told(call: Call, handler: Handler) -> Response:
    told = [(name, call.header(name)) for name in SHOWN[2:] if call.header(name)]
    acts.forget_all_sse(call)
    response = handler(call)
    response.headers += told
    return response


def copy(call: Call) -> Response:
    """Copy over the very version that is copied; tags stay, whatever is asked for."""
    call.store.bucket(call.bucket)
    entries = _entries(call)
    source = acts.source_version(call)
    if not entries:
        acts.refuse_idle_copy(call)
    acts.forget_all_sse(call)
    acts.forget(call, *locks.ENTRIES, copying.TAGGING_DIRECTIVE, "x-amz-tagging")
    if source is None:
        return copying.copy_object(call)
    told = _of(source.metadata)
    _write_over(call, source)
    if acts.replaces(call) and not _brings_metadata(call):
        acts.forget(call, copying.METADATA_DIRECTIVE)
    acts.allow_idle_copy(call)
    acts.keep_expires(call)
    kept = entries or dict(told)
    acts.amend(call, lambda version: _remember(version, kept))
    response = copying.copy_object(call)
    response.headers += told
    return response


def _write_over(call: Call, source: ObjectVersion) -> None:
    """Have a copy onto itself take the place of its source, in the order of versions too."""
    bucket, key, _ = acts.source_name(call)
    if (bucket, key) != (call.bucket, call.key):
        return

    def take_place(version: ObjectVersion) -> None:
        version.version_id = source.version_id
        version.mtime_ns = source.mtime_ns

    call.ignore("versionId")
    acts.amend(call, take_place)


def _brings_metadata(call: Call) -> bool:
    return any(n in _METADATA or n.startswith("x-amz-meta-") for n in call.headers)


def put_default(call: Call) -> Response:
    """Make a bucket, which is what this request is taken for."""
    body = call.text()
    try:
        xml.parse(body)
    except xml.XmlProblem:
        detail = f'{{"detail":"Failed to read request","instance":"/{call.bucket}"}}'
        headers = [("Content-Type", "application/problem+json")]
        return Response(400, headers, detail.encode())
    try:
        call.store.create_bucket(call.bucket, call.now_ns, {})
    except BucketExistsError as e:
        raise S3Problem.of("BucketAlreadyOwnedByYou") from e
    return Response(200)


def get_location(call: Call) -> Response:
    """Answer a region called null."""
    call.store.bucket(call.bucket)
    return answer_xml(element("LocationConstraint", "null", xmlns=NAMESPACE))


class S3Mock(Foreign):
    """S3Mock with no KMS keys configured."""

    name = "s3mock"
    owner = ("79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be", "")
    messages: ClassVar[Mapping[str, str]] = {
        "NoSuchBucket": "The specified bucket does not exist.",
        "BucketNotEmpty": "The bucket you tried to delete is not empty.",
    }
    handlers: ClassVar[Handlers] = {
        **PLAIN,
        objects.put_object: put,
        copying.copy_object: copy,
        multipart.create_upload: create,
        multipart.put_part: part,
        multipart.complete_upload: complete,
        buckets.get_location: get_location,
        settings.get_encryption: listing.list_objects_v1,
        settings.put_encryption: put_default,
        # the bucket goes
        settings.delete_encryption: buckets.delete_bucket,
    }

    def more_headers(self) -> Headers:
        """Return what goes with every answer."""
        names = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        return [("Vary", names)]

    def stranger(self, request: Request, problem: S3Problem, store: Store) -> auth.Caller:
        """Let everybody in."""
        return anybody(request, problem, store)
