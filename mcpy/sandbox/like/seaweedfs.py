"""SeaweedFS 4.44 as measured: with a key encryption key and a KMS, and as installed without."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, NoReturn

from mcpy.sandbox.like import acts, defaults
from mcpy.sandbox.like.base import Foreign, hex_digits, own
from mcpy.sandbox.like.reads import KeyRefusals, readers
from mcpy.sandbox.like.seaweedfs_uploads import KEY_MD5, failed, seal, seal_without_keys, writers
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import (
    buckets,
    reading,
    settings,
    sse,
)
from mcpy.sandbox.s3.call import answer_xml, no_content
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.xml import NAMESPACE, element
from mcpy.sandbox.store import NoBucketError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.sandbox.like.base import Handlers
    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3.call import Call, Headers
    from mcpy.sandbox.store import ObjectVersion

_KEY_MISSING = (
    "Requests specifying Server Side Encryption with Customer provided keys must provide the "
    "customer algorithm, key and key MD5."
)


# reads


def _stored_key(version: ObjectVersion) -> Headers:
    return [
        (sse.CUSTOMER + "algorithm", "AES256"),
        (sse.CUSTOMER + "key-md5", version.metadata.get(KEY_MD5, "")),
    ]


def _finish_read(_: Call, response: Response) -> Response:
    md5 = response.header(sse.CUSTOMER + "key-md5")
    if md5 is not None:
        response.headers.append(("X-Amz-Server-Side-Encryption-Customer-Key-Md5", md5))
    return acts.bare_key_id(response)


_READERS = readers(
    KeyRefusals(
        own("InvalidArgument", 400, _KEY_MISSING), own("AccessDenied", 403, "Access Denied.")
    ),
    also=_stored_key,
    finish=_finish_read,
)


def get(call: Call) -> Response:
    """Answer an object; when its KMS key is gone, an answer of the right size that breaks off."""
    version, kind = acts.kind_of(call)
    try:
        return _READERS[reading.get_object](call)
    except S3Problem as e:
        if version is None or not e.code.startswith("kms:"):
            raise
        if kind != "SSE-KMS":
            raise failed() from e
        return Response(200, reading.head_object(call).headers, _nothing_more())


def _nothing_more() -> Iterator[bytes]:
    yield b""
    raise ConnectionResetError("the key is gone, and the answer has begun")


# the bucket's default


def put_default(call: Call) -> Response:
    """Keep a default, whether or not there are keys for it."""
    rules = defaults.parse(call)
    if not rules:
        raise S3Problem.of("MalformedXML")
    rule = replace(
        rules[0], bucket_key=(rules[0].bucket_key or "false").strip().lower(), blocked=()
    )
    if rule.algorithm not in {"AES256", "aws:kms"}:
        message = "The encryption algorithm specified is not valid."
        raise own("InvalidEncryptionAlgorithmError", 400, message)
    try:
        defaults.keep(call, [rule])
    except NoBucketError as e:
        raise failed() from e
    return Response(200)


def get_default(call: Call) -> Response:
    """Answer the default; a bucket that is not there has none."""
    try:
        rules = defaults.find(call)
    except NoBucketError:
        rules = None
    return defaults.answer(rules) if rules else _no_default()


def delete_default(call: Call) -> Response:
    """Remove the default, if there is one."""
    try:
        rules = defaults.find(call)
    except NoBucketError as e:
        raise failed() from e
    if rules is None:
        _no_default()
    defaults.drop(call)
    return no_content()


def _no_default() -> NoReturn:
    message = "The server side encryption configuration was not found."
    raise own("ServerSideEncryptionConfigurationNotFoundError", 404, message)


def get_location(call: Call) -> Response:
    """Answer no region, in two elements."""
    call.store.bucket(call.bucket)
    inner = element("LocationConstraint", "")
    return answer_xml(element("CreateBucketConfiguration", inner, xmlns=NAMESPACE))


class SeaweedFs(Foreign):
    """With ``WEED_S3_SSE_KEK`` and a KMS that makes keys on demand."""

    name = "seaweedfs"
    kms_key = "seaweedfs-kek"
    server = "SeaweedFS 30GB 4.44"
    md5_etags = True
    error_fields = ("Resource", "RequestId", "BucketName")
    owner = ("admin", "admin")
    handlers: ClassVar[Handlers] = {
        **_READERS,
        **writers(seal),
        reading.get_object: get,
        buckets.get_location: get_location,
        settings.get_encryption: get_default,
        settings.put_encryption: put_default,
        settings.delete_encryption: delete_default,
    }

    def shortcut(self, request: Request) -> Response | None:
        """Answer health checks, which shadow the buckets of these names."""
        healthy = request.method == "GET" and request.path in {"/status", "/healthz"}
        return Response(200) if healthy else None

    def ids(self) -> tuple[str, str]:
        """Return 24 hex digits, and no id of the host."""
        return hex_digits(24).upper(), ""

    def more_headers(self) -> Headers:
        """Return what goes with every answer."""
        return [("Accept-Ranges", "bytes")]


class Keyless(SeaweedFs):
    """As installed: there is no KEK and no KMS, and a default can be set all the same."""

    name = "seaweedfs-default"
    kms_key = ""
    handlers: ClassVar[Handlers] = {**SeaweedFs.handlers, **writers(seal_without_keys)}
