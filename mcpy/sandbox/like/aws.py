"""Amazon S3, from its documentation: nothing here was measured, for it cannot be reached.

Key names of the sandbox's KES stand for KMS keys: ``arn:aws:kms:us-east-1:ACCOUNT:key/NAME``.

Sources: the S3 API reference (PutBucketEncryption, BlockedEncryptionTypes, CopyObject,
UpdateObjectEncryption) and the model botocore ships.
"""

from __future__ import annotations

import base64
import secrets
import string
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from mcpy.sandbox.like import acts, defaults, rekeying
from mcpy.sandbox.like.base import Foreign, own
from mcpy.sandbox.like.reads import KeyRefusals, readers
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import buckets, copying, deletes, locks, multipart, objects, settings, sse
from mcpy.sandbox.s3.call import no_content
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from mcpy.sandbox.like.base import Handlers
    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.store import ObjectVersion

ACCOUNT = "000000000000"
ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/"
MAX_COPY_BYTES = 5 << 30
DSSE = "aws:kms:dsse"
LAYERS = "X-Minio-Internal-Like-Layers"
"""Marks an object of two layers; the sandbox encrypts it once."""
BUCKET_KEY = f"{sse.SSE}-bucket-key-enabled"
NEW = defaults.Rule("AES256", None, "false", ("SSE-C",))
"""What a new bucket has: SSE-S3, and SSE-C blocked, which is so since April 2026."""
_RESET = replace(NEW, blocked=())


def _rule(call: Call) -> defaults.Rule:
    found = defaults.find(call)
    return found[0] if found else NEW


def seal(call: Call) -> None:
    """Make sense of SSE headers and the bucket's default; something is always encrypted."""
    asked, rule = acts.asked(call), _rule(call)
    if asked.customer and asked.algorithm:
        raise S3Problem.of("IncompatibleEncryptionMethod")
    if asked.customer:
        if "SSE-C" in rule.blocked:
            raise own("AccessDenied", 403, "Access Denied")
        return
    algorithm, key = asked.algorithm, asked.key
    bucket_key = call.header(BUCKET_KEY).lower() == "true"
    if not algorithm:
        algorithm, key = rule.algorithm or "AES256", rule.key or ""
        bucket_key = bucket_key or rule.bucket_key == "true"
    if algorithm == "AES256":
        if asked.key:
            raise S3Problem.of("InvalidEncryptionMethod")
        acts.ask(call, "AES256")
    elif algorithm in {"aws:kms", DSSE}:
        _use_kms(call, algorithm, key, bucket_key=bucket_key)
    else:
        raise own("InvalidArgument", 400, "The encryption method specified is not supported")


def _use_kms(call: Call, algorithm: str, key: str, *, bucket_key: bool) -> None:
    name = rekeying.usable_key(call, key)
    context = call.header(sse.CONTEXT)
    acts.ask(call, "aws:kms", name)
    if context:
        call.headers[sse.CONTEXT] = context
    entries = {BUCKET_KEY: "true"} if bucket_key and algorithm != DSSE else {}
    entries |= {LAYERS: "2"} if algorithm == DSSE else {}
    acts.amend(call, lambda version: version.metadata.update(entries))


def put(call: Call) -> Response:
    """Store an object, or re-key the one that is there (UpdateObjectEncryption)."""
    if "encryption" in dict(call.request.query):
        return rekeying.update(call)
    seal(call)
    return _told(call, objects.put_object(call))


def create(call: Call) -> Response:
    """Start an upload."""
    seal(call)
    response = multipart.create_upload(call)
    if call.header(sse.SSE):
        response.headers += [(n, call.header(n)) for n in acts.SERVER_HEADERS if call.header(n)]
    return named(response)


def part(call: Call) -> Response:
    """Take a part."""
    return named(multipart.put_part(call))


def copy(call: Call) -> Response:
    """Copy up to 5 GiB; onto itself only if something changes."""
    source = acts.source_version(call)
    if source is not None and source.size > MAX_COPY_BYTES:
        message = (
            "The specified copy source is larger than the maximum allowable size for a copy "
            f"source: {MAX_COPY_BYTES}"
        )
        raise own("InvalidRequest", 400, message)
    if not sse.requested(call.headers) and not call.header("x-amz-storage-class"):
        acts.refuse_idle_copy(call)
    _keep_default_retention(call)
    seal(call)
    call.ignore("versionId")
    acts.keep_expires(call)
    acts.amend(call, lambda version: _forget_old(version, call))
    return _told(call, copying.copy_object(call))


def _forget_old(version: ObjectVersion, call: Call) -> None:
    # the source's marks went with its metadata
    if call.header(sse.SSE) == "AES256":
        for name in (LAYERS, BUCKET_KEY):
            version.metadata.pop(name, None)


def _keep_default_retention(call: Call) -> None:
    default = locks.default_retention(call.store.bucket(call.bucket), call.now_ns)
    if default and locks.HOLD in call.headers and locks.MODE not in call.headers:
        entries = default.entries()
        acts.amend(call, lambda version: version.metadata.update(entries))


