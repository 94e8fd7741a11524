"""moto 5.2.5 as measured: SSE headers are remembered and shown, and nothing is encrypted."""

from __future__ import annotations

import base64
import secrets
import string
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from mcpy.sandbox.like import acts, defaults
from mcpy.sandbox.like.base import ANYONE, Foreign, has_bucket, own, signed
from mcpy.sandbox.like.versitygw import PLAIN
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import (
    auth,
    buckets,
    conditions,
    copying,
    locks,
    multipart,
    objects,
    settings,
    sse,
)
from mcpy.sandbox.s3.call import answer_xml, no_content
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.xml import NAMESPACE, element
from mcpy.sandbox.store import NoUploadError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.like.base import Handlers
    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3.call import Call, Headers
    from mcpy.sandbox.store import ObjectVersion, Store

BUCKET_KEY = f"{sse.SSE}-bucket-key-enabled"
SHOWN = (sse.SSE, sse.KMS_KEY_ID, BUCKET_KEY)
"""Headers kept as an object's metadata, where any reader finds them again."""
_COPY_CONDITIONS = tuple(
    conditions.COPY_SOURCE + name
    for name in ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
)


def _entries(call: Call) -> dict[str, str]:
    """Return what is remembered of the encryption a request or its bucket asks for."""
    asked = acts.asked(call)
    rules = defaults.find(call) or []
    algorithm, key = asked.algorithm, asked.key
    if not algorithm and rules:
        algorithm, key = rules[0].algorithm or "", rules[0].key or ""
    if not algorithm:
        return {}
    entries = {sse.SSE: algorithm}
    if algorithm == "aws:kms":
        if key:
            entries[sse.KMS_KEY_ID] = key
        if rules:
            entries[BUCKET_KEY] = rules[0].bucket_key or "false"
    return entries


def remember(version: ObjectVersion, entries: dict[str, str]) -> None:
    """Make ``entries`` all that a version says of encryption."""
    for name in SHOWN:
        version.metadata.pop(name, None)
    version.metadata |= entries


def _of(metadata: dict[str, str]) -> Headers:
    return [(name, metadata[name]) for name in SHOWN if name in metadata]


def put(call: Call) -> Response:
    """Store an object with what it says of its encryption."""
    entries = _entries(call)
    acts.forget_all_sse(call)
    acts.amend(call, lambda version: remember(version, entries))
    response = objects.put_object(call)
    response.headers += entries.items()
    return response


def create(call: Call) -> Response:
    """Start an upload that remembers what was asked for."""
    entries = _entries(call)
    acts.forget_all_sse(call)
    acts.amend(call, lambda version: remember(version, entries))
    response = multipart.create_upload(call)
    response.headers += entries.items()
    return response


def part(call: Call) -> Response:
    """Take a part and tell the upload's encryption."""
    acts.forget_all_sse(call)
    response = multipart.put_part(call)
    try:
        upload = call.store.upload(call.bucket, call.key, call.param("uploadId"))
    except NoUploadError:
        return response
    response.headers += _of(upload.template.metadata)
    return response


def complete(call: Call) -> Response:
    """Complete an upload and tell the object's encryption."""
    response = multipart.complete_upload(call)
    version = call.store.find(call.bucket, call.key)
    response.headers += _of(version.metadata) if version is not None else []
    return response


def copy(call: Call) -> Response:
    """Copy whatever the conditions say; KMS without a header becomes AES256."""
    call.store.bucket(call.bucket)
    _check_lock_headers(call)
    entries = _entries(call)
    source = acts.source_version(call)
    if source is not None and not entries and source.metadata.get(sse.SSE) == "aws:kms":
        entries = {sse.SSE: "AES256"}
    if not entries:
        acts.refuse_idle_copy(call)
    acts.forget(call, *_COPY_CONDITIONS)
    acts.forget_all_sse(call)
    call.ignore("versionId")
    acts.allow_idle_copy(call)
    acts.keep_expires(call)
    acts.amend(call, lambda version: remember(version, entries))
    response = copying.copy_object(call)
    response.headers += entries.items()
    return response


