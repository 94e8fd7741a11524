"""The service and its buckets: list, create, look, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import xml
from mcpy.sandbox.s3.call import answer_xml, no_content, owner
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.times import iso
from mcpy.sandbox.s3.xml import NAMESPACE, Markup, element
from mcpy.sandbox.store import BucketExistsError, BucketNotEmptyError

if TYPE_CHECKING:
    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.store import Bucket

LOCK_ENABLED = "x-amz-bucket-object-lock-enabled"


def list_buckets(call: Call) -> Response:
    """Answer all buckets by name."""
    buckets = (
        element(
            "Bucket", element("Name", bucket.name), element("CreationDate", iso(bucket.created_ns))
        )
        for bucket in _visible(call)
    )
    root = element(
        "ListAllMyBucketsResult", owner(), element("Buckets", *buckets), xmlns=NAMESPACE
    )
    return answer_xml(root)


def _visible(call: Call) -> list[Bucket]:
    """Return the buckets the caller may see.

    Raises:
        S3Problem: AccessDenied, if it may see none and not list any.
    """
    buckets = call.store.buckets()
    if call.allows("s3:ListAllMyBuckets", ""):
        return buckets
    seen = [
        bucket
        for bucket in buckets
        if call.allows("s3:ListBucket", bucket.name)
        or call.allows("s3:GetBucketLocation", bucket.name)
    ]
    if not seen:
        raise S3Problem.of("AccessDenied")
    return seen


def create_bucket(call: Call) -> Response:
    """Make a bucket; the location constraint is read and may be anything."""
    lock = call.header(LOCK_ENABLED).lower()
    if lock not in {"", "true", "false"}:
        raise S3Problem.of("InvalidRequest")
    body = call.text()
    if body:
        try:
            xml.parse(body, "CreateBucketConfiguration")
        except xml.XmlProblem as e:
            raise S3Problem.of("MalformedXML") from e
    config = {"versioning": "Enabled", "object-lock": ""} if lock == "true" else {}
    try:
        call.store.create_bucket(call.bucket, call.now_ns, config)
    except BucketExistsError as e:
        raise S3Problem.of("BucketAlreadyOwnedByYou") from e
    return Response(200, [("Location", f"/{call.bucket}")])


def head_bucket(call: Call) -> Response:
    """Answer whether the bucket is there."""
    call.store.bucket(call.bucket)
    return Response(200, [("Content-Type", "application/xml")])


def delete_bucket(call: Call) -> Response:
    """Delete an empty bucket; MinIO's own header deletes one with all it holds."""
    force = call.header("x-minio-force-delete").lower() == "true"
    if force and "object-lock" in call.store.bucket(call.bucket).config:
        problem = S3Problem.of("MethodNotAllowed")
        raise problem
    try:
        call.store.delete_bucket(call.bucket, force=force)
    except BucketNotEmptyError as e:
        problem = S3Problem.of("BucketNotEmpty")
        if "versioning" in call.store.bucket(call.bucket).config:
            problem.message += ". You must delete all versions in the bucket."
        raise problem from e
    return no_content()


def get_location(call: Call) -> Response:
    """Answer the region, which is the unnamed one."""
    call.store.bucket(call.bucket)
    return answer_xml(element("LocationConstraint", Markup(""), xmlns=NAMESPACE))
