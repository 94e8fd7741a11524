"""Uploads and copies as SeaweedFS takes them, with keys and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox import envelope
from mcpy.sandbox.kms import KmsProblem
from mcpy.sandbox.like import acts, defaults
from mcpy.sandbox.like.base import Own, own
from mcpy.sandbox.s3 import (
    copying,
    entity,
    locks,
    multipart,
    objects,
    sse,
)
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.sandbox.message import Response
    from mcpy.sandbox.s3.call import Call, Handler
    from mcpy.sandbox.store import ObjectVersion

KEY_MD5 = "X-Minio-Internal-Like-Key-Md5"
"""Where the MD5 of an SSE-C key is kept, which refusals tell."""
DOUBLE = "X-Minio-Internal-Like-Double"
"""Marks an object that was stored with AES256 and SSE-C at once, and is lost."""


def failed() -> Own:
    """Return the only failure there is for all that goes wrong with keys."""
    return own("InternalError", 500, "We encountered an internal error, please try again.")


# what uploads ask for


def seal(call: Call) -> None:
    """Make sense of SSE headers and the bucket's default as a server with keys does."""
    asked = acts.asked(call)
    if asked.customer:
        _client_key(call, double=asked.algorithm == "AES256")
        return
    algorithm, key = _wanted(call)
    if algorithm == "AES256":
        acts.ask(call, algorithm)
    elif algorithm == "aws:kms":
        _use_kms(call, key, f"{call.bucket}/{call.key}")
    else:
        acts.forget_sse(call)


def seal_without_keys(call: Call) -> None:
    """Fail where a key is needed; what is no algorithm is not looked at."""
    asked = acts.asked(call)
    algorithm, _ = _wanted(call)
    if asked.algorithm in {"AES256", "aws:kms"} or (
        algorithm in {"AES256", "aws:kms"} and not asked.customer
    ):
        raise failed()
    acts.forget_sse(call)
    if asked.customer:
        _client_key(call, double=False)


def _wanted(call: Call) -> tuple[str, str]:
    asked = acts.asked(call)
    rules = [] if asked.algorithm else defaults.find(call) or []
    if rules:
        return rules[0].algorithm or "", rules[0].key or ""
    return asked.algorithm, asked.key


def _client_key(call: Call, *, double: bool) -> None:
    acts.forget_sse(call)
    try:
        sse.customer_key(call.headers)
    except sse.CustomerKeyError as e:
        message = "The provided customer encryption key MD5 does not match the key."
        raise own("InvalidArgument", 400, message) from e
    md5 = call.header(sse.CUSTOMER + "key-md5")
    if double:
        # it is encrypted twice and decrypted once: nothing brings it back
        acts.forget(call, *acts.CUSTOMER_HEADERS)
        entries = {
            DOUBLE: "1",
            KEY_MD5: md5,
            sse.SSE: "AES256",
            sse.CUSTOMER + "algorithm": "AES256",
            sse.CUSTOMER + "key-md5": md5,
        }
        acts.amend(call, lambda version: version.metadata.update(entries), destroys=True)
        return
    acts.amend(call, lambda version: version.metadata.update({KEY_MD5: md5}))


def _use_kms(call: Call, key: str, resource: str) -> None:
    """Encrypt with a KMS key, which is made if there is none of its name."""
    name = key.rpartition("/")[2].removeprefix(envelope.ARN)
    if not name or call.kms is None:
        raise failed()
    try:
        call.kms.generate(name, {})
    except KmsProblem:
        try:
            call.kms.create(name)
        except KmsProblem as e:
            raise failed() from e
    context = call.header(sse.CONTEXT)
    acts.ask(call, "aws:kms", name)
    call.headers[sse.CONTEXT] = context
    acts.bind(call, {"aws:s3:arn": f"arn:aws:s3:::{resource}"})


def _quiet(response: Response) -> Response:
    # what encrypts is told when an object is stored, the context only when it is read
    return acts.without(acts.bare_key_id(response), sse.CONTEXT)


def writers(seal: Callable[[Call], None]) -> dict[Handler, Handler]:
    """Return handlers of uploads and copies that make sense of SSE headers by ``seal``."""

    def put(call: Call) -> Response:
        customer = acts.asked(call).customer
        told = [
            (n, call.header(n)) for n in (sse.CUSTOMER + "algorithm", sse.CUSTOMER + "key-md5")
        ]
        seal(call)
        response = _quiet(objects.put_object(call))
        if customer and response.header(told[0][0]) is None:
            response.headers += told
        return response

    def create(call: Call) -> Response:
        seal(call)
        return multipart.create_upload(call)

    def part(call: Call) -> Response:
        return _quiet(multipart.put_part(call))

    def copy(call: Call) -> Response:
        return _copy(call, seal)

    return {
        objects.put_object: put,
        multipart.create_upload: create,
        multipart.put_part: part,
        copying.copy_object: copy,
    }


# copies


def _copy(call: Call, seal: Callable[[Call], None]) -> Response:
    """Copy; what works depends on the directive and on the bucket's versioning."""
    status = entity.versioning(call.store.bucket(call.bucket))
    if call.key.endswith("/"):
        raise S3Problem.of("NoSuchKey")
    bucket, key, _ = acts.source_name(call)
    onto_itself = (bucket, key) == (call.bucket, call.key)
    source = acts.source_version(call)
    if onto_itself and source is not None and status != "Enabled" and not acts.replaces(call):
        raise S3Problem.of("InvalidCopyDest")
    check = objects.write_check(call)
    if check is not None:
        check(call.store.find(call.bucket, call.key))
    acts.check_source_conditions(call)
    _seal_copy(call, seal, source, keeps_key=onto_itself and status != "Enabled")
    call.ignore("versionId")
    if source is not None:
        acts.forget(call, *locks.ENTRIES)
        acts.amend(call, lambda version: _inherit_lock(version, source))
    if onto_itself and status == "Enabled":
        acts.allow_idle_copy(call)
    acts.keep_expires(call)
    return _unquoted(copying.copy_object(call))


def _seal_copy(
    call: Call,
    seal: Callable[[Call], None],
    source: ObjectVersion | None,
    *,
    keeps_key: bool,
) -> None:
    kms = envelope.kind_of(source.metadata) == "SSE-KMS" if source is not None else False
    asked = acts.asked(call)
    seal(call)
    if call.header(sse.SSE) != "aws:kms":
        return
    if source is not None and kms and keeps_key and not asked.customer:
        # 200, and the key stays what it was
        acts.ask(call, "aws:kms", source.metadata[envelope.KMS_KEY])
        call.headers[sse.CONTEXT] = source.metadata.get(envelope.CONTEXT, "e30=")
        return
    resource = f"{call.bucket}//buckets/{call.bucket}/{call.key}"
    acts.forget(call, sse.CONTEXT)
    _use_kms(call, call.header(sse.KMS_KEY_ID), resource)


def _inherit_lock(version: ObjectVersion, source: ObjectVersion) -> None:
    acts.without_lock(version)
    names = [name for name in locks.ENTRIES if name in source.metadata]
    version.metadata |= {name: source.metadata[name] for name in names}


def _unquoted(response: Response) -> Response:
    if isinstance(response.body, bytes):
        response.body = response.body.replace(b"&#34;", b"")
    return response