def _told(call: Call, response: Response) -> Response:
    if call.header(sse.SSE) and response.header(sse.SSE) is None:
        response.headers += [(n, call.header(n)) for n in acts.SERVER_HEADERS if call.header(n)]
    return named(response)


def named(response: Response) -> Response:
    """Name KMS keys by their ARN in an answer."""
    bare = acts.bare_key_id(response)
    bare.headers = [
        (n, ARN + v if n.lower() == sse.KMS_KEY_ID and not v.startswith(ARN) else v)
        for n, v in bare.headers
    ]
    return bare


def _finish_read(call: Call, response: Response) -> Response:
    version, _ = acts.kind_of(call)
    if version is not None and LAYERS in version.metadata:
        response.headers = [(n, DSSE if n.lower() == sse.SSE else v) for n, v in response.headers]
    return named(response)


_WRONG = own("AccessDenied", 403, "Access Denied")
_MISSING = own(
    "InvalidRequest",
    400,
    "The object was stored using a form of Server Side Encryption. The correct parameters must "
    "be provided to retrieve the object.",
)
_UNNEEDED = own(
    "InvalidRequest", 400, "The encryption parameters are not applicable to this object."
)
_SSE_HEADER = own(
    "InvalidArgument",
    400,
    "x-amz-server-side-encryption header is not supported for this operation.",
)


def create_bucket(call: Call) -> Response:
    """Make a bucket that encrypts by default; one's own is made again without complaint."""
    if any(call.bucket == bucket.name for bucket in call.store.buckets()):
        return Response(200, [("Location", f"/{call.bucket}")])
    response = buckets.create_bucket(call)
    _keep(call, NEW)
    return response


def _keep(call: Call, rule: defaults.Rule) -> None:
    defaults.keep(call, [rule])
    # what uploads by form go by
    key = rekeying.bare(rule.key or "")
    plain = f"aws:kms {key}" if key else "AES256 "
    call.store.configure(call.bucket, "encryption", plain)


def put_default(call: Call) -> Response:
    """Replace the whole setting: what the document does not block is not blocked."""
    call.store.bucket(call.bucket)
    rules = defaults.parse(call)
    if len(rules) != 1:
        raise S3Problem.of("MalformedXML")
    rule = rules[0]
    if rule.algorithm is None and rule.blocked:
        rule = replace(_rule(call), blocked=rule.blocked)
    if rule.algorithm not in {"AES256", "aws:kms", DSSE}:
        raise S3Problem.of("MalformedXML")
    if rule.algorithm == "AES256" and rule.key:
        raise own("InvalidArgument", 400, "a KMSMasterKeyID goes with aws:kms or aws:kms:dsse")
    bucket_key = (rule.bucket_key or "false").strip().lower()
    blocked = tuple(name for name in rule.blocked if name == "SSE-C")
    _keep(call, replace(rule, bucket_key=bucket_key, blocked=blocked))
    return Response(200)


def get_default(call: Call) -> Response:
    """Answer the default, which every bucket has."""
    return defaults.answer([_rule(call)])


def delete_default(call: Call) -> Response:
    """Go back to SSE-S3."""
    call.store.bucket(call.bucket)
    _keep(call, _RESET)
    return no_content()


def delete(call: Call) -> Response:
    """Delete an object."""
    if "encryption" in dict(call.request.query):
        raise S3Problem.of("MethodNotAllowed")
    return deletes.delete_object(call)


def head_bucket(call: Call) -> Response:
    """Answer that the bucket is there, and where."""
    response = buckets.head_bucket(call)
    response.headers.append(("x-amz-bucket-region", Aws.region))
    return response


class Aws(Foreign):
    """Amazon S3 in us-east-1."""

    name = "aws"
    kms_key = "aws-s3"
    takes_keys_in_clear = False
    region = "us-east-1"
    server = "AmazonS3"
    error_fields = ("Key", "BucketName", "RequestId", "HostId")
    owner = ("75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a", "")
    handlers: ClassVar[Handlers] = {
        **readers(
            KeyRefusals(_MISSING, _WRONG, _UNNEEDED), sse_header=_SSE_HEADER, finish=_finish_read
        ),
        objects.put_object: put,
        copying.copy_object: copy,
        multipart.create_upload: create,
        multipart.put_part: part,
        deletes.delete_object: delete,
        buckets.create_bucket: create_bucket,
        buckets.head_bucket: head_bucket,
        settings.get_encryption: get_default,
        settings.put_encryption: put_default,
        settings.delete_encryption: delete_default,
    }

    def ids(self) -> tuple[str, str]:
        """Return 16 capitals and digits, and 56 bytes in base64."""
        letters = string.ascii_uppercase + string.digits
        return acts.random_id(letters, 16), base64.b64encode(secrets.token_bytes(56)).decode()

    def message_of(self, problem: S3Problem, request: Request, bucket: str, key: str) -> str:
        """Name the region that was signed for."""
        if problem.region:
            return acts.wrong_region(request, problem.region, quote="'")
        return super().message_of(problem, request, bucket, key)
