"""Garage 2.0.0 as measured: SSE-C only, and whatever it does not know is ignored with 200."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mcpy.sandbox.like import acts
from mcpy.sandbox.like.base import Foreign, hex_digits, own, signed
from mcpy.sandbox.like.reads import KeyRefusals, readers
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import (
    attributes,
    buckets,
    copying,
    deletes,
    listing,
    locks,
    multipart,
    objects,
    settings,
    sse,
)
from mcpy.sandbox.s3.call import answer_xml
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.xml import NAMESPACE, element

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.like.base import Handlers
    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3 import auth
    from mcpy.sandbox.s3.call import Call, Handler
    from mcpy.sandbox.store import Store

VERSION_ID = "x-amz-version-id"
_REFUSALS = KeyRefusals(
    own("InvalidRequest", 400, "Bad request: Object is encrypted"),
    own(
        "InvalidRequest",
        400,
        "Bad request: Invalid encryption key, could not decrypt object metadata.: aead::Error",
    ),
    own("InvalidRequest", 400, "Bad request: Trying to decrypt a plaintext object"),
)
_UNKNOWN = (
    "x-amz-tagging",
    "x-amz-tagging-directive",
    *locks.ENTRIES,
    *acts.SERVER_HEADERS,
    *acts.CONDITIONS,
)


def _missing(action: str) -> Handler:
    return acts.not_implemented(f"Unimplemented action: {action}")


def _knows_no_encryption(call: Call) -> None:
    if "encryption" in dict(call.request.query):
        raise own("InvalidRequest", 400, "Bad request: Invalid endpoint: `encryption`")


def _check_key(call: Call) -> None:
    if not sse.customer_requested(call.headers):
        return
    try:
        sse.customer_key(call.headers)
    except sse.CustomerKeyError as e:
        message = "Bad request: Server-side encryption client key MD5 checksum does not match"
        raise own("InvalidRequest", 400, message) from e


def put(call: Call) -> Response:
    """Store an object: with the client's key or in plaintext, over whatever is there."""
    _knows_no_encryption(call)
    _check_key(call)
    acts.forget(call, *_UNKNOWN)
    return _versioned(objects.put_object(call))


def create(call: Call) -> Response:
    """Start an upload, with the client's key or in plaintext."""
    _check_key(call)
    acts.forget(call, *_UNKNOWN)
    response = multipart.create_upload(call)
    response.headers += _key_headers(call)
    return response


def copy(call: Call) -> Response:
    """Copy, also onto itself for nothing; what was SSE-C is plaintext unless a new key is sent."""
    bucket, _, version_id = acts.source_name(call)
    call.store.bucket(bucket)
    if version_id:
        raise S3Problem.of("NoSuchKey")
    _check_key(call)
    acts.forget(call, *_UNKNOWN)
    call.ignore("versionId")
    if sse.customer_requested(call.headers, sse.COPY_CUSTOMER):
        source = acts.source_version(call)
        if source is None:
            raise S3Problem.of("NoSuchKey")
    acts.allow_idle_copy(call)
    acts.keep_expires(call)
    try:
        response = copying.copy_object(call)
    except S3Problem as e:
        if e.message.startswith("The object was stored using a form"):
            raise own("InvalidRequest", 400, "Bad request: Object is encrypted") from e
        raise
    response.headers += [*_key_headers(call), ("x-amz-copy-source-version-id", hex_digits(64))]
    return _versioned(response)


def _key_headers(call: Call) -> list[tuple[str, str]]:
    names = [sse.CUSTOMER + part for part in ("algorithm", "key-md5")]
    return [(name, call.header(name)) for name in names if call.header(name)]


def create_bucket(call: Call) -> Response:
    """Make a bucket, or find it; object lock is taken and forgotten."""
    acts.forget(call, buckets.LOCK_ENABLED)
    if any(call.bucket == bucket.name for bucket in call.store.buckets()):
        return Response(200)
    return buckets.create_bucket(call)


def delete(call: Call) -> Response:
    """Delete an object for good."""
    _knows_no_encryption(call)
    call.ignore("versionId")
    return deletes.delete_object(call)


def _versioned(response: Response) -> Response:
    # every upload is given an id, though there are no versions
    acts.without(response, VERSION_ID).headers.append((VERSION_ID, hex_digits(64)))
    return response


def get_location(call: Call) -> Response:
    """Answer the region."""
    call.store.bucket(call.bucket)
    return answer_xml(element("LocationConstraint", Garage.region, xmlns=NAMESPACE))


_READERS = readers(_REFUSALS)


class Garage(Foreign):
    """Garage."""

    name = "garage"
    region = "garage"
    error_fields = ("Resource", "Region")
    owner = ("GK00000000000000000000000000", "t")
    messages: ClassVar[Mapping[str, str]] = {
        "NoSuchBucket": "Bucket not found: {bucket}",
        "NoSuchKey": "Key not found",
        "PreconditionFailed": "At least one of the preconditions you specified did not hold",
    }
    handlers: ClassVar[Handlers] = {
        **{handler: acts.ignored("versionId")(reader) for handler, reader in _READERS.items()},
        objects.put_object: put,
        copying.copy_object: copy,
        multipart.create_upload: create,
        deletes.delete_object: delete,
        buckets.create_bucket: create_bucket,
        buckets.get_location: get_location,
        listing.list_versions: _missing("ListObjectVersions"),
        settings.get_encryption: _missing("GetBucketEncryption"),
        settings.put_encryption: _missing("PutBucketEncryption"),
        settings.delete_encryption: _missing("DeleteBucketEncryption"),
        settings.put_versioning: _missing("PutBucketVersioning"),
        settings.get_object_lock: _missing("GetObjectLockConfiguration"),
        settings.put_object_lock: _missing("PutObjectLockConfiguration"),
        settings.get_tagging: _missing("GetBucketTagging"),
        settings.put_tagging: _missing("PutBucketTagging"),
        attributes.get_tagging: _missing("GetObjectTagging"),
        attributes.put_tagging: _missing("PutObjectTagging"),
        attributes.get_retention: _missing("GetObjectRetention"),
        attributes.put_retention: _missing("PutObjectRetention"),
        attributes.get_legal_hold: _missing("GetObjectLegalHold"),
        attributes.put_legal_hold: _missing("PutObjectLegalHold"),
    }

    def stranger(self, request: Request, problem: S3Problem, store: Store) -> auth.Caller:  # noqa: ARG002 - not asked
        """Refuse everybody in words of its own."""
        if not signed(request):
            message = "Forbidden: Garage does not support anonymous access yet"
            raise own("AccessDenied", 403, message)
        if problem.code == "SignatureDoesNotMatch":
            raise own("AccessDenied", 403, "Forbidden: Invalid signature")
        if problem.region:
            scope = acts.wrong_scope(request.headers.get("authorization", ""))
            message = f"Authorization header malformed, unexpected scope: {scope}"
            raise own(problem.code, 400, message)
        raise problem