def _check_lock_headers(call: Call) -> None:
    bucket = call.store.bucket(call.bucket)
    locked = locks.default_retention(bucket, call.now_ns) or locks.MODE in call.headers
    if locked and not {"content-md5", "x-amz-sdk-checksum-algorithm"} & call.headers.keys():
        message = (
            "Content-MD5 or x-amz-sdk-checksum-algorithm header required to upload an object "
            "with a retention period configured using Object Lock"
        )
        raise own("MissingUploadObjectWithObjectLockHeaders", 400, message)


def put_default(call: Call) -> Response:
    """Keep a default of any algorithm."""
    call.store.bucket(call.bucket)
    try:
        rules = defaults.parse(call)
    except S3Problem:
        return crashed()
    if len(rules) > 1:
        return crashed()
    if not rules or not rules[0].algorithm:
        raise S3Problem.of("MalformedXML")
    rule = replace(rules[0], bucket_key=(rules[0].bucket_key or "false").lower(), blocked=())
    defaults.keep(call, [rule])
    return Response(200)


def crashed() -> Response:
    """Answer 500 with a page."""
    body = b"<!doctype html>\n<title>500 Internal Server Error</title>\n"
    return Response(500, [("Content-Type", "text/html; charset=utf-8")], body)


def get_default(call: Call) -> Response:
    """Answer the default encryption."""
    rules = defaults.find(call)
    if rules is None:
        raise S3Problem.of("ServerSideEncryptionConfigurationNotFoundError")
    return defaults.answer(rules)


def delete_default(call: Call) -> Response:
    """Remove the default encryption."""
    defaults.drop(call)
    return no_content()


def get_versioning(call: Call) -> Response:
    """Answer the versioning in an element of another name."""
    status = call.store.bucket(call.bucket).config.get("versioning", "")
    fields = [element("Status", status)] if status else []
    return answer_xml(element("GetBucketVersioningResponse", *fields, xmlns=NAMESPACE))


def create_bucket(call: Call) -> Response:
    """Make a bucket; one's own is made again without complaint."""
    if any(call.bucket == bucket.name for bucket in call.store.buckets()):
        return Response(200)
    return buckets.create_bucket(call)


class Moto(Foreign):
    """``moto_server``."""

    name = "moto"
    server = "Werkzeug/3.1.9 Python/3.11.7, amazon.com"
    error_fields = ("BucketName", "RequestId", "HostId")
    owner = ("bcaf1ffd86f41161ca5fb16fd081034f", "webfile")
    messages: ClassVar[Mapping[str, str]] = {
        "MalformedXML": "The XML you provided was not well-formed or did not validate against "
        "our published schema",
    }
    handlers: ClassVar[Handlers] = {
        **PLAIN,
        objects.put_object: put,
        copying.copy_object: copy,
        multipart.create_upload: create,
        multipart.put_part: part,
        multipart.complete_upload: complete,
        buckets.create_bucket: create_bucket,
        settings.get_versioning: get_versioning,
        settings.get_encryption: get_default,
        settings.put_encryption: put_default,
        settings.delete_encryption: delete_default,
    }

    def ids(self) -> tuple[str, str]:
        """Return 52 letters and digits, and 57 bytes in base64."""
        letters = string.ascii_letters + string.digits
        return acts.random_id(letters, 52), base64.b64encode(secrets.token_bytes(57)).decode()

    def id_headers(self, ids: tuple[str, str]) -> Headers:
        """Return the id of the request under a name of its own."""
        return [("x-amzn-requestid", ids[0])]

    def more_headers(self) -> Headers:
        """Return what goes with every answer."""
        return [("access-control-allow-origin", "*")]

    def stranger(self, request: Request, problem: S3Problem, store: Store) -> auth.Caller:
        """Let everybody in."""
        return anybody(request, problem, store)


def anybody(request: Request, problem: S3Problem, store: Store) -> auth.Caller:
    """Return a caller for whoever asks, with a wrong signature or with none.

    Raises:
        S3Problem: there is no such bucket, and nothing is signed.
    """
    if not signed(request) and not has_bucket(request, store):
        raise S3Problem.of("NoSuchBucket")
    if request.headers.get("x-amz-content-sha256") in auth.STREAMS:
        raise problem  # how its body is framed cannot be told without its signature
    return ANYONE
